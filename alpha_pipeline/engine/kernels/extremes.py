"""Running extremes along time: ts_max, ts_min, ts_arg_max, ts_arg_min; and today's x against them, where only finite
values count: ts_scale, ts_min_diff, ts_max_diff, ts_min_max_diff, ts_min_max_cps.

Van Herk's method: cut time into blocks as long as the window. Any window is the end of one block and the beginning of
the next, so its maximum is the larger of a backward running maximum over the one and a forward one over the other: two
comparisons a cell whatever the window, and no branches. Minima are maxima of the mirrored values. The day of the
extreme goes along with it; of equal values the most recent is kept. A missing value is never larger than another, so
that comparisons leave it out by themselves.
"""

from __future__ import annotations

import numpy as np

from alpha_pipeline.engine.kernels.columns import AHEAD, run_on_columns
from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.jit import njit
from alpha_pipeline.lanes import LANES, all_of, fetch, load, narrow, select, size_of, store, whole_float, widen

INFINITY = np.float32(np.inf)
NAN = np.float32(np.nan)
LOWEST = np.float32(-np.inf)
ZERO, ONE = np.float32(0), np.float32(1)
NO_DAY = np.int32(-1)

BETWEEN, ABOVE_LEAST, ABOVE_MOST, ABOVE_BOTH, BOTH_ABOVE = range(5)  # figures


@njit
def _extreme(x: Matrix, window: int, needed: int, sign: float, out: Matrix, lo: int, hi: int) -> None:
    missing, nothing, one, lowest = all_of(NAN), all_of(ZERO), all_of(ONE), all_of(LOWEST)
    mirror, enough = all_of(np.float32(sign)), all_of(np.float32(needed))
    length = min(window, len(x))
    backward = np.empty((length + 1, LANES), np.float32)  # row i: maximum of the last block from its day i on
    for group in range(lo, hi, LANES):
        left = min(group, hi - LANES)
        count = nothing
        backward[:] = LOWEST
        for start in range(0, len(x), length):
            largest = lowest
            for i in range(min(length, len(x) - start)):
                t = start + i
                entering = load(x, t, left)
                fetch(x, t, left + AHEAD, 0)
                fetch(out, t, left + AHEAD, 1)
                leaving = load(x, t - window, left) if t >= window else missing
                count = count + (select(entering == entering, one, nothing) - select(leaving == leaving, one, nothing))
                value, earlier = entering * mirror, load(backward, i + 1, 0)
                largest = select(value > largest, value, largest)
                result = select(earlier > largest, earlier, largest)
                store(out, t, left, select(count >= enough, result * mirror, missing))
            if start + length < len(x):
                largest = lowest
                for i in range(length - 1, 0, -1):
                    value = load(x, start + i, left) * mirror
                    largest = select(value > largest, value, largest)
                    store(backward, i, 0, largest)


@njit
def _days_since(x: Matrix, window: int, needed: int, sign: float, out: Matrix, lo: int, hi: int) -> None:
    missing, nothing, one, lowest = all_of(NAN), all_of(ZERO), all_of(ONE), all_of(LOWEST)
    mirror, enough, no_day = all_of(np.float32(sign)), all_of(np.float32(needed)), all_of(NO_DAY)
    length = min(window, len(x))
    backward, days = np.empty((length + 1, LANES), np.float32), np.empty((length + 1, LANES), np.int32)
    for group in range(lo, hi, LANES):
        left = min(group, hi - LANES)
        count = nothing
        backward[:], days[:] = LOWEST, NO_DAY
        for start in range(0, len(x), length):
            largest, day = lowest, no_day
            for i in range(min(length, len(x) - start)):
                t = start + i
                entering = load(x, t, left)
                fetch(x, t, left + AHEAD, 0)
                fetch(out, t, left + AHEAD, 1)
                leaving = load(x, t - window, left) if t >= window else missing
                count = count + (select(entering == entering, one, nothing) - select(leaving == leaving, one, nothing))
                value, today = entering * mirror, all_of(np.int32(t))
                later = value >= largest
                largest, day = select(later, value, largest), select(later, today, day)
                earlier = (load(backward, i + 1, 0) > largest) | (day == no_day)
                since = today - select(earlier, load(days, i + 1, 0), day)
                store(out, t, left, select(count >= enough, whole_float(since), missing))
            if start + length < len(x):
                largest, day = lowest, no_day
                for i in range(length - 1, 0, -1):
                    value = load(x, start + i, left) * mirror
                    earlier = (value > largest) | ((day == no_day) & (value == value))
                    largest, day = select(earlier, value, largest), select(earlier, all_of(np.int32(start + i)), day)
                    store(backward, i, 0, largest)
                    store(days, i, 0, day)


@njit
def _against(x: Matrix, window: int, needed: int, figure: int, attribute: float, out: Matrix, lo: int, hi: int) -> None:
    missing, nothing, one = all_of(NAN), all_of(ZERO), all_of(ONE)
    lowest, highest, infinity = all_of(LOWEST), all_of(INFINITY), all_of(INFINITY)
    zero, number, enough = all_of(0.0), all_of(attribute), all_of(np.float32(needed))
    length = min(window, len(x))
    leasts, mosts = np.empty((length + 1, LANES), np.float32), np.empty((length + 1, LANES), np.float32)
    for group in range(lo, hi, LANES):
        left = min(group, hi - LANES)
        count = nothing
        leasts[:], mosts[:] = INFINITY, LOWEST
        for start in range(0, len(x), length):
            least, most = highest, lowest
            for i in range(min(length, len(x) - start)):
                t = start + i
                entering = load(x, t, left)
                fetch(x, t, left + AHEAD, 0)
                fetch(out, t, left + AHEAD, 1)
                leaving = load(x, t - window, left) if t >= window else missing
                enters, leaves = size_of(entering) < infinity, size_of(leaving) < infinity
                count = count + (select(enters, one, nothing) - select(leaves, one, nothing))
                least = select(enters & (entering < least), entering, least)
                most = select(enters & (entering > most), entering, most)
                earlier_least, earlier_most = load(leasts, i + 1, 0), load(mosts, i + 1, 0)
                smallest = widen(select(earlier_least < least, earlier_least, least))
                largest = widen(select(earlier_most > most, earlier_most, most))
                value = widen(entering)
                told = enters & (count >= enough)
                if figure == BETWEEN:
                    reach = largest - smallest
                    result = (value - smallest) / reach + number
                    told = told & (reach > zero)
                elif figure == ABOVE_LEAST:
                    result = value - smallest
                elif figure == ABOVE_MOST:
                    result = value - largest
                elif figure == ABOVE_BOTH:
                    result = value - number * (smallest + largest)
                else:
                    result = (smallest + largest) - number * value
                store(out, t, left, select(told, narrow(result), missing))
            if start + length < len(x):
                least, most = highest, lowest
                for i in range(length - 1, 0, -1):
                    value_ = load(x, start + i, left)
                    counts = size_of(value_) < infinity
                    least = select(counts & (value_ < least), value_, least)
                    most = select(counts & (value_ > most), value_, most)
                    store(leasts, i, 0, least)
                    store(mosts, i, 0, most)


def _max(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    run_on_columns(_extreme, (x,), (window, needed, 1.0), out, lo, hi)


def _min(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    run_on_columns(_extreme, (x,), (window, needed, -1.0), out, lo, hi)


def _arg_max(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    run_on_columns(_days_since, (x,), (window, needed, 1.0), out, lo, hi)


def _arg_min(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    run_on_columns(_days_since, (x,), (window, needed, -1.0), out, lo, hi)


def _with_attribute(figure: int) -> Kernel:
    def run(x: Matrix, window: int, needed: int, attribute: float, out: Matrix, lo: int, hi: int) -> None:
        run_on_columns(_against, (x,), (window, needed, figure, float(attribute)), out, lo, hi)

    return Kernel("columns", run)


def _without_attribute(figure: int) -> Kernel:
    def run(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
        run_on_columns(_against, (x,), (window, needed, figure, 0.0), out, lo, hi)

    return Kernel("columns", run)


KERNELS: dict[str, Kernel] = {
    "ts_max": Kernel("columns", _max),
    "ts_min": Kernel("columns", _min),
    "ts_arg_max": Kernel("columns", _arg_max),
    "ts_arg_min": Kernel("columns", _arg_min),
    "ts_scale": _with_attribute(BETWEEN),
    "ts_min_diff": _without_attribute(ABOVE_LEAST),
    "ts_max_diff": _without_attribute(ABOVE_MOST),
    "ts_min_max_diff": _with_attribute(ABOVE_BOTH),
    "ts_min_max_cps": _with_attribute(BOTH_ABOVE),
}
