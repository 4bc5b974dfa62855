"""What a run would hand over: from its trials in order of proposal, blind to who proposed them.

Of the first n trials, those that meet the thresholds on the search window, taken greedily by falling Sharpe ratio with
|ρ| of daily profit within the limit, at most `MOST`. So an export set is chosen (stages 6 to 8), from an empty pool.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.evaluator import Trial
from alpha_pipeline.thresholds import Thresholds

MOST = 100


class Handover:
    """The choice at any point of a run.

    Attributes:
        sharpe: [trials], of the search window.
        usable: bool [trials], has figures that speak for it: enough finite cells, and a profit that varies.
        passing: numbers of the trials that meet the thresholds, in order of proposal.
    """

    def __init__(self, trials: Sequence[Trial], limits: Thresholds) -> None:
        self._trials, self._limit = trials, limits.correlation
        self.sharpe = np.array([trial.metrics.sharpe for trial in trials])
        self.usable = np.array([trial.missing <= limits.missing and bool(np.ptp(trial.pnl)) for trial in trials], bool)
        meets = [limits.met_by(t.metrics.sharpe, t.metrics.fitness, t.metrics.turnover) for t in trials]
        self.passing = np.flatnonzero(self.usable & np.array(meets, bool))
        self._likeness = Likeness([trials[int(number)] for number in self.passing])

    def accepted(self, count: int) -> list[int]:
        """Numbers of the trials handed over after the first `count`, best first."""
        places = np.flatnonzero(self.passing < count)
        order = places[np.argsort(-self.sharpe[self.passing[places]], kind="stable")]
        free = np.ones(len(self.passing), bool)
        chosen: list[int] = []
        for place in order:
            if len(chosen) == MOST:
                break
            if free[place]:
                chosen.append(int(self.passing[place]))
                free &= self._likeness.of(int(place)) <= self._limit
        return chosen

    def likest(self, profit: NDArray[np.float64], count: int, most: int) -> list[int]:
        """The `most` passing trials among the first `count` whose profit is correlated most with one of [search days].

        Profits are compared on all days of the window, those before a lookback is filled being 0 in either.
        """
        passing = self.passing[self.passing < count]
        if not len(passing):
            return []
        found = self._likeness.centred[: len(passing)]
        spread = np.sqrt((found * found).sum(axis=1))
        likeness = np.divide(found @ (profit - profit.mean()), spread, out=np.zeros(len(passing)), where=spread > 0)
        order = np.argsort(-np.round(likeness, 12), kind="stable")[:most]
        return [int(number) for number in passing[order]]

    def best(self, count: int) -> int | None:
        """The trial of the highest Sharpe ratio among the first `count` that are usable."""
        found = self.top(count, 1)
        return found[0] if found else None

    def top(self, count: int, most: int) -> list[int]:
        """The `most` trials of the highest Sharpe ratios among the first `count` that are usable, best first."""
        usable = np.flatnonzero(self.usable[:count])
        return [int(number) for number in usable[np.argsort(-self.sharpe[usable], kind="stable")][:most]]


class Likeness:
    """|correlation| of daily profits on the search window, one row at a time.

    Each profit is taken less its own mean; the sums are over the days that both have, as profits begin when a lookback
    is filled.

    Attributes:
        centred: [rows, days], 0 before the first day.
    """

    def __init__(self, trials: Sequence[Trial]) -> None:
        days = len(trials[0].pnl) if trials else 0
        self._starts = np.array([min(trial.first_day, days) for trial in trials], np.int64)
        self.centred = np.zeros((len(trials), days))
        for row, (trial, start) in enumerate(zip(trials, self._starts, strict=True)):
            profit = trial.pnl[start:]
            self.centred[row, start:] = profit - profit.mean() if len(profit) else 0.0
        squares = np.cumsum(self.centred[:, ::-1] ** 2, axis=1)[:, ::-1]
        self._squares = np.concatenate([squares, np.zeros((len(trials), 1))], axis=1)  # from each day to the last
        self._known: dict[int, NDArray[np.float64]] = {}

    def of(self, row: int) -> NDArray[np.float64]:
        """|correlation| of one with all, [rows]; 0 where they share no day on which both vary."""
        if row not in self._known:
            begin = np.maximum(self._starts, self._starts[row])
            theirs = self._squares[np.arange(len(begin)), begin]
            spread = np.sqrt(theirs * self._squares[row][begin])
            together = np.abs(self.centred @ self.centred[row])
            found = np.divide(together, spread, out=np.zeros(len(begin)), where=spread > 0)
            self._known[row] = np.round(np.minimum(found, 1.0), 9)  # no choice hangs on how a sum was split
        return self._known[row]

    def matrix(self) -> NDArray[np.float64]:
        """All pairs, [rows, rows]."""
        return np.array([self.of(row) for row in range(len(self._starts))]).reshape(len(self._starts), -1)
