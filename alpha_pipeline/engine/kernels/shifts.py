"""Along time, one other day at most or every day of the window: ts_delay, ts_delta, ts_rank."""

from __future__ import annotations

import numpy as np

from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.jit import njit

WIDTH = 256
NAN = np.float32(np.nan)
HALF = np.float32(0.5)


def _delay(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    first = min(window, len(x))
    out[:first, lo:hi] = NAN
    out[first:, lo:hi] = x[: len(x) - first, lo:hi]


def _delta(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    first = min(window, len(x))
    out[:first, lo:hi] = NAN
    with np.errstate(all="ignore"):
        np.subtract(x[first:, lo:hi], x[: len(x) - first, lo:hi], out=out[first:, lo:hi])


@njit
def _rank(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    # compare today with every day of the window: no order is kept, all instruments side by side; four days at a time
    valid = np.zeros(WIDTH, np.int32)
    below = np.zeros(WIDTH, np.int32)  # twice the number of smaller values plus the number of equal ones before today
    nothing = np.full(WIDTH, NAN, np.float32)
    for left in range(lo, hi, WIDTH):
        right = min(left + WIDTH, hi)
        width = right - left
        valid[:] = 0
        for t in range(len(x)):
            today = x[t, left:right]
            leaving = x[t - window, left:right] if t >= window else nothing[:width]
            result = out[t, left:right]
            below[:] = 0
            first = max(0, t - window + 1)
            day = first
            while day + 4 <= t:
                x0, x1, x2, x3 = (
                    x[day, left:right],
                    x[day + 1, left:right],
                    x[day + 2, left:right],
                    x[day + 3, left:right],
                )
                for j in range(width):
                    v = today[j]
                    smaller = np.int32(x0[j] < v) + np.int32(x1[j] < v) + np.int32(x2[j] < v) + np.int32(x3[j] < v)
                    up_to = np.int32(x0[j] <= v) + np.int32(x1[j] <= v) + np.int32(x2[j] <= v) + np.int32(x3[j] <= v)
                    below[j] += smaller + up_to
                day += 4
            while day < t:
                x0 = x[day, left:right]
                for j in range(width):
                    below[j] += np.int32(x0[j] < today[j]) + np.int32(x0[j] <= today[j])
                day += 1
            for j in range(width):
                v = today[j]
                enters, leaves = v == v, leaving[j] == leaving[j]
                count = valid[j] + (np.int32(1 if enters else 0) - np.int32(1 if leaves else 0))
                valid[j] = count
                ranked = HALF * np.float32(below[j]) / np.float32(count - 1) if count > 1 else HALF
                result[j] = ranked if (enters and count >= needed) else NAN


KERNELS: dict[str, Kernel] = {
    "ts_delay": Kernel("columns", _delay),
    "ts_delta": Kernel("columns", _delta),
    "ts_rank": Kernel("columns", _rank),
}
