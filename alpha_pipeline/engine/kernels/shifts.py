"""Along time, one other day at most or every day of the window: ts_delay, ts_delta, ts_returns, ts_step, ts_rank."""

from __future__ import annotations

import numpy as np

from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.jit import njit

WIDTH = 256
NAN = np.float32(np.nan)
HALF = np.float32(0.5)
STRIP = 64  # rows at a time


def _delay(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    first = min(window, len(x))
    out[:first, lo:hi] = NAN
    out[first:, lo:hi] = x[: len(x) - first, lo:hi]


def _delta(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    first = min(window, len(x))
    out[:first, lo:hi] = NAN
    with np.errstate(all="ignore"):
        np.subtract(x[first:, lo:hi], x[: len(x) - first, lo:hi], out=out[first:, lo:hi])


def _returns(x: Matrix, window: int, needed: int, mode: float, out: Matrix, lo: int, hi: int) -> None:
    first = min(window, len(x))
    out[:first, lo:hi] = NAN
    with np.errstate(all="ignore"):
        for t in range(first, len(x), STRIP):
            stop = min(t + STRIP, len(x))
            today, before = (x[a:b, lo:hi].astype(np.float64) for a, b in ((t, stop), (t - window, stop - window)))
            out[t:stop, lo:hi] = (today - before) / (before if mode == 1 else (today + before) / 2)


def _step(step: float, out: Matrix, lo: int, hi: int) -> None:
    out[lo:hi] = (step * np.arange(lo + 1.0, hi + 1))[:, None]


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


def rank(x: Matrix, window: int, needed: int, constant: float, out: Matrix, lo: int, hi: int) -> None:
    """The rank of today's x among the window's values, 0 to 1, plus a constant."""
    _rank(x, window, needed, out, lo, hi)
    if constant != 0:
        out[:, lo:hi] += np.float32(constant)


KERNELS: dict[str, Kernel] = {
    "ts_delay": Kernel("columns", _delay),
    "ts_delta": Kernel("columns", _delta),
    "ts_returns": Kernel("columns", _returns),
    "ts_step": Kernel("rows", _step),
    "ts_rank": Kernel("columns", rank),
}
