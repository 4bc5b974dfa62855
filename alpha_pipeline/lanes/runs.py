"""Sums and the like over a run of columns left … right − 1 of a row. A cell counts where it is finite.

Each becomes part of the function that calls it (`jit.inlined`). They all go in whole steps first and then take what is
left, if only nothing: LLVM sees that the first need no mask, which in one loop for both it did not; and numba counts
the uses of an array again wherever code branches on whether something is left, which took three times as long as the
sums of small groups. For the same reason the inner functions take values and no arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from alpha_pipeline.jit import inlined
from alpha_pipeline.lanes.places import load_run, store_run
from alpha_pipeline.lanes.types import LANES
from alpha_pipeline.lanes.words import (
    all_of,
    finite,
    greatest_of,
    how_many,
    least_of,
    narrow,
    select,
    size_of,
    sum_of,
    whole_double,
    widen,
)

Row = npt.NDArray[np.floating[Any]]
Float32 = npt.NDArray[np.float32]

NAN, HALF = np.float32(np.nan), np.float32(0.5)
LOWEST, HIGHEST = np.float32(-np.inf), np.float32(np.inf)
ZERO, ONE = np.int32(0), np.int32(1)


@inlined
def whole_of(left: int, right: int) -> int:
    """Where the whole sixteens of a run end, and what is left of it begins."""
    return right - ((right - left) & (LANES - 1))


@inlined
def _sum(values: Any, total: Any, count: int) -> Any:
    known = finite(values)
    return total + select(known, widen(values), all_of(0.0)), count + how_many(known)


@inlined
def sum_of_run(row: Row, left: int, right: int) -> tuple[float, float]:
    """(sum, number of cells that count) of row[left:right], both float64."""
    total, count, whole = all_of(0.0), 0, whole_of(left, right)
    for start in range(left, whole, LANES):
        total, count = _sum(load_run(row, start, start + LANES), total, count)
    total, count = _sum(load_run(row, whole, right), total, count)
    return sum_of(total), np.float64(count)


@inlined
def _sizes(values: Any, total: Any) -> Any:
    return total + select(finite(values), widen(size_of(values)), all_of(0.0))


@inlined
def sizes_of_run(row: Row, left: int, right: int) -> float:
    """Σ|value| of row[left:right], float64."""
    total, whole = all_of(0.0), whole_of(left, right)
    for start in range(left, whole, LANES):
        total = _sizes(load_run(row, start, start + LANES), total)
    total = _sizes(load_run(row, whole, right), total)
    found: float = sum_of(total)
    return found


@inlined
def _squares(values: Any, mean: Any, total: Any) -> Any:
    above = widen(values) - mean
    return total + select(finite(values), above * above, all_of(0.0))


@inlined
def squares_of_run(row: Row, left: int, right: int, mean: float) -> float:
    """Σ(value − mean)² of row[left:right], float64."""
    total, middle, whole = all_of(0.0), all_of(mean), whole_of(left, right)
    for start in range(left, whole, LANES):
        total = _squares(load_run(row, start, start + LANES), middle, total)
    total = _squares(load_run(row, whole, right), middle, total)
    found: float = sum_of(total)
    return found


@inlined
def _ends(values: Any, least: Any, greatest: Any) -> Any:
    known = finite(values)
    low, high = select(known, values, all_of(HIGHEST)), select(known, values, all_of(LOWEST))
    return select(low < least, low, least), select(high > greatest, high, greatest)


@inlined
def ends_of_run(row: Float32, left: int, right: int) -> tuple[np.float32, np.float32]:
    """(least, greatest) of float32 row[left:right]; (inf, −inf) where no cell counts."""
    least, greatest, whole = all_of(HIGHEST), all_of(LOWEST), whole_of(left, right)
    for start in range(left, whole, LANES):
        least, greatest = _ends(load_run(row, start, start + LANES), least, greatest)
    least, greatest = _ends(load_run(row, whole, right), least, greatest)
    return least_of(least), greatest_of(greatest)


@inlined
def scaled(values: Any, mean: Any, share: Any, other: np.float32) -> Any:
    """(values − mean) · share, float64 rounded once to float32; `other` where one does not count."""
    return select(finite(values), narrow((widen(values) - mean) * share), all_of(other))


@inlined
def put_run(row: Row, left: int, right: int, mean: float, share: float, result: Float32) -> None:
    """result[left:right] = (row − mean) · share, float64 rounded once to float32; NaN where a cell does not count."""
    middle, factor, whole = all_of(mean), all_of(share), whole_of(left, right)
    for start in range(left, whole, LANES):
        store_run(result, start, start + LANES, scaled(load_run(row, start, start + LANES), middle, factor, NAN))
    store_run(result, whole, right, scaled(load_run(row, whole, right), middle, factor, NAN))


@inlined
def _numbers(values: Any) -> Any:
    return how_many(values == values)


@inlined
def _place(values: Any, row: Float32, left: int, right: int) -> Any:
    """Twice the place of each among row[left:right]: how many are below it, and how many others at most it."""
    nothing, one = all_of(ZERO), all_of(ONE)
    below, to = nothing, nothing - one  # each is at most itself
    for other in range(np.uint64(left), np.uint64(right)):  # no index that may be negative, or wrap
        value = all_of(row[other])
        below = below + select(value < values, one, nothing)
        to = to + select(value <= values, one, nothing)
    return below + to


@inlined
def _ranked(values: Any, place: Any, half_step: Any, lonely: Any) -> Any:
    found = select(lonely, all_of(HALF), narrow(whole_double(place) * half_step))
    return select(values == values, found, all_of(NAN))


@inlined
def rank_in_run(row: Float32, left: int, right: int, result: Float32) -> None:
    """result[left:right] = rank in [0, 1] of float32 row[left:right], ties their average; NaN where the row is.

    Every value is compared with all of the run, sixteen at a time: the work grows with the square of its length. Loops
    are spelt out: `range` divides for the number of its turns, and seven columns notice (6 %).
    """
    count, whole, start = 0, whole_of(left, right), left
    while start < whole:
        count += _numbers(load_run(row, start, start + LANES))
        start += LANES
    count += _numbers(load_run(row, whole, right))
    # the division is done while values are compared
    half_step, lonely = all_of(0.5 * (1.0 / np.float64(count - 1))), all_of(count) == all_of(1)
    start = left
    while start < whole:
        values = load_run(row, start, start + LANES)
        store_run(result, start, start + LANES, _ranked(values, _place(values, row, left, right), half_step, lonely))
        start += LANES
    if whole < right:  # comparing nothing with all of the run takes time
        values = load_run(row, whole, right)
        store_run(result, whole, right, _ranked(values, _place(values, row, left, right), half_step, lonely))
