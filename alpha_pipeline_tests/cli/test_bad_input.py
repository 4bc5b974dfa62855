"""Malformed data files, expressions and options: exit 2, one line on stderr, nothing left behind in the home."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest

from alpha_pipeline_tests.cli.conftest import Ran, call, tree

Mined = tuple[Path, Ran]
YAHOO = "Date,Open,High,Low,Close,Adj Close,Volume\n"
DAYS = [date(2020, 1, 1) + timedelta(days=number) for number in range(90)]
GOOD = YAHOO + "".join(f"{day},10,11,9,10.5,10.5,1000000\n" for day in DAYS)


def refused(home: Path, *arguments: str | Path) -> str:
    """The message of a command that must be refused, without its `error: `; the home stays as it is."""
    before = tree(home)
    ran = call(*arguments, "--home", home)
    assert ran.code == 2, ran
    assert ran.out == ""
    assert ran.err.startswith("error: "), ran.err
    assert ran.err.endswith("\n")
    message, *picture = ran.err.splitlines()
    assert not picture or (len(picture) == 2 and picture[1].strip() == "^")
    assert tree(home) == before
    return message.removeprefix("error: ")


# What stands in the price file (or how to make it), and a part of the message.
FILES: dict[str, tuple[str, str | bytes, str]] = {
    "no close": (
        "a.csv",
        YAHOO.replace("Close,Adj Close,", "") + "2020-01-02,1,1,1,1,1\n",
        "column 'close' is missing",
    ),
    "text for a price": ("a.csv", YAHOO + "2020-01-02,1,2,1,cheap,1,1\n", "values of close are no numbers, the first"),
    "unreadable date": ("a.csv", YAHOO + "someday,1,2,1,1,1,1\n", "1 dates cannot be read, the first is 'someday'"),
    "empty file": ("a.csv", "", "the file is empty"),
    "header only": ("a.csv", YAHOO, "there is a header and no row"),
    "broken Parquet": ("a.parquet", b"PAR1 and then nothing", "is no readable Parquet"),
    "unknown extension": ("a.xlsx", "x", "the extension '.xlsx' is not supported; use one of .parquet, .csv"),
    "binary": ("a.csv", bytes(range(256)), "is no text in CSV"),
    "ragged rows": ("a.csv", GOOD + "2020-06-01,1,2,1,1,1,1,1,1,1\n", "the rows cannot be read"),
    "rows of nobody": ("a.csv", YAHOO + "2020-01-02,1,2,1,1,1,1\n" * 3, "there is no symbol column"),
    "before our time": ("a.csv", YAHOO + "1890-01-02,1,2,1,1,1,1\n", "there are days outside 1960-01-01 to today"),
    "after today": ("a.csv", YAHOO + "2990-01-02,1,2,1,1,1,1\n", "there are days outside 1960-01-01 to today"),
}


@pytest.mark.parametrize("command", ["mine", "ingest"])
@pytest.mark.parametrize("case", FILES)
def test_price_files(tmp_path: Path, case: str, command: str) -> None:
    name, content, message = FILES[case]
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    told = refused(tmp_path / "home", command, "--source", "files", "--path", file)
    assert message in told
    assert str(file) in told or "prices from" in told
    assert not (tmp_path / "home").exists()


def test_price_paths(tmp_path: Path) -> None:
    files = ("mine", "--source", "files")
    assert "there is no such file or folder; check --path" in refused(tmp_path / "h", *files, "--path", tmp_path / "no")
    (tmp_path / "empty").mkdir()
    assert "the folder holds none of .parquet" in refused(tmp_path / "h", *files, "--path", tmp_path / "empty")
    assert "files need a path; give --path" in refused(tmp_path / "h", *files)
    assert "the synthetic market takes no path" in refused(tmp_path / "h", "mine", "--path", tmp_path)
    assert "yahoo needs tickers; give --path" in refused(tmp_path / "h", "mine", "--source", "yahoo")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such groups file"),
        ("company,sector\nA,B\n", "there is no symbol column among company, sector"),
        ("symbol,colour\nA,B\n", "none of sector, industry, subindustry"),
        ("symbol,sector\nA,B\nA,C\n", "A stands in several groups"),
    ],
)
def test_groups(tmp_path: Path, content: str | None, message: str) -> None:
    (tmp_path / "AA.csv").write_text(GOOD)
    groups = tmp_path / "groups.csv"
    if content is not None:
        groups.write_text(content)
    source = ("--source", "files", "--path", tmp_path / "AA.csv", "--groups", groups)
    told = refused(tmp_path / "home", "ingest", *source)
    assert message in told
    assert str(groups) in told


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD.replace(",10,11,9,", ",-1,-1,-1,"), "no row survives cleaning"),
        (GOOD.replace("1000000", "10"), "no instrument is ever in the universe TOP3000"),
    ],
)
def test_rows_of_which_nothing_can_be_made(tmp_path: Path, content: str, message: str) -> None:
    """Known only after reading: progress stands before the message, and no panel of it is left or current."""
    (tmp_path / "AA.csv").write_text(content)
    home = tmp_path / "home"
    ran = call("mine", "--source", "files", "--path", tmp_path / "AA.csv", "--home", home)
    assert ran.code == 2
    assert ran.err.splitlines()[-1].startswith("error: ")
    assert message in ran.err.splitlines()[-1]
    assert "Traceback" not in ran.err
    assert not (home / "panels").exists()
    assert not (home / "exports").exists()
    assert not (home / "runs.lock").exists(), "no generation run was made"
    assert "no panel yet" in refused(home, "evaluate", "close")


OPTIONS: list[tuple[list[str], str]] = [
    (["--universe", "TOPX"], "option --universe (or ALPHA_UNIVERSE): 'TOPX' is no universe; write TOP and a number"),
    (["--memory", "3 bananas"], "option --memory (or ALPHA_MEMORY): '3 bananas' is no amount of memory; write it as"),
    (["--memory", "1MiB"], "'1MiB' is too little memory; give at least 256MiB"),
    (["--candidates", "0"], "option --candidates (or ALPHA_CANDIDATES): '0' is not possible; use a whole number from"),
    (["--candidates", "-5"], "'-5' is not possible; use a whole number from 1"),
    (["--workers", "0"], "option --workers (or ALPHA_WORKERS): '0' is not possible; use a whole number from 1"),
    (["--candidates", "many"], "argument --candidates: invalid int value: 'many'"),
    (["--seed", "-1"], "option --seed (or ALPHA_SEED): '-1' is not possible; use a whole number from 0"),
    (["--generator", "magic"], "unknown generator 'magic'; use one of random, genetic"),
    (["--source", "nowhere"], "argument --source: invalid choice: 'nowhere'"),
    (["--speed", "9"], "unrecognized arguments: --speed"),
]


@pytest.mark.parametrize(("options", "message"), OPTIONS)
def test_options_of_mine(tmp_path: Path, options: Sequence[str], message: str) -> None:
    """All are refused before prices are read or a run is made."""
    assert message in refused(tmp_path / "home", "mine", *options)
    assert not (tmp_path / "home").exists()


ENVIRONMENT: list[tuple[str, str, str]] = [
    ("ALPHA_SIMULATION__DELAY", "7", "setting 'delay': 7 is not a valid delay; use a whole number from 0 to 1"),
    ("ALPHA_SIMULATION__DECAY", "some", "setting ALPHA_SIMULATION__DECAY: Input should be a valid integer"),
    ("ALPHA_SIMULATION__SPEED", "9", "setting ALPHA_SIMULATION__SPEED: Unexpected keyword argument"),
    (
        "ALPHA_SIMULATON__DECAY",
        "4",
        "environment ALPHA_SIMULATON__DECAY: there is no such setting; write ALPHA_SIMULATI",
    ),
    ("ALPHA_SIMULATION_DECAY", "4", "there is no such setting; write ALPHA_SIMULATION__DECAY, or unset it"),
    ("ALPHA_DECAY", "4", "there is no such setting; write ALPHA_SIMULATION__DECAY, or unset it"),
    ("ALPHA_SIMULATION__UNIVERSE", "TOP200", "there is no such setting; write ALPHA_UNIVERSE, or unset it"),
    ("alpha_candidate", "4", "there is no such setting; write ALPHA_CANDIDATES, or unset it"),
    ("ALPHA_SIMULATION", '{"delay"', 'error parsing value for field "simulation"'),
    ("ALPHA_CANDIDATES", "x", "option --candidates (or ALPHA_CANDIDATES): 'x' is not possible"),
    ("ALPHA_GENERATOR", "magic", "unknown generator 'magic'"),
    ("ALPHA_SOURCE", "nowhere", "setting ALPHA_SOURCE: Input should be 'synthetic', 'files' or 'yahoo'"),
    ("ALPHA_THREADS", "0", "setting ALPHA_THREADS: '0' is not possible; use a whole number from 1"),
    ("ALPHA_GATE_FROM", "soon", "'soon' is no date; write it as 2020-12-31"),
    ("ALPHA_THRESHOLDS__SHARPE", "high", "setting ALPHA_THRESHOLDS__SHARPE: Input should be a valid number"),
    ("ALPHA_THRESHOLDS__PROFILE", "king", "there is no profile 'king'; use one of user, consultant"),
]


@pytest.mark.parametrize(("name", "value", "message"), ENVIRONMENT)
def test_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str) -> None:
    monkeypatch.setenv(name, value)
    assert message in refused(tmp_path / "home", "mine")
    assert not (tmp_path / "home").exists()


def test_settings_that_do_not_fit_the_panel(ingested: Mined, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Known only once the panel is there, and told before a generation run is made."""
    shutil.copytree(ingested[0], tmp_path / "home")
    monkeypatch.setenv("ALPHA_GATE_FROM", "1999-01-01")
    for command in (["mine"], ["evaluate", "close"], ["validate", "close"]):
        assert "no day of 700 is left to search; let the gate begin later" in refused(tmp_path / "home", *command)


def test_groups_that_the_panel_lacks(
    tmp_path: Path, yahoo_files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = ("--source", "files", "--path", yahoo_files[0])
    assert call("ingest", *files, "--home", tmp_path).code == 0
    monkeypatch.setenv("ALPHA_SIMULATION__NEUTRALIZATION", "SECTOR")
    for command in (["mine", *files], ["evaluate", "close"]):
        assert "'neutralization': the data has no sector groups" in refused(tmp_path, *command)


EXPRESSIONS: list[tuple[str, str]] = [
    ("rank(close", "Unexpected end of input: expected `)` or `,` in the arguments of rank at column 11"),
    ("close close", "unexpected `close`: expected an operator or the end at column 7"),
    ("", "Expression cannot be empty at column 1"),
    ("rank(clsoe)", 'Attempted to use unknown variable "clsoe" at column 6; did you mean `close`?'),
    ("rnk(close)", 'Attempted to use inaccessible or unknown operator "rnk" at column 1; did you mean `rank`?'),
    ("rank(close, 5, 7)", "Invalid number of inputs : 3, should be exactly 1 input(s). at column 1"),
    ("ts_mean(close, -5)", "the lookback of ts_mean must be a whole number of days from 1 to"),
    ("close; import os", "at column 8"),
    ("rank(" * 150 + "close" + ")" * 150, "nested deeper than 100 levels"),
    ("+".join(["close"] * 400), "nested deeper than 100 levels"),
    ("+".join(["close"] * 4000), "the expression has 23999 characters, the limit is 10000"),
    ("x" * 5_000, "unknown variable"),
]


@pytest.mark.parametrize(("text", "message"), EXPRESSIONS, ids=[text[:20] for text, _ in EXPRESSIONS])
def test_expressions(ingested: Mined, text: str, message: str) -> None:
    """`evaluate` has nothing to say of them; for `validate` the same is a verdict."""
    told = refused(ingested[0], "evaluate", text)
    assert message in told
    assert len(told) < 300
    ran = call("validate", text, "--json", "--home", ingested[0])
    assert ran.code == 1
    assert message in next(stage["reason"] for stage in ran.json["stages"] if not stage["passed"])


def test_windows_and_panels(ingested: Mined) -> None:
    home = ingested[0]
    assert "'tomorrow' is not a window; use one of search, gate, full" in refused(
        home, "evaluate", "close", "--window", "tomorrow"
    )
    for command in (["evaluate", "close"], ["validate", "close"], ["universe"], ["export"]):
        held = ingested[1].json["data_version"]
        assert f"there is no panel nope; use one of: {held}" in refused(home, *command, "--panel", "nope")
        assert "'../../etc' is no panel version" in refused(home, *command, "--panel", "../../etc")


def test_a_window_without_days(ingested: Mined, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures of no day would read as a Sharpe of zero."""
    monkeypatch.setenv("ALPHA_GATE_FROM", "2030-01-01")
    told = refused(ingested[0], "evaluate", "close", "--window", "gate")
    assert "the gate window holds no day of the panel; let ALPHA_GATE_FROM" in told
    assert call("evaluate", "close", "--window", "search", "--home", ingested[0]).code == 0


def test_nothing_there_yet(tmp_path: Path, ingested: Mined) -> None:
    for command in (["evaluate", "close"], ["validate", "close"], ["universe"], ["export"]):
        assert "no panel yet; run `alpha-pipeline ingest` or `mine` first" in refused(tmp_path / "home", *command)
    assert "was accepted yet; run `mine`" in refused(ingested[0], "export")


def test_what_to_validate(ingested: Mined, tmp_path: Path) -> None:
    home = ingested[0]
    one = "there must be one expression or --file, and not both"
    assert one in refused(home, "validate")
    assert one in refused(home, "validate", "close", "--file", tmp_path / "x")
    assert "cannot be read as text (No such file or directory)" in refused(
        home, "validate", "--file", tmp_path / "missing"
    )
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    assert "cannot be read as text (it is not UTF-8)" in refused(home, "validate", "--file", tmp_path / "binary")
    (tmp_path / "empty").write_text("# only a comment\n\n")
    assert "it holds no expression" in refused(home, "validate", "--file", tmp_path / "empty")


@pytest.mark.parametrize("folder", ["", "lake", "panels", "dagster", "exports"])
def test_a_home_for_reading_only(mined: Mined, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told before work; looking at it goes on."""
    closed = mined[0] / folder
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != closed and real(path, mode))
    for command in ("mine", "ingest", "ui"):
        assert f"ALPHA_HOME {closed}: it cannot be written to; name a folder" in refused(mined[0], command)
    assert call("evaluate", "close", "--home", mined[0]).code == 0


def test_places_that_cannot_be_written(mined: Mined, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    told = refused(mined[0], "export", "--out", file)
    assert str(file) in told
    for command in (["mine"], ["evaluate", "close"], ["ui"]):
        ran = call(*command, "--home", file)
        assert ran.code == 2
        assert f"{file}: it is a file, not a folder" in ran.err
        ran = call("mine", "--home", file / "below")
        assert ran.code == 2
        assert ran.err.count("\n") == 1
        assert "Not a directory" in ran.err
    assert file.read_text() == "mine"


def test_usage(tmp_path: Path) -> None:
    assert "invalid choice: 'dig'" in call("dig").err
    assert "the following arguments are required: COMMAND" in call().err
    assert "the following arguments are required: expression" in call("evaluate").err
    assert "--format: invalid choice: 'xml'" in call("export", "--format", "xml").err
    assert "99999 is no port" in refused(tmp_path / "home", "ui", "--port", "99999")


def truncated(panel: Path) -> None:
    file = panel / "field_close.npy"
    file.write_bytes(file.read_bytes()[:1000])


def garbled(panel: Path) -> None:
    (panel / "manifest.json").write_text('{"layout": 1, ')


def without_manifest(panel: Path) -> None:
    (panel / "manifest.json").unlink()


def without_universe(panel: Path) -> None:
    (panel / "universe.npy").unlink()


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (truncated, "the array field_close.npy cannot be read"),
        (garbled, "the manifest cannot be read"),
        (without_manifest, "the folder has no manifest.json"),
        (without_universe, "the array universe.npy is missing"),
    ],
)
def test_a_damaged_panel(ingested: Mined, tmp_path: Path, harm: Callable[[Path], None], message: str) -> None:
    """It is told by every command, no run is made on it, and `ingest` mends it."""
    home = tmp_path / "home"
    shutil.copytree(ingested[0], home)
    version = ingested[1].json["data_version"]
    harm(home / "panels" / version)
    for command in (["evaluate", "close"], ["universe"], ["mine"]):
        told = refused(home, *command)
        assert message in told
        assert "alpha-pipeline ingest" in told
    if harm is truncated:
        assert call("ingest", "--home", home).code == 0
        assert call("evaluate", "close", "--home", home).code == 0
