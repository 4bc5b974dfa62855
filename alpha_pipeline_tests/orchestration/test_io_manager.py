"""Delta tables as asset storage: partitions are replaced, and never written is not the same as empty."""

# No `from __future__ import annotations`: Dagster reads the assets' annotations themselves.
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from alpha_pipeline.errors import BadInput
from alpha_pipeline.ledger import Lake
from alpha_pipeline.orchestration.io_manager import LakeIOManager
from alpha_pipeline.orchestration.partitions import GENERATION_RUNS

SEEN: list[pl.DataFrame] = []


class Rows(dg.Config):
    values: list[int]


@dg.asset(partitions_def=GENERATION_RUNS)
def numbers(config: Rows) -> pl.DataFrame:
    return pl.DataFrame({"value": config.values}, schema={"value": pl.Int64})


@dg.asset(partitions_def=GENERATION_RUNS)
def reader(numbers: pl.DataFrame) -> dg.MaterializeResult[None]:
    SEEN.append(numbers)
    return dg.MaterializeResult(metadata={"rows": numbers.height})


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        made.add_dynamic_partitions(str(GENERATION_RUNS.name), ["a", "b"])
        yield made


def write(lake: Lake, instance: dg.DagsterInstance, key: str, values: list[int], selection: str = "numbers*") -> None:
    """Materialize in what is a new process as far as the manager knows."""
    dg.materialize(
        [numbers, reader],
        selection=selection,
        instance=instance,
        partition_key=key,
        resources={"io_manager": LakeIOManager(lake)},
        run_config={"ops": {"numbers": {"config": {"values": values}}}} if "numbers" in selection else None,
    )


def test_a_partition_is_replaced_and_others_stay(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    lake = Lake(tmp_path)
    write(lake, instance, "a", [1, 2])
    write(lake, instance, "b", [3])
    write(lake, instance, "a", [4])
    rows = lake.scan("numbers").sort("value").collect()
    assert rows.select("value", "generation_run").rows() == [(3, "b"), (4, "a")]


def test_what_is_read_back_is_what_was_handed_over(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    SEEN.clear()
    write(Lake(tmp_path), instance, "a", [1, 2])
    write(Lake(tmp_path), instance, "a", [], selection="reader")
    assert SEEN[0].equals(SEEN[1])
    assert SEEN[1].columns == ["value"]


def test_an_empty_partition_is_read_as_empty(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    SEEN.clear()
    write(Lake(tmp_path), instance, "a", [])
    write(Lake(tmp_path), instance, "a", [], selection="reader")
    assert [frame.height for frame in SEEN] == [0, 0]
    assert SEEN[1].schema == pl.Schema({"value": pl.Int64})


@pytest.mark.parametrize("other_first", [False, True])
def test_what_was_never_materialized_is_an_error(
    tmp_path: Path, instance: dg.DagsterInstance, other_first: bool
) -> None:
    if other_first:
        write(Lake(tmp_path), instance, "b", [1])
    with pytest.raises(BadInput, match="generation run a: numbers was never materialized"):
        write(Lake(tmp_path), instance, "a", [], selection="reader")


def test_a_key_that_could_not_be_a_folder_is_refused(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions(str(GENERATION_RUNS.name), ["../b"])
    with pytest.raises(BadInput, match="not a valid key"):
        write(Lake(tmp_path), instance, "../b", [1], selection="numbers")
