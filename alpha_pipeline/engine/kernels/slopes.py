"""ts_theilsen: the exact median of all slopes between two days of a window.

The slopes of a window are kept from day to day: a new day adds those from each earlier day to itself, a day that leaves
takes its own along. The median moves little in a day, so that one pass counts the slopes below a bracket about
yesterday's and copies out those inside it, and only among these few is a place looked for. A bracket that misses is
widened. The cost of a cell is that pass: half the square of the window.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.jit import njit

INFINITY = np.float32(np.inf)
TILE = 16  # columns copied at a time: a cache line of a row

Values = NDArray[np.float64]


@njit
def _placed(values: Values, count: int, place: int) -> float:
    """What would be at a place of the first `count` values if they were sorted; smaller ones are moved before it."""
    left, right = 0, count - 1
    while left < right:
        pivot = values[(left + right) // 2]
        i, j = left, right
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if place <= j:
            right = j
        elif place >= i:
            left = i
        else:
            break
    return float(values[place])


@njit
def _median(slopes: Values, first: int, last: int, apart: int, middle: float, reach: float, held: Values) -> float:
    """Median of the `apart` slopes of points [first, last), looked for first within `reach` of `middle`."""
    lower, upper = (apart - 1) // 2, apart // 2
    attempt = 0
    while True:
        lowest, highest = middle - reach, middle + reach
        if attempt == 2 or not (lowest <= highest):
            lowest, highest = -np.inf, np.inf
        below = count = 0
        for point in range(first, last - 1):
            row = slopes[point % len(slopes)]
            for i in range(last - 1 - point):
                value = row[i]
                held[count] = value
                below += value < lowest
                count += (value >= lowest) & (value <= highest)
        if below <= lower and upper < below + count:
            break
        attempt += 1
        reach *= 8.0
    found = _placed(held, count, upper - below)
    if lower == upper:
        return found
    before = float(held[0])
    for i in range(1, upper - below):
        before = max(before, float(held[i]))
    return (before + found) / 2.0


@njit
def _theil_sen(x: Matrix, y: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    rows = len(x)
    length = min(window, rows)
    slopes = np.empty((length, length))  # row: a point, modulo the window; from it to each later one, oldest first
    held = np.empty(length * (length - 1) // 2 + 1)
    known = np.empty(length, np.int64)  # how many slopes of a row are of points with different x
    points = np.empty((2, rows))
    days = np.empty(rows, np.int64)
    tile = np.empty((2, TILE, rows), np.float32)
    for left in range(lo, hi, TILE):
        width = min(TILE, hi - left)
        for t in range(rows):
            for j in range(width):
                tile[0, j, t], tile[1, j, t] = x[t, left + j], y[t, left + j]
        for j in range(width):
            first = last = apart = 0  # the window holds points [first, last)
            middle, reach, median = np.nan, 0.0, np.nan
            for t in range(rows):
                changed = False
                if last > first and days[first] <= t - window:
                    apart -= known[first % length]
                    first += 1
                    changed = True
                a, b = tile[0, j, t], tile[1, j, t]
                if abs(a) < INFINITY and abs(b) < INFINITY:
                    points[0, last], points[1, last], days[last] = a, b, t
                    for point in range(first, last):
                        run = points[0, last] - points[0, point]
                        rise = points[1, last] - points[1, point]
                        differs = run != 0.0
                        slopes[point % length, last - 1 - point] = rise / run if differs else np.nan
                        known[point % length] += 1 if differs else 0
                        apart += 1 if differs else 0
                    known[last % length] = 0
                    last += 1
                    changed = True
                if changed and apart > 0 and last - first >= needed:
                    median = _median(slopes, first, last, apart, middle, reach, held)
                    # three times as far as the median lately moved in a day
                    reach = 0.8 * reach + 0.6 * abs(median - middle) if middle == middle else abs(median)
                    middle = median
                told = apart > 0 and last - first >= needed
                out[t, left + j] = np.float32(median) if told else np.float32(np.nan)


KERNELS: dict[str, Kernel] = {"ts_theilsen": Kernel("columns", _theil_sen)}
