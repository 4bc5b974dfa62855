"""What an expression is truly worth on a simulated market: figures that use the planted returns. For judging only.

Everything here is on all days of the panel, as the plants work on all of them: more days, less noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from alpha_pipeline.backtest import simulate
from alpha_pipeline.backtest.metrics import DAYS_PER_YEAR
from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.expression import Node, lookback
from alpha_pipeline.market.panel import FloatMatrix
from alpha_pipeline.race.markets import RacedMarket
from alpha_pipeline.race.planting import tree_of

RANKED_DAYS = 150
"""Days on which signals are compared by rank, evenly spread: their mean over 150 days varies by less than 0.01."""
FEWEST_NAMES = 5
"""Names with a value of both signals, for a day's rank correlation to count."""


@dataclass(frozen=True, eq=False)
class Worth:
    """What one expression is worth.

    Attributes:
        oracle: Sharpe ratio it is expected to earn, √250 · mean(w'α) / sd(w'r).
        earned: [T], w'α; 0 before the first day its books count.
        profit: [T], w'r, likewise.
        first_day: that day.
        likeness: [plants], mean daily rank correlation with each plant's signal.
    """

    oracle: float
    earned: NDArray[np.float64]
    profit: NDArray[np.float64]
    first_day: int
    likeness: NDArray[np.float64]


class Oracle:
    """The worth of expressions on one market, by the books that the backtest trades.

    Args:
        evaluator: of the arms, whose settings and engine are used.
        market: with the plants.
    """

    def __init__(self, evaluator: Evaluator, market: RacedMarket) -> None:
        self.evaluator, self.market = evaluator, market
        self._expected = market.expected
        days = len(market.panel.dates)
        self._days = np.unique(np.linspace(0, days - 1, min(RANKED_DAYS, days)).astype(np.int64))

    def worth(self, nodes: Sequence[Node]) -> list[Worth]:
        """Of many expressions, in their order."""
        found: dict[int, Worth] = {}
        for number, worth in self.evaluator.engine.map(nodes, lambda i, signal: self._worth(nodes[i], signal)):
            found[number] = worth
        return [found[number] for number in range(len(nodes))]

    @cached_property
    def plants(self) -> list[Worth]:
        """Of the plants themselves: what was planted is never what they are worth, as they overlap."""
        return self.worth([tree_of(plant.expression) for plant in self.market.plants])

    def _worth(self, node: Node, signal: FloatMatrix) -> Worth:
        settings, first_row = self.evaluator.settings, self.evaluator.first_row(node)
        expected = simulate(signal, self._expected, settings, first_row, threads=1, lookback=lookback(node))
        real = simulate(signal, self.market.panel, settings, first_row, threads=1, lookback=lookback(node))
        held = slice(real.first_day, None)
        return Worth(
            oracle=oracle_sharpe(expected.pnl[held], real.pnl[held]),
            earned=expected.pnl,
            profit=real.pnl,
            first_day=real.first_day,
            likeness=self._likeness(signal),
        )

    def _likeness(self, signal: FloatMatrix) -> NDArray[np.float64]:
        ranks = self._ranks(signal)
        return np.array([mean_correlation(ranks, theirs) for theirs in self._planted_ranks])

    @cached_property
    def _planted_ranks(self) -> list[NDArray[np.float64]]:
        engine = self.evaluator.engine_on(self.market.panel, threads=1, memory=64 << 20)
        return [self._ranks(engine.evaluate(tree_of(plant.expression))) for plant in self.market.plants]

    def _ranks(self, signal: FloatMatrix) -> NDArray[np.float64]:
        return ranks_of(signal[self._days], self.market.panel.universe[self._days])


def oracle_sharpe(earned: NDArray[np.float64], profit: NDArray[np.float64]) -> float:
    """√250 · mean of w'α over the standard deviation of w'r; 0 where there is no day or no risk."""
    spread = float(profit.std()) if len(profit) else 0.0
    return math.sqrt(DAYS_PER_YEAR) * float(earned.mean()) / spread if spread > 0 else 0.0


def ranks_of(signal: FloatMatrix, universe: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Ranks within each day, [days, instruments]; NaN outside the universe and where there is no value."""
    values = signal.astype(np.float64)
    values[~(np.isfinite(values) & universe)] = np.nan
    return np.asarray(rankdata(values, axis=1, nan_policy="omit"))


def mean_correlation(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Mean over rows of Pearson's correlation of two matrices of ranks, NaN cells left out; 0 where no row counts.

    Ranks are within each row's own values, so this is Spearman's where both miss the same names.
    """
    both = np.isfinite(left) & np.isfinite(right)
    count = both.sum(axis=1)
    usable = count >= FEWEST_NAMES
    safe = np.maximum(count, 1)[:, None]
    a, b = np.where(both, left, 0.0), np.where(both, right, 0.0)
    a = np.where(both, a - a.sum(axis=1, keepdims=True) / safe, 0.0)
    b = np.where(both, b - b.sum(axis=1, keepdims=True) / safe, 0.0)
    spread = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    usable &= spread > 1e-9
    return float(((a * b).sum(axis=1)[usable] / spread[usable]).mean()) if usable.any() else 0.0
