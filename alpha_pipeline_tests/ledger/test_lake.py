"""The lake: round trips, idempotence, and many writers at once."""

from __future__ import annotations

import datetime
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, local

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from alpha_pipeline.errors import BadInput
from alpha_pipeline.ledger import TABLES, Lake
from alpha_pipeline.ledger import lake as lake_module

FRAME = pl.DataFrame(
    {
        "text": ["a", None, "ü"],
        "number": [1.5, float("nan"), None],
        "whole": [1, 2, 3],
        "flag": [True, False, None],
        "day": [datetime.date(2020, 1, 1), None, datetime.date(2021, 2, 3)],
    }
)


@pytest.mark.parametrize("folder", ["made/later", "with a space", "Müller", "relative/../lake"])
def test_append_and_scan_round_trip_in_any_folder(tmp_path: Path, folder: str) -> None:
    lake = Lake(tmp_path / folder)
    lake.append("things", FRAME)
    lake.append("things", FRAME[:1])
    assert_frame_equal(lake.scan("things").sort("whole").collect(), pl.concat([FRAME[:1], FRAME]))
    lake.replace("parts", FRAME, generation_run="r-1")
    lake.replace("parts", FRAME[:2], generation_run="r-1")
    with lake.connect() as connection:
        assert connection.sql("select sum(whole), min(generation_run) from parts").fetchall() == [(3, "r-1")]


def test_a_percent_sign_in_the_root_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="choose another home"):
        Lake(tmp_path / "50%")


def test_replace_is_idempotent_and_leaves_other_partitions_alone(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.replace("things", FRAME, generation_run="r-1")
    lake.replace("things", FRAME[:2], generation_run="r-2")
    for _ in range(2):
        lake.replace("things", FRAME[1:], generation_run="r-1")
    rows = lake.scan("things").collect()
    assert rows.filter(generation_run="r-1").drop("generation_run").sort("whole").equals(FRAME[1:])
    assert rows.filter(generation_run="r-2").height == 2


def test_replace_with_nothing_empties_the_partition(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.replace("things", FRAME.clear(), generation_run="r-0")
    assert lake.scan("things").collect().schema == {**FRAME.schema, "generation_run": pl.String}
    lake.replace("things", FRAME, generation_run="r-1")
    lake.replace("things", FRAME.clear(), generation_run="r-1")
    assert lake.scan("things").collect().height == 0


def test_two_partition_columns(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for pool in ("p1", "p2"):
        for run in ("a", "b"):
            lake.replace("things", FRAME, pool_key=pool, generation_run=run)
    lake.replace("things", FRAME[:1], pool_key="p1", generation_run="a")
    assert lake.scan("things").collect().height == 1 + 3 * 3


@pytest.mark.parametrize("key", ["", "A", "a b", "a'--", "../up", "ü", "a/b", "a=b", "a\n"])
def test_keys_that_could_leave_the_predicate_are_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(BadInput, match="generation_run"):
        Lake(tmp_path).replace("things", FRAME, generation_run=key)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("table", ["", "Up", "../x", "a b", "x/y"])
def test_table_names_are_checked(tmp_path: Path, table: str) -> None:
    with pytest.raises(BadInput, match="not a table name"):
        Lake(tmp_path).append(table, FRAME)


def test_replace_needs_a_partition(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="partition"):
        Lake(tmp_path).replace("things", FRAME)


def test_known_tables_are_empty_before_they_are_written_and_others_are_refused(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for name, table in TABLES.items():
        assert lake.scan(name).collect().schema == table.schema
    with pytest.raises(BadInput, match="no table 'nothing'"):
        lake.scan("nothing")


def test_another_schema_is_refused_in_one_line(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append("things", FRAME)
    with pytest.raises(BadInput) as caught:
        lake.append("things", pl.DataFrame({"elsewhere": [1]}))
    assert "\n" not in str(caught.value)
    assert lake.scan("things").collect().height == 3


def test_duckdb_sees_all_tables(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.replace("things", FRAME, generation_run="r-1")
    with lake.connect() as connection:
        assert connection.sql("select sum(whole) from things where generation_run = 'r-1'").fetchall() == [(6,)]
        assert connection.sql("select count(*) from trials").fetchall() == [(0,)]


def test_the_race_to_make_a_table_doubles_no_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everybody, looked, exists = Barrier(2), local(), Lake.exists

    def look_and_wait(lake: Lake, table: str) -> bool:
        found = exists(lake, table)
        if not hasattr(looked, "once"):
            looked.once = True
            everybody.wait()
        return found

    monkeypatch.setattr(Lake, "exists", look_and_wait)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: Lake(tmp_path).replace("things", FRAME, generation_run="r-1"), range(2)))
    monkeypatch.undo()
    assert Lake(tmp_path).scan("things").collect().height == 3


def test_threads_write_one_new_table_at_once(tmp_path: Path) -> None:
    def write(index: int) -> None:
        lake = Lake(tmp_path)
        lake.replace("things", FRAME, generation_run=f"r-{index % 4}")
        lake.append("log", FRAME)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    counts = Lake(tmp_path).scan("things").group_by("generation_run").len().collect()
    assert sorted(counts.rows()) == [(f"r-{run}", 3) for run in range(4)]
    assert Lake(tmp_path).scan("log").collect().height == 24


WRITER = """
import sys, time, pathlib
import polars as pl
from alpha_pipeline.ledger import Lake
root, name = sys.argv[1:]
lake = Lake(root + "/lake")
pathlib.Path(root, "ready-" + name).touch()
while not pathlib.Path(root, "go").exists():
    time.sleep(0.005)
for turn in range(3):
    frame = pl.DataFrame({"writer": [name] * 10, "turn": [turn] * 10})
    lake.replace("things", frame, generation_run="shared")
    lake.replace("things", frame, generation_run="own-" + name)
    lake.append("log", frame)
"""


def test_processes_write_at_once(tmp_path: Path) -> None:
    names = ["a", "b", "c"]
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [subprocess.Popen([*command, name], stderr=subprocess.PIPE, text=True) for name in names]
    while not all((tmp_path / f"ready-{name}").exists() for name in names):
        assert all(writer.poll() is None for writer in writers)
    (tmp_path / "go").touch()
    for writer in writers:
        _, complaint = writer.communicate(timeout=60)
        assert writer.returncode == 0, complaint
    lake = Lake(tmp_path / "lake")
    rows = lake.scan("things").collect()
    shared = rows.filter(generation_run="shared")
    assert shared.height == 10  # one writer's rows, whole
    assert shared["writer"].n_unique() == 1
    assert sorted(rows.filter(pl.col("turn") == 2)["generation_run"].unique()) == ["own-a", "own-b", "own-c", "shared"]
    assert lake.scan("log").collect().height == 3 * 3 * 10


def test_a_conflict_that_never_ends_is_raised(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def always(*_: object, **__: object) -> None:
        raise lake_module.CommitFailedError("others were first")

    monkeypatch.setattr(lake_module, "write_deltalake", always)
    monkeypatch.setattr(lake_module, "ATTEMPTS", 3)
    monkeypatch.setattr(lake_module, "LONGEST_PAUSE", 0.0)
    with pytest.raises((BadInput, lake_module.CommitFailedError), match="others were first"):
        Lake(tmp_path).append("things", FRAME)
