"""group_backfill: gaps filled from all values a group had in a window.

Mean and deviation of a group's window are put together from those of its days, which are worked out once. The values
themselves are read again only where one of them may lie beyond the bound.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.kernels.kernel import Matrix, Offsets
from alpha_pipeline.jit import njit

INFINITY = np.float32(np.inf)
COUNT, MEAN, SQUARES, SMALLEST, LARGEST = 0, 1, 2, 3, 4


@njit
def _days(x: Matrix, offsets: Offsets, first: int, hi: int) -> NDArray[np.float64]:
    """Of each day from `first` and each group: count, mean, sum of squares about it, smallest, largest finite value."""
    told = np.zeros((hi - first, len(offsets) - 1, 5))
    for t in range(first, hi):
        for g in range(len(offsets) - 1):
            row, day = x[t, offsets[g] : offsets[g + 1]], told[t - first, g]
            count, total, squares = 0.0, 0.0, 0.0
            smallest, largest = np.inf, -np.inf
            for j in range(len(row)):
                if abs(row[j]) < INFINITY:
                    value = np.float64(row[j])
                    count += 1.0
                    total += value
                    smallest, largest = min(smallest, value), max(largest, value)
            mean = total / count if count > 0.0 else 0.0
            for j in range(len(row)):
                if abs(row[j]) < INFINITY:
                    squares += (np.float64(row[j]) - mean) ** 2
            day[COUNT], day[MEAN], day[SQUARES], day[SMALLEST], day[LARGEST] = count, mean, squares, smallest, largest
    return told


@njit
def _filled(x: Matrix, offsets: Offsets, window: int, needed: int, std: float, out: Matrix, lo: int, hi: int) -> None:
    first = max(0, lo - window + 1)
    told = _days(x, offsets, first, hi)
    for t in range(lo, hi):
        start = max(first, t - window + 1)
        for g in range(len(offsets) - 1):
            left, right = offsets[g], offsets[g + 1]
            row, result = x[t, left:right], out[t, left:right]
            missing = 0
            for j in range(len(row)):
                result[j] = row[j]
                missing += 0 if row[j] == row[j] else 1
            if missing == 0:
                continue
            count, total = 0.0, 0.0
            smallest, largest = np.inf, -np.inf
            for day in range(start - first, t + 1 - first):
                count += told[day, g, COUNT]
                total += told[day, g, COUNT] * told[day, g, MEAN]
                smallest = min(smallest, told[day, g, SMALLEST])
                largest = max(largest, told[day, g, LARGEST])
            if count < needed or count == 0.0:
                continue
            mean = total / count
            squares = 0.0
            for day in range(start - first, t + 1 - first):
                squares += told[day, g, SQUARES] + told[day, g, COUNT] * (told[day, g, MEAN] - mean) ** 2
            found = mean if smallest < largest else smallest
            bound = std * np.sqrt(squares / (count - 1.0)) if count > 1.0 else 0.0
            bottom, top = mean - bound, mean + bound
            if smallest < largest and (smallest < bottom or largest > top):
                total = 0.0
                for day in range(start, t + 1):
                    held = x[day, left:right]
                    for j in range(len(held)):
                        if abs(held[j]) < INFINITY:
                            total += min(max(np.float64(held[j]), bottom), top)
                found = total / count
            for j in range(len(row)):
                if row[j] != row[j]:
                    result[j] = np.float32(found)


def backfill(x: Matrix, offsets: Offsets, window: int, needed: int, std: float, out: Matrix, lo: int, hi: int) -> None:
    """Rows [lo, hi) of group_backfill; needs the window's rows before them in `x`."""
    _filled(x, offsets, window, needed, std, out, lo, hi)
