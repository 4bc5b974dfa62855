"""The row step's inner loops, sixteen instruments at a time, in the words of `lanes` and the manner of `lanes.runs`.

A loop of several sums over mixed types is what LLVM does not vectorise well by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from alpha_pipeline.jit import inlined
from alpha_pipeline.lanes import (
    LANES,
    all_of,
    fetch,
    finite,
    greatest_of,
    load_run,
    multiply_add,
    select,
    size_of,
    store_run,
    sum_of,
    widen,
)
from alpha_pipeline.lanes.runs import scaled, sum_of_run, whole_of

Row = npt.NDArray[np.floating[Any]]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

NAN, NO_WEIGHT = np.float32(np.nan), np.float32(0)
NONE, ONE = np.int32(0), np.int32(1)


@inlined
def _above(values: Any, mean: Any) -> Any:
    return select(finite(values), widen(values) - mean, all_of(0.0))


@inlined
def _spread(above: Any, total: Any, largest: Any) -> Any:
    size = size_of(above)
    return total + size, select(size > largest, size, largest)


@inlined
def spread_of_run(row: Row, left: int, right: int, mean: float) -> tuple[float, float]:
    """(Σ|row − mean|, max|row − mean|) of row[left:right], float64, of the cells that are finite."""
    middle, whole = all_of(mean), whole_of(left, right)
    total = largest = all_of(0.0)
    for start in range(left, whole, LANES):
        total, largest = _spread(_above(load_run(row, start, start + LANES), middle), total, largest)
    total, largest = _spread(_above(load_run(row, whole, right), middle), total, largest)
    return sum_of(total), greatest_of(largest)


@inlined
def centre_run(row: Row, left: int, right: int, mean: float, centred: Float64) -> None:
    """centred[left:right] = row − mean, float64, 0 where a cell is not finite."""
    middle, whole = all_of(mean), whole_of(left, right)
    for start in range(left, whole, LANES):
        store_run(centred, start, start + LANES, _above(load_run(row, start, start + LANES), middle))
    store_run(centred, whole, right, _above(load_run(row, whole, right), middle))


@inlined
def centre_groups(row: Row, groups: npt.NDArray[np.int64], centred: Float64) -> tuple[float, float, float]:
    """centred = row − mean of the group, float64, 0 where a cell is not finite.

    Group g is the run groups[g]:groups[g + 1]. Returns (Σ|centred|, max|centred|, Σ|sum of a group|).
    """
    taken = 0.0
    size = largest = all_of(0.0)
    for group in range(groups.size - 1):
        left, right = groups[group], groups[group + 1]
        total, count = sum_of_run(row, left, right)
        taken += abs(total)
        middle, whole = all_of(total / max(count, 1.0)), whole_of(left, right)
        for start in range(left, whole, LANES):
            above = _above(load_run(row, start, start + LANES), middle)
            store_run(centred, start, start + LANES, above)
            size, largest = _spread(above, size, largest)
        above = _above(load_run(row, whole, right), middle)
        store_run(centred, whole, right, above)
        size, largest = _spread(above, size, largest)
    return sum_of(size), greatest_of(largest), taken


@inlined
def _admitted(values: Any, held: Any, old: Any, cells: Any, missing: Any) -> Any:
    one, nothing, known = all_of(ONE), all_of(NONE), finite(values)
    old = held & old
    found = select(held & known, values, all_of(NAN))
    return found, cells + select(old, one, nothing), missing + select(old & (old ^ known), one, nothing)


@inlined
def admit(
    signal: Float32, member: Bools, day: int, born: Int32, youngest: np.int32, row: Float32
) -> tuple[float, float]:
    """row = the day's signal where it is finite and the instrument a member, else NaN.

    Returns (members with born ≤ youngest, those of them without a finite signal). The next day's members are fetched
    meanwhile, as in `hold`.
    """
    columns, signals, members, oldest = row.size, signal[day], member[day], all_of(youngest)
    cells = missing = all_of(NONE)
    whole = whole_of(0, columns)
    for start in range(0, whole, LANES):
        stop = start + LANES
        fetch(member, day + 1, start, 0)
        values, held = load_run(signals, start, stop), load_run(members, start, stop)
        old = load_run(born, start, stop) <= oldest
        found, cells, missing = _admitted(values, held, old, cells, missing)
        store_run(row, start, stop, found)
    values, held = load_run(signals, whole, columns), load_run(members, whole, columns)
    old = load_run(born, whole, columns) <= oldest
    found, cells, missing = _admitted(values, held, old, cells, missing)
    store_run(row, whole, columns, found)
    return np.float64(sum_of(cells)), np.float64(sum_of(missing))


@inlined
def scale(row: Row, mean: float, factor: float, book: Float32) -> None:
    """book = (row − mean) · factor in float64, rounded to float32; 0 where the row has no value."""
    middle, share, whole = all_of(mean), all_of(factor), whole_of(0, row.size)
    for start in range(0, whole, LANES):
        stop = start + LANES
        store_run(book, start, stop, scaled(load_run(row, start, stop), middle, share, NO_WEIGHT))
    store_run(book, whole, row.size, scaled(load_run(row, whole, row.size), middle, share, NO_WEIGHT))


@inlined
def _held(weight: Any, old: Any, paid: Any, least: Any, sums: Any) -> Any:
    earned, late, change, longs, shorts = sums
    nothing, one, none = all_of(NO_WEIGHT), all_of(ONE), all_of(NONE)
    profit = widen(select(finite(paid), paid, nothing))
    # a product of two float32 is exact in float64: rounded once or twice, the sum has the same bits
    earned = multiply_add(widen(weight), profit, earned)
    late = multiply_add(widen(old), profit, late)
    change = change + size_of(widen(weight) - widen(old))
    longs = longs + select(weight > least, one, none)
    shorts = shorts + select(weight < nothing - least, one, none)
    return earned, late, change, longs, shorts


@inlined
def hold(
    row: Row,
    mean: float,
    factor: float,
    before: Float32,
    returns: Float32,
    held: int,
    least: np.float32,
    book: Float32,
    signal: Float32,
    day: int,
) -> tuple[float, float, float, float, float]:
    """`scale`, and what the book decided on `day` earns and trades on the day it is held.

    Returns (Σ book · returns, Σ before · returns, Σ|book − before|, longs, shorts). A return that is not finite earns
    0; positions of at most `least` are not counted. The next rows of returns and of the signal are fetched meanwhile:
    the processor does not see them coming, which took a fifth of the time.
    """
    columns, earnings, whole = row.size, returns[held], whole_of(0, row.size)
    middle, share, counted = all_of(mean), all_of(factor), all_of(least)
    sums = (all_of(0.0), all_of(0.0), all_of(0.0), all_of(NONE), all_of(NONE))
    for start in range(0, whole, LANES):
        stop = start + LANES
        fetch(returns, held + 1, start, 0)
        fetch(signal, day + 1, start, 0)
        weight = scaled(load_run(row, start, stop), middle, share, NO_WEIGHT)
        store_run(book, start, stop, weight)
        sums = _held(weight, load_run(before, start, stop), load_run(earnings, start, stop), counted, sums)
    weight = scaled(load_run(row, whole, columns), middle, share, NO_WEIGHT)
    store_run(book, whole, columns, weight)
    old = load_run(before, whole, columns)
    old = select(old == old, old, all_of(NO_WEIGHT))
    sums = _held(weight, old, load_run(earnings, whole, columns), counted, sums)
    earned, late, change, longs, shorts = sums
    return sum_of(earned), sum_of(late), sum_of(change), np.float64(sum_of(longs)), np.float64(sum_of(shorts))
