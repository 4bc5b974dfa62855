"""The reward of a proposal, from search-window figures. Pure functions.

    R = 0.5 tanh(SR_lcb / 2) + 0.25 tanh(fitness / 1.5)
        − 0.1 relu(turnover / highest − 1) − 0.1 relu(1 − turnover / lowest)
        − 0.5 relu((ρ_max − 0.5) / 0.5) − 0.05 operators / most operators
        + 0.05 novelty + 0 marginal

SR_lcb is the Sharpe ratio less its standard error, ρ_max the largest |correlation| of daily profit with better
expressions and the pool, highest and lowest the accepted range of turnover. Novelty is the mean of 1 / √(1 + times
proposed) over the pairs of an operator and one inside it; marginal, an option, is what the proposal adds to the Sharpe
ratio of the best combination of what is held (`memory.marginal`). What takes no position, is constant or is mostly
missing gets −0.5. The saturating terms keep one lucky figure from ruling the search; the error keeps short or
fat-tailed histories from looking good.

A learner is paid the whole, by `Memory.add`; parents and archives are ranked by the terms of the first lines.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from alpha_pipeline.backtest.metrics import DAYS_PER_YEAR
from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import operator_count
from alpha_pipeline.generate.base import FloatArray, Scored, SearchSettings
from alpha_pipeline.jit import njit
from alpha_pipeline.thresholds import Thresholds

STANDARD = Thresholds()
FEWEST_COMMON_DAYS = 30
"""Days that two profit series must share for a correlation; with fewer it counts as 0."""
LEAST_VARIANCE = 1e-12
"""On the common days, of a series whose own is 1: with less it does not vary."""


@dataclass(frozen=True)
class RewardWeights:
    """What each term of the reward counts; the module says what they are.

    Args:
        sharpe, fitness, novelty, marginal: what the term adds at most.
        turnover: what a turnover twice the highest accepted, or none at all, costs.
        correlation: what the profit of a better one costs; nothing up to |ρ| = 0.5.
        length: what the most operators cost.
        degenerate: what an expression without figures costs.
    """

    sharpe: float = 0.5
    fitness: float = 0.25
    turnover: float = 0.1
    correlation: float = 0.5
    length: float = 0.05
    novelty: float = 0.05
    marginal: float = 0.0
    degenerate: float = 0.5

    def __post_init__(self) -> None:
        for name, weight in vars(self).items():
            if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= 100:
                raise BadInput(f"{name} is {weight!r}", "reward weights", "use a number from 0 to 100")


USUAL = RewardWeights()
DEGENERATE = -USUAL.degenerate


@dataclass(frozen=True, slots=True)
class Reward:
    """What a proposal is paid, and why.

    Attributes:
        total: the sum of the terms.
        terms: what each term adds, by name of its weight.
    """

    total: float
    terms: Mapping[str, float]

    @classmethod
    def of(cls, terms: Mapping[str, float]) -> Reward:
        return cls(sum(terms.values()), terms)


def meets(result: Scored, limits: Thresholds) -> bool:
    """Whether Sharpe, fitness, turnover and coverage are good enough."""
    return not is_degenerate(result, limits) and limits.met_by(result.sharpe, result.fitness, result.turnover)


def is_degenerate(result: Scored, limits: Thresholds = STANDARD) -> bool:
    """No figures, too few finite cells, or a profit that does not vary."""
    if result.error is not None or not result.finite_share >= 1 - limits.missing:
        return True
    days, lowest, highest, _ = _shape(result.pnl)
    return days < 2 or not math.isfinite(result.sharpe) or lowest == highest


def sharpe_standard_error(pnl: FloatArray) -> float:
    """Standard error of the annualised Sharpe ratio of daily profit, NaN days left out.

    √((1 − γ3·s + (γ4 − 1)/4·s²) / (n − 1)) · √250, with s the daily ratio, γ3 skewness and γ4 raw kurtosis
    (Mertens 2002; Lo 2002 for the normal case). Infinite for fewer than two days or no variance.
    """
    return float(_shape(pnl)[3])


@njit
def _shape(pnl: FloatArray) -> tuple[int, float, float, float]:
    """(finite days, lowest, highest, standard error of the Sharpe ratio) of daily profit."""
    days, total, lowest, highest = 0, 0.0, np.inf, -np.inf
    for profit in pnl:
        if abs(profit) < np.inf:
            days += 1
            total += profit
            lowest, highest = min(lowest, profit), max(highest, profit)
    if days < 2 or lowest == highest:
        return days, lowest, highest, np.inf
    mean, second, third, fourth = total / days, 0.0, 0.0, 0.0
    for profit in pnl:
        if abs(profit) < np.inf:
            above = profit - mean
            second += above * above
            third += above * above * above
            fourth += above * above * above * above
    variance = second / days
    if variance == 0.0:
        return days, lowest, highest, np.inf
    deviation = np.sqrt(variance)
    daily, skewness, kurtosis = mean / deviation, third / days / deviation**3, fourth / days / variance**2
    error = max(1.0 - skewness * daily + (kurtosis - 1.0) / 4.0 * daily**2, 0.0)
    return days, lowest, highest, np.sqrt(error / (days - 1) * DAYS_PER_YEAR)


def earning_reward(sharpe_lower: FloatArray, fitness: FloatArray, weights: RewardWeights = USUAL) -> FloatArray:
    """What Sharpe and fitness are worth; any shape."""
    return np.asarray(weights.sharpe * np.tanh(sharpe_lower / 2) + weights.fitness * np.tanh(fitness / 1.5))


def profile_terms(
    sharpe_lower: float,
    fitness: float,
    turnover: float,
    length: float,
    limits: Thresholds = STANDARD,
    weights: RewardWeights = USUAL,
) -> dict[str, float]:
    """The terms that an expression earns by itself; `length` is operators over most operators."""
    low, high = limits.turnover_low, limits.turnover_high
    too_much = max(turnover / high - 1, 0.0) if high > 0 else 1.0
    too_little = max(1 - turnover / low, 0.0) if low > 0 else 0.0
    return {
        "sharpe": weights.sharpe * math.tanh(sharpe_lower / 2),
        "fitness": weights.fitness * math.tanh(fitness / 1.5),
        "turnover": -weights.turnover * (too_much + too_little),
        "length": -weights.length * length,
    }


def profile_reward(
    sharpe_lower: float,
    fitness: float,
    turnover: float,
    length: float,
    limits: Thresholds = STANDARD,
    weights: RewardWeights = USUAL,
) -> float:
    """The sum of `profile_terms`: the reward without what depends on other expressions."""
    return sum(profile_terms(sharpe_lower, fitness, turnover, length, limits, weights).values())


def correlation_penalty(correlation: FloatArray | float, weights: RewardWeights = USUAL) -> FloatArray:
    """0.5 · relu((|ρ| − 0.5) / 0.5): nothing up to 0.5, the whole weight at 1."""
    return np.asarray(weights.correlation * np.maximum((np.abs(correlation) - 0.5) / 0.5, 0.0))


def own_terms(
    result: Scored, settings: SearchSettings, limits: Thresholds = STANDARD, weights: RewardWeights = USUAL
) -> dict[str, float]:
    """The terms of a result that depend on no other expression; only `degenerate` where it has no figures."""
    if is_degenerate(result, limits):
        return {"degenerate": -weights.degenerate}
    lower = result.sharpe - sharpe_standard_error(result.pnl)
    length = operator_count(result.node) / settings.most_operators
    return profile_terms(lower, result.fitness, result.turnover, length, limits, weights)


def correlations(left: FloatArray, right: FloatArray) -> FloatArray:
    """Pearson correlation of every row of `left` with every row of `right`, each pair on its common finite days.

    Args:
        left: [a, days].
        right: [b, days], the same days.

    Returns:
        [a, b]; 0 where fewer than `FEWEST_COMMON_DAYS` are shared or one does not vary on them.
    """
    if len(left) == 0 or len(right) == 0:
        return np.zeros((len(left), len(right)))
    if np.isfinite(left).all() and np.isfinite(right).all():  # the common case, six times as fast
        x, y = standardised(left), standardised(right)
        enough = left.shape[1] >= FEWEST_COMMON_DAYS
        return np.clip(x @ y.T / left.shape[1], -1.0, 1.0) if enough else np.zeros((len(left), len(right)))
    held_left, held_right = np.isfinite(left).astype(np.float64), np.isfinite(right).astype(np.float64)
    x, y = standardised(left), standardised(right)
    count = held_left @ held_right.T
    shared = np.maximum(count, 1.0)
    sum_x, sum_y = x @ held_right.T, held_left @ y.T
    covariance = x @ y.T / shared - sum_x * sum_y / shared**2
    variance_x = (x**2) @ held_right.T / shared - (sum_x / shared) ** 2
    variance_y = held_left @ (y**2).T / shared - (sum_y / shared) ** 2
    spread = np.sqrt(np.maximum(variance_x, 0.0) * np.maximum(variance_y, 0.0))
    usable = (count >= FEWEST_COMMON_DAYS) & (variance_x > LEAST_VARIANCE) & (variance_y > LEAST_VARIANCE)
    return np.clip(np.where(usable, covariance / np.where(usable, spread, 1.0), 0.0), -1.0, 1.0)


def standardised(rows: FloatArray) -> FloatArray:
    """Rows centred and scaled by their own finite days, 0 where not finite; conditions the sums of squares."""
    held = np.isfinite(rows)
    count = np.maximum(held.sum(axis=1, keepdims=True), 1)
    filled = np.where(held, rows, 0.0)
    centred = np.where(held, filled - filled.sum(axis=1, keepdims=True) / count, 0.0)
    spread = np.sqrt((centred**2).sum(axis=1, keepdims=True) / count)
    # A constant row's computed mean may miss it by a bit; what is left of it is no spread.
    extent = np.where(held, rows, -np.inf).max(axis=1) - np.where(held, rows, np.inf).min(axis=1)
    varies = (spread > 0) & (extent > 0)[:, None]
    return np.asarray(np.where(varies, centred / np.where(varies, spread, 1.0), 0.0))


def rewards_against(
    base: FloatArray, better: FloatArray, to_pool: FloatArray, weights: RewardWeights = USUAL
) -> FloatArray:
    """Rewards with the correlation term.

    Args:
        base: rewards without it, [n].
        better: the largest |correlation| of each with those that rank before it, [n].
        to_pool: the largest |correlation| of each with what was accepted before, [n].
        weights: what the terms count.
    """
    return np.asarray(base - correlation_penalty(np.maximum(better, to_pool), weights))
