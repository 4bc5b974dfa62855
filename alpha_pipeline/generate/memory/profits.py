"""Daily profits that new ones are correlated with, over and over: what can be worked out once is kept.

Profits begin on the day an expression's lookback is filled and miss none after it. Two of them are compared on the days
from the later beginning, so that all sums but the product's are sums over an end of the days: those of each row are
kept as running totals, and a new row costs one matrix product. Rows with other gaps go through `reward.correlations`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alpha_pipeline.generate.base import FloatArray
from alpha_pipeline.generate.reward import FEWEST_COMMON_DAYS, LEAST_VARIANCE, correlations, standardised

Slots = npt.NDArray[np.int64]


class Profits:
    """Rows of daily profit, each in a slot of its own; slots of rows let go are used again.

    Attributes:
        rows: [slots, days]; NaN where there is no profit yet, and all NaN in a free slot.
    """

    def __init__(self, days: int, rows: FloatArray | None = None) -> None:
        self.rows: FloatArray = np.full((0, days), np.nan)
        self._scaled: FloatArray = np.zeros((0, days))  # centred, of deviation 1, 0 where there is no profit
        self._starts: Slots = np.zeros(0, np.int64)
        self._totals: FloatArray = np.zeros((days + 1, 0))  # [day, slot], of `_scaled` from that day on
        self._squares: FloatArray = np.zeros((days + 1, 0))
        self._free: list[int] = []
        self._gaps: set[int] = set()  # slots of rows that miss days after their first
        if rows is not None:
            self.add(rows)

    def __len__(self) -> int:
        """Slots, used or free."""
        return len(self.rows)

    def add(self, rows: FloatArray) -> Slots:
        """Keep rows of [count, days]. Returns their slots."""
        while len(self._free) < len(rows):
            self._grow(len(rows))
        slots = np.array([self._free.pop() for _ in rows], np.int64)
        self.rows[slots] = rows
        scaled, starts = standardised(rows), _starts(rows)
        self._scaled[slots] = scaled
        self._starts[slots] = starts
        self._totals[:, slots] = _running(scaled).T
        self._squares[:, slots] = _running(scaled**2).T
        self._gaps |= {int(slot) for slot, row, start in zip(slots, rows, starts, strict=True) if _has_gaps(row, start)}
        return slots

    def let_go(self, slots: Slots) -> None:
        """Free slots."""
        self.rows[slots] = np.nan
        self._scaled[slots] = 0.0
        self._starts[slots] = self.rows.shape[1]
        self._totals[:, slots] = self._squares[:, slots] = 0.0
        self._gaps -= set(slots.tolist())
        self._free += slots[::-1].tolist()

    def resembling(self, slots: Slots, others: Profits | None = None) -> FloatArray:
        """|correlation| of the rows in `slots` with every slot, [slots, all slots of `others`]; 0 with free ones.

        Rounded, so that no tie hangs on how a sum was split.
        """
        others = self if others is None else others
        if self._gaps & set(slots.tolist()) or others._gaps:
            return np.asarray(np.round(np.abs(correlations(self.rows[slots], others.rows)), 10), np.float64)
        if not len(slots) or not len(others):
            return np.zeros((len(slots), len(others)))
        days, starts, other_starts = self.rows.shape[1], self._starts[slots], others._starts
        begin = np.maximum(starts[:, None], other_starts)
        count = days - begin
        shared = np.maximum(count, 1.0)
        late = starts[:, None] > other_starts  # else the other row begins later, and counts whole
        theirs = _ends(others, starts, other_starts, late)
        own = [np.take_along_axis(totals[:, slots].T.copy(), begin, axis=1) for totals in (self._totals, self._squares)]
        covariance = self._scaled[slots] @ others._scaled.T / shared - own[0] * theirs[0] / shared**2
        variances = [square / shared - (total / shared) ** 2 for total, square in (own, theirs)]
        spread = np.sqrt(np.maximum(variances[0], 0.0) * np.maximum(variances[1], 0.0))
        usable = (count >= FEWEST_COMMON_DAYS) & (variances[0] > LEAST_VARIANCE) & (variances[1] > LEAST_VARIANCE)
        found = np.where(usable, covariance / np.where(usable, spread, 1.0), 0.0)
        return np.asarray(np.round(np.minimum(np.abs(found), 1.0), 10))

    def _grow(self, least: int) -> None:
        held, days = self.rows.shape
        more = max(least, held, 256)
        self.rows = np.concatenate([self.rows, np.full((more, days), np.nan)])
        self._scaled = np.concatenate([self._scaled, np.zeros((more, days))])
        self._starts = np.concatenate([self._starts, np.full(more, days)])
        self._totals, self._squares = (
            np.concatenate([totals, np.zeros((days + 1, more))], axis=1) for totals in (self._totals, self._squares)
        )
        self._free += range(held + more - 1, held - 1, -1)


def _starts(rows: FloatArray) -> Slots:
    """First day of each row with a profit; the number of days where there is none."""
    held = np.isfinite(rows)
    return np.asarray(np.where(held.any(axis=1), held.argmax(axis=1), rows.shape[1]))


def _has_gaps(row: FloatArray, start: int) -> bool:
    return not bool(np.isfinite(row[start:]).all())


def _running(rows: FloatArray) -> FloatArray:
    """Sums of each row from every day to the last, [rows, days + 1]."""
    found = np.zeros((len(rows), rows.shape[1] + 1))
    found[:, :-1] = np.cumsum(rows[:, ::-1], axis=1)[:, ::-1]
    return found


def _ends(others: Profits, starts: Slots, other_starts: Slots, late: npt.NDArray[np.bool_]) -> list[FloatArray]:
    """Sum and sum of squares of the other rows from the later beginning on, [rows, others]."""
    slots = np.arange(len(others))
    return [np.where(late, totals[starts], totals[other_starts, slots]) for totals in (others._totals, others._squares)]
