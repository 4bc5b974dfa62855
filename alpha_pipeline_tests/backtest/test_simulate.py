"""The simulation against hand-computed books, the platform's examples, and what must never matter."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpha_pipeline.backtest import SimulationSettings, measure, simulate, weights
from alpha_pipeline.errors import BadInput
from alpha_pipeline_tests.backtest.markets import market, random_market

NAN = float("nan")
RAW = SimulationSettings(neutralization="NONE", truncation=0.0)
ARRAYS = ("pnl", "pnl_late", "traded", "long_count", "short_count")


def signal_of(rows: Any) -> npt.NDArray[np.float32]:
    return np.array(rows, dtype=np.float32)


def one_book(values: list[float], settings: SimulationSettings, **groups: Any) -> list[float]:
    signal = signal_of([values])
    books = weights(signal, market(np.zeros(signal.shape), **groups), settings, 0)
    assert books.dtype == np.float32
    return [float(value) for value in books[0]]


def test_three_instruments_four_days_by_hand() -> None:
    signal = signal_of([[1, 2, 3], [3, 1, 2], [2, NAN, 4], [9, 9, 1]])
    returns = [[0.5, 0.5, 0.5], [0.01, 0.02, 0.03], [-0.02, 0.01, NAN], [0.04, 0.05, -0.01]]
    result = simulate(signal, market(returns), SimulationSettings(truncation=0.0), 0)
    # books: day 0 (−.5, 0, .5), day 1 (.5, −.5, 0), day 2 (−.5, none, .5); the last is never held
    assert result.first_day == 1
    np.testing.assert_allclose(result.pnl, [0, 0.01, -0.015, -0.025], rtol=1e-6)
    np.testing.assert_allclose(result.traded, [0, 1, 2, 2], rtol=1e-6)
    np.testing.assert_allclose(result.pnl_late, [0, 0, 0.01, -0.005], rtol=1e-5)
    np.testing.assert_array_equal(result.long_count, [0, 1, 1, 1])
    np.testing.assert_array_equal(result.short_count, [0, 1, 1, 1])


def test_scale_example() -> None:
    assert one_book([2, -3, 5], RAW) == pytest.approx([0.2, -0.3, 0.5])


def test_truncation_example_twelve_percent_becomes_ten_before_rescaling() -> None:
    signal = [12.0] + [8.0] * 11  # sums to 100: weights 12 % and 8 %
    book = one_book(signal, dataclasses.replace(RAW, truncation=0.1))
    assert book[0] / book[1] == pytest.approx(10 / 8)
    assert sum(book) == pytest.approx(1.0)


def test_truncation_rescales_once_and_may_exceed_again() -> None:
    book = one_book([6, 3, -1], dataclasses.replace(RAW, truncation=0.4))
    assert book == pytest.approx([0.4 / 0.8, 0.3 / 0.8, -0.1 / 0.8])


def test_group_neutralize_example() -> None:
    expected = np.array([-1.8, -2.8, 1.2, 0.2, 3.2])
    for name in ("MARKET", "SECTOR"):
        settings = SimulationSettings(neutralization=name, truncation=0.0)
        book = one_book([3, 2, 6, 5, 8], settings, sector=[0] * 5)
        assert book == pytest.approx(expected / np.abs(expected).sum())


def test_groups_are_neutralized_each_on_their_own_and_a_loner_has_no_position() -> None:
    book = one_book(
        [1, 3, 10, 2, 4], SimulationSettings(neutralization="SECTOR", truncation=0.0), sector=[0, 0, 1, 2, 2]
    )
    assert book == pytest.approx([-0.25, 0.25, 0, -0.25, 0.25])


def test_decay_example_five_four_three_two_one() -> None:
    # each instrument had its only signal on another day: the weights are the decay's own
    settings = dataclasses.replace(RAW, decay=5)
    signal = np.zeros((5, 5), dtype=np.float32)
    signal[np.arange(5), np.arange(5)] = 1.0
    books = weights(signal, market(np.zeros((5, 5))), settings, 0)
    np.testing.assert_allclose(books[4], np.array([1, 2, 3, 4, 5]) / 15, rtol=1e-6)


def test_decay_counts_missing_as_zero_and_keeps_missing_today() -> None:
    settings = dataclasses.replace(RAW, decay=2)
    signal = signal_of([[1, NAN, 4], [1, 3, NAN]])
    books = weights(signal, market(np.zeros((2, 3))), settings, 0)
    # today 2·1 + 1·1 = 3 and 2·3 + 0 = 6; the third has none today
    np.testing.assert_allclose(books[1], [3 / 9, 6 / 9, 0], rtol=1e-6)


def test_decay_warms_up_and_reads_nothing_before_the_first_row() -> None:
    signal, small = random_market(3)
    settings = SimulationSettings(decay=4)
    changed = signal.copy()
    changed[:10] = 100.0
    result = simulate(signal, small, settings, 10)
    assert result.first_day == 10 + 3 + 1
    for name in ARRAYS:
        assert not getattr(result, name)[: result.first_day].any()
        np.testing.assert_array_equal(getattr(result, name), getattr(simulate(changed, small, settings, 10), name))


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3, 1e30, 1e-40])
@pytest.mark.parametrize("instruments", [1, 3, 7, 1001])
def test_a_signal_that_is_the_same_for_all_has_no_book(value: float, instruments: int) -> None:
    book = one_book([value] * instruments, SimulationSettings())
    assert not any(book)


def test_extreme_signals_do_not_overflow() -> None:
    assert one_book([3e38, -3e38, 0], SimulationSettings(truncation=0.0)) == pytest.approx([0.5, -0.5, 0])
    assert one_book([1e-45, -1e-45], SimulationSettings(truncation=0.0)) == pytest.approx([0.5, -0.5])


def test_not_finite_and_outside_the_universe_is_no_position() -> None:
    signal = signal_of([[1, NAN, np.inf, -np.inf, 2, 5]])
    small = market(np.zeros((1, 6)), [[True, True, True, True, True, False]])
    np.testing.assert_allclose(
        weights(signal, small, SimulationSettings(truncation=0.0), 0)[0], [-0.5, 0, 0, 0, 0.5, 0]
    )


def test_no_signal_is_an_empty_book_that_trades_out() -> None:
    signal = signal_of([[1, -1], [NAN, NAN], [1, -1], [0, 0]])
    result = simulate(signal, market(np.ones((4, 2))), SimulationSettings(), 0)
    np.testing.assert_allclose(result.traded, [0, 1, 1, 1])
    np.testing.assert_array_equal(result.long_count, [0, 1, 0, 1])


@pytest.mark.parametrize("extra_lag", [0, 1, 3])
def test_lag_moves_the_same_books(extra_lag: int) -> None:
    signal, small = random_market(5)
    settings = SimulationSettings(extra_lag=extra_lag)
    books = weights(signal, small, settings, 2).astype(np.float64)
    returns = np.nan_to_num(small.pnl_returns.astype(np.float64))
    result = simulate(signal, small, settings, 2)
    lag = 1 + extra_lag
    assert result.first_day == 2 + lag
    expected = np.zeros(len(books))
    expected[lag:] = (books[:-lag] * returns[lag:]).sum(axis=1)
    np.testing.assert_allclose(result.pnl, expected, rtol=1e-9, atol=1e-15)
    change = np.zeros(len(books))
    change[lag:] = np.abs(np.diff(books, axis=0, prepend=0))[:-lag].sum(axis=1)
    np.testing.assert_allclose(result.traded, change, rtol=1e-9, atol=1e-15)
    assert result.traded[result.first_day] == pytest.approx(1.0)


def test_late_profit_is_that_of_one_more_day_of_lag() -> None:
    signal, small = random_market(8)
    for settings in (SimulationSettings(), SimulationSettings(decay=3, extra_lag=2)):
        later = dataclasses.replace(settings, extra_lag=settings.extra_lag + 1)
        np.testing.assert_array_equal(
            simulate(signal, small, settings, 4).pnl_late, simulate(signal, small, later, 4).pnl
        )


def test_delay_zero_earns_the_next_return_and_does_not_look_ahead() -> None:
    signal, small = random_market(1)
    zero, one = (simulate(signal, small, SimulationSettings(delay=delay), 3) for delay in (0, 1))
    np.testing.assert_array_equal(zero.pnl, one.pnl)
    # a signal that is the return of its own day earns nothing certain
    cheat = np.nan_to_num(small.pnl_returns)
    assert (simulate(cheat, small, SimulationSettings(delay=0), 3).pnl[5:] <= 0).any()


@given(st.integers(0, 2**32 - 1), st.integers(1, 58), st.integers(0, 6), st.sampled_from(["MARKET", "SECTOR", "NONE"]))
def test_nothing_after_a_day_changes_anything_up_to_it(seed: int, day: int, decay: int, neutralization: str) -> None:
    signal, small = random_market(seed)
    settings = SimulationSettings(decay=decay, neutralization=neutralization, truncation=0.2)
    random = np.random.default_rng(seed + 1)
    changed = signal.copy()
    changed[day:] = random.normal(size=changed[day:].shape)  # decides the return of day + 1 at the earliest
    returns, universe = small.pnl_returns.copy(), small.universe.copy()
    returns[day + 1 :] = 0.5
    universe[day:] = random.random(universe[day:].shape) < 0.5
    future = market(returns, universe, **small.groups)
    before, after = simulate(signal, small, settings, 2), simulate(changed, future, settings, 2)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(before, name)[: day + 1], getattr(after, name)[: day + 1])


@given(st.integers(0, 2**32 - 1), st.integers(2, 7), st.integers(0, 5))
def test_threads_do_not_change_a_bit(seed: int, threads: int, decay: int) -> None:
    signal, small = random_market(seed, days=31)
    settings = SimulationSettings(decay=decay, neutralization="SECTOR", truncation=0.15)
    alone, together = simulate(signal, small, settings, 5, 1), simulate(signal, small, settings, 5, threads)
    for name in (*ARRAYS, "cells", "missing"):
        assert getattr(alone, name).tobytes() == getattr(together, name).tobytes()
    assert alone.first_day == together.first_day


@given(st.integers(0, 2**32 - 1))
def test_book_properties(seed: int) -> None:
    signal, small = random_market(seed, days=12)
    settings = SimulationSettings(neutralization="SECTOR", truncation=0.0)
    books = weights(signal, small, settings, 0)
    valid = np.isfinite(signal) & small.universe
    assert not books[~valid].any()
    assert np.isfinite(books).all()
    size = np.abs(books.astype(np.float64)).sum(axis=1)
    assert np.all((np.abs(size - 1) < 1e-5) | (size == 0))
    for code in np.unique(small.groups["sector"]):
        members = small.groups["sector"] == code
        assert np.abs(books[:, members].astype(np.float64).sum(axis=1)).max() < 1e-6
    np.testing.assert_array_equal(weights(signal * np.float32(4), small, settings, 0), books)
    np.testing.assert_allclose(weights(-signal, small, settings, 0), -books)


def test_too_short_a_market_counts_no_day() -> None:
    signal, small = random_market(2, days=6)
    result = simulate(signal, small, SimulationSettings(), 5)
    assert result.first_day == 6
    assert measure(result, 0, 6).days == 0
    assert simulate(signal, small, SimulationSettings(), 99).first_day == 6


def test_read_only_and_other_layouts_are_read_alike() -> None:
    signal, small = random_market(4)
    expected = simulate(signal, small, SimulationSettings(), 1).pnl
    frozen = signal.copy()
    frozen.flags.writeable = False
    assert signal.flags.writeable
    for other in (frozen, np.asfortranarray(signal), signal.astype(np.float64)):
        np.testing.assert_array_equal(simulate(other, small, SimulationSettings(), 1).pnl, expected)
    assert signal.flags.writeable  # the caller's array stays his own


def test_missing_groups_are_named() -> None:
    signal, small = random_market(6)
    with pytest.raises(BadInput, match=r"no subindustry groups.*MARKET, SECTOR"):
        simulate(signal, small, SimulationSettings(neutralization="SUBINDUSTRY"), 0)


def test_defects_of_the_caller_are_loud() -> None:
    signal, small = random_market(6)
    with pytest.raises(ValueError, match="universe"):
        simulate(signal[1:], small, SimulationSettings(), 0)
    with pytest.raises(ValueError, match="negative"):
        simulate(signal, small, SimulationSettings(), -1)
    unsorted = market(small.pnl_returns, small.universe, sector=np.arange(23)[::-1])
    with pytest.raises(ValueError, match="sorted"):
        simulate(signal, unsorted, SimulationSettings(neutralization="SECTOR"), 0)


@given(st.integers(0, 2**32 - 1), st.integers(0, 12), st.sampled_from([0, 5]), st.integers(1, 70))
def test_what_is_missing_is_counted_row_by_row(seed: int, lookback: int, decay: int, instruments: int) -> None:
    """Members that are old enough, on every row from the first, whether its book is held or not."""
    signal, small = random_market(seed, days=21, instruments=instruments)
    born = np.random.default_rng(seed).integers(-9, 25, instruments)
    young = market(small.pnl_returns, small.universe & (np.arange(21)[:, None] >= born), born=born, **small.groups)
    result = simulate(signal, young, SimulationSettings(decay=decay), 3, threads=3, lookback=lookback)
    old = young.universe & (young.age >= lookback)
    old[:3] = False
    np.testing.assert_array_equal(result.cells, old.sum(axis=1))
    np.testing.assert_array_equal(result.missing, (old & ~np.isfinite(signal)).sum(axis=1))
    share = (old & ~np.isfinite(signal))[5:15].sum() / max(old[5:15].sum(), 1) if old[5:15].any() else 1.0
    assert result.missing_share(5, 15) == pytest.approx(share, abs=1e-15)


@given(st.integers(0, 2**32 - 1), st.integers(1, 80), st.sampled_from([0, 3]), st.sampled_from([0.0, 0.02, 0.1]))
def test_books_of_groups_of_any_width(seed: int, groups: int, decay: int, truncation: float) -> None:
    """Against the obvious, in float64: groups of one to hundreds of columns, empty ones left out."""
    signal, small = random_market(seed, days=9, instruments=101)
    codes = np.sort(np.random.default_rng(seed).integers(0, groups, 101))
    wide = market(small.pnl_returns, small.universe, sector=codes)
    settings = SimulationSettings(neutralization="SECTOR", truncation=truncation, decay=decay)
    books = weights(signal, wide, settings, 0)
    values = np.where(np.isfinite(signal) & small.universe, signal.astype(np.float64), np.nan)
    for day in range(settings.ramp, 9):
        past = [(decay - age) * np.nan_to_num(values[day - age]) for age in range(decay)] if decay else [values[day]]
        row = np.where(np.isnan(values[day]), np.nan, np.sum(past, axis=0))
        for code in np.unique(codes):
            known = (codes == code) & ~np.isnan(row)
            row[known] -= row[known].mean() if known.any() else 0.0
        row = np.nan_to_num(row)
        row /= max(np.abs(row).sum(), 1e-30)
        if truncation:
            row = np.clip(row, -truncation, truncation)
            row /= max(np.abs(row).sum(), 1e-30)
        np.testing.assert_allclose(books[day], row, atol=1e-7)
