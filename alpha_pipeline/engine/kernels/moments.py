"""Running spreads along time: ts_std_dev, ts_zscore, ts_av_diff, ts_ir.

Sums of (x − pivot) and (x − pivot)² slide along, the pivot being a value of the column itself. The spread is
n·Σ(x − p)² − (Σ(x − p))², which is n² times the variance. It is exact enough while it is not small beside n times the
largest sum of squares held since the pivot was chosen; when it falls below `CANCELLED` of that (the level has moved far
from the pivot, an outlier has left, the window has become constant), the column's sums are made afresh from its window
about its latest value. So a share at 400,000 keeps its digits, a constant window has a spread of exactly 0, and nothing
outlives its window. That is rare on real data: about once a column.

Results have float32's accuracy: what is last made of the sums is made with roots and inverses of ten digits and more.
"""

from __future__ import annotations

import numpy as np

from alpha_pipeline.engine.kernels.columns import AHEAD, run_on_columns
from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.jit import njit
from alpha_pipeline.lanes import (
    LANES,
    all_of,
    anywhere,
    fetch,
    inverse_root,
    load,
    multiply_add,
    narrow,
    select,
    size_of,
    store,
    widen,
)

CANCELLED = 2.0**-20  # leaves 53 − 20 bits less log2 of the number of steps: more than float32 holds
INFINITY = np.float32(np.inf)
NAN = np.float32(np.nan)
ZERO, ONE = np.float32(0), np.float32(1)

DEVIATION, SCORE, ABOVE_MEAN, MEAN_TO_DEVIATION = range(4)  # figures


@njit
def _deviation(x: Matrix, window: int, needed: int, figure: int, out: Matrix, lo: int, hi: int) -> None:
    infinity, missing, nothing, one = all_of(INFINITY), all_of(NAN), all_of(ZERO), all_of(ONE)
    zero, two, cancelled, enough = all_of(0.0), all_of(2.0), all_of(CANCELLED), all_of(np.float32(needed))
    nowhere = nothing > nothing
    for group in range(lo, hi, LANES):
        left = min(group, hi - LANES)
        total = squares = pivot = peak = zero
        count = nothing
        for t in range(len(x)):
            entering = load(x, t, left)
            fetch(x, t, left + AHEAD, 0)
            fetch(out, t, left + AHEAD, 1)
            leaving = load(x, t - window, left) if t >= window else missing
            enters, leaves = size_of(entering) < infinity, size_of(leaving) < infinity
            value = widen(entering)
            a, b = select(enters, value - pivot, zero), select(leaves, widen(leaving) - pivot, zero)
            count = count + (select(enters, one, nothing) - select(leaves, one, nothing))
            held = widen(count)
            total = total + (a - b)
            squares = multiply_add(zero - b, b, multiply_add(a, a, squares))
            peak = select(squares > peak, squares, peak)
            spread = multiply_add(held, squares, zero - total * total)
            low = spread < cancelled * (held * peak)
            if anywhere(low):  # sums of the window that ends today, about its latest valid value
                new_total = new_squares = zero
                new_pivot, found = select(enters, value, zero), nowhere
                alone = low & enters & (count == one)
                first = t - window + 1 if anywhere(low ^ alone) else t
                for day in range(t, max(-1, first - 1), -1):
                    then = load(x, day, left)
                    valid, wide = size_of(then) < infinity, widen(then)
                    new_pivot = select(valid & (valid ^ found), wide, new_pivot)
                    found = found | valid
                    deviation = select(valid, wide - new_pivot, zero)
                    new_total = new_total + deviation
                    new_squares = multiply_add(deviation, deviation, new_squares)
                total, squares = select(low, new_total, total), select(low, new_squares, squares)
                pivot, peak = select(low, new_pivot, pivot), select(low, new_squares, peak)
                spread = multiply_add(held, squares, zero - total * total)
            told = count >= enough
            if figure == SCORE:
                result = multiply_add(value - pivot, held, zero - total) * inverse_root(spread)
                told = told & enters & (spread > zero)
            elif figure == ABOVE_MEAN:
                share = widen(one / count)
                result = (value - pivot) - total * (share * (two - held * share))
                told = told & enters
            elif figure == MEAN_TO_DEVIATION:
                result = multiply_add(pivot, held, total) * inverse_root(spread)
                told = told & (spread > zero)
            else:
                share = widen(one / count)
                result = spread * inverse_root(spread) * (share * (two - held * share))
            store(out, t, left, select(told, narrow(result), missing))


def _std_dev(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    run_on_columns(_deviation, (x,), (window, needed, DEVIATION), out, lo, hi)


def zscore(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    """Today's x less the window's mean over its deviation."""
    run_on_columns(_deviation, (x,), (window, needed, SCORE), out, lo, hi)


def _av_diff(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    run_on_columns(_deviation, (x,), (window, needed, ABOVE_MEAN), out, lo, hi)


def _ir(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    run_on_columns(_deviation, (x,), (window, needed, MEAN_TO_DEVIATION), out, lo, hi)


KERNELS: dict[str, Kernel] = {
    "ts_std_dev": Kernel("columns", _std_dev),
    "ts_zscore": Kernel("columns", zscore),
    "ts_av_diff": Kernel("columns", _av_diff),
    "ts_ir": Kernel("columns", _ir),
}
