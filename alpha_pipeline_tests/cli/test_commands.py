"""Every command, for people and as JSON: keys, exit codes, labels."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import pytest

from alpha_pipeline.cli import display
from alpha_pipeline_tests.cli.conftest import CANDIDATES, Ran, call

Mined = tuple[Path, Ran]
REVERSAL = "-ts_delta(close,5)/close"  # begins with a minus and has no blank, as people type it
STAGES = ["syntax", "types", "complexity", "execution", "finite", "correlation", "performance", "export"]
METRICS = ["sharpe", "turnover", "fitness", "returns", "drawdown", "margin", "long_count", "short_count"]
EXPORT_COLUMNS = (
    "alpha_id,expression,region,universe,delay,decay,neutralization,truncation,"
    "sharpe,turnover,fitness,returns,drawdown,margin,validation_status,timestamp"
)


def exported(ran: Ran) -> list[str]:
    """The expressions a run exported, best first."""
    rows = json.loads(Path(ran.json["export"]["json"]).read_text())
    return [row["expression"] for row in rows]


def test_mine_as_json(mined: Mined) -> None:
    home, ran = mined
    found = ran.json
    assert set(found) == {
        *("generation_run", "data_version", "source", "synthetic", "generator", "seed", "proposed", "evaluations"),
        *("evaluations_trained", "curves"),
        *("stages", "exported", "stage_pass_rate", "export_rate", "export_per_evaluation", "seconds"),
        *(
            "price_level",
            "judging_seconds",
            "mining_seconds",
            "candidates_per_hour",
            "peak_memory",
            "interrupted",
            "warnings",
            "export",
        ),
    }
    assert (found["generation_run"], found["source"], found["synthetic"]) == ("run-0001", "synthetic", True)
    assert (found["generator"], found["seed"], found["proposed"]) == ("genetic", 5, CANDIDATES)
    assert [set(stage) for stage in found["stages"]] == [{"stage", "name", "in", "out", "reasons"}] * 8
    assert [stage["name"] for stage in found["stages"]] == STAGES
    assert found["stage_pass_rate"] == found["stages"][-1]["out"] / CANDIDATES
    assert found["export_rate"] == found["exported"] / CANDIDATES
    assert found["interrupted"] is False
    assert any("SYNTHETIC" in sentence for sentence in found["warnings"])
    assert set(found["export"]) == {"json", "csv"}
    assert all(Path(file).parent == home / "exports" for file in found["export"].values())
    assert len(exported(ran)) == found["exported"] > 0


def test_stdout_holds_nothing_but_the_object(mined: Mined) -> None:
    assert mined[1].out.count("\n") == 1
    assert "mining" in mined[1].err


def test_mine_for_people_and_twice(tmp_path: Path) -> None:
    """Two runs; the second exports nothing of the first, and `export` holds each alpha once."""
    mine = ("mine", "--candidates", "48", "--home", tmp_path)
    first = call(*mine, "--seed", "1")
    assert first.code == 0
    for text in ("SYNTHETIC", "run-0001", "48 genetic proposals", "8 export", "candidates an hour", "peak memory"):
        assert text in first.out
    assert "note: SYNTHETIC market" in first.out, "beside the figures, wherever they are sent"
    second = call(*mine, "--json", "--generator", "random", "--memory", "300MiB")
    assert second.json["generation_run"] == "run-0002"
    assert second.json["generator"] == "random"
    assert "reading prices" not in second.err, "the panel is there already"
    folder = tmp_path / "handed over"
    everything = call("export", "--json", "--home", tmp_path, "--out", folder)
    assert set(everything.json) == {"file", "format", "exported", "synthetic", "warnings"}
    rows = json.loads(Path(everything.json["file"]).read_text())
    files = [next(line for line in first.out.splitlines() if line.endswith(".json")).split()[-1]]
    runs = [json.loads(Path(file).read_text()) for file in [*files, second.json["export"]["json"]]]
    assert len(rows) == everything.json["exported"] == sum(map(len, runs))
    assert len({row["alpha_id"] for row in rows}) == len(rows)
    sharpes = [row["metrics"]["sharpe"] for row in rows]
    assert sharpes == sorted(sharpes, reverse=True)


def test_ingest(ingested: Mined) -> None:
    _, ran = ingested
    assert set(ran.json) == {
        *("data_version", "source", "synthetic", "dates", "instruments", "first", "last", "universe", "quality"),
        *("warnings", "seconds", "peak_memory"),
    }
    assert (ran.json["dates"], ran.json["instruments"], ran.json["universe"]) == (700, 60, "TOP3000")


def test_ingest_of_a_smaller_universe(tmp_path: Path) -> None:
    ran = call("ingest", "--universe", "top10", "--home", tmp_path)
    assert ran.code == 0
    assert "SYNTHETIC: 60 instruments × 700 days, 2018-01-01 to 2020-09-04" in ran.out
    assert "C11: a long run of unchanged closes without volume" in ran.out
    shown = call("universe", "--json", "--home", tmp_path).json
    assert shown["universe"] == "TOP10"
    assert len(shown["members"]) == 10
    assert call("evaluate", REVERSAL, "--json", "--home", tmp_path).json["settings"]["universe"] == "TOP10"


def test_evaluate_as_json(mined: Mined) -> None:
    found = call("evaluate", REVERSAL, "--json", "--home", mined[0]).json
    assert set(found) == {
        *("expression", "canonical", "alpha_id", "settings", "window", "metrics", "sharpe_one_day_later"),
        *("missing", "days", "data_version", "synthetic", "warnings", "seconds"),
    }
    assert found["expression"] == REVERSAL
    assert list(found["metrics"]) == METRICS
    assert found["window"] == "search"
    assert found["settings"]["delay"] == 1
    assert found["synthetic"] is True


def test_evaluate_in_each_window(mined: Mined) -> None:
    found = {
        window: call("evaluate", REVERSAL, "--json", "--window", window, "--home", mined[0]).json
        for window in ("search", "gate", "full")
    }
    days = {window: value["days"] for window, value in found.items()}
    assert days["search"] + days["gate"] == days["full"]
    assert len({value["metrics"]["sharpe"] for value in found.values()}) == 3
    assert found["search"]["metrics"] == call("evaluate", REVERSAL, "--json", "--home", mined[0]).json["metrics"]


def test_evaluate_for_people(mined: Mined) -> None:
    ran = call("evaluate", REVERSAL, "--window", "gate", "--home", mined[0])
    assert ran.code == 0
    for text in ("SYNTHETIC", "gate window", "sharpe one day later", *METRICS):
        assert text in ran.out
    assert "note: SYNTHETIC market" in ran.out


def test_evaluate_with_another_panel(mined: Mined) -> None:
    version = mined[1].json["data_version"]
    assert call("evaluate", "close", "--json", "--panel", version, "--home", mined[0]).json["data_version"] == version


def test_validate_accepts(mined: Mined, ingested: Mined) -> None:
    """What one home exported is accepted by another that has accepted nothing yet."""
    ran = call("validate", exported(mined[1])[0], "--json", "--home", ingested[0])
    assert ran.code == 0, ran.out
    found = ran.json
    assert set(found) == {
        *("expression", "status", "stages", "checks", "export", "data_version", "synthetic", "warnings")
    }
    assert found["status"] == "accepted"
    assert found["export"]
    keys = {"stage", "name", "passed", "value", "threshold", "reason"}
    assert [set(stage) for stage in found["stages"]] == [keys] * 8
    assert all(set(check) == {"name", "result", "value", "limit"} for check in found["checks"])
    assert "PRICE_LEVEL" in {check["name"] for check in found["checks"]}


def test_validate_rejects_and_goes_on(ingested: Mined) -> None:
    """All verdicts that can be reached: a price level fails the last stage whatever failed before."""
    ran = call("validate", "rank(-close)", "--json", "--home", ingested[0])
    assert ran.code == 1
    assert ran.json["status"] == "rejected"
    assert len(ran.json["stages"]) == 8
    assert ran.json["export"] is None
    assert {c["name"]: c["result"] for c in ran.json["checks"]}["PRICE_LEVEL"] == "FAIL"


@pytest.mark.parametrize(
    ("text", "reached", "reason"),
    [
        ("rank(close", 1, "expected `)`"),
        ("rank(clsoe)", 3, "did you mean `close`?"),
        ("", 1, "Expression cannot be empty"),
        ("rank(close, 5, 7)", 3, "Invalid number of inputs : 3, should be exactly 1 input(s)."),
        ("ts_mean(close, sector)", 3, 'Got invalid value for attribute "lookback", must be constant or string'),
        ("exp(" * 11 + "returns" + ")" * 11, 8, "deeper than 10 operators"),
    ],
)
def test_validate_says_why(ingested: Mined, text: str, reached: int, reason: str) -> None:
    ran = call("validate", text, "--json", "--home", ingested[0])
    assert ran.code == 1
    stages = ran.json["stages"]
    assert any(reason in (stage["reason"] or "") for stage in stages), stages
    assert max(stage["stage"] for stage in stages) == reached


def test_validate_a_file(ingested: Mined, mined: Mined, tmp_path: Path) -> None:
    good = exported(mined[1])[0]
    file = tmp_path / "ideas.txt"
    file.write_text(f"# from the notebook\n\n  {good}\nrank(close\n   # another\n")
    ran = call("validate", "--file", file, "--json", "--home", ingested[0])
    assert ran.code == 1
    assert set(ran.json) == {"results", "accepted", "rejected", "data_version", "synthetic", "warnings"}
    assert [result["expression"] for result in ran.json["results"]] == [good, "rank(close"]
    assert (ran.json["accepted"], ran.json["rejected"]) == (1, 1)
    shown = call("validate", "--file", file, "--home", ingested[0])
    assert shown.code == 1
    assert shown.out.count("SYNTHETIC ") == 4, "a note, two titles and the sum"
    assert shown.out.splitlines()[-1] == "SYNTHETIC 1 accepted, 1 rejected"
    file.write_text(f"\ufeff{good}\r\n", encoding="utf-8")  # as Windows saves it
    assert call("validate", "--file", file, "--home", ingested[0]).code == 0


def test_validate_for_people(ingested: Mined) -> None:
    ran = call("validate", "rank(-close)", "--home", ingested[0])
    assert ran.code == 1
    odd = call("validate", "close [/red]", "--home", ingested[0])
    assert "unexpected character '['" in odd.out.replace("\n", ""), "text is shown as it is, markup or not"
    for text in ("SYNTHETIC", "rejected", "PRICE_LEVEL", "8 export", "note: SYNTHETIC market"):
        assert text in ran.out


def test_export_as_csv(mined: Mined, tmp_path: Path) -> None:
    ran = call("export", "--format", "csv", "--out", tmp_path / "new" / "folder", "--home", mined[0])
    assert ran.code == 0
    assert "SYNTHETIC" in ran.out
    (file,) = (tmp_path / "new" / "folder").iterdir()
    assert str(file) in ran.out
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert ",".join(rows[0]) == EXPORT_COLUMNS
    assert sorted(row["expression"] for row in rows) == sorted(exported(mined[1]))


def test_export_tells_of_alphas_under_other_settings(
    mined: Mined, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pools are kept apart by settings; what an export leaves out for that is told, and how to ask for it."""
    home = Path(shutil.copytree(mined[0], tmp_path / "home"))
    first = call("export", "--json", "--home", home)
    assert "other settings" not in first.err
    monkeypatch.setenv("ALPHA_SIMULATION__DECAY", "3")
    none = call("export", "--home", home)
    assert none.code == 2
    assert "was accepted under these settings; export with ALPHA_SIMULATION__DECAY=0" in none.err
    second = call("mine", "--json", "--candidates", "64", "--seed", "5", "--home", home).json["exported"]
    assert second > 0
    assert call("export", "--json", "--home", home).json["exported"] == second
    monkeypatch.delenv("ALPHA_SIMULATION__DECAY")
    again = call("export", "--home", home)
    told = f"note: not among them: {second} accepted under other settings (export with ALPHA_SIMULATION__DECAY=3)"
    assert again.err.splitlines() == [told]
    assert f"SYNTHETIC {first.json['exported']} alpha" in again.out


def test_universe(mined: Mined) -> None:
    found = call("universe", "--json", "--home", mined[0]).json
    assert set(found) == {
        *("data_version", "universe", "synthetic", "instruments", "date", "members", "months", "warnings"),
    }
    assert found["members"] == sorted(found["members"])
    assert all(set(month) == {"month", "days", "fewest", "most"} for month in found["months"])
    assert found["months"][-1]["most"] <= found["instruments"] == 60
    shown = call("universe", "--home", mined[0])
    assert shown.code == 0
    assert "SYNTHETIC" in shown.out


@pytest.mark.parametrize("columns", [80, 120])
def test_tables_fit_the_terminal(mined: Mined, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setattr(display.output, "width", columns)
    for command in (["evaluate", REVERSAL], ["validate", "rank(-close)"], ["universe"]):
        lines = call(*command, "--home", mined[0]).out.splitlines()
        assert max(len(line) for line in lines if not line.startswith(("SYNTHETIC", "note: "))) <= columns
        assert any(line.startswith("SYNTHETIC") for line in lines), "the title stands on a line of its own"


def test_files_of_a_quant(yahoo_files: tuple[Path, Path], tmp_path: Path) -> None:
    """One CSV per ticker and a file of sectors; the same home has held another market before."""
    prices, groups = yahoo_files
    assert call("ingest", "--home", tmp_path).code == 0
    source = ("--source", "files", "--path", prices, "--groups", groups)
    ran = call("ingest", "--json", *source, "--home", tmp_path)
    assert ran.code == 0, ran.err
    assert (ran.json["source"], ran.json["synthetic"], ran.json["instruments"]) == ("files", False, 24)
    assert any("adjusted with later knowledge" in sentence for sentence in ran.json["warnings"])
    neutral = call("evaluate", "group_neutralize(-ts_delta(close, 5) / close, sector)", "--json", "--home", tmp_path)
    plain = call("evaluate", REVERSAL, "--json", "--home", tmp_path)
    assert neutral.json["synthetic"] is False
    assert neutral.json["metrics"]["sharpe"] != plain.json["metrics"]["sharpe"]
    mining = call("mine", "--json", *source, "--candidates", "32", "--memory", "0.5GiB", "--home", tmp_path)
    assert mining.code == 0, mining.err
    assert mining.json["data_version"] == ran.json["data_version"]
    assert mining.json["warnings"] == ran.json["warnings"]
    shown = call("evaluate", REVERSAL, "--home", tmp_path)
    assert "SYNTHETIC" not in shown.out + shown.err
    assert "adjusted with later knowledge" in shown.out
    assert "the current panel was" not in mining.err
    back = call("mine", "--json", "--candidates", "32", "--home", tmp_path)
    assert "note: the current panel was files-my_prices" in back.err
    assert f"TOP3000, and is {back.json['source']}" in back.err
    assert call("mine", "--json", *source, "--candidates", "32", "--home", tmp_path).code == 0
    missing = call("evaluate", "cap", "--home", tmp_path)
    assert missing.code == 2
    assert missing.err.startswith("error: ")
    assert "Invalid data field cap" in missing.err


def test_survivors_are_warned_of_everywhere(yahoo_files: tuple[Path, Path], tmp_path: Path) -> None:
    prices, _ = yahoo_files
    last = max(file.read_text().splitlines()[-1][:10] for file in prices.iterdir())
    (tmp_path / "alive").mkdir()
    for file in prices.iterdir():
        if file.read_text().splitlines()[-1].startswith(last):
            shutil.copy(file, tmp_path / "alive" / file.name)
    home = tmp_path / "home"
    ran = call("ingest", "--source", "files", "--path", tmp_path / "alive", "--home", home)
    shown = [ran, call("evaluate", REVERSAL, "--home", home), call("validate", REVERSAL, "--home", home)]
    assert all("note: SURVIVORS ONLY" in each.out for each in [*shown, call("universe", "--home", home)])
    told = call("evaluate", REVERSAL, "--json", "--home", home).json["warnings"]
    assert any("SURVIVORS ONLY" in sentence for sentence in told)


def test_home_may_come_from_the_environment(ingested: Mined, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHA_HOME", str(ingested[0]))
    assert call("universe", "--json").json["instruments"] == 60
    assert call("universe", "--home", ingested[0].parent / "other").code == 2, "the option comes first"
    assert os.environ["ALPHA_HOME"] == str(ingested[0])


def test_ui_becomes_dagster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: became.append(arguments))
    before = dict(os.environ)
    monkeypatch.setattr(os, "environ", before)
    call("ui", "--port", "3456", "--home", tmp_path)
    (arguments,) = became
    assert arguments[1] == "dev"
    assert arguments[-4:] == ["-h", "127.0.0.1", "-p", "3456"]
    assert before["ALPHA_HOME"] == str(tmp_path)
    assert before["DAGSTER_HOME"] == str(tmp_path / "dagster")


def test_help_and_version() -> None:
    ran = call("--help")
    assert ran.code == 0
    for command in ("mine", "ingest", "evaluate", "validate", "export", "universe", "ui"):
        assert command in ran.out
        assert call(command, "--help").code == 0
    assert call("--version").out.startswith("alpha-pipeline ")
