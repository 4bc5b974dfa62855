"""Along time, one other day at most: ts_delay, ts_delta, ts_returns, ts_step."""

from __future__ import annotations

import numpy as np

from alpha_pipeline.engine.kernels.columns import run_on_columns
from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.jit import njit
from alpha_pipeline.lanes import LANES, all_of, load, narrow, store, widen

NAN = np.float32(np.nan)

DIFFERENCE, OF_BEFORE, OF_BOTH = range(3)  # today less the day before; as a share of it, or of the mean of both


@njit
def _change(x: Matrix, window: int, figure: int, out: Matrix, lo: int, hi: int) -> None:
    # row by row, as memory has it: there is no state
    missing, half = all_of(NAN), all_of(0.5)
    for t in range(len(x)):
        for group in range(lo, hi, LANES):
            left = min(group, hi - LANES)
            if t < window:
                store(out, t, left, missing)
                continue
            today, before = load(x, t, left), load(x, t - window, left)
            if figure == DIFFERENCE:
                store(out, t, left, today - before)
            else:
                a, b = widen(today), widen(before)
                store(out, t, left, narrow((a - b) / (b if figure == OF_BEFORE else (a + b) * half)))


def _delay(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    first = min(window, len(x))
    out[:first, lo:hi] = NAN
    out[first:, lo:hi] = x[: len(x) - first, lo:hi]


def _delta(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    run_on_columns(_change, (x,), (window, DIFFERENCE), out, lo, hi)


def _returns(x: Matrix, window: int, needed: int, mode: float, out: Matrix, lo: int, hi: int) -> None:
    run_on_columns(_change, (x,), (window, OF_BEFORE if mode == 1 else OF_BOTH), out, lo, hi)


def _step(step: float, out: Matrix, lo: int, hi: int) -> None:
    out[lo:hi] = (step * np.arange(lo + 1.0, hi + 1))[:, None]


KERNELS: dict[str, Kernel] = {
    "ts_delay": Kernel("columns", _delay),
    "ts_delta": Kernel("columns", _delta),
    "ts_returns": Kernel("columns", _returns),
    "ts_step": Kernel("rows", _step),
}
