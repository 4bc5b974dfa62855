"""Planted alphas of the synthetic market: an expression, its strength, and the same signal in NumPy.

The simulator adds the signal to returns while it makes them, so it needs each signal from the days before, without
the expression engine (which stands above this package). A test holds every plant against its expression. Who stands
above the engine can plant any expression: a signal is a function of the `History`.

All expressions are free of the price level: final prices are back-adjusted, which multiplies each instrument's
history by a constant that the simulator does not know yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

LONGEST_WINDOW = 61  # rows of history that plants may look at


@dataclass(frozen=True)
class History:
    """What was known after some day's close: the last `LONGEST_WINDOW` days, oldest first, float64 [days, N]."""

    open: Matrix
    high: Matrix
    low: Matrix
    close: Matrix
    vwap: Matrix
    volume: Matrix
    returns: Matrix
    sector: NDArray[np.int64]  # [N] codes, non-decreasing along the columns, as are the finer ones
    industry: NDArray[np.int64]
    subindustry: NDArray[np.int64]
    trading: NDArray[np.bool_]  # [N], listed for the whole window and not gone: only these are ranked


Signal = Callable[[History], Vector]


@dataclass(frozen=True)
class Plant:
    """One planted alpha.

    Attributes:
        expression: in the base grammar; a miner that finds it has found the plant.
        sharpe: annual Sharpe ratio that this alpha alone would earn before costs, diversified over all instruments;
            the oracle figure differs where plants overlap, and is what to report.
        signal: [N] values of the expression after the history's last day; only their ranks matter.
    """

    expression: str
    sharpe: float
    signal: Signal


def mean(values: Matrix, days: int) -> Vector:
    """Mean of the last `days` rows."""
    return np.asarray(values[-days:].mean(axis=0))


def correlation(left: Matrix, right: Matrix) -> Vector:
    """Pearson's, column by column; 0 where one of them is constant."""
    left, right = left - left.mean(axis=0), right - right.mean(axis=0)
    spread = np.sqrt((left * left).sum(axis=0) * (right * right).sum(axis=0))
    together: Vector = (left * right).sum(axis=0)
    return np.asarray(np.divide(together, spread, out=np.zeros(len(spread)), where=spread > 0))


def low_volatility(history: History) -> Vector:
    return np.asarray(-history.returns[-60:].std(axis=0))


def momentum(history: History) -> Vector:
    return np.asarray(1.0 - history.close[-61] / history.close[-1])


def reversal(history: History) -> Vector:
    return np.asarray(history.close[-6] / history.close[-1] - 1.0)


def fading_volume(history: History) -> Vector:
    return np.asarray(-mean(history.volume, 20) / mean(history.volume, 60))


def price_volume_divergence(history: History) -> Vector:
    return np.negative(correlation(history.close[-60:], history.volume[-60:]))


def volume_follows_news(history: History) -> Vector:
    return correlation(np.abs(history.returns[-60:]), history.volume[-60:])


def volume_conditional_momentum(history: History) -> Vector:
    change: Vector = 1.0 - history.close[-21] / history.close[-1]
    return np.where(mean(history.volume, 20) < mean(history.volume, 60), change, -change)


def sector_intraday_drift(history: History) -> Vector:
    overnight = history.open[-60:] / history.close[-61:-1]
    values = mean(history.close[-60:] / history.open[-60:] - overnight, 60)
    order = np.lexsort((values, history.sector))
    sector = history.sector[order]
    first = np.searchsorted(sector, sector, side="left")
    size = np.searchsorted(sector, sector, side="right") - first
    ranks = np.empty(len(values))
    ranks[order] = (np.arange(len(values)) - first) / np.maximum(size - 1, 1)
    return ranks


# Two or three per difficulty tier of the evaluation protocol (depth 1-2, depth 3-4, conditional or nested).
# Strong and slow on purpose: the embedded market is there to show the pipeline at work. Research on generators
# passes its own plants, with strength crossed over tiers.
DEFAULT_PLANTS: tuple[Plant, ...] = (
    Plant("-ts_std_dev(returns, 60)", 3.6, low_volatility),
    Plant("ts_delta(close, 60) / close", 3.0, momentum),
    Plant("-ts_delta(close, 5) / close", 1.8, reversal),
    Plant("-ts_mean(volume, 20) / ts_mean(volume, 60)", 4.2, fading_volume),
    Plant("-ts_corr(close, volume, 60)", 3.6, price_volume_divergence),
    Plant("ts_corr(abs(returns), volume, 60)", 4.2, volume_follows_news),
    Plant(
        "if_else(ts_mean(volume, 20) < ts_mean(volume, 60), ts_delta(close, 20) / close, -ts_delta(close, 20) / close)",
        4.2,
        volume_conditional_momentum,
    ),
    Plant("group_rank(ts_mean(close / open - open / ts_delay(close, 1), 60), sector)", 3.0, sector_intraday_drift),
)
