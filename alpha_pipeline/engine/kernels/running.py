"""Running sums along time: ts_sum, ts_mean, ts_decay_linear.

A sum slides: add what enters the window, take away what leaves. Sixteen columns run side by side, their sums in
registers (see `lanes`). Missing values count as 0 and are counted apart.

Taking away leaves rounding errors behind: after a 1e12 has passed through, a plain sliding sum of small values is wrong
for ever, and a window of zeros does not sum to zero. Usually nothing is rounded at all: the values of a column are
multiples of the last digit of the smallest, and while the largest possible sum has no more than 53 bits above that
digit, float64 is exact. That is watched along the way. Where it does not hold, the columns are summed once more, each
sum carried as a pair high + low, low being the exact rounding error of each step (Knuth's two-sum): 106 bits, exact for
values up to 2**70 apart in one column. Where both are exact they agree to the bit.
"""

from __future__ import annotations

import math

import numpy as np

from alpha_pipeline.engine.kernels.columns import AHEAD, run_on_columns
from alpha_pipeline.engine.kernels.gathered import DENSE_DECAY, gathered
from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.jit import njit
from alpha_pipeline.lanes import (
    LANES,
    all_of,
    anywhere,
    fetch,
    float_bits,
    larger,
    load,
    multiply_add,
    narrow,
    select,
    size_of,
    smaller,
    store,
    widen,
)

INFINITY = np.float32(np.inf)
NAN = np.float32(np.nan)
ZERO, ONE = np.float32(0), np.float32(1)
NOTHING = np.int32(0)
LARGEST = np.int32(0x7F7FFFFF)  # the bits of the largest finite float32
OCTAVE = 1 << 23  # in the bits of a float32

SUM, MEAN = 0, 1


@njit
def _window_sum(x: Matrix, window: int, needed: int, figure: int, apart: int, out: Matrix, lo: int, hi: int) -> None:
    # apart: how far the bits of a column's smallest and largest value may lie apart for sums to be exact
    infinity, missing, nothing, one = all_of(INFINITY), all_of(NAN), all_of(ZERO), all_of(ONE)
    two, enough = all_of(2.0), all_of(np.float32(needed))
    no_bits, most_bits, limit = all_of(NOTHING), all_of(LARGEST), all_of(np.int32(apart))
    for group in range(lo, hi, LANES):
        left = min(group, hi - LANES)
        exact = True
        while True:
            total = low = all_of(0.0)
            count, least, most = nothing, most_bits, no_bits
            for t in range(len(x)):
                entering = load(x, t, left)
                fetch(x, t, left + AHEAD, 0)
                fetch(out, t, left + AHEAD, 1)
                leaving = load(x, t - window, left) if t >= window else missing
                size = size_of(entering)
                enters, leaves = size < infinity, size_of(leaving) < infinity
                a, b = widen(select(enters, entering, nothing)), widen(select(leaves, leaving, nothing))
                count = count + (select(enters, one, nothing) - select(leaves, one, nothing))
                if exact:
                    total = total + (a - b)
                    bits = float_bits(select(enters, size, nothing))
                    most = larger(most, bits)
                    least = smaller(least, select(bits == no_bits, most_bits, bits))
                else:
                    r = total + a
                    z = r - total
                    error = (total - (r - z)) + (a - z)
                    total = r - b
                    z = total - r
                    low = low + (error + ((r - (total - z)) - (b + z)))
                told = count >= enough
                result = total + low
                if figure == MEAN:
                    share, held = widen(one / count), widen(count)
                    share = share * (two - held * share)  # 1 / count to 15 digits, by one of Newton's steps
                    quotient = result * share
                    # and what is left of the division: one mean in twenty lies half-way between two float32
                    result = multiply_add(multiply_add(all_of(0.0) - quotient, held, result), share, quotient)
                store(out, t, left, select(told, narrow(result), missing))
            if not exact or not anywhere(most - least > limit):
                break
            exact = False


@njit
def _decay_linear(x: Matrix, window: int, needed: int, apart: int, out: Matrix, lo: int, hi: int) -> None:
    # each day every weight falls by one: weighted += window * today - (plain sum of the days before)
    infinity, missing, nothing, one = all_of(INFINITY), all_of(NAN), all_of(ZERO), all_of(ONE)
    enough, newest = all_of(np.float32(needed)), all_of(np.float64(window))
    share = all_of(2.0 / (np.float64(window) * (np.float64(window) + 1.0)))
    no_bits, most_bits, limit = all_of(NOTHING), all_of(LARGEST), all_of(np.int32(apart))
    for group in range(lo, hi, LANES):
        left = min(group, hi - LANES)
        exact = True
        while True:
            total = low = weighted = weighted_low = all_of(0.0)
            count, least, most = nothing, most_bits, no_bits
            for t in range(len(x)):
                entering = load(x, t, left)
                fetch(x, t, left + AHEAD, 0)
                fetch(out, t, left + AHEAD, 1)
                leaving = load(x, t - window, left) if t >= window else missing
                size = size_of(entering)
                enters, leaves = size < infinity, size_of(leaving) < infinity
                a, b = widen(select(enters, entering, nothing)), widen(select(leaves, leaving, nothing))
                count = count + (select(enters, one, nothing) - select(leaves, one, nothing))
                v = newest * a
                if exact:
                    weighted = weighted + (v - total)
                    total = total + (a - b)
                    bits = float_bits(select(enters, size, nothing))
                    most = larger(most, bits)
                    least = smaller(least, select(bits == no_bits, most_bits, bits))
                else:
                    r = weighted + v
                    z = r - weighted
                    error = (weighted - (r - z)) + (v - z)
                    weighted = r - total
                    z = weighted - r
                    error = error + ((r - (weighted - z)) - (total + z))
                    weighted_low = weighted_low + (error - low)
                    # plain sum
                    r = total + a
                    z = r - total
                    error = (total - (r - z)) + (a - z)
                    total = r - b
                    z = total - r
                    low = low + (error + ((r - (total - z)) - (b + z)))
                store(out, t, left, select(count >= enough, narrow((weighted + weighted_low) * share), missing))
            if not exact or not anywhere(most - least > limit):
                break
            exact = False


def _apart(parts: float) -> int:
    """How far the bits of a column's smallest and largest value may lie apart for a sum of so many values to be exact.

    A value has 24 bits, a sum 53; one bit is kept for the sum before something has left it.
    """
    return max(0, 53 - 24 - 1 - math.ceil(math.log2(parts))) * OCTAVE


def _sum(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    run_on_columns(_window_sum, (x,), (window, needed, SUM, _apart(window)), out, lo, hi)


def _mean(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    run_on_columns(_window_sum, (x,), (window, needed, MEAN, _apart(window)), out, lo, hi)


def _decay(x: Matrix, window: int, needed: int, dense: bool, out: Matrix, lo: int, hi: int) -> None:
    if dense:
        gathered(x, window, needed, DENSE_DECAY, 0.0, out, lo, hi)
    else:
        apart = _apart(window * (window + 1) / 2 + window)
        run_on_columns(_decay_linear, (x,), (window, needed, apart), out, lo, hi)


KERNELS: dict[str, Kernel] = {
    "ts_sum": Kernel("columns", _sum),
    "ts_mean": Kernel("columns", _mean),
    "ts_decay_linear": Kernel("columns", _decay),
}
