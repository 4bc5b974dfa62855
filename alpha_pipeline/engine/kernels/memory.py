"""What looks for a day or remembers one: ts_count_nans, ts_backfill, kth_element, last_diff_value,
days_from_last_change, hump.

A column is read once. For the k-th most recent value the days of the last k are kept in a ring; for the last different
value, the last value with its latest day and the latest day of another one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.expression.operators.texts import numbers_of
from alpha_pipeline.jit import njit

WIDTH = 256
NAN = np.float32(np.nan)
ZERO = np.float32(0)
DIFFERENT, SINCE = 0, 1


@njit
def _kth(
    x: Matrix,
    window: int,
    needed: int,
    k: int,
    missing: bool,
    ignored: Matrix,
    fill: bool,
    out: Matrix,
    lo: int,
    hi: int,
) -> None:
    # ignored [1, values]: numbers that do not count; `missing`: nor do missing values; `fill`: others stay as they are
    ring = np.empty((k, WIDTH), np.int64)
    counts = np.empty(WIDTH, np.int64)
    for left in range(lo, hi, WIDTH):
        width = min(WIDTH, hi - left)
        counts[:] = 0
        for t in range(len(x)):
            early = t + 1 < needed
            for j in range(width):
                value = x[t, left + j]
                dropped = missing and value != value
                for i in range(ignored.shape[1]):
                    dropped |= value == ignored[0, i]
                if not dropped:
                    ring[counts[j] % k, j] = t
                    counts[j] += 1
                result = NAN
                if fill and not dropped:
                    result = value
                elif counts[j] >= k:
                    day = ring[counts[j] % k, j]  # the oldest of the last k
                    result = x[day, left + j] if t - day < window else NAN
                out[t, left + j] = NAN if early else result


@njit
def _changes(x: Matrix, window: int, needed: int, figure: int, first: float, out: Matrix, lo: int, hi: int) -> None:
    # state: last valid value; its latest day; the latest day of another value before; the day of the last change
    last = np.empty(WIDTH, np.float32)
    days = np.empty((3, WIDTH), np.int64)
    for left in range(lo, hi, WIDTH):
        width = min(WIDTH, hi - left)
        last[:] = NAN
        days[:] = -1
        for t in range(len(x)):
            early = t + 1 < needed
            for j in range(width):
                value = x[t, left + j]
                result = NAN
                if value == value:
                    if value != last[j]:
                        days[1, j] = days[0, j]
                        days[2, j] = t
                    last[j], days[0, j] = value, t
                    if figure == SINCE:
                        result = np.float32(t - days[2, j] + first)
                    elif days[1, j] >= 0 and t - days[1, j] < window:
                        result = x[days[1, j], left + j]
                out[t, left + j] = NAN if early else result


def counted(valid: NDArray[np.bool_], window: int) -> NDArray[np.int32]:
    """How many days of each window are so marked."""
    total = np.cumsum(valid, axis=0, dtype=np.int32)
    if window < len(total):
        total[window:] -= total[:-window].copy()
    return total


def _count_nans(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    out[:, lo:hi] = counted(np.isnan(x[:, lo:hi]), window)
    out[: needed - 1, lo:hi] = NAN


def _ignored(text: str) -> tuple[bool, Matrix]:
    values = numbers_of(text, "ignore")
    return any(value != value for value in values), np.array([[v for v in values if v == v]], np.float32)


def _backfill(x: Matrix, window: int, needed: int, k: float, ignore: str, out: Matrix, lo: int, hi: int) -> None:
    _kth(x, window, needed, min(int(k), len(x) + 1), True, _ignored(ignore)[1], True, out, lo, hi)


def _kth_element(x: Matrix, window: int, needed: int, k: float, ignore: str, out: Matrix, lo: int, hi: int) -> None:
    missing, values = _ignored(ignore)
    _kth(x, window, needed, min(int(k), len(x) + 1), missing, values, False, out, lo, hi)


def _last_diff_value(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    _changes(x, window, needed, DIFFERENT, 0.0, out, lo, hi)


def _days_from_last_change(x: Matrix, days_from_change: str, out: Matrix, lo: int, hi: int) -> None:
    _changes(x, 1, 1, SINCE, 1.0 if days_from_change == "one" else 0.0, out, lo, hi)


def _hump(x: Matrix, hump: float, out: Matrix, lo: int, hi: int) -> None:
    """All instruments at once, as each day's limit is of them all; what carries over is kept in float64."""
    before = np.full(x.shape[1], np.nan)
    with np.errstate(all="ignore"):
        for t in range(lo, hi):
            today = x[t].astype(np.float64)
            today[~np.isfinite(today)] = np.nan
            limit = hump * float(np.nansum(np.abs(today)))
            change = today - before
            moved = np.where(np.abs(change) <= limit, before, before + limit * np.sign(change))
            before = np.where(np.isnan(before) | np.isnan(today), today, moved)
            out[t] = before


KERNELS: dict[str, Kernel] = {
    "ts_count_nans": Kernel("columns", _count_nans),
    "ts_backfill": Kernel("columns", _backfill),
    "kth_element": Kernel("columns", _kth_element),
    "last_diff_value": Kernel("columns", _last_diff_value),
    "days_from_last_change": Kernel("columns", _days_from_last_change),
    "hump": Kernel("all", _hump),
}
