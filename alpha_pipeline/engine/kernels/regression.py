"""ts_regression: figures of the least-squares line through a window of two inputs.

The sums slide as in `pairs`, over the days on which both inputs are valid; the figures follow from them. Only what is
small, such as the errors about a line that fits nearly exactly, would be a difference of large numbers: the sums are
made afresh for it, and the errors added up one by one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.engine.kernels.moments import CANCELLED, INFINITY, NAN
from alpha_pipeline.jit import njit

WIDTH = 256  # columns of a tile: its state and rows stay in the first-level cache
State = NDArray[np.float64]

# rows of a tile's state, float64: one array, as LLVM gives up proving that several do not overlap
COUNT, SHARE, X, XX, PIVOT_X, PEAK_X, SPREAD_X, Y, YY, PIVOT_Y, PEAK_Y, SPREAD_Y, XY = range(13)

TIGHT = 2.0**-10  # what is smaller, beside what it is a difference of, is not taken from sums that have slid


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
def _of_line(x: Matrix, y: Matrix, t: int, window: int, column: int, state: State, j: int, figure: int) -> float:
    """A figure of the least-squares line y = α + β·x of a window in which x varies; see ts_regression's rettype."""
    count, share = state[COUNT, j], state[SHARE, j]
    today_x, today_y = np.float64(x[t, column]), np.float64(y[t, column])
    common = state[XY, j] - state[X, j] * state[Y, j] * share
    tight = state[SPREAD_Y, j] - common * common / state[SPREAD_X, j] < TIGHT * state[SPREAD_Y, j]
    afresh = tight
    while True:
        if afresh:
            _pair_afresh(x, y, t, window, column, state, j)
            common = state[XY, j] - state[X, j] * state[Y, j] * share
        spread_x, spread_y = state[SPREAD_X, j], max(state[SPREAD_Y, j], 0.0)
        pivot_x, pivot_y = state[PIVOT_X, j], state[PIVOT_Y, j]
        from_x, from_y = state[X, j] * share, state[Y, j] * share  # the means, from the pivots
        slope = common / spread_x
        one = other = 0.0  # what is added up, from the mean or the pivot
        if figure == 0:
            one, other = today_y - pivot_y - from_y, -slope * (today_x - pivot_x - from_x)
        elif figure == 1:
            one, other = from_y - slope * from_x, pivot_y - slope * pivot_x
        elif figure == 2:
            one = slope
        elif figure == 3:
            one, other = (from_y - slope * from_x) + pivot_y, slope * (today_x - pivot_x)
        size = np.sqrt(spread_y / spread_x) if figure == 2 else np.sqrt(spread_y * share)
        size += abs(pivot_y) if figure in (1, 3) else 0.0
        if figure > 3 or afresh or not abs(one + other) < TIGHT * size:
            break
        afresh = True
    if figure < 4:
        if (figure == 0 and not abs(today_y) < np.inf) or (figure in (0, 3) and not abs(today_x) < np.inf):
            return np.nan
        return float(one + other) if figure != 0 or count > 2.0 else 0.0  # a line goes through two points exactly
    mean_x = pivot_x + from_x
    if figure == 5:
        return float(spread_y)
    errors = spread_y - slope * common
    if tight:
        errors = 0.0
        for day in range(max(0, t - window + 1), t + 1):
            a, b = x[day, column], y[day, column]
            if abs(a) < INFINITY and abs(b) < INFINITY and count > 2.0:
                error = (np.float64(b) - pivot_y - from_y) - slope * (np.float64(a) - pivot_x - from_x)
                errors += error * error
    if figure == 4:
        return float(errors)
    if figure == 6:
        return 1.0 - errors / spread_y if spread_y > 0.0 else np.nan
    mean_error = errors / (count - 2.0) if count > 2.0 else np.nan
    if figure == 7:
        return mean_error
    if figure == 8:
        return float(np.sqrt(mean_error / spread_x))
    return float(np.sqrt(mean_error * (share + mean_x * mean_x / spread_x)))


@njit
def _lines(x: Matrix, y: Matrix, window: int, needed: int, figure: int, out: Matrix, lo: int, hi: int) -> None:
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
            for j in range(width):
                told = (state[COUNT, j] >= needed) & (state[SPREAD_X, j] > 0.0)
                result[j] = np.float32(_of_line(x, y, t, window, left + j, state, j, figure)) if told else NAN


def _regression(
    y: Matrix, x: Matrix, window: int, needed: int, lag: float, rettype: float, out: Matrix, lo: int, hi: int
) -> None:
    late = min(int(lag), len(x))
    out[:late, lo:hi] = NAN
    if late < len(x):  # the pairs are those of y with x cut off at its end
        _lines(x[: len(x) - late], y[late:], window, needed, int(rettype), out[late:], lo, hi)


KERNELS: dict[str, Kernel] = {"ts_regression": Kernel("columns", _regression)}
