"""Point-in-time membership: by trailing median traded value, from data before the month."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from alpha_pipeline.errors import BadInput
from alpha_pipeline.market.universe import UniverseSettings, median_traded, members, month_starts, universe_size

DATES = np.busday_offset(np.datetime64("2020-01-01"), np.arange(260), roll="forward")
ANY = UniverseSettings(floor=0.0)


def traded(columns: int = 12, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    level = np.exp(rng.normal(15, 1.5, columns))
    return (level * np.exp(rng.normal(0, 0.4, (len(DATES), columns)).cumsum(axis=0) * 0.3)).astype(np.float32)


@pytest.mark.parametrize(("name", "size"), [("TOP3000", 3000), ("top500", 500), (" TOP1 ", 1)])
def test_names(name: str, size: int) -> None:
    assert universe_size(name) == size


@pytest.mark.parametrize("name", ["", "TOP", "TOP0", "3000", "TOP-5", "TOP3000X", "BOTTOM5", "TOP9999999"])
def test_bad_names(name: str) -> None:
    with pytest.raises(BadInput, match="is no universe; write TOP"):
        universe_size(name)


def test_month_starts() -> None:
    assert [str(DATES[row]) for row in month_starts(DATES)][:3] == ["2020-01-01", "2020-02-03", "2020-03-02"]


def test_the_first_month_has_no_members_and_the_second_has() -> None:
    member = members(traded(), DATES, 5, ANY)
    starts = month_starts(DATES)
    assert not member[: starts[1]].any()
    assert (member[starts[1] :].sum(axis=1) == 5).all()
    for start, stop in zip(starts, [*starts[1:], len(DATES)], strict=True):
        assert (member[start:stop] == member[start]).all()


def test_members_are_the_top_by_the_median_before_the_month() -> None:
    values = traded()
    member = members(values, DATES, 4, ANY)
    start = month_starts(DATES)[6]
    expected = np.argsort(-np.median(values[start - 63 : start], axis=0))[:4]
    assert set(np.flatnonzero(member[start])) == set(expected)


def test_no_look_ahead() -> None:
    """Whatever happens from a month's first day on, that month's membership stands."""
    values = traded()
    before = members(values, DATES, 4, ANY)
    for start in month_starts(DATES)[1::3]:
        changed = values.copy()
        changed[start:] = changed[start:, ::-1] * 1000
        changed[start + 2 :, 3] = np.nan
        after = members(changed, DATES, 4, ANY)
        stop = np.searchsorted(DATES, (DATES[start].astype("datetime64[M]") + 1).astype("datetime64[D]"))
        np.testing.assert_array_equal(after[:stop], before[:stop])


def test_floor_holds_places_empty() -> None:
    values = np.tile(np.array([5e6, 2e6, 0.9e6, 1e6], np.float32), (len(DATES), 1))
    member = members(values, DATES, 4, UniverseSettings())
    assert member[-1].tolist() == [True, True, False, True]


def test_too_few_bars_and_those_who_stopped() -> None:
    values = np.full((100, 4), 1e7, np.float32)
    values[:81, 0] = np.nan  # 19 bars
    values[:80, 1] = np.nan  # 20 bars
    values[95:, 2] = np.nan  # no bar in the last five days
    assert np.isnan(median_traded(values, UniverseSettings())).tolist() == [True, False, True, False]


def test_median_leaves_missing_days_out() -> None:
    rng = np.random.default_rng(1)
    values = rng.uniform(1, 9, (63, 20)).astype(np.float32)
    values[rng.uniform(size=values.shape) < 0.3] = np.nan
    values[-1] = 5
    np.testing.assert_allclose(median_traded(values, UniverseSettings()), np.nanmedian(values, axis=0), rtol=1e-6)


def test_ties_go_to_the_earlier_column() -> None:
    values = np.full((len(DATES), 4), 1e7, np.float32)
    assert members(values, DATES, 2, ANY)[-1].tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    "wrong", [{"min_observations": 0}, {"min_observations": 64}, {"floor": -1.0}, {"floor": np.nan}]
)
def test_settings_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(BadInput, match="universe settings"):
        UniverseSettings(**wrong)  # type: ignore[arg-type]


def test_dates_are_real() -> None:
    assert DATES[0].item() == date(2020, 1, 1)
