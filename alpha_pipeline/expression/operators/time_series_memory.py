"""Operators along time that look for a day, or remember: last changes, filled gaps, jumps, feedback, limits on change.

What carries over from the day before is the operator's own output. Where that is missing (the first day, or a missing
day before) an operator with a memory starts anew with today's x. `turnover` has those whose limit is set by the day's
turnover.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from alpha_pipeline.expression.operator import operator
from alpha_pipeline.expression.operators.texts import numbers_of
from alpha_pipeline.expression.operators.windows import delayed, deviation, filled, rolling
from alpha_pipeline.expression.scale import Pure, Same, Stripped, Weighted
from alpha_pipeline.expression.types import (
    Array,
    AttributeKind,
    AttributeType,
    Choice,
    Count,
    Flag,
    Matrix,
    NotNegative,
    Real,
    Share,
    Window,
)
from alpha_pipeline.expression.units import Bare

Ignored = Annotated[str, AttributeType(AttributeKind.TEXT, samples=("NAN", "NAN 0", "0"))]
Weights = Annotated[str, AttributeType(AttributeKind.TEXT, samples=("1,2", "0.5", "0.3, -0.2, 0.1"))]


def _is_one_of(x: Array, values: Sequence[float]) -> Array:
    listed = np.isin(x, [value for value in values if value == value])
    return listed | np.isnan(x) if any(value != value for value in values) else listed


def _recent(x: Array, taken: Array, window: int, k: int) -> Array:
    """The k-th most recent value of the window among those that are taken, NaN where there are fewer."""
    out = np.full(x.shape, np.nan)
    for day in range(len(x)):
        for j in range(x.shape[1]):
            days = [s for s in range(day, max(-1, day - window), -1) if taken[s, j]]
            if len(days) >= k:
                out[day, j] = x[days[k - 1], j]
    return out


@operator("time_series", scale=Same(), keeps_missing=False, searched=False)
def ts_backfill(x: Matrix, lookback: Window, *, k: Count = 1, ignore: Ignored = "NAN", strict: bool = False) -> Array:
    """x, but where it is missing the k-th most recent valid value of the window.

    Formula: x[t], or the k-th of x[t − 1], x[t − 2] … that is valid, not before t − lookback + 1
    NaN: what is filled; `ignore="NAN 0"` fills zeros too. NaN if the window holds fewer than k valid values.

    >>> ts_backfill([3, 4, nan, nan], 4)
    4
    >>> ts_backfill([3, 4, nan, nan], 4, k=2)
    3
    >>> ts_backfill([3, 4, 0], 3, ignore="NAN 0")
    4
    """
    missing = _is_one_of(x, (np.nan, *numbers_of(ignore, "ignore")))
    return filled(lookback, strict, np.where(missing, _recent(x, ~missing, lookback, int(k)), x))


@operator("time_series", scale=Same(), keeps_missing=False, searched=False)
def kth_element(x: Matrix, window: Window, *, k: Count, ignore: Ignored = "NAN", strict: bool = False) -> Array:
    """The k-th most recent value in the window, today's being the first, after the ignored ones are dropped.

    Formula: the k-th of x[t], x[t − 1] … x[t − window + 1] that is not one of `ignore`
    NaN: dropped if `ignore` names it; NaN if fewer than k values are left.

    >>> kth_element([5, 0, 7, nan], 4, k=2)
    0
    >>> kth_element([5, 0, 7, nan], 4, k=2, ignore="NAN 0")
    5
    """
    return filled(window, strict, _recent(x, ~_is_one_of(x, numbers_of(ignore, "ignore")), window, int(k)))


@operator("time_series", scale=Same(), searched=False)
def last_diff_value(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """The most recent value in the window that is not today's.

    Formula: x[s] of the latest s > t − window with x[s] ≠ x[t]
    NaN: a missing value today gives NaN; missing days are passed over; NaN if all values are equal.

    >>> last_diff_value([1, 4, 6, nan, 6], 5)
    4
    """
    out = np.full(x.shape, np.nan)
    for day in range(len(x)):
        for j in range(x.shape[1]):
            held = x[max(0, day - window + 1) : day, j]
            different = held[~np.isnan(held) & (held != x[day, j])]
            if len(different) and not np.isnan(x[day, j]):
                out[day, j] = different[-1]
    return filled(window, strict, out)


def days_since_change(x: Array) -> Array:
    """Days since each instrument's last valid value differed from the one before; NaN before its first."""
    out = np.full(x.shape, np.nan)
    last, since = np.full(x.shape[1], np.nan), np.full(x.shape[1], np.nan)
    for day, today in enumerate(x):
        changed = ~np.isnan(today) & ~(today == last)
        since = np.where(changed, 0.0, since + 1)
        last = np.where(np.isnan(today), last, today)
        out[day] = since
    return out


@operator("time_series", unit=Bare(), scale=Stripped(), stateful=True, searched=False)
def days_from_last_change(x: Matrix, *, days_from_change: Choice = "zero") -> Array:
    """Days since x changed: 0 on the day of a change; the first valid value counts as one.

    Formula: t − (latest day s ≤ t whose x differs from the valid value before it); under the choice
    days_from_change = one, that plus 1
    NaN: a missing value today gives NaN; missing days are passed over, but count as days.

    >>> days_from_last_change([1, 16, 5, 7, 2, 2, 2])
    2
    >>> days_from_last_change([3, nan, 3, 8])
    0
    """
    since = np.where(np.isnan(x), np.nan, days_since_change(x))
    return since + 1 if days_from_change == "one" else since


@operator(
    "time_series", scale=Weighted((1, 0)), stateful=True, profiles=("consultant",), keeps_missing=False, searched=False
)
def keep(x: Matrix, f: Matrix, *, period: Count = 5) -> Array:
    """x until `period` days after f last changed, NaN from then on.

    Formula: x where days_from_last_change(f) ≤ period, else NaN
    NaN: missing where x is; a missing f has not changed; NaN before the first valid f, which counts as a change.

    >>> keep([1, 2, 3, 4], [7, 7, 8, 8], period=1)
    4
    >>> keep([1, 2, 3, 4], [7, 7, 7, 7], period=2)
    nan
    """
    return np.where(days_since_change(f) <= period, x, np.nan)


@operator("time_series", scale=Pure(), history=1, profiles=("consultant",), searched=False)
def hump_decay(x: Matrix, *, p: NotNegative = 0.0, relative: Flag = False) -> Array:
    """Today's x if it has changed enough since yesterday, else yesterday's.

    Formula: x[t] if |x[t] − x[t − 1]| > p (with `relative`: > p·|x[t] + x[t − 1]|), else x[t − 1]
    NaN: a missing value today gives NaN; where yesterday's is missing, today's.

    >>> hump_decay([5, 6], p=2)
    5
    >>> hump_decay([5, 6], p=0.05, relative=true)
    6
    """
    before = delayed(x, 1)
    enough = np.abs(x - before) > p * (np.abs(x + before) if relative else 1.0)
    return np.where(enough | np.isnan(before) | np.isnan(x), x, before)


@operator("time_series", scale=Pure(), profiles=("consultant",), searched=False)
def jump_decay(
    x: Matrix,
    window: Window,
    *,
    stddev: Flag = True,
    sensitivity: NotNegative = 0.5,
    force: Real = 0.1,
    strict: bool = False,
) -> Array:
    """Today's x, but of a jump since yesterday only the share `force`.

    Formula: x[t − 1] + force·Δ if |Δ| > sensitivity·ts_std_dev(x, window), else x[t], with Δ = x[t] − x[t − 1]; with
    `stddev=false` if |Δ| > sensitivity
    NaN: a missing or infinite value today gives NaN; where yesterday's is missing, or outside a window of one day,
    today's.

    >>> jump_decay([1, 2, 1, 11], 4, force=0.5)
    6
    >>> jump_decay([1, 2, 1, 11], 4, stddev=false, sensitivity=20)
    11
    """

    def damped(held: Array) -> Array:
        change = held[-1] - (held[-2] if len(held) > 1 else np.nan)
        jumped = np.abs(change) > sensitivity * (deviation(held) if stddev else 1.0)
        return np.where(jumped, held[-1] - change + force * change, held[-1])

    return rolling(damped, window, 1, strict, x)


@operator(
    "time_series",
    scale=Same(),
    stateful=True,
    reach=lambda given: len(numbers_of(given["h"], "h")) - 1,
    profiles=("consultant",),
    searched=False,
)
def filter_(x: Matrix, *, h: Weights = "1,2", t: Weights = "0.5") -> Array:
    """A linear filter: a weighted sum of x today and before, plus one of the filter's own results of the days before.

    Formula: y[t] = h₀·x[t] + h₁·x[t − 1] + … + t₁·y[t − 1] + t₂·y[t − 2] + …
    NaN: a missing or infinite value today gives NaN; missing days before count as 0.

    >>> filter([1, 1, 1], h="1,2", t="0.5")
    4.75
    """
    ahead, back = numbers_of(h, "h"), numbers_of(t, "t")
    finite = np.isfinite(x)
    inputs, results = np.where(finite, x, 0.0), np.zeros(x.shape)
    for day in range(len(x)):
        total = np.zeros(x.shape[1])
        for lag, weight in enumerate(ahead):
            if lag <= day:
                total = total + weight * inputs[day - lag]
        for lag, weight in enumerate(back, 1):
            if lag <= day:
                total = total + weight * results[day - lag]
        results[day] = np.where(finite[day], total, 0.0)
    return np.where(finite, results, np.nan)


@operator("time_series", scale=Same(), stateful=True, profiles=("consultant",), searched=False)
def ts_delta_limit(x: Matrix, y: Matrix, *, limit_volume: Share = 0.1) -> Array:
    """x, but moving in a day by no more than a fraction of y.

    Formula: z[t] = z[t − 1] + min(max(x[t] − z[t − 1], −L), L) with L = limit_volume·|y[t]|
    NaN: a missing or infinite x or y today gives NaN; the day after starts anew with x.

    >>> ts_delta_limit([5, 9], [10, 10], limit_volume=0.1)
    6
    """
    out = np.full(x.shape, np.nan)
    before = np.full(x.shape[1], np.nan)
    for day in range(len(x)):
        limit = limit_volume * np.abs(y[day])
        moved = before + np.clip(x[day] - before, -limit, limit)
        valid = np.isfinite(x[day]) & np.isfinite(y[day])
        before = np.where(valid, np.where(np.isnan(before), x[day], moved), np.nan)
        out[day] = before
    return out
