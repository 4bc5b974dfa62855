"""The folders of an installation, and settings from options and environment."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from alpha_pipeline.errors import BadInput
from alpha_pipeline.home import Home, code_version
from alpha_pipeline.market.panel import Panel
from alpha_pipeline.settings import load_settings, parse_memory, setting_names


def test_a_fresh_home_has_no_panel_and_says_what_to_do(tmp_path: Path) -> None:
    home = Home(tmp_path / "new")
    assert home.current is None
    with pytest.raises(BadInput, match="run `alpha-pipeline ingest`"):
        home.panel()
    assert not home.root.exists()


def test_a_panel_is_found_by_version_and_as_the_current_one(tmp_path: Path, small_panel: Panel) -> None:
    home = Home(tmp_path)
    small_panel.write(home.panel_folder(small_panel.version))
    home.make_current(small_panel.version)
    assert home.panel().version == home.panel(small_panel.version).version == small_panel.version
    assert home.versions() == [small_panel.version]
    with pytest.raises(BadInput, match="there is no panel 0123"):
        home.panel("0123")
    shutil.rmtree(home.panel_folder(small_panel.version))
    with pytest.raises(BadInput, match="run `alpha-pipeline ingest` or `mine` again"):
        home.panel()


def test_what_was_made_is_remembered_while_it_is_there(tmp_path: Path, small_panel: Panel) -> None:
    home = Home(tmp_path)
    home.remember("key", small_panel.version)
    assert home.remembered("key") is None
    small_panel.write(home.panel_folder(small_panel.version))
    assert home.remembered("key") == small_panel.version
    assert home.remembered("another") is None


@pytest.mark.parametrize("name", ["../outside", "a/b", "", "."])
def test_a_panel_version_is_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput):
        Home(tmp_path).panel_folder(name)


@pytest.mark.parametrize(
    ("text", "amount"),
    [("2GiB", 2 << 30), ("1.5GiB", 3 << 29), ("800MB", 800_000_000), ("512 mib", 512 << 20), ("1073741824", 1 << 30)],
)
def test_memory(text: str, amount: int) -> None:
    assert parse_memory(text) == amount


@pytest.mark.parametrize("text", ["lots", "3 bananas", "-2GiB", "1MiB", ""])
def test_no_memory(text: str) -> None:
    with pytest.raises(BadInput, match="--memory"):
        parse_memory(text)


def test_settings_from_the_environment_and_options_above_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHA_CANDIDATES", "77")
    monkeypatch.setenv("ALPHA_SIMULATION__DECAY", "4")
    monkeypatch.setenv("ALPHA_THRESHOLDS__SHARPE", "1.58")
    settings = load_settings()
    assert (settings.candidates, settings.simulation.decay, settings.thresholds.sharpe) == (77, 4, 1.58)
    assert load_settings(candidates=5).candidates == 5


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("ALPHA_CANDIDATES", "many", "candidates"),
        ("ALPHA_SIMULATION__DELAY", "7", "delay"),
        ("ALPHA_SOURCE", "nowhere", "source"),
        ("ALPHA_MEMORY", "lots", "memory"),
    ],
)
def test_a_bad_setting_is_named(name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadInput, match=f"(?i){told}"):
        load_settings()


def test_variables_of_others_are_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """What begins with ALPHA_ and looks like none of ours, and every name of ours with its default."""
    for name in ("ALPHA_VANTAGE_API_KEY", "ALPHA_REAL_DATA", "ALPHA_SQL", "ALPHA"):
        monkeypatch.setenv(name, "x")
    for name in ("ALPHA_SEED", "ALPHA_SIMULATION__EXTRA_LAG", "ALPHA_MEMBERSHIP__FLOOR", "ALPHA_CLEANING__STALE_RUN"):
        assert name in setting_names()
        monkeypatch.setenv(name, "3")
    settings = load_settings()
    assert (settings.seed, settings.simulation.extra_lag, settings.cleaning.stale_run) == (3, 3, 3)


def test_the_code_version_is_stable_within_a_checkout() -> None:
    assert code_version() == code_version()
    assert len(code_version().split("+")[1]) == 12
