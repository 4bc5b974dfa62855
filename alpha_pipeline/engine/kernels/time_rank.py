"""ts_rank: how many values of the window today's is above.

Today is compared with every day of its window: no order is kept, sixteen columns run side by side. That is work in
proportion to the window, but a comparison of sixteen values is one instruction, and four days share the reading of
their windows: up to a year it is faster than any structure that keeps the window sorted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from alpha_pipeline.engine.kernels.columns import (
    AHEAD,
    LANES,
    all_of,
    fetch,
    load,
    run_on_columns,
    select,
    store,
    whole_float,
)
from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.jit import njit

NAN = np.float32(np.nan)
HALF, ZERO, ONE = np.float32(0.5), np.float32(0), np.float32(1)
NOBODY, SOMEBODY = np.int32(0), np.int32(1)
DAYS = 4  # ranked at a time


@njit
def _beside(total: Any, other: Any, today: Any, one: Any) -> Any:
    """`total` plus 2 where the other value is smaller than today's, 1 where it is equal."""
    total = select(other < today, total + one, total)
    return select(other <= today, total + one, total)


@njit
def _rank(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    missing, half, nothing, unit = all_of(NAN), all_of(HALF), all_of(ZERO), all_of(ONE)
    nobody, one, enough = all_of(NOBODY), all_of(SOMEBODY), all_of(np.float32(needed))
    rows = len(x)
    length = min(window, rows)
    held = np.full((length + rows + DAYS, LANES), NAN, np.float32)  # a column's days, from row `length` on
    below = np.empty((DAYS, LANES), np.int32)
    for group in range(lo, hi, LANES):
        left = min(group, hi - LANES)
        for t in range(rows):
            fetch(x, t, left + AHEAD, 0)
            fetch(out, t, left + AHEAD, 1)
            store(held, length + t, 0, load(x, t, left))
        count = nothing
        for start in range(0, rows, DAYS):
            here = length + start
            first = here - length + 1
            v0, v1, v2, v3 = (
                load(held, here, 0),
                load(held, here + 1, 0),
                load(held, here + 2, 0),
                load(held, here + 3, 0),
            )
            c0 = c1 = c2 = c3 = nobody
            for day in range(first + 3, here):  # in all four windows
                other = load(held, day, 0)
                c0, c1 = _beside(c0, other, v0, one), _beside(c1, other, v1, one)
                c2, c3 = _beside(c2, other, v2, one), _beside(c3, other, v3, one)
            for day in range(first, min(first + 3, here)):  # has left the last ones
                other = load(held, day, 0)
                c0 = _beside(c0, other, v0, one)
                if day > first:
                    c1 = _beside(c1, other, v1, one)
                if day > first + 1:
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
