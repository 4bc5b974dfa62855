"""The row step: one day's signal → one day's book → what it earns. Compiled loops over the instruments of one row.

The only implementation of decay → neutralize → scale → truncate → rescale: `run_books` and `write_books` share it.
They stand in one file with it because numba's disk cache notices changes of the own file only.
Each loop does one thing to a row that stays in the processor's nearest cache: LLVM vectorises such loops, and fails to
where a sum and a maximum, or many sums over mixed types, share one. Sums are float64 and may be reordered within a row
(that is what lets them vectorise); a row's result depends on that row's data alone, never on threads or on blocks.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alpha_pipeline.jit import njit, reduction

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
COUNTED = 1e-6  # of an equal weight; a smaller position is not counted as held
RESIDUE = 1e-6  # a neutralized row smaller than this share of the signal is float32 rounding, and no opinion
LARGEST = np.float32(np.finfo(np.float32).max)


@reduction
def _admit(signal: Float32, member: npt.NDArray[np.bool_], row: Float64) -> None:
    """row = signal where it is finite and the instrument a member, else NaN."""
    for j in range(row.size):
        value = signal[j]
        row[j] = np.float64(value) if member[j] & (abs(value) <= LARGEST) else np.nan


@reduction
def _add_decayed(signal: Float32, member: npt.NDArray[np.bool_], weight: float, total: Float64) -> None:
    """total += weight · signal, a missing value counting 0."""
    for j in range(total.size):
        value = signal[j]
        total[j] += weight * np.float64(value) if member[j] & (abs(value) <= LARGEST) else 0.0


@reduction
def _keep_missing(row: Float64, total: Float64) -> None:
    """row = total where row has a value: a missing signal stays missing after the decay."""
    for j in range(row.size):
        row[j] = total[j] if row[j] == row[j] else np.nan


@reduction
def _mean(row: Float64) -> float:
    """Mean of the values that are not NaN (0 where there is none)."""
    total, count = 0.0, 0
    for j in range(row.size):
        value = row[j]
        total += value if value == value else 0.0
    for j in range(row.size):
        count += 1 if row[j] == row[j] else 0
    return total / max(count, 1)


@reduction
def _center(row: Float64, mean: float) -> float:
    """row −= mean, NaN becoming 0: from here on no value is no position. Returns Σ|row|."""
    total = 0.0
    for j in range(row.size):
        value = row[j] - mean
        value = value if value == value else 0.0
        row[j] = value
        total += abs(value)
    return total


@reduction
def _size(row: Float64) -> float:
    """Σ|row|."""
    total = 0.0
    for j in range(row.size):
        total += abs(row[j])
    return total


@reduction
def _gross(row: Float64) -> float:
    """Σ|row| over the values that are not NaN."""
    total = 0.0
    for j in range(row.size):
        value = abs(row[j])
        total += value if value == value else 0.0
    return total


@reduction
def _above(row: Float64, limit: float) -> int:
    """How many |row| exceed the limit."""
    count = 0
    for j in range(row.size):
        count += 1 if abs(row[j]) > limit else 0
    return count


@reduction
def _clip(row: Float64, limit: float) -> None:
    for j in range(row.size):
        row[j] = min(max(row[j], -limit), limit)


@reduction
def _scale(row: Float64, factor: float, book: Float32) -> None:
    for j in range(row.size):
        book[j] = np.float32(row[j] * factor)


@njit
def _decide(
    signal: Float32,
    member: npt.NDArray[np.bool_],
    day: int,
    first_row: int,
    decay: int,
    groups: npt.NDArray[np.int64],
    truncation: float,
    row: Float64,
    total: Float64,
    book: Float32,
) -> None:
    """Write the book decided on row `day` into `book` [N]: Σ|book| = 1, or all 0 where no signal is left.

    Args:
        signal: float32 [T,N]; rows before `first_row` are not read.
        member: bool [T,N]; outside it there is no position.
        decay: days of linear decay, newest heaviest; 0 and 1 do nothing. The common denominator is left out: the
            book is scaled afterwards.
        groups: offsets [G+1] of the column runs that are neutralized each on their own; empty: no neutralization.
        truncation: cap of |weight| before the last rescaling; 0 is off.
        row, total: float64 [N] scratch.
    """
    _admit(signal[day], member[day], row)
    if decay > 1:
        total[:] = 0.0
        for age in range(min(decay, day - first_row + 1)):
            _add_decayed(signal[day - age], member[day - age], float(decay - age), total)
        _keep_missing(row, total)
    gross = _gross(row)
    if groups.size == 0:
        size = _center(row, 0.0)
    else:
        size = 0.0
        for g in range(groups.size - 1):
            part = row[groups[g] : groups[g + 1]]
            size += _center(part, _mean(part))
    if not size > RESIDUE * gross:
        book[:] = 0.0
        return
    if truncation > 0.0 and _above(row, truncation * size) > 0:
        _clip(row, truncation * size)
        size = _size(row)
    _scale(row, 1.0 / size, book)


@reduction
def _hold(book: Float32, before: Float32, returns: Float32, later: Float32) -> tuple[float, float, float, float, float]:
    """(Σ book · returns, Σ book · later, Σ|book − before|, longs, shorts); a missing return earns 0.

    What rounding leaves of a zero is below COUNTED.
    """
    least = COUNTED / book.size
    earned, earned_later, change, longs, shorts = 0.0, 0.0, 0.0, 0.0, 0.0
    for j in range(book.size):
        weight = np.float64(book[j])
        profit, profit_later = weight * np.float64(returns[j]), weight * np.float64(later[j])
        earned += profit if profit == profit else 0.0
        earned_later += profit_later if profit_later == profit_later else 0.0
        change += abs(weight - np.float64(before[j]))
        longs += 1.0 if weight > least else 0.0
        shorts += 1.0 if weight < -least else 0.0
    return earned, earned_later, change, longs, shorts


@njit
def run_books(
    signal: Float32,
    member: npt.NDArray[np.bool_],
    returns: Float32,
    first_row: int,
    decay: int,
    groups: npt.NDArray[np.int64],
    truncation: float,
    lag: int,
    first_book: int,
    start: int,
    stop: int,
    pnl: Float64,
    pnl_late: Float64,
    change: Float64,
    long_count: Float64,
    short_count: Float64,
) -> None:
    """Decide the books of rows [start, stop) and write what they earn and trade to the rows they are held on."""
    days, columns = signal.shape
    row, total = np.empty(columns), np.empty(columns)
    book, before = np.zeros(columns, np.float32), np.zeros(columns, np.float32)
    if start > first_book:
        _decide(signal, member, start - 1, first_row, decay, groups, truncation, row, total, before)
    for day in range(start, stop):
        _decide(signal, member, day, first_row, decay, groups, truncation, row, total, book)
        held = day + lag
        later = min(held + 1, days - 1)
        earned, earned_later, change[held], long_count[held], short_count[held] = _hold(
            book, before, returns[held], returns[later]
        )
        pnl[held] = earned
        if later > held:
            pnl_late[later] = earned_later
        book, before = before, book


@njit
def write_books(
    signal: Float32,
    member: npt.NDArray[np.bool_],
    first_row: int,
    decay: int,
    groups: npt.NDArray[np.int64],
    truncation: float,
    first_book: int,
    books: Float32,
) -> None:
    """Write the book decided on each row from `first_book` on into `books` [T,N]."""
    row, total = np.empty(signal.shape[1]), np.empty(signal.shape[1])
    for day in range(first_book, signal.shape[0]):
        _decide(signal, member, day, first_row, decay, groups, truncation, row, total, books[day])
