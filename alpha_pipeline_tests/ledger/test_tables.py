from __future__ import annotations

import polars as pl
import pytest

from alpha_pipeline.ledger import TABLES, Lake, conform
from alpha_pipeline_tests.ledger.frames import trials


def test_absent_nullable_columns_are_filled_and_order_is_the_schema() -> None:
    whole = conform("trials", trials(["x", "y"]))
    assert whole.columns == [name for name in TABLES["trials"].schema if name != "generation_run"]
    assert whole["error"].null_count() == 2
    assert whole.schema["finite_share"] == pl.Float64


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        (trials(["x"]).with_columns(colour=pl.lit("red")), "colour"),
        (trials(["x"]).drop("expression"), "expression"),
        (trials(["x"]).with_columns(sharpe=pl.lit("high")), "trials"),
        (trials(["x"]).with_columns(generator=pl.lit(None, pl.String)), "generator.*null"),
    ],
)
def test_frames_that_do_not_fit_are_defects(frame: pl.DataFrame, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        conform("trials", frame)


@pytest.mark.parametrize("name", TABLES)
def test_every_schema_survives_storage(tmp_path: object, name: str) -> None:
    lake, table = Lake(str(tmp_path)), TABLES[name]
    row: dict[str, object] = {pl.String: "a", pl.Float64: 0.25, pl.Int64: 3, pl.Boolean: True}  # type: ignore[dict-item]
    frame = pl.DataFrame(
        {
            column: [row.get(kind)] if kind != pl.Date else pl.Series(["2020-01-02"]).str.to_date()
            for column, kind in table.schema.items()
            if column not in table.partition
        }
    )
    keys = dict.fromkeys(table.partition, "k-1")
    lake.replace(name, conform(name, frame), **keys)
    stored = lake.scan(name).select(table.schema.names()).collect()
    assert stored.schema == table.schema
    assert stored.drop(table.partition).equals(conform(name, frame))
