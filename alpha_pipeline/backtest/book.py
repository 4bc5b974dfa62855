"""The row step: one day's signal → one day's book → what it earns.

The only implementation of decay → neutralize → scale → truncate → rescale: `run_books` and `write_books` share it.
A row stays in the processor's nearest cache while `steps` and `lanes.runs` go over it; sums are float64, and a row's
result depends on that row's data alone, never on threads or on blocks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from alpha_pipeline.backtest.steps import admit, centre_groups, centre_run, hold, scale, spread_of_run
from alpha_pipeline.jit import njit
from alpha_pipeline.lanes.runs import sizes_of_run, sum_of_run

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
COUNTED = 1e-6  # of an equal weight; a smaller position is not counted as held
RESIDUE = 1e-6  # a neutralized row smaller than this share of the signal is float32 rounding, and no opinion
LARGEST = np.float32(np.finfo(np.float32).max)


@njit
def _decay(signal: Float32, member: Bools, day: int, days: int, row: Float32, total: Float64) -> None:
    """total = Σ (days − age) · the signal of `age` days ago, missing ones counting 0; NaN where row is."""
    total[:] = 0.0
    for age in range(days):
        weight, values, held = np.float64(days - age), signal[day - age], member[day - age]
        for j in range(total.size):
            value = values[j]
            total[j] += weight * np.float64(value) if held[j] & (abs(value) <= LARGEST) else 0.0
    for j in range(total.size):
        total[j] = total[j] if row[j] == row[j] else np.nan


@njit
def _weigh(
    row: npt.NDArray[np.floating[Any]], groups: npt.NDArray[np.int64], truncation: float, centred: Float64
) -> tuple[bool, float, float]:
    """(written, mean, factor) of a row: neutralized, scaled, truncated and rescaled it is the book.

    The book is `centred` · factor where that was written, else (row − mean) · factor: in the common case nothing is
    written, and less is in the cache. The factor is 0 where no signal is left.

    Args:
        row: float32 or float64 [N], NaN where there is no signal.
        groups: offsets [G+1] of the column runs that are neutralized each on their own; empty: no neutralization.
        truncation: cap of |weight| before the last rescaling; 0 is off.
        centred: float64 [N] scratch.
    """
    columns = row.size
    written, mean, size, largest, taken = groups.size > 2, 0.0, 0.0, 0.0, 0.0
    if written:
        size, largest, taken = centre_groups(row, groups, centred)
    else:
        if groups.size == 2:
            total, count = sum_of_run(row, 0, columns)
            mean, taken = total / max(count, 1.0), abs(total)
        size, largest = spread_of_run(row, 0, columns, mean)
    # Σ|row| ≤ size + taken, so that the sum itself is needed only where it may matter
    if not size > RESIDUE * (size + taken) and not size > RESIDUE * sizes_of_run(row, 0, columns):
        return written, mean, 0.0
    if truncation > 0.0 and largest > truncation * size:
        if not written:
            centre_run(row, 0, columns, mean, centred)
            written = True
        _clip(centred, truncation * size)
        size = sizes_of_run(centred, 0, columns)
    return written, mean, 1.0 / size


@njit
def _clip(row: Float64, limit: float) -> None:
    for j in range(row.size):
        row[j] = min(max(row[j], -limit), limit)


@njit
def _signal(
    signal: Float32,
    member: Bools,
    day: int,
    decay: int,
    groups: npt.NDArray[np.int64],
    truncation: float,
    row: Float32,
    total: Float64,
    centred: Float64,
) -> tuple[bool, float, float]:
    """`_weigh` of the decayed signal of a day; the book is then in `centred` or, without a decay, in `row`.

    Args:
        signal: float32 [T,N]; rows of the last `decay` days are read.
        member: bool [T,N]; outside it there is no position.
        decay: days of linear decay, newest heaviest; 0 and 1 do nothing. The common denominator is left out: the
            book is scaled afterwards.
        row: float32 [N], the row's signal by `admit`.
        total, centred: float64 [N] scratch.
    """
    if decay <= 1:
        return _weigh(row, groups, truncation, centred)
    _decay(signal, member, day, decay, row, total)
    written, mean, factor = _weigh(total, groups, truncation, centred)
    if not written:
        centre_run(total, 0, total.size, mean, centred)
    return True, 0.0, factor


@njit
def run_books(
    signal: Float32,
    member: Bools,
    born: npt.NDArray[np.int32],
    returns: Float32,
    first_row: int,
    decay: int,
    groups: npt.NDArray[np.int64],
    truncation: float,
    lag: int,
    lookback: int,
    start: int,
    stop: int,
    results: Float64,
) -> None:
    """Decide the books of rows [start, stop) and write what they earn and trade to the rows they are held on.

    Args:
        born: int32 [N], row of the instrument's first bar; may lie before the panel.
        lookback: instruments younger than that are not counted as missing.
        results: float64 [7,T]: profit, profit one day later, traded, longs, shorts; and, on the rows themselves,
            members old enough, those of them without a signal.
    """
    days, columns = signal.shape
    row, total, centred = np.empty(columns, np.float32), np.empty(columns), np.empty(columns)
    book, before = np.zeros(columns, np.float32), np.zeros(columns, np.float32)
    least = np.float32(COUNTED / columns)
    first_book, last_book = first_row + max(decay - 1, 0), days - lag
    for day in range(start - 1 if start > first_book else start, stop):
        cells, missing = admit(signal, member, day, born, np.int32(day - lookback), row)
        if day >= start:
            results[5, day], results[6, day] = cells, missing
        if not first_book <= day < last_book:
            continue
        written, mean, factor = _signal(signal, member, day, decay, groups, truncation, row, total, centred)
        book, before = before, book
        held = day + lag
        if written:
            found = hold(centred, 0.0, factor, before, returns, held, least, book, signal, day)
        else:
            found = hold(row, mean, factor, before, returns, held, least, book, signal, day)
        if day >= start:
            for i in range(5):
                results[i, held] = found[i]


@njit
def write_books(
    signal: Float32,
    member: Bools,
    decay: int,
    groups: npt.NDArray[np.int64],
    truncation: float,
    first_book: int,
    books: Float32,
) -> None:
    """Write the book decided on each row from `first_book` on into `books` [T,N]."""
    columns = signal.shape[1]
    row, total, centred = np.empty(columns, np.float32), np.empty(columns), np.empty(columns)
    born = np.zeros(columns, np.int32)  # nothing is counted here
    for day in range(first_book, signal.shape[0]):
        admit(signal, member, day, born, np.int32(day), row)
        written, mean, factor = _signal(signal, member, day, decay, groups, truncation, row, total, centred)
        if written:
            scale(centred, 0.0, factor, books[day])
        else:
            scale(row, mean, factor, books[day])
