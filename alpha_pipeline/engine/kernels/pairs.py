"""Running figures of two inputs along time: ts_corr, ts_covariance.

`regression` has ts_regression; `joint` and `slopes` have figures that are made afresh for every window.

The sums slide as in `moments`, over the days on which both inputs are valid.
"""

from __future__ import annotations

import numpy as np

from alpha_pipeline.engine.kernels import joint, regression, slopes
from alpha_pipeline.engine.kernels.columns import AHEAD, run_on_columns
from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.engine.kernels.moments import CANCELLED, INFINITY, NAN, ONE, ZERO
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

CORRELATION, COVARIANCE = 0, 1


@njit
def _together(x: Matrix, y: Matrix, window: int, needed: int, figure: int, out: Matrix, lo: int, hi: int) -> None:
    infinity, missing, nothing, one = all_of(INFINITY), all_of(NAN), all_of(ZERO), all_of(ONE)
    zero, two, cancelled, enough = all_of(0.0), all_of(2.0), all_of(CANCELLED), all_of(np.float32(needed))
    highest, lowest = all_of(1.0), all_of(-1.0)
    nowhere = nothing > nothing
    for group in range(lo, hi, LANES):
        left = min(group, hi - LANES)
        total_x = squares_x = pivot_x = peak_x = zero
        total_y = squares_y = pivot_y = peak_y = products = zero
        count = nothing
        for t in range(len(x)):
            entering_x, entering_y = load(x, t, left), load(y, t, left)
            fetch(x, t, left + AHEAD, 0)
            fetch(y, t, left + AHEAD, 0)
            fetch(out, t, left + AHEAD, 1)
            past = t >= window
            leaving_x = load(x, t - window, left) if past else missing
            leaving_y = load(y, t - window, left) if past else missing
            enters = (size_of(entering_x) < infinity) & (size_of(entering_y) < infinity)
            leaves = (size_of(leaving_x) < infinity) & (size_of(leaving_y) < infinity)
            value_x, value_y = widen(entering_x), widen(entering_y)
            ax, bx = select(enters, value_x - pivot_x, zero), select(leaves, widen(leaving_x) - pivot_x, zero)
            ay, by = select(enters, value_y - pivot_y, zero), select(leaves, widen(leaving_y) - pivot_y, zero)
            count = count + (select(enters, one, nothing) - select(leaves, one, nothing))
            held = widen(count)
            total_x, total_y = total_x + (ax - bx), total_y + (ay - by)
            less_x, less_y = zero - bx, zero - by
            squares_x = multiply_add(less_x, bx, multiply_add(ax, ax, squares_x))
            squares_y = multiply_add(less_y, by, multiply_add(ay, ay, squares_y))
            products = multiply_add(less_x, by, multiply_add(ax, ay, products))
            peak_x = select(squares_x > peak_x, squares_x, peak_x)
            peak_y = select(squares_y > peak_y, squares_y, peak_y)
            spread_x = multiply_add(held, squares_x, zero - total_x * total_x)
            spread_y = multiply_add(held, squares_y, zero - total_y * total_y)
            part = cancelled * held
            low = (spread_x < part * peak_x) | (spread_y < part * peak_y)
            if anywhere(low):  # sums of the pairs in the window that ends today, about its latest valid pair
                new_x = new_y = new_xx = new_yy = new_xy = zero
                from_x, from_y = select(enters, value_x, zero), select(enters, value_y, zero)
                found = nowhere
                alone = low & enters & (count == one)
                first = t - window + 1 if anywhere(low ^ alone) else t
                for day in range(t, max(-1, first - 1), -1):
                    then_x, then_y = load(x, day, left), load(y, day, left)
                    valid = (size_of(then_x) < infinity) & (size_of(then_y) < infinity)
                    latest = valid & (valid ^ found)
                    wide_x, wide_y = widen(then_x), widen(then_y)
                    from_x, from_y = select(latest, wide_x, from_x), select(latest, wide_y, from_y)
                    found = found | valid
                    a, b = select(valid, wide_x - from_x, zero), select(valid, wide_y - from_y, zero)
                    new_x, new_y = new_x + a, new_y + b
                    new_xx, new_yy = multiply_add(a, a, new_xx), multiply_add(b, b, new_yy)
                    new_xy = multiply_add(a, b, new_xy)
                total_x, total_y = select(low, new_x, total_x), select(low, new_y, total_y)
                squares_x, squares_y = select(low, new_xx, squares_x), select(low, new_yy, squares_y)
                products = select(low, new_xy, products)
                pivot_x, pivot_y = select(low, from_x, pivot_x), select(low, from_y, pivot_y)
                peak_x, peak_y = select(low, new_xx, peak_x), select(low, new_yy, peak_y)
                spread_x = multiply_add(held, squares_x, zero - total_x * total_x)
                spread_y = multiply_add(held, squares_y, zero - total_y * total_y)
            common = multiply_add(held, products, zero - total_x * total_y)
            told = count >= enough
            if figure == CORRELATION:
                ratio = common * inverse_root(spread_x * spread_y)
                ratio = select(ratio > highest, highest, ratio)
                ratio = select(ratio < lowest, lowest, ratio)
                told = told & (spread_x > zero) & (spread_y > zero)
                store(out, t, left, select(told, narrow(ratio), missing))
            else:
                share = widen(one / count)
                share = share * (two - held * share)  # 1 / count, by one of Newton's steps
                store(out, t, left, select(told, narrow(common * share * share), missing))


def _corr(x: Matrix, y: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    run_on_columns(_together, (x, y), (window, needed, CORRELATION), out, lo, hi)


def _covariance(x: Matrix, y: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    run_on_columns(_together, (x, y), (window, needed, COVARIANCE), out, lo, hi)


KERNELS: dict[str, Kernel] = {
    **joint.KERNELS,
    **slopes.KERNELS,
    **regression.KERNELS,
    "ts_corr": Kernel("columns", _corr),
    "ts_covariance": Kernel("columns", _covariance),
}
