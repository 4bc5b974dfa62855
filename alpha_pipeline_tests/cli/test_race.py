"""`race` on the command line: JSON, files, exit codes, bad input, Ctrl-C."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from alpha_pipeline_tests.cli.conftest import Ran, call, small_market

TINY = ("--instruments", "40", "--days", "300", "--markets", "2", "--evaluations", "60", "--workers", "1")
ARMS = ("--arms", "random,genetic,matched")
FIGURES = {
    "arm": str,
    "recall": float,
    "recall_weighted": float,
    "anytime": float,
    "optimism_gap": float,
    "false_finds": float,
    "evaluations": float,
    "cpu_seconds": float,
    "markets": list,
}


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """(home, what `race --json` gave)."""
    home = tmp_path_factory.mktemp("raced") / "home"
    with pytest.MonkeyPatch.context() as patch:
        small_market(patch)
        ran = call("race", *TINY, *ARMS, "--json", "--home", home)
    assert ran.code == 0, ran.err
    return home, ran


def test_the_json_is_what_scripts_were_promised(raced: tuple[Path, Ran]) -> None:
    found = raced[1].json
    assert [arm["arm"] for arm in found["arms"]] == ["random", "genetic", "matched"]
    for arm in found["arms"]:
        for name, kind in FIGURES.items():
            assert isinstance(arm[name], kind), name
        assert [market["market"] for market in arm["markets"]] == [0, 1]
        for market in arm["markets"]:
            assert market.keys() >= FIGURES.keys() - {"markets"}
    pairs = {(each["arm"], each["reference"], each["figure"]) for each in found["comparisons"]}
    assert ("genetic", "matched", "recall_weighted") in pairs
    assert ("genetic", "random", "recall_weighted") in pairs
    assert not any(arm == "random" for arm, _, _ in pairs)
    settings = found["settings"]
    assert (settings["markets"], settings["evaluations"], settings["seed"]) == (2, 60, 1)
    assert settings["plants"] == "tuning"
    assert found["synthetic"] is True
    assert found["interrupted"] is False


def test_the_report_stands_by_itself(raced: tuple[Path, Ran]) -> None:
    folder = Path(raced[1].json["out"])
    held = json.loads((folder / "race.json").read_text())
    assert {**held, "out": str(folder)} == raced[1].json
    page = (folder / "race.html").read_text()
    assert "SYNTHETIC" in page
    assert page.count("<svg") == 2
    assert not re.search(r'(src|href)="(?!#)', page)  # nothing is fetched from elsewhere
    assert "alpha-pipeline race --markets 2 --evaluations 60" in page
    notes = (folder / "race.md").read_text()
    for name in re.findall(r"\]\((.*?)\)", notes):
        assert (folder / name).read_text().startswith("<svg")
    for arm in ("random", "genetic", "matched"):
        assert f"| {arm} |" in notes


def test_the_same_command_again_runs_nothing_again(raced: tuple[Path, Ran]) -> None:
    home, before = raced
    again = call("race", *TINY, *ARMS, "--json", "--home", home)
    assert again.json == before.json  # measured seconds included: they were kept


def test_people_get_tables(raced: tuple[Path, Ran], tmp_path: Path) -> None:
    ran = call("race", *TINY, *ARMS, "--home", raced[0], "--out", tmp_path / "report")
    assert ran.code == 0
    assert "SYNTHETIC markets" in ran.out
    assert "genetic > matched" in ran.out
    assert (tmp_path / "report" / "race.html").exists()


def test_null_markets_own_plants_and_drawn_ones(tmp_path: Path) -> None:
    null = call("race", *TINY, "--null", "--arms", "random", "--json", "--home", tmp_path)
    assert null.code == 0, null.err
    assert null.json["arms"][0]["recall"] is None
    assert null.json["settings"]["plants"] == "none"
    page = (Path(null.json["out"]) / "race.html").read_text()
    assert "without any planted alpha" in page
    plants = tmp_path / "own.json"
    plants.write_text(json.dumps({"plants": [{"expression": "rank(close / open)", "sharpe": 2, "tier": "mine"}]}))
    own = call("race", *TINY, "--plants", plants, "--arms", "random", "--json", "--home", tmp_path)
    assert own.code == 0, own.err
    assert own.json["markets"][1]["plants"][0]["tier"] == "mine"
    drawn = call("race", *TINY, "--plants", "drawn", "--arms", "random", "--json", "--home", tmp_path)
    assert drawn.code == 0, drawn.err
    assert drawn.json["settings"]["plants"] == "drawn"
    first, second = ({plant["expression"] for plant in market["plants"]} for market in drawn.json["markets"])
    assert not first & second


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--arms", "random,sprint"), "unknown arm 'sprint'"),
        (("--arms", "matched"), "nobody to be matched to"),
        (("--plants", "nowhere.json"), "cannot be read"),
        (("--plants", "tuning", "--null"), "null markets have no plants"),
        (("--markets", "0"), "--markets"),
        (("--cpu-seconds", "-3"), "--cpu-seconds"),
        (("--workers", "0"), "--workers"),
        (("--out", "/dev/null/folder"), "--out"),
    ],
)
def test_bad_input_is_one_line(options: tuple[str, ...], says: str, tmp_path: Path) -> None:
    ran = call("race", *options, "--home", tmp_path)
    assert ran.code == 2
    assert says in ran.err
    assert len(ran.err.strip().splitlines()) == 1


def test_a_report_that_could_not_be_written_is_told_before_the_race(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)  # modes of folders do not bind an administrator
    ran = call("race", *TINY, *ARMS, "--home", tmp_path, "--out", tmp_path)
    assert ran.code == 2
    assert "it cannot be written to (Permission denied)" in ran.err
    assert not list(tmp_path.glob("races/*/jobs"))


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "alpha_pipeline.cli", "race", *TINY[:6], "--evaluations", "4000", "--workers", "2"]
    command += ["--arms", "random,hill", "--json", "--home", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        while len(list(tmp_path.glob("races/*/jobs/*.json"))) < 3 and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "the same command goes on" in err
    assert "stopping: finished runs are kept, those at hand are not" in err
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    assert found["interrupted"] is True
    assert 3 <= len(list(tmp_path.glob("races/*/jobs/*.json"))) < 6
