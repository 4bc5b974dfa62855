"""Running spreads along time: ts_std_dev, ts_zscore, ts_corr, ts_covariance.

Sums of (x − pivot) and (x − pivot)² slide along, the pivot being a value of the column itself. The spread is
Σ(x − p)² − (Σ(x − p))²/n. It is exact enough while it is not small beside the largest sum of squares held since the
pivot was chosen; when it falls below `CANCELLED` of that (the level has moved far from the pivot, an outlier has left,
the window has become constant), the column's sums are made afresh from its window about today's value. So a share at
400,000 keeps its digits, a constant window has a spread of exactly 0, and nothing outlives its window. That is rare on
real data: about once a column.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.jit import njit

WIDTH = 256
CANCELLED = 2.0**-20  # leaves 53 − 20 bits less log2 of the number of steps: more than float32 holds
INFINITY = np.float32(np.inf)
NAN = np.float32(np.nan)

State = NDArray[np.float64]
# rows of a tile's state, float64: one array, see `running`
COUNT, SHARE, X, XX, PIVOT_X, PEAK_X, SPREAD_X, Y, YY, PIVOT_Y, PEAK_Y, SPREAD_Y, XY = range(13)


@njit
def _afresh(x: Matrix, t: int, window: int, column: int, state: State, j: int) -> None:
    """Sums of the window that ends on day t, about its latest valid value."""
    pivot = total = squares = 0.0
    found = False
    for day in range(t, max(-1, t - window), -1):
        value = x[day, column]
        if abs(value) < INFINITY:
            if not found:
                pivot, found = np.float64(value), True
            deviation = np.float64(value) - pivot
            total += deviation
            squares += deviation * deviation
    state[X, j], state[XX, j], state[PIVOT_X, j], state[PEAK_X, j] = total, squares, pivot, squares
    state[SPREAD_X, j] = squares - total * total * state[SHARE, j]


@njit
def _deviation(x: Matrix, window: int, needed: int, score: bool, out: Matrix, lo: int, hi: int) -> None:
    state = np.zeros((7, WIDTH))
    nothing = np.full(WIDTH, NAN, np.float32)
    for left in range(lo, hi, WIDTH):
        width = min(WIDTH, hi - left)
        state[:] = 0.0
        for t in range(len(x)):
            entering = x[t, left : left + width]
            leaving = x[t - window, left : left + width] if t >= window else nothing[:width]
            result = out[t, left : left + width]
            cancelled = 0
            for j in range(width):
                enters, leaves = abs(entering[j]) < INFINITY, abs(leaving[j]) < INFINITY
                pivot = state[PIVOT_X, j]
                a = np.float64(entering[j]) - pivot if enters else 0.0
                b = np.float64(leaving[j]) - pivot if leaves else 0.0
                count = state[COUNT, j] + ((1.0 if enters else 0.0) - (1.0 if leaves else 0.0))
                share = 1.0 / count
                total = state[X, j] + (a - b)
                square = a * a
                squares = state[XX, j] + (square - b * b)
                peak = state[PEAK_X, j]
                peak = squares if squares > peak else peak
                peak = square if square > peak else peak
                spread = squares - total * total * share
                state[COUNT, j], state[SHARE, j], state[X, j], state[XX, j] = count, share, total, squares
                state[PEAK_X, j], state[SPREAD_X, j] = peak, spread
                cancelled |= 1 if spread < CANCELLED * peak else 0
            if cancelled:
                for j in range(width):
                    if state[SPREAD_X, j] < CANCELLED * state[PEAK_X, j]:
                        _afresh(x, t, window, left + j, state, j)
            if score:
                for j in range(width):
                    deviation = np.sqrt(state[SPREAD_X, j] * state[SHARE, j])
                    above = (np.float64(entering[j]) - state[PIVOT_X, j]) - state[X, j] * state[SHARE, j]
                    told = state[COUNT, j] >= needed and deviation > 0.0 and abs(entering[j]) < INFINITY
                    result[j] = np.float32(above / deviation) if told else NAN
            else:
                for j in range(width):
                    deviation = np.sqrt(state[SPREAD_X, j] * state[SHARE, j])
                    result[j] = np.float32(deviation) if state[COUNT, j] >= needed else NAN


@njit
def _pair_afresh(x: Matrix, y: Matrix, t: int, window: int, column: int, state: State, j: int) -> None:
    """Sums of the pairs in the window that ends on day t, about its latest valid pair."""
    pivot_x = pivot_y = 0.0
    total_x = total_y = squares_x = squares_y = products = 0.0
    found = False
    for day in range(t, max(-1, t - window), -1):
        value_x, value_y = x[day, column], y[day, column]
        if abs(value_x) < INFINITY and abs(value_y) < INFINITY:
            if not found:
                pivot_x, pivot_y, found = np.float64(value_x), np.float64(value_y), True
            a, b = np.float64(value_x) - pivot_x, np.float64(value_y) - pivot_y
            total_x += a
            total_y += b
            squares_x += a * a
            squares_y += b * b
            products += a * b
    share = state[SHARE, j]
    state[X, j], state[XX, j], state[PIVOT_X, j], state[PEAK_X, j] = total_x, squares_x, pivot_x, squares_x
    state[Y, j], state[YY, j], state[PIVOT_Y, j], state[PEAK_Y, j] = total_y, squares_y, pivot_y, squares_y
    state[XY, j] = products
    state[SPREAD_X, j] = squares_x - total_x * total_x * share
    state[SPREAD_Y, j] = squares_y - total_y * total_y * share


@njit
def _together(x: Matrix, y: Matrix, window: int, needed: int, correlation: bool, out: Matrix, lo: int, hi: int) -> None:
    state = np.zeros((13, WIDTH))
    nothing = np.full(WIDTH, NAN, np.float32)
    for left in range(lo, hi, WIDTH):
        width = min(WIDTH, hi - left)
        state[:] = 0.0
        for t in range(len(x)):
            entering_x, entering_y = x[t, left : left + width], y[t, left : left + width]
            past = t >= window
            leaving_x = x[t - window, left : left + width] if past else nothing[:width]
            leaving_y = y[t - window, left : left + width] if past else nothing[:width]
            result = out[t, left : left + width]
            cancelled = 0
            for j in range(width):
                enters = (abs(entering_x[j]) < INFINITY) & (abs(entering_y[j]) < INFINITY)
                leaves = (abs(leaving_x[j]) < INFINITY) & (abs(leaving_y[j]) < INFINITY)
                pivot_x, pivot_y = state[PIVOT_X, j], state[PIVOT_Y, j]
                ax = np.float64(entering_x[j]) - pivot_x if enters else 0.0
                bx = np.float64(leaving_x[j]) - pivot_x if leaves else 0.0
                ay = np.float64(entering_y[j]) - pivot_y if enters else 0.0
                by = np.float64(leaving_y[j]) - pivot_y if leaves else 0.0
                count = state[COUNT, j] + ((1.0 if enters else 0.0) - (1.0 if leaves else 0.0))
                share = 1.0 / count
                total_x, total_y = state[X, j] + (ax - bx), state[Y, j] + (ay - by)
                square_x, square_y = ax * ax, ay * ay
                squares_x = state[XX, j] + (square_x - bx * bx)
                squares_y = state[YY, j] + (square_y - by * by)
                state[XY, j] += ax * ay - bx * by
                peak_x, peak_y = state[PEAK_X, j], state[PEAK_Y, j]
                peak_x = squares_x if squares_x > peak_x else peak_x
                peak_x = square_x if square_x > peak_x else peak_x
                peak_y = squares_y if squares_y > peak_y else peak_y
                peak_y = square_y if square_y > peak_y else peak_y
                spread_x = squares_x - total_x * total_x * share
                spread_y = squares_y - total_y * total_y * share
                state[COUNT, j], state[SHARE, j] = count, share
                state[X, j], state[XX, j], state[PEAK_X, j], state[SPREAD_X, j] = total_x, squares_x, peak_x, spread_x
                state[Y, j], state[YY, j], state[PEAK_Y, j], state[SPREAD_Y, j] = total_y, squares_y, peak_y, spread_y
                cancelled |= 1 if ((spread_x < CANCELLED * peak_x) | (spread_y < CANCELLED * peak_y)) else 0
            if cancelled:
                for j in range(width):
                    low_x = state[SPREAD_X, j] < CANCELLED * state[PEAK_X, j]
                    if low_x or state[SPREAD_Y, j] < CANCELLED * state[PEAK_Y, j]:
                        _pair_afresh(x, y, t, window, left + j, state, j)
            if correlation:
                for j in range(width):
                    common = state[XY, j] - state[X, j] * state[Y, j] * state[SHARE, j]
                    spread_x, spread_y = state[SPREAD_X, j], state[SPREAD_Y, j]
                    ratio = common / np.sqrt(spread_x * spread_y)
                    ratio = 1.0 if ratio > 1.0 else ratio
                    ratio = -1.0 if ratio < -1.0 else ratio
                    told = (state[COUNT, j] >= needed) & (spread_x > 0.0) & (spread_y > 0.0)
                    result[j] = np.float32(ratio) if told else NAN
            else:
                for j in range(width):
                    share = state[SHARE, j]
                    common = state[XY, j] - state[X, j] * state[Y, j] * share
                    result[j] = np.float32(common * share) if state[COUNT, j] >= needed else NAN


def _std_dev(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    _deviation(x, window, needed, False, out, lo, hi)


def _zscore(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    _deviation(x, window, needed, True, out, lo, hi)


def _corr(x: Matrix, y: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    _together(x, y, window, needed, True, out, lo, hi)


def _covariance(x: Matrix, y: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    _together(x, y, window, needed, False, out, lo, hi)


KERNELS: dict[str, Kernel] = {
    "ts_std_dev": Kernel("columns", _std_dev),
    "ts_zscore": Kernel("columns", _zscore),
    "ts_corr": Kernel("columns", _corr),
    "ts_covariance": Kernel("columns", _covariance),
}
