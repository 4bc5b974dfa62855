"""Figures of merit: hand-computed values, the platform's published samples, identities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpha_pipeline.backtest import Metrics, Simulation, measure, sharpe_one_day_later
from alpha_pipeline.backtest.metrics import BOOK, drawdown_of, fitness_of, sharpe_ratio


def simulated(pnl: list[float], traded: list[float] | None = None, first_day: int = 0) -> Simulation:
    daily = np.array(pnl)
    trades = np.array(traded) if traded is not None else np.full(len(pnl), 0.5)
    return Simulation(
        daily, daily * 0.5, trades, np.full(len(pnl), 3.0), np.full(len(pnl), 2.0), first_day, daily * 0, daily * 0
    )


def test_by_hand() -> None:
    metrics = measure(simulated([0.01, -0.02, 0.03, 0.0], [1.0, 0.5, 0.25, 0.25]), 0, 4)
    # mean 0.005, deviations 0.005 -0.025 0.025 -0.005: variance (2·0.000025 + 2·0.000625)/4 = 0.000325
    sharpe = np.sqrt(250) * 0.005 / np.sqrt(0.000325)
    assert metrics.sharpe == pytest.approx(sharpe, rel=1e-12)
    assert metrics.turnover == pytest.approx(0.5)
    assert metrics.returns == pytest.approx(2.5)  # 500 · 0.005
    assert metrics.margin == pytest.approx(0.02 / 2.0)
    assert metrics.drawdown == pytest.approx(0.04)  # from 0.02 to −0.02 on half the book
    assert metrics.fitness == pytest.approx(sharpe * np.sqrt(2.5 / 0.5))
    assert (metrics.long_count, metrics.short_count, metrics.days) == (3.0, 2.0, 4)


# (sharpe, turnover, returns, margin, fitness) as in the platform's alpha and yearly-stats samples
SAMPLES = [(1.31, 0.3121, 0.0631, 0.000404, 0.59), (1.02, 0.31, 0.0409, 0.000264, 0.37)]


@pytest.mark.parametrize(("sharpe", "turnover", "returns", "margin", "fitness"), SAMPLES)
def test_published_samples(sharpe: float, turnover: float, returns: float, margin: float, fitness: float) -> None:
    assert round(fitness_of(sharpe, returns, turnover), 2) == fitness
    assert returns / (turnover * margin) == pytest.approx(500, rel=2e-3)


def test_fitness_has_a_turnover_floor_and_the_sign_of_sharpe() -> None:
    assert fitness_of(2.0, 0.125, 0.01) == pytest.approx(2.0)
    assert fitness_of(2.0, 0.125, 0.5) == pytest.approx(1.0)
    assert fitness_of(-2.0, -0.125, 0.01) == pytest.approx(-2.0)


def test_drawdown_counts_from_the_start_and_is_on_half_the_book() -> None:
    assert drawdown_of(np.array([-0.01, 0.02])) == pytest.approx(0.02)
    assert drawdown_of(np.array([0.01, 0.02])) == 0.0
    assert drawdown_of(np.array([0.05, -0.01, -0.02, 0.04, -0.03])) == pytest.approx(0.06)
    assert drawdown_of(np.array([])) == 0.0


def test_profit_in_dollars_of_the_platform() -> None:
    # 20 million × 0.0005 = 10,000 a day; on 10 million capital over 250 days 25 %
    metrics = measure(simulated([0.0004, 0.0006] * 50), 0, 100)
    assert pytest.approx(metrics.returns) == BOOK * 0.0005 * 250 / (BOOK / 2)


@pytest.mark.parametrize("pnl", [[], [0.0] * 5, [0.1] * 7, [0.3]])
def test_no_variance_no_sharpe(pnl: list[float]) -> None:
    assert sharpe_ratio(np.array(pnl)) == 0.0


def test_window_starts_at_the_first_day_that_counts() -> None:
    simulation = simulated([9.0, 9.0, 0.01, 0.02, 0.03, 9.0], first_day=2)
    assert measure(simulation, 0, 5).days == 3
    assert measure(simulation, 3, 5).returns == pytest.approx(500 * 0.025)
    assert measure(simulation, 0, 2) == Metrics(0, 0, 0, 0, 0, 0, 0, 0, 0)
    assert sharpe_one_day_later(simulation, 0, 5) == sharpe_ratio(np.array([0.01, 0.015]))


def test_nothing_traded_has_no_margin() -> None:
    metrics = measure(simulated([0.0] * 4, [0.0] * 4), 0, 4)
    assert metrics.margin == 0.0
    assert metrics.fitness == 0.0


@given(
    st.lists(st.floats(-0.1, 0.1), min_size=2, max_size=50),
    st.lists(st.floats(0.01, 2.0), min_size=50, max_size=50),
)
def test_identities(pnl: list[float], traded: list[float]) -> None:
    metrics = measure(simulated(pnl, traded[: len(pnl)]), 0, len(pnl))
    assert metrics.returns == pytest.approx(500 * metrics.turnover * metrics.margin, rel=1e-9, abs=1e-12)
    assert metrics.drawdown >= 0
    flipped = measure(simulated([-value for value in pnl], traded[: len(pnl)]), 0, len(pnl))
    assert flipped.sharpe == pytest.approx(-metrics.sharpe)
    assert flipped.fitness == pytest.approx(-metrics.fitness)
    assert flipped.turnover == metrics.turnover
