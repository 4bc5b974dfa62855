"""Rewards by hand, and the correlations behind them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpha_pipeline.expression import parse
from alpha_pipeline.generate import Scored, SearchSettings, Thresholds
from alpha_pipeline.generate.reward import (
    DEGENERATE,
    correlation_penalty,
    correlations,
    is_degenerate,
    meets,
    own_terms,
    profile_reward,
    rewards_against,
    sharpe_standard_error,
)


def result(pnl: np.ndarray | None = None, **changes: object) -> Scored:
    days = np.random.default_rng(1).normal(0.001, 0.01, 500) if pnl is None else pnl
    figures: dict[str, object] = {
        "node": parse("-ts_delta(close, 5) / close"),
        "alpha_id": "alpha_000000000000",
        "sharpe": 2.0,
        "pnl": days,
        "turnover": 0.2,
        "fitness": 1.5,
        "returns": 0.1,
        "finite_share": 1.0,
    }
    return Scored(**{**figures, **changes})  # type: ignore[arg-type]


def test_profile_reward_by_hand() -> None:
    assert profile_reward(0, 0, 0.2, 0) == 0
    assert profile_reward(2, 1.5, 0.2, 0) == pytest.approx(0.75 * math.tanh(1))
    assert profile_reward(2, 1.5, 0.2, 0.5) == pytest.approx(0.75 * math.tanh(1) - 0.025)
    assert profile_reward(0, 0, 1.4, 0) == pytest.approx(-0.1)
    assert profile_reward(0, 0, 0.005, 0) == pytest.approx(-0.05)


def test_the_turnover_terms_follow_the_accepted_range() -> None:
    wide = Thresholds(turnover_low=0.0, turnover_high=2.0)
    assert profile_reward(0, 0, 1.4, 0, wide) == profile_reward(0, 0, 0.0, 0, wide) == 0
    assert profile_reward(0, 0, 0.4, 0, Thresholds(turnover_high=0.2)) == pytest.approx(-0.1)


def test_correlation_penalty_by_hand() -> None:
    np.testing.assert_allclose(correlation_penalty(np.array([0, 0.5, 0.75, -1.0])), [0, 0, 0.25, 0.5])


def test_standard_error_by_hand() -> None:
    # Two values ±1 about a mean of m: skewness 0, raw kurtosis 1, so the variance is 1 / (n − 1) per day.
    pnl = np.tile([1.0, -1.0], 125) + 0.3
    assert sharpe_standard_error(pnl) == pytest.approx(math.sqrt(250 / 249))
    assert sharpe_standard_error(np.append(pnl, np.nan)) == pytest.approx(math.sqrt(250 / 249))
    assert sharpe_standard_error(np.ones(10)) == math.inf
    normal = np.random.default_rng(2).normal(0.0, 1.0, 100_000)
    assert sharpe_standard_error(normal) == pytest.approx(math.sqrt(250 / 100_000), rel=0.01)


def test_base_reward_uses_the_lower_bound_and_the_length() -> None:
    given_result = result()
    lower = 2.0 - sharpe_standard_error(given_result.pnl)
    # reverse, divide, ts_delta: 3 operators of 24
    expected = 0.5 * math.tanh(lower / 2) + 0.25 * math.tanh(1) - 0.05 * 3 / 24
    assert sum(own_terms(given_result, SearchSettings()).values()) == pytest.approx(expected)


@pytest.mark.parametrize(
    "changes",
    [
        {"error": "took too long"},
        {"finite_share": 0.94},
        {"finite_share": float("nan")},
        {"pnl": np.zeros(500)},
        {"pnl": np.full(500, np.nan)},
        {"pnl": np.zeros(0)},
        {"sharpe": float("nan")},
    ],
)
def test_degenerate(changes: dict[str, object]) -> None:
    poor = result(**changes)  # type: ignore[arg-type]
    assert is_degenerate(poor)
    assert own_terms(poor, SearchSettings()) == {"degenerate": DEGENERATE}
    assert not meets(poor, Thresholds())


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        ({}, True),
        ({"sharpe": 1.25, "fitness": 1.0}, True),
        ({"sharpe": 1.24}, False),
        ({"fitness": 0.99}, False),
        ({"turnover": 0.71}, False),
        ({"turnover": 0.009}, False),
        ({"sharpe": -3.0, "fitness": -2.0}, False),
    ],
)
def test_thresholds(changes: dict[str, object], passes: bool) -> None:
    assert meets(result(**changes), Thresholds()) is passes  # type: ignore[arg-type]


@given(st.integers(0, 2**32))
def test_correlations_are_those_of_common_days(seed: int) -> None:
    random = np.random.default_rng(seed)
    left, right = random.normal(5.0, 0.01, (3, 120)), random.normal(0.0, 1e-4, (4, 120))
    right[0] = -left[0] * 2
    left[1, :40] = np.nan
    right[2, 100:] = np.nan
    found = correlations(left, right)
    for i in range(3):
        for j in range(4):
            both = np.isfinite(left[i]) & np.isfinite(right[j])
            assert found[i, j] == pytest.approx(np.corrcoef(left[i][both], right[j][both])[0, 1], abs=1e-8)
    assert found[0, 0] == pytest.approx(-1)


def test_correlations_need_days_and_variance() -> None:
    random = np.random.default_rng(0)
    short = np.full((1, 200), np.nan)
    short[0, :20] = random.normal(size=20)
    assert correlations(short, random.normal(size=(1, 200))).tolist() == [[0.0]]
    assert correlations(np.ones((1, 200)), random.normal(size=(1, 200))).tolist() == [[0.0]]
    assert correlations(np.zeros((0, 200)), short).shape == (0, 1)


def test_rewards_fall_with_correlation_to_better_ones_only() -> None:
    base = np.array([0.6, 0.5, 0.4])
    better = np.array([0.0, 1.0, 0.75])
    np.testing.assert_allclose(rewards_against(base, better, np.zeros(3)), [0.6, 0.0, 0.15])
    np.testing.assert_allclose(rewards_against(base, better, np.array([0.9, 0.0, 0.0])), [0.2, 0.0, 0.15])
