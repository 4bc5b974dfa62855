"""Running spreads along time: ts_std_dev, ts_zscore, ts_av_diff, ts_ir.

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
DEVIATION, SCORE, ABOVE_MEAN, MEAN_TO_DEVIATION = range(4)  # figures

# rows of a tile's state, float64: one array, see `running`
COUNT, SHARE, X, XX, PIVOT_X, PEAK_X, SPREAD_X = range(7)


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
def _deviation(x: Matrix, window: int, needed: int, figure: int, out: Matrix, lo: int, hi: int) -> None:
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
            if figure == SCORE:
                for j in range(width):
                    deviation = np.sqrt(state[SPREAD_X, j] * state[SHARE, j])
                    above = (np.float64(entering[j]) - state[PIVOT_X, j]) - state[X, j] * state[SHARE, j]
                    told = state[COUNT, j] >= needed and deviation > 0.0 and abs(entering[j]) < INFINITY
                    result[j] = np.float32(above / deviation) if told else NAN
            elif figure == ABOVE_MEAN:
                for j in range(width):
                    above = (np.float64(entering[j]) - state[PIVOT_X, j]) - state[X, j] * state[SHARE, j]
                    told = state[COUNT, j] >= needed and abs(entering[j]) < INFINITY
                    result[j] = np.float32(above) if told else NAN
            elif figure == MEAN_TO_DEVIATION:
                for j in range(width):
                    deviation = np.sqrt(state[SPREAD_X, j] * state[SHARE, j])
                    mean = state[PIVOT_X, j] + state[X, j] * state[SHARE, j]
                    told = state[COUNT, j] >= needed and deviation > 0.0
                    result[j] = np.float32(mean / deviation) if told else NAN
            else:
                for j in range(width):
                    deviation = np.sqrt(state[SPREAD_X, j] * state[SHARE, j])
                    result[j] = np.float32(deviation) if state[COUNT, j] >= needed else NAN


def _std_dev(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    _deviation(x, window, needed, DEVIATION, out, lo, hi)


def zscore(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    """Today's x less the window's mean over its deviation."""
    _deviation(x, window, needed, SCORE, out, lo, hi)


def _av_diff(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    _deviation(x, window, needed, ABOVE_MEAN, out, lo, hi)


def _ir(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    _deviation(x, window, needed, MEAN_TO_DEVIATION, out, lo, hi)


KERNELS: dict[str, Kernel] = {
    "ts_std_dev": Kernel("columns", _std_dev),
    "ts_zscore": Kernel("columns", zscore),
    "ts_av_diff": Kernel("columns", _av_diff),
    "ts_ir": Kernel("columns", _ir),
}
