"""A file of events beside the prices: it decides the panel, as the file of sectors does, and not the prices."""

from __future__ import annotations

from pathlib import Path

import pytest

from alpha_pipeline.errors import BadInput
from alpha_pipeline.orchestration.launch import Launcher
from alpha_pipeline.orchestration.workbench import Workbench
from alpha_pipeline.settings import load_settings
from alpha_pipeline_tests.market.test_build import DAYS, market

HEADER = "symbol,date,field,value\n"


def launcher(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: str) -> Launcher:
    monkeypatch.setenv("HOME", str(folder))
    if not (folder / "prices.csv").exists():
        market().rename({"instrument": "symbol"}).with_columns(volume=1e7).write_csv(folder / "prices.csv")
    return Launcher(
        Workbench(load_settings(home=folder / "home", source="files", path=str(folder / "prices.csv"), **settings))
    )


def test_a_changed_file_makes_another_panel_of_the_same_prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = tmp_path / "events.csv"
    events.write_text(f"{HEADER}A,{DAYS[90]},tone,1\nZ,{DAYS[90]},tone,1\n")
    work = launcher(tmp_path, monkeypatch, events="~/events.csv")  # as --events=~/events.csv arrives
    version, ingested = work.ensure_panel()
    assert ingested is not None
    told = ingested.metadata["cleaned_panel"]["warnings"]
    assert any("1 of 2 events are of 1 symbols that the prices do not name" in text for text in told)
    panel = work.workbench.home.panel(version)
    assert panel.vectors["tone"].values.tolist() == [1.0]
    assert work.ensure_panel() == (version, None)

    events.write_text(f"{HEADER}A,{DAYS[90]},tone,2\n")
    changed, again = work.ensure_panel()
    assert again is not None
    assert changed != version
    assert work.workbench.home.panel(changed).vectors["tone"].values.tolist() == [2.0]
    assert work.workbench.home.panel(changed).info.market_id == panel.info.market_id

    bare, _ = launcher(tmp_path, monkeypatch).ensure_panel()
    assert work.workbench.home.panel(bare).vectors == {}
    assert len({bare, changed, version}) == 3


def test_events_of_strangers_only_leave_no_panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "events.csv").write_text(f"{HEADER}Z,{DAYS[90]},tone,1\n")
    work = launcher(tmp_path, monkeypatch, events=str(tmp_path / "events.csv"))
    with pytest.raises(BadInput, match="none of the 1 symbols is among the prices, as Z"):
        work.ensure_panel()
    assert work.workbench.home.current is None
