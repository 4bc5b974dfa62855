"""Export files: their exact text, their round trip, and what a broken one says."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from alpha_pipeline.backtest import Metrics, SimulationSettings
from alpha_pipeline.errors import BadInput
from alpha_pipeline.export import (
    AlphaSubmitter,
    ExportRecord,
    ManualExporter,
    Provenance,
    read_export,
    rounded,
    to_csv,
    to_json,
    write_export,
)

METRICS = Metrics(1.56789, 0.234567, 1.23456, 0.061249, 0.0712345, 0.00040449, 1480.4, 1502.6, 1008)
PROVENANCE = Provenance(
    generation_run="r-7",
    generator="genetic",
    seed=7,
    data_version="0123456789abcdef",
    code_version="1.0",
    pool_version="4f53cda18c2b",
    source="synthetic",
    synthetic=True,
    label="SYNTHETIC",
    price_level="PASS",
    metrics_full=METRICS.to_dict(),
    sharpe_one_day_later=-0.001,
    warnings=("a warning, with a comma",),
)
RECORD = ExportRecord(
    alpha_id="alpha_0123456789ab",
    expression="rank(-ts_delta(close, 5) / close)",
    metrics=METRICS.to_dict(),
    settings=SimulationSettings(),
    validation_status="PASSED",
    timestamp="2026-01-31T12:00:00Z",
    provenance=PROVENANCE,
)
SECOND = dataclasses.replace(
    RECORD,
    alpha_id="alpha_ba9876543210",
    settings=SimulationSettings(decay=4, neutralization="NONE", truncation=0.0, delay=0, extra_lag=1),
    provenance=dataclasses.replace(PROVENANCE, metrics_gate=METRICS.to_dict(), warnings=()),
)

GOLDEN_CSV = """\
alpha_id,expression,region,universe,delay,decay,neutralization,truncation,sharpe,turnover,fitness,returns,drawdown,\
margin,validation_status,timestamp
alpha_0123456789ab,"rank(-ts_delta(close, 5) / close)",USA,TOP3000,1,0,MARKET,0.08,1.57,0.2346,1.23,0.0612,0.0712,\
0.000404,PASSED,2026-01-31T12:00:00Z
alpha_ba9876543210,"rank(-ts_delta(close, 5) / close)",USA,TOP3000,0,4,NONE,0.0,1.57,0.2346,1.23,0.0612,0.0712,\
0.000404,PASSED,2026-01-31T12:00:00Z
"""
FIGURES = """{
        "sharpe": 1.57,
        "turnover": 0.2346,
        "fitness": 1.23,
        "returns": 0.0612,
        "drawdown": 0.0712,
        "margin": 0.000404,
        "long_count": 1480,
        "short_count": 1503
      }"""
GOLDEN_JSON = (
    """[
  {
    "alpha_id": "alpha_0123456789ab",
    "expression": "rank(-ts_delta(close, 5) / close)",
    "metrics": """
    + FIGURES.replace("\n  ", "\n")
    + """,
    "settings": {
      "region": "USA",
      "universe": "TOP3000",
      "delay": 1,
      "decay": 0,
      "neutralization": "MARKET",
      "truncation": 0.08
    },
    "validation_status": "PASSED",
    "timestamp": "2026-01-31T12:00:00Z",
    "provenance": {
      "record_version": 1,
      "generation_run": "r-7",
      "generator": "genetic",
      "seed": 7,
      "data_version": "0123456789abcdef",
      "code_version": "1.0",
      "pool_version": "4f53cda18c2b",
      "source": "synthetic",
      "synthetic": true,
      "label": "SYNTHETIC",
      "price_level": "PASS",
      "metrics_full": """
    + FIGURES
    + """,
      "sharpe_one_day_later": 0.0,
      "warnings": [
        "a warning, with a comma"
      ],
      "extra_lag": 0,
      "strict_windows": false
    }
  }
]
"""
)


def test_json_text() -> None:
    assert to_json([RECORD]) == GOLDEN_JSON
    assert to_json([]) == "[]\n"


def test_csv_text() -> None:
    assert to_csv([RECORD, SECOND]) == GOLDEN_CSV


def test_platform_rounding() -> None:
    figures = rounded(METRICS)
    assert figures == {
        "sharpe": 1.57,
        "turnover": 0.2346,
        "fitness": 1.23,
        "returns": 0.0612,
        "drawdown": 0.0712,
        "margin": 0.000404,
        "long_count": 1480,
        "short_count": 1503,
    }
    assert isinstance(figures["long_count"], int)
    assert str(rounded(dataclasses.replace(METRICS, sharpe=-0.001))["sharpe"]) == "0.0"


@pytest.mark.parametrize("format", ["json", "csv"])
def test_written_files_read_back(tmp_path: Path, format: str) -> None:
    path = ManualExporter(tmp_path / "new" / "folder").export_to_file([RECORD, SECOND], format)
    assert path == tmp_path / "new" / "folder" / f"alphas.{format}"
    assert path.read_bytes() == (to_json if format == "json" else to_csv)([RECORD, SECOND]).encode()
    rows = read_export(path)
    assert [row["alpha_id"] for row in rows] == [RECORD.alpha_id, SECOND.alpha_id]
    if format == "csv":
        assert rows[1]["decay"] == 4
        assert rows[0]["margin"] == 0.000404
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("record", [RECORD, SECOND])
def test_records_round_trip_through_json(record: ExportRecord) -> None:
    row = json.loads(to_json([record]))[0]
    again = ExportRecord.from_dict(row, "here")
    assert again.settings == record.settings
    assert to_json([again]) == to_json([record])


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_export([RECORD], tmp_path / "alphas.json")
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(BadInput, match="No space left"):
        write_export([SECOND], path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(BadInput, match="choose another folder"):
        ManualExporter(tmp_path / "taken").export_to_file([RECORD])


def test_what_may_not_leave(tmp_path: Path) -> None:
    exporter = ManualExporter(tmp_path)
    rejected = dataclasses.replace(RECORD, validation_status="REJECTED")
    artefact = dataclasses.replace(RECORD, provenance=dataclasses.replace(PROVENANCE, price_level="FAIL"))
    for records, complaint in (([rejected], "REJECTED"), ([artefact], "PRICE_LEVEL"), ([RECORD, RECORD], "twice")):
        with pytest.raises(BadInput, match=complaint):
            exporter.submit(records)
    with pytest.raises(BadInput, match="json or csv"):
        exporter.export_to_file([RECORD], "xlsx")
    assert not list(tmp_path.iterdir())


def test_the_manual_exporter_is_a_submitter(tmp_path: Path) -> None:
    submitter: AlphaSubmitter = ManualExporter(tmp_path)
    places = submitter.submit([RECORD, SECOND])
    assert len(places) == 2
    assert (tmp_path / "alphas.json").is_file()
    assert (tmp_path / "alphas.csv").is_file()
    with pytest.raises(BadInput, match="file name"):
        ManualExporter(tmp_path, "../alphas")
    with pytest.raises(TypeError):
        AlphaSubmitter()  # type: ignore[abstract]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"alpha_id": "alpha_xyz"}, "12 hex"),
        ({"expression": " "}, "empty"),
        ({"validation_status": "MAYBE"}, "PASSED"),
        ({"timestamp": "yesterday"}, "2026-01-31T12:00:00Z"),
    ],
)
def test_records_are_checked_when_made(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        dataclasses.replace(RECORD, **change)


def broken(**changes: Any) -> str:
    row = json.loads(to_json([RECORD]))[0]
    for path, value in changes.items():
        *folders, name = path.split("__")
        place = row
        for folder in folders:
            place = place[folder]
        if value is ...:
            del place[name]
        else:
            place[name] = value
    return json.dumps([row])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not JSON"),
        ("{}", "array"),
        ("[" * 100_000, "not JSON"),
        ("[3]", "row 1: found int"),
        (broken(expression=...), "'expression' is missing"),
        (broken(extra=1), "'extra' is not a field"),
        (broken(expression=7), "expression: found 7"),
        (broken(metrics=[]), "metrics: found list"),
        (broken(metrics__sharpe="high"), "sharpe: found 'high'"),
        (broken(metrics__sharpe=float("nan")), "not a finite number"),
        (broken(metrics__sharpe=True), "found True"),
        (broken(metrics__margin=...), "'margin' is missing"),
        (broken(settings__region="EUR"), "not a valid region"),
        (broken(settings__truncation=...), "'truncation' is missing"),
        (broken(provenance=None), "provenance: found NoneType"),
        (broken(provenance__seed="7"), "seed: found '7'"),
        (broken(provenance__synthetic=1), "synthetic: found 1"),
        (broken(provenance__warnings=["a", 1]), "warnings"),
        (broken(provenance__record_version=2), "record_version 2"),
        (broken(provenance__metrics_full__sharpe=...), "'sharpe' is missing"),
        (broken(provenance__price_level="?"), "PASS or FAIL"),
        (broken(alpha_id="x"), "12 hex"),
    ],
)
def test_broken_json_is_named_in_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "alphas.json"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        read_export(path)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("alpha_id,", "id,", "header"),
        (",PASSED", "", "15 values for 16 columns"),
        ("1.57", "high", "does not parse"),
        ("1.57", "nan", "not finite"),
        (",PASSED", ",MAYBE", "PASSED, REJECTED"),
        ("MARKET", "PLANET", "neutralization"),
        (GOLDEN_CSV, "", "header"),
    ],
)
def test_broken_csv_is_named(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    path = tmp_path / "alphas.csv"
    path.write_text(GOLDEN_CSV.replace(old, new))
    with pytest.raises(BadInput, match=complaint):
        read_export(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot read"):
        read_export(tmp_path / "none.json")
    (tmp_path / "alphas.txt").touch()
    with pytest.raises(BadInput, match=r"use \.json or \.csv"):
        read_export(tmp_path / "alphas.txt")
    (tmp_path / "alphas.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match="UTF-8"):
        read_export(tmp_path / "alphas.csv")


def test_the_sample_in_the_repository_reads_back_and_is_labelled() -> None:
    folder = Path(__file__).resolve().parents[2] / "exports"
    rows = read_export(folder / "SYNTHETIC-run-0001.json")
    assert rows
    assert {row["provenance"]["label"] for row in rows} == {"SYNTHETIC"}
    assert [row["alpha_id"] for row in read_export(folder / "SYNTHETIC-run-0001.csv")] == [r["alpha_id"] for r in rows]
