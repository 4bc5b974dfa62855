from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpha_pipeline.backtest import Windows
from alpha_pipeline.errors import BadInput

DATES = np.arange("2020-01-01", "2020-04-10", dtype="datetime64[D]")  # 100 days


def test_default_is_eighty_twenty_and_no_vault() -> None:
    windows = Windows.by_shares(1260)
    assert windows == Windows(slice(0, 1008), slice(1008, 1260), slice(1260, 1260))
    assert windows.named("search") == slice(0, 1008)
    assert windows.named("gate") == slice(1008, 1260)
    assert windows.named("full") == slice(0, 1260)


def test_full_never_holds_the_vault() -> None:
    windows = Windows.by_shares(100, 0.6, 0.2)
    assert windows.vault == slice(80, 100)
    assert windows.named("full") == slice(0, 80)


@pytest.mark.parametrize("name", ["vault", "", "Search", "all"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(BadInput, match="search, gate, full"):
        Windows.by_shares(10).named(name)


def test_by_dates() -> None:
    windows = Windows.by_dates(DATES, "2020-02-01", "2020-03-01")
    assert windows == Windows(slice(0, 31), slice(31, 60), slice(60, 100))
    assert Windows.by_dates(DATES) == Windows(slice(0, 100), slice(100, 100), slice(100, 100))
    assert Windows.by_dates(DATES, vault_from="2020-03-01").named("full") == slice(0, 60)


@pytest.mark.parametrize(
    ("gate", "vault"),
    [("soon", None), ("2020-03-01", "2020-02-01"), ("2019-01-01", None), ("NaT", None), (None, "2020-13-01")],
)
def test_bad_dates_are_refused(gate: str | None, vault: str | None) -> None:
    with pytest.raises(BadInput):
        Windows.by_dates(DATES, gate, vault)


@pytest.mark.parametrize(("search", "gate"), [(0.0, 0.2), (0.9, 0.2), (0.5, -0.1), (float("nan"), 0.2), (1.5, 0.0)])
def test_bad_shares_are_refused(search: float, gate: float) -> None:
    with pytest.raises(BadInput):
        Windows.by_shares(100, search, gate)


@given(st.integers(10, 5000), st.floats(0.1, 1.0), st.floats(0.0, 1.0))
def test_windows_tile_the_days(days: int, search: float, share_of_rest: float) -> None:
    windows = Windows.by_shares(days, search, (1 - search) * share_of_rest)
    assert windows.search.start == 0
    assert windows.search.stop == windows.gate.start <= windows.gate.stop == windows.vault.start
    assert windows.vault.stop == days
