"""Windowed statistics that are made afresh for every window: products, medians, higher moments, entropy, other decays.

A column's finite values are copied together, so that those of any window lie side by side; `figure` says what is made
of them. The cost is that of the window, as no sum slides, and so is the accuracy. For medians and percentages the
window's values are kept in order instead, one put in and one taken out a day.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.jit import njit, reduction

INFINITY = np.float32(np.inf)
NAN = np.float32(np.nan)
TILE = 16  # columns copied at a time: a cache line of a row

DENSE_DECAY, PRODUCT, SKEWNESS, KURTOSIS, MOMENT, ENTROPY, DECAY, DECAY_ZEROS, PERCENTAGE = range(9)

Values = NDArray[np.float64]


@reduction
def _sums(values: Values, power: int) -> tuple[float, float]:
    """Σ x² and Σ x^power."""
    squares = others = 0.0
    for i in range(len(values)):
        squares += values[i] * values[i]
    if power == 1:
        for i in range(len(values)):
            others += values[i]
    elif power == 3:
        for i in range(len(values)):
            others += values[i] * values[i] * values[i]
    elif power == 4:
        for i in range(len(values)):
            others += (values[i] * values[i]) * (values[i] * values[i])
    else:
        for i in range(len(values)):
            others += values[i] ** power
    return squares, others


@njit
def _moments(values: Values, power: int, scratch: Values) -> tuple[float, float]:
    """The second central moment and that of order `power`; exactly 0 for equal values. Only the sums are reordered."""
    count = len(values)
    if power == 1:
        return 0.0, 0.0  # by definition, whatever rounding makes of it
    centred = scratch[:count]
    for i in range(count):
        centred[i] = values[i] - values[count - 1]
    mean = _sums(centred, 1)[1] / count
    for i in range(count):
        centred[i] -= mean
    squares, others = _sums(centred, power)
    return squares / count, others / count


@njit
def _entropy(values: Values, buckets: int, counts: Values) -> float:
    lowest, highest = values.min(), values.max()
    width = highest - lowest
    if width == 0.0:
        return 0.0
    counts[:buckets] = 0.0
    for i in range(len(values)):
        counts[min(int(np.floor((values[i] - lowest) / width * buckets)), buckets - 1)] += 1.0
    total = 0.0
    for bucket in range(buckets):
        if counts[bucket] > 0.0:
            share = counts[bucket] / len(values)
            total -= share * np.log(share)
    return total


@njit
def _weighted(values: Values, days: NDArray[np.int64], t: int, window: int, factor: float, figure: int) -> float:
    above, below = 0.0, 0.0
    if figure == DENSE_DECAY:
        for i in range(len(values)):
            weight = float(window - (t - days[i]))
            above += weight * values[i]
            below += weight
        return above / below
    weight, age = 1.0, 0
    for i in range(len(values) - 1, -1, -1):  # newest first: each day further back weighs `factor` times as much
        while age < t - days[i]:
            weight *= factor
            age += 1
        above += weight * values[i]
        below += weight
    if figure == DECAY_ZEROS:
        below = float(window) if factor == 1.0 else (1.0 - factor**window) / (1.0 - factor)
    return above / below


@njit
def _statistic(
    values: Values, days: NDArray[np.int64], t: int, window: int, figure: int, parameter: float, scratch: Values
) -> float:
    if figure == PRODUCT:
        product = 1.0
        for i in range(len(values)):
            product *= values[i]
        return product
    if figure in (SKEWNESS, KURTOSIS, MOMENT):
        power = 3 if figure == SKEWNESS else 4 if figure == KURTOSIS else int(parameter)
        squares, others = _moments(values, power, scratch)
        if figure == MOMENT:
            return others
        if squares <= 0.0:
            return np.nan
        return others / squares**1.5 if figure == SKEWNESS else others / (squares * squares) - 3.0
    if figure == ENTROPY:
        return _entropy(values, int(parameter), scratch)
    return _weighted(values, days, t, window, parameter, figure)


@njit
def _exchange(ordered: Values, count: int, gone: float, leaves: bool, came: float, enters: bool) -> int:
    """Take one value out of the first `count` ordered ones and put one in; returns how many there are then."""
    if leaves:
        place = np.searchsorted(ordered[:count], gone)
        for i in range(place, count - 1):
            ordered[i] = ordered[i + 1]
        count -= 1
    if enters:
        place = np.searchsorted(ordered[:count], came)
        for i in range(count, place, -1):
            ordered[i] = ordered[i - 1]
        ordered[place] = came
        count += 1
    return count


@njit
def gathered(x: Matrix, window: int, needed: int, figure: int, parameter: float, out: Matrix, lo: int, hi: int) -> None:
    """The figure of every window with at least `needed` finite values."""
    rows = len(x)
    values = np.empty(rows)
    days = np.empty(rows, np.int64)
    ordered = np.empty(min(window, rows) + 1)
    scratch = np.empty(max(rows, int(parameter)))  # a window's values, or counts of buckets
    tile = np.empty((TILE, rows), np.float32)
    results = np.empty((TILE, rows), np.float32)
    for left in range(lo, hi, TILE):
        width = min(TILE, hi - left)
        for t in range(rows):
            for j in range(width):
                tile[j, t] = x[t, left + j]
        for j in range(width):
            first = last = held = 0  # the window holds values[first:last]
            for t in range(rows):
                leaves = last > first and days[first] <= t - window
                gone = values[first] if leaves else 0.0
                if leaves:
                    first += 1
                enters = abs(tile[j, t]) < INFINITY
                if enters:
                    values[last], days[last] = np.float64(tile[j, t]), t
                    last += 1
                if figure == PERCENTAGE:
                    held = _exchange(ordered, held, gone, leaves, np.float64(tile[j, t]), enters)
                if last - first < max(needed, 1):
                    results[j, t] = NAN
                elif figure == PERCENTAGE:
                    place = parameter * (held - 1)
                    below = int(place)
                    result = ordered[below]
                    if place > below:
                        result += (ordered[below + 1] - result) * (place - below)
                    results[j, t] = np.float32(result)
                else:
                    results[j, t] = np.float32(
                        _statistic(values[first:last], days[first:last], t, window, figure, parameter, scratch)
                    )
        for t in range(rows):
            for j in range(width):
                out[t, left + j] = results[j, t]


def _fixed(figure: int, parameter: float = 0.0) -> Kernel:
    def run(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
        gathered(x, window, needed, figure, parameter, out, lo, hi)

    return Kernel("columns", run)


def _given(figure: int) -> Kernel:
    def run(x: Matrix, window: int, needed: int, parameter: float, out: Matrix, lo: int, hi: int) -> None:
        gathered(x, window, needed, figure, float(parameter), out, lo, hi)

    return Kernel("columns", run)


def _decay_exp_window(
    x: Matrix, window: int, needed: int, factor: float, nan: bool, out: Matrix, lo: int, hi: int
) -> None:
    gathered(x, window, needed, DECAY if nan else DECAY_ZEROS, float(factor), out, lo, hi)


KERNELS: dict[str, Kernel] = {
    "ts_product": _fixed(PRODUCT),
    "ts_median": _fixed(PERCENTAGE, 0.5),
    "ts_percentage": _given(PERCENTAGE),
    "ts_skewness": _fixed(SKEWNESS),
    "ts_kurtosis": _fixed(KURTOSIS),
    "ts_moment": _given(MOMENT),
    "ts_entropy": _given(ENTROPY),
    "ts_decay_exp_window": Kernel("columns", _decay_exp_window),
}
