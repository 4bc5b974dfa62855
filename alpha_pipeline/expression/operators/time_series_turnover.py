"""Smoothing that looks at the day's whole row: hump, and what tunes itself to a turnover. Today's result rests on
yesterday's results, and so on every day before.

The day's turnover is Σ |y[t] − y[t − 1]| / Σ |y[t − 1]| over the instruments with a result on both days. The platform
says no more than that a λ between bounds is tuned to reach a turnover; here each day takes the λ that brings that day's
own turnover nearest to the target, the smallest of equally good ones.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from alpha_pipeline.expression.operator import operator
from alpha_pipeline.expression.scale import Pure
from alpha_pipeline.expression.types import Array, Matrix, NotNegative, Share
from alpha_pipeline.expression.units import Demanding

_CONSULTANT = ("consultant",)


def day_by_day(step: Callable[[Array, Array, int], Array], x: Array) -> Array:
    """`step(x of today, results of yesterday, day)` for the instruments that have both; x where only that is there."""
    out = np.full(x.shape, np.nan)
    for day in range(len(x)):
        now = np.isfinite(x[day])
        out[day, now] = x[day, now]
        if day > 0:
            both = np.flatnonzero(now & np.isfinite(out[day - 1]))
            out[day] = step(out[day], out[day - 1], day) if len(both) else out[day]
    return out


def humped(today: Array, before: Array, limit: float) -> Array:
    """Yesterday's result where x is within the limit of it, else moved by the limit towards x."""
    change = today - before
    moved = np.where(np.abs(change) <= limit, before, before + limit * np.sign(change))
    return np.where(np.isnan(before), today, moved)


@operator("time_series", unit=Demanding(), scale=Pure(), across="both", stateful=True, searched=False)
def hump(x: Matrix, *, hump: NotNegative = 0.01) -> Array:
    """x with small changes held back, and large ones cut to a limit that the day sets.

    Formula: y[t] = y[t − 1] if |x[t] − y[t − 1]| ≤ L, else y[t − 1] ± L towards x, with L = hump·Σ |x[t]| over the
    instruments
    NaN: a missing or infinite value today gives NaN; the day after starts anew with x.

    >>> hump([[5], [2]], hump=0.75)
    [3.5]
    >>> hump([[1, 8], [2, 4]], hump=0.25)
    [1, 6.5]
    """
    return day_by_day(lambda today, before, day: humped(today, before, hump * float(np.nansum(np.abs(today)))), x)


@operator("time_series", scale=Pure(), across="both", stateful=True, profiles=_CONSULTANT, searched=False)
def ts_target_tvr_decay(
    x: Matrix, *, lambda_min: Share = 0.0, lambda_max: Share = 1.0, target_tvr: NotNegative = 0.1
) -> Array:
    """x decayed by the one λ of the day that brings its turnover nearest to the target.

    Formula: y[t] = (1 − λ)·x[t] + λ·y[t − 1]
    NaN: a missing or infinite value today gives NaN; the day after starts anew with x.

    >>> ts_target_tvr_decay([[10, 10], [14, 6]], target_tvr=0.1)
    [11, 9]
    """
    lowest, highest = sorted((lambda_min, lambda_max))

    def step(today: Array, before: Array, day: int) -> Array:
        change = today - before
        whole, held = float(np.nansum(np.abs(change))), _held(before, change)
        kept = 1 - target_tvr * held / whole if whole > 0 else 0.0
        share = min(max(kept, lowest), highest)
        return np.where(np.isnan(before), today, (1 - share) * today + share * before)

    return day_by_day(step, x)


def _held(before: Array, change: Array) -> float:
    """Σ |yesterday's results| of the instruments that have a result today as well."""
    return float(np.abs(before[~np.isnan(change)]).sum())


@operator("time_series", scale=Pure(), across="both", stateful=True, profiles=_CONSULTANT, searched=False)
def ts_target_tvr_hump(
    x: Matrix, *, lambda_min: Share = 0.0, lambda_max: Share = 1.0, target_tvr: NotNegative = 0.1
) -> Array:
    """x humped, with the one limit of the day that brings its turnover nearest to the target.

    Formula: y[t] = y[t − 1] if |x[t] − y[t − 1]| ≤ L, else y[t − 1] ± L towards x, with L = λ·Σ |x[t]| over the
    instruments
    NaN: a missing or infinite value today gives NaN; the day after starts anew with x.

    >>> ts_target_tvr_hump([[10, 10], [14, 6]], target_tvr=0.1)
    [11, 9]
    """
    lowest, highest = sorted((lambda_min, lambda_max))

    def step(today: Array, before: Array, day: int) -> Array:
        change = today - before
        size = float(np.nansum(np.abs(today)))
        wanted = target_tvr * _held(before, change)
        limit = _limit(np.abs(change[~np.isnan(change)]), lowest * size, highest * size, wanted)
        return humped(today, before, limit)

    return day_by_day(step, x)


def _limit(changes: Array, lowest: float, highest: float, wanted: float) -> float:
    """The limit within bounds for which (limit × number of changes above it) is nearest to what is wanted.

    Between two sizes of change the number above does not alter, so that the best limit of each such stretch is known.
    """
    sizes = np.unique(np.concatenate(([0.0], changes)))
    above = len(changes) - np.searchsorted(np.sort(changes), sizes, side="right")
    ends = np.append(np.nextafter(sizes[1:], 0.0), np.inf)  # up to, but not at, the next size
    first, last = np.maximum(sizes, lowest), np.minimum(ends, highest)
    reached = first <= last
    first, last, above = first[reached], last[reached], above[reached]
    best = np.where(above > 0, np.clip(wanted / np.maximum(above, 1), first, last), first)
    return float(best[np.argmin(np.abs(best * above - wanted))])


@operator("time_series", scale=Pure(), across="both", stateful=True, profiles=_CONSULTANT, searched=False)
def ts_target_tvr_delta_limit(
    x: Matrix, y: Matrix, *, lambda_min: Share = 0.0, lambda_max: Share = 1.0, target_tvr: NotNegative = 0.1
) -> Array:
    """x moving in a day by no more than the one fraction of y that brings the turnover nearest to the target.

    Formula: z[t] = z[t − 1] + min(max(x[t] − z[t − 1], −L), L) with L = λ·|y[t]|
    NaN: a missing or infinite x or y today gives NaN; the day after starts anew with x.

    >>> ts_target_tvr_delta_limit([[10, 10], [14, 6]], [[5, 5], [5, 5]], target_tvr=0.1)
    [11, 9]
    """
    lowest, highest = sorted((lambda_min, lambda_max))

    def step(today: Array, before: Array, day: int) -> Array:
        change, most = today - before, np.abs(y[day])
        wanted = target_tvr * _held(before, change)
        low, high = lowest, highest

        def traded(share: float) -> float:
            return float(np.nansum(np.minimum(np.abs(change), share * most)))

        if traded(low) >= wanted:
            high = low
        for _ in range(60):  # what is traded grows with the share: halve until the share is known to the last bit
            middle = (low + high) / 2
            low, high = (middle, high) if traded(middle) < wanted else (low, middle)
        limit = high * most
        return np.where(np.isnan(before), today, before + np.clip(change, -limit, limit))

    return day_by_day(step, np.where(np.isfinite(y), x, np.nan))
