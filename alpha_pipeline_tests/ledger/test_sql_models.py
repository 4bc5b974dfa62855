"""The loader of SQL models: what it reads from a file, and what it refuses."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import polars as pl
import pytest

from alpha_pipeline.errors import BadInput
from alpha_pipeline.ledger import TABLES, BrokenModel, Lake, load_models, read_model, run_model, sql_folder
from alpha_pipeline.ledger import sql_models as sql_models_module

GOOD = """-- description: Sharpe by run
-- input: extra(generation_run, bonus)
-- param: least = 1.5
-- check: unique(generation_run)
with best as (select generation_run, max(sharpe) as sharpe from trials group by generation_run)
select best.generation_run, best.sharpe + extra.bonus as sharpe
from best inner join extra on best.generation_run = extra.generation_run
where best.sharpe >= $least
order by 1
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.sql"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_every_model_of_the_repository_loads() -> None:
    models = load_models(tables=TABLES)
    assert "pool_correlation" in models
    for model in models.values():
        assert model.description, model.name
        assert model.checks, model.name


def test_a_model_is_read_whole(tmp_path: Path) -> None:
    model = read_model(write(tmp_path, "best_runs", GOOD))
    assert model.name == "best_runs"
    assert model.description == "Sharpe by run"
    assert model.inputs == {"extra": ("generation_run", "bonus")}
    assert model.parameters == {"least": 1.5}
    assert [(check.kind, check.columns) for check in model.checks] == [("unique", ("generation_run",))]
    assert model.reads == ("extra", "trials")


def test_the_version_is_of_the_meaning(tmp_path: Path) -> None:
    model = read_model(write(tmp_path, "one", GOOD))
    spaced = read_model(write(tmp_path, "two", GOOD.replace("\nfrom", "  \n\n  from") + "-- a remark\n"))
    other = read_model(write(tmp_path, "three", GOOD.replace("max(", "min(")))
    assert model.version == spaced.version != other.version


def test_a_model_runs_over_the_lake(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    lake.replace("trials", pl.DataFrame({"sharpe": [1.0, 2.0]}), generation_run="r-1")
    lake.replace("trials", pl.DataFrame({"sharpe": [1.7]}), generation_run="r-2")
    model = read_model(write(tmp_path, "best_runs", GOOD))
    extra = pl.DataFrame({"generation_run": ["r-1", "r-2"], "bonus": [0.5, 0.25], "unused": [1, 2]})
    with lake.connect() as connection:
        assert run_model(connection, model, {"extra": extra}).rows() == [("r-1", 2.5), ("r-2", 1.95)]
        assert run_model(connection, model, {"extra": extra}, least=1.9).rows() == [("r-1", 2.5)]
        with pytest.raises(BrokenModel, match=r"2 rows break unique\(generation_run\)"):
            run_model(connection, model, {"extra": pl.concat([extra[:1], extra[:1]])})
        with pytest.raises(ValueError, match="takes"):
            run_model(connection, model, {})
        with pytest.raises(ValueError, match=r"lacks.*bonus"):
            run_model(connection, model, {"extra": extra.drop("bonus")})
        with pytest.raises(ValueError, match="no parameter"):
            run_model(connection, model, {"extra": extra}, most=3)


def test_not_null_check(tmp_path: Path) -> None:
    model = read_model(write(tmp_path, "m", "-- input: t(a, b)\n-- check: not_null(a, b)\nselect a, b from t"))
    with duckdb.connect() as connection, pytest.raises(BrokenModel, match="1 rows break not_null"):
        run_model(connection, model, {"t": pl.DataFrame({"a": [1, None], "b": [1, 2]})})


def test_models_come_after_what_they_read(tmp_path: Path) -> None:
    write(tmp_path / "marts", "a_last", "select * from middle")
    write(tmp_path / "staging", "middle", "select * from z_first")
    write(tmp_path / "staging", "z_first", "select 1 as x")
    assert list(load_models(tmp_path)) == ["z_first", "middle", "a_last"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("select * from nowhere", "model 'bad' reads the unknown table 'nowhere'"),
        ("selec 1", "bad.sql"),
        ("select 1; select 2", "exactly one SELECT"),
        ("drop table trials", "exactly one SELECT"),
        ("", "exactly one SELECT"),
        ("-- check: positive(x)\nselect 1 as x", "positive"),
        ("-- input: t\nselect 1 as x", "cannot read the comment"),
        ("-- param: x = many\nselect $x as x", "cannot read the comment"),
        ("select $x as x", "parameter x"),
        ("-- param: y = 1\nselect 1 as x", "parameter y"),
        ("select * from bad", "read each other"),
    ],
)
def test_bad_models_are_named(tmp_path: Path, text: str, complaint: str) -> None:
    write(tmp_path, "bad", text)
    with pytest.raises(BadInput) as caught:
        load_models(tmp_path)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_name_for_two_models(tmp_path: Path) -> None:
    write(tmp_path / "a", "same", "select 1 as x")
    write(tmp_path / "b", "same", "select 1 as x")
    with pytest.raises(BadInput, match="rename"):
        load_models(tmp_path)


def test_the_folder_is_found_from_anywhere_or_missed_clearly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALPHA_SQL", raising=False)
    monkeypatch.chdir(tmp_path)
    assert (sql_folder() / "marts" / "pool_correlation.sql").is_file()
    monkeypatch.setenv("ALPHA_SQL", str(tmp_path))
    assert sql_folder() == tmp_path
    monkeypatch.setenv("ALPHA_SQL", str(tmp_path / "gone"))
    with pytest.raises(BadInput, match="set ALPHA_SQL"):
        sql_folder()
    monkeypatch.delenv("ALPHA_SQL")
    monkeypatch.setattr(sql_models_module.alpha_pipeline, "__file__", os.fspath(tmp_path / "site" / "p" / "x.py"))
    with pytest.raises(BadInput, match="set ALPHA_SQL"):
        sql_folder()
    (tmp_path / "dbt_like_sql").mkdir()
    assert sql_folder() == tmp_path / "dbt_like_sql"
