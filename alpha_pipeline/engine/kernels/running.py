"""Running sums along time: ts_sum, ts_mean, ts_decay_linear.

A sum slides: add what enters the window, take away what leaves. Columns run side by side in tiles, so that the inner
loop is over instruments and vectorises. Missing values count as 0 and are counted apart.

Taking away leaves rounding errors behind: after a 1e12 has passed through, a plain sliding sum of small values is wrong
for ever, and a window of zeros does not sum to zero. So every sum is carried as a pair high + low, low being the exact
rounding error of each step (Knuth's two-sum): 106 bits, exact for values up to 2**70 apart in one column.
"""

from __future__ import annotations

import numpy as np

from alpha_pipeline.engine.kernels.gathered import DENSE_DECAY, gathered
from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.jit import njit

WIDTH = 256  # columns of a tile: its state and rows stay in the first-level cache
INFINITY = np.float32(np.inf)
NAN = np.float32(np.nan)

COUNT, HIGH, LOW, WEIGHTED, WEIGHTED_LOW = 0, 1, 2, 3, 4  # rows of a tile's state, float64
# One two-dimensional array on purpose: with separate arrays LLVM gives up proving that they do not overlap.


@njit
def _window_sum(x: Matrix, window: int, needed: int, mean: bool, out: Matrix, lo: int, hi: int) -> None:
    state = np.zeros((3, WIDTH))
    nothing = np.full(WIDTH, NAN, np.float32)
    for left in range(lo, hi, WIDTH):
        width = min(WIDTH, hi - left)
        state[:] = 0.0
        for t in range(len(x)):
            entering = x[t, left : left + width]
            leaving = x[t - window, left : left + width] if t >= window else nothing[:width]
            result = out[t, left : left + width]
            for j in range(width):
                enters, leaves = abs(entering[j]) < INFINITY, abs(leaving[j]) < INFINITY
                a = np.float64(entering[j]) if enters else 0.0
                b = np.float64(leaving[j]) if leaves else 0.0
                state[COUNT, j] += (1.0 if enters else 0.0) - (1.0 if leaves else 0.0)
                s = state[HIGH, j]
                r = s + a
                z = r - s
                error = (s - (r - z)) + (a - z)
                q = r - b
                z = q - r
                error += (r - (q - z)) - (b + z)
                state[HIGH, j] = q
                state[LOW, j] += error
            if mean:
                for j in range(width):
                    count = state[COUNT, j]
                    result[j] = np.float32((state[HIGH, j] + state[LOW, j]) / count) if count >= needed else NAN
            else:
                for j in range(width):
                    result[j] = np.float32(state[HIGH, j] + state[LOW, j]) if state[COUNT, j] >= needed else NAN


@njit
def _decay_linear(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    # each day every weight falls by one: weighted += window * today - (plain sum of the days before)
    state = np.zeros((5, WIDTH))
    nothing = np.full(WIDTH, NAN, np.float32)
    newest = np.float64(window)
    share = 2.0 / (newest * (newest + 1.0))
    for left in range(lo, hi, WIDTH):
        width = min(WIDTH, hi - left)
        state[:] = 0.0
        for t in range(len(x)):
            entering = x[t, left : left + width]
            leaving = x[t - window, left : left + width] if t >= window else nothing[:width]
            result = out[t, left : left + width]
            for j in range(width):
                enters, leaves = abs(entering[j]) < INFINITY, abs(leaving[j]) < INFINITY
                a = np.float64(entering[j]) if enters else 0.0
                b = np.float64(leaving[j]) if leaves else 0.0
                count = state[COUNT, j] + ((1.0 if enters else 0.0) - (1.0 if leaves else 0.0))
                state[COUNT, j] = count
                s, low = state[HIGH, j], state[LOW, j]
                # weighted sum, plus window * today, less yesterday's plain sum
                w, v = state[WEIGHTED, j], newest * a
                r = w + v
                z = r - w
                error = (w - (r - z)) + (v - z)
                q = r - s
                z = q - r
                error += (r - (q - z)) - (s + z)
                weighted_low = state[WEIGHTED_LOW, j] + (error - low)
                state[WEIGHTED, j] = q
                state[WEIGHTED_LOW, j] = weighted_low
                # plain sum
                r = s + a
                z = r - s
                error = (s - (r - z)) + (a - z)
                p = r - b
                z = p - r
                error += (r - (p - z)) - (b + z)
                state[HIGH, j] = p
                state[LOW, j] = low + error
                result[j] = np.float32((q + weighted_low) * share) if count >= needed else NAN


def _sum(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    _window_sum(x, window, needed, False, out, lo, hi)


def _mean(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    _window_sum(x, window, needed, True, out, lo, hi)


def _decay(x: Matrix, window: int, needed: int, dense: bool, out: Matrix, lo: int, hi: int) -> None:
    if dense:
        gathered(x, window, needed, DENSE_DECAY, 0.0, out, lo, hi)
    else:
        _decay_linear(x, window, needed, out, lo, hi)


KERNELS: dict[str, Kernel] = {
    "ts_sum": Kernel("columns", _sum),
    "ts_mean": Kernel("columns", _mean),
    "ts_decay_linear": Kernel("columns", _decay),
}
