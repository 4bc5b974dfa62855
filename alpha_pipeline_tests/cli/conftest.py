"""Commands run in this process on a small synthetic market: 60 instruments × 700 days instead of 500 × 1,260."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from alpha_pipeline.cli import main
from alpha_pipeline.market import sources
from alpha_pipeline.market.sources.synthetic import SyntheticSource

SMALL = partial(SyntheticSource, seed=11, instruments=60, days=700)
CANDIDATES = 64


@dataclass(frozen=True)
class Ran:
    """A command that ended: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The object of `--json`, which is the last line of stdout."""
        value = json.loads(self.out.splitlines()[-1])
        assert isinstance(value, dict)
        return value


Run = Callable[..., Ran]


def call(*arguments: str | Path) -> Ran:
    """Run the command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:  # argparse ends so
            code = end.code if isinstance(end.code, int) else 0
    return Ran(code, out.getvalue(), err.getvalue())


def small_market(patch: pytest.MonkeyPatch) -> None:
    """Make the embedded market small, and this process free of settings from outside."""
    patch.setattr(sources, "SyntheticSource", SMALL)
    for name in [name for name in os.environ if name.startswith("ALPHA_")]:
        patch.delenv(name)
    patch.setenv("DAGSTER_HOME", "set by the launcher")  # and put back by the patch


@pytest.fixture(autouse=True)
def _small_market(monkeypatch: pytest.MonkeyPatch) -> None:
    small_market(monkeypatch)


@pytest.fixture(scope="session")
def mined(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """(home, what `mine --json` gave): one generation run. Tests may read this home only."""
    home = tmp_path_factory.mktemp("mined") / "home"
    with pytest.MonkeyPatch.context() as patch:
        small_market(patch)
        ran = call("mine", "--json", "--candidates", str(CANDIDATES), "--seed", "5", "--home", home)
    assert ran.code == 0, ran.err
    return home, ran


@pytest.fixture(scope="session")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """(home, what `ingest --json` gave): a panel and nothing mined. Tests may read this home only."""
    home = tmp_path_factory.mktemp("ingested") / "home"
    with pytest.MonkeyPatch.context() as patch:
        small_market(patch)
        ran = call("ingest", "--json", "--home", home)
    assert ran.code == 0, ran.err
    return home, ran


@pytest.fixture(scope="session")
def yahoo_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(folder of one CSV per ticker with Yahoo's columns, CSV of sectors): 24 instruments × 420 days."""
    folder = tmp_path_factory.mktemp("files")
    source = SyntheticSource(seed=3, instruments=24, days=420)
    bars = source.read(*source.months()).collect()
    names = {
        "date": "Date",
        "open": "Open",
        "high": "High",
        "low": "Low",
        "close": "Close",
        "adj_close": "Adj Close",
        "volume": "Volume",
    }
    (folder / "My Prices").mkdir()
    for (name,), rows in bars.group_by("instrument"):
        columns = [pl.col(ours).alias(theirs) for ours, theirs in names.items()]
        rows.sort("date").select(columns).write_csv(folder / "My Prices" / f"{name}.csv")
    symbols = bars["instrument"].unique().sort()
    sectors = ["Energy" if number % 2 else "Technology" for number in range(len(symbols))]
    pl.DataFrame({"symbol": symbols, "sector": sectors}).write_csv(folder / "sectors.csv")
    return folder / "My Prices", folder / "sectors.csv"


def tree(folder: Path) -> dict[str, bytes]:
    """Every file and folder below `folder` with its bytes; empty where there is no folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }
