"""ts_rank: how many values of the window today's is above.

Today is compared with every day of its window: no order is kept, sixteen columns run side by side. That is work in
proportion to the window, but a comparison of sixteen values is one instruction, and four days share the reading of
their windows: up to a year it is faster than any structure that keeps the window sorted.

Ties would need a second comparison of all days. Instead digests of half the size tell whether there can be any (see
`ties`), and where there are, the days are compared once more. Where that happens on most of the days, both comparisons
are made at once for a while, and for longer each time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from alpha_pipeline.engine.kernels.columns import AHEAD, run_on_columns
from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.engine.kernels.ties import digests_of, far, met, nearer, store_digest
from alpha_pipeline.jit import njit
from alpha_pipeline.lanes import LANES, all_of, anywhere, fetch, load, select, store, whole_float

NAN = np.float32(np.nan)
HALF, ZERO, ONE = np.float32(0.5), np.float32(0), np.float32(1)
NOBODY, SOMEBODY = np.int32(0), np.int32(1)
DAYS = 4  # ranked at a time
LONGEST_PAUSE = 512  # days


@njit
def _above(total: Any, other: Any, today: Any, one: Any) -> Any:
    return select(other < today, total + one, total)


@njit
def _up_to(total: Any, other: Any, today: Any, one: Any) -> Any:
    return select(other <= today, total + one, total)


@njit
def _beside(total: Any, other: Any, today: Any, one: Any) -> Any:
    """`total` plus 2 where the other value is smaller than today's, 1 where it is equal."""
    return _up_to(_above(total, other, today, one), other, today, one)


@njit
def _twice(total: Any, tied: bool, held: Matrix, first: int, stop: int, today: Any, one: Any) -> Any:
    """`total`, the number of smaller values among the days, plus that of values up to today's."""
    if not tied:
        return total + total
    for day in range(first, stop):
        total = _up_to(total, load(held, day, 0), today, one)
    return total


@njit
def _rank(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    missing, half, nothing, unit = all_of(NAN), all_of(HALF), all_of(ZERO), all_of(ONE)
    nobody, one, enough = all_of(NOBODY), all_of(SOMEBODY), all_of(np.float32(needed))
    rows = len(x)
    length = min(window, rows)
    held = np.full((length + rows + DAYS, LANES), NAN, np.float32)  # a column's days, from row `length` on
    digests = np.zeros((length + rows + DAYS, LANES), np.int16)
    below = np.empty((DAYS, LANES), np.int32)  # twice the smaller ones, plus the equal ones
    for group in range(lo, hi, LANES):
        left = min(group, hi - LANES)
        for t in range(rows):
            fetch(x, t, left + AHEAD, 0)
            fetch(out, t, left + AHEAD, 1)
            values = load(x, t, left)
            store(held, length + t, 0, values)
            store_digest(digests, length + t, values)
        count = nothing
        pause, next_look = DAYS, 0
        for start in range(0, rows, DAYS):
            here = length + start
            first = here - length + 1
            v0, v1 = load(held, here, 0), load(held, here + 1, 0)
            v2, v3 = load(held, here + 2, 0), load(held, here + 3, 0)
            c0 = c1 = c2 = c3 = nobody
            day = first + 3  # from here on in all four windows
            if start >= next_look:
                d0, d1 = digests_of(digests, here, 1), digests_of(digests, here + 1, 1)
                d2, d3 = digests_of(digests, here + 2, 1), digests_of(digests, here + 3, 1)
                n0 = n1 = n2 = n3 = far()
                while day + 2 <= here:
                    for other in (load(held, day, 0), load(held, day + 1, 0)):
                        c0, c1 = _above(c0, other, v0, one), _above(c1, other, v1, one)
                        c2, c3 = _above(c2, other, v2, one), _above(c3, other, v3, one)
                    two = digests_of(digests, day, 2)
                    n0, n1, n2, n3 = nearer(n0, two, d0), nearer(n1, two, d1), nearer(n2, two, d2), nearer(n3, two, d3)
                    day += 2
                t0, t1 = anywhere(met(n0) & (v0 == v0)), anywhere(met(n1) & (v1 == v1))
                t2, t3 = anywhere(met(n2) & (v2 == v2)), anywhere(met(n3) & (v3 == v3))
                pause = min(2 * pause, LONGEST_PAUSE) if t0 + t1 + t2 + t3 > 1 else DAYS
                next_look = start + pause
                c0, c1 = _twice(c0, t0, held, first + 3, day, v0, one), _twice(c1, t1, held, first + 3, day, v1, one)
                c2, c3 = _twice(c2, t2, held, first + 3, day, v2, one), _twice(c3, t3, held, first + 3, day, v3, one)
            while day < here:
                other = load(held, day, 0)
                c0, c1 = _beside(c0, other, v0, one), _beside(c1, other, v1, one)
                c2, c3 = _beside(c2, other, v2, one), _beside(c3, other, v3, one)
                day += 1
            for before in range(first, min(first + 3, here)):  # has left the windows of the last days
                other = load(held, before, 0)
                c0 = _beside(c0, other, v0, one)
                if before > first:
                    c1 = _beside(c1, other, v1, one)
                if before > first + 1:
                    c2 = _beside(c2, other, v2, one)
            if length > 1:
                c1, c2, c3 = _beside(c1, v0, v1, one), _beside(c2, v1, v2, one), _beside(c3, v2, v3, one)
            if length > 2:
                c2, c3 = _beside(c2, v0, v2, one), _beside(c3, v1, v3, one)
            if length > 3:
                c3 = _beside(c3, v0, v3, one)
            store(below, 0, 0, c0)
            store(below, 1, 0, c1)
            store(below, 2, 0, c2)
            store(below, 3, 0, c3)
            for k in range(min(DAYS, rows - start)):
                today, leaving = load(held, here + k, 0), load(held, here + k - length, 0)
                count = count + (select(today == today, unit, nothing) - select(leaving == leaving, unit, nothing))
                ranked = select(count > unit, half * whole_float(load(below, k, 0)) / (count - unit), half)
                told = (today == today) & (count >= enough)
                store(out, start + k, left, select(told, ranked, missing))


def rank(x: Matrix, window: int, needed: int, constant: float, out: Matrix, lo: int, hi: int) -> None:
    """The rank of today's x among the window's values, 0 to 1, plus a constant."""
    run_on_columns(_rank, (x,), (window, needed), out, lo, hi)
    if constant != 0:
        out[:, lo:hi] += np.float32(constant)


KERNELS: dict[str, Kernel] = {"ts_rank": Kernel("columns", rank)}
