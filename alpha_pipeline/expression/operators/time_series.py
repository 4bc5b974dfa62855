"""Operators along time: today's value from the last `window` days, today included, of the same instrument.

Here are days before, sums, extremes, ranks and decays. `time_series_scores` sets today against its window,
`time_series_moments` has the other statistics of one input, `time_series_pairs` and `time_series_regressions` those of
several, `time_series_memory` what looks for a day or remembers one, `time_series_turnover` what also looks at the other
instruments. See `windows` for what a window is.

The kernels here are the plain ones: a Python loop over days, the oracle for the engine's.
"""

from __future__ import annotations

import numpy as np

from alpha_pipeline.expression.operator import operator
from alpha_pipeline.expression.operators.windows import delayed, deviation, filled, ratio, rolling
from alpha_pipeline.expression.scale import Same, Stripped
from alpha_pipeline.expression.types import (
    Array,
    Flag,
    Matrix,
    Number,
    Real,
    Share,
    Window,
)
from alpha_pipeline.expression.units import Bare


@operator("time_series", scale=Same(), history=0, keeps_missing=False)
def ts_delay(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """x of `window` days ago.

    Formula: x[t − window]
    NaN: missing where that day is missing or before the first.

    >>> ts_delay([10, 8, 3, 6, 5, 3, 2], 6)
    10
    """
    return delayed(x, window)


@operator("time_series", scale=Same(), history=0)
def ts_delta(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """x less x of `window` days ago.

    Formula: x[t] − x[t − window]
    NaN: missing where either day is missing.

    >>> ts_delta([10, 8, 3, 6, 5, 3, 2], 6)
    -8
    """
    return x - delayed(x, window)


@operator("time_series", scale=Same(), keeps_missing=False)
def ts_sum(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Sum of the valid values in the window.

    Formula: Σ x
    NaN: missing and infinite days are left out; NaN if no day is valid.

    >>> ts_sum([1, nan, 3], 3)
    4
    """
    return rolling(lambda w: np.nansum(w, axis=0), window, 1, strict, x)


@operator("time_series", scale=Same(), keeps_missing=False)
def ts_mean(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Mean of the valid values in the window.

    Formula: Σ x / n
    NaN: missing and infinite days are left out; NaN if no day is valid.

    >>> ts_mean([1, nan, 3, inf], 4)
    2
    """
    return rolling(lambda w: np.nanmean(w, axis=0), window, 1, strict, x)


@operator("time_series", scale=Same(), minimum=2, keeps_missing=False)
def ts_std_dev(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Population standard deviation of the valid values in the window, at least two; 0 if they are all equal.

    Formula: √(Σ (x − mean)² / n)
    NaN: missing and infinite days are left out; NaN if fewer than two days are valid.

    >>> ts_std_dev([1, 3], 2)
    1
    """
    return rolling(deviation, window, 2, strict, x)


@operator("time_series", unit=Bare(), scale=Stripped(), minimum=2)
def ts_zscore(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Today's x less the window's mean, over its standard deviation.

    Formula: (x − mean) / √(Σ (x − mean)² / n)
    NaN: a missing value today gives NaN; missing days are left out; NaN where all values are equal.

    >>> ts_zscore([10, 12, 11, 13, 15], 5)
    1.63
    >>> ts_zscore([25, 60, 50, 0, 100], 5)
    1.57
    """

    def zscore(held: Array) -> Array:
        return ratio(held[-1] - np.nanmean(held, axis=0), deviation(held))

    return rolling(zscore, window, 2, strict, x)


@operator("time_series", scale=Same(), profiles=("consultant",), keeps_missing=False)
def ts_max(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Largest value in the window.

    Formula: max x
    NaN: missing days are left out, infinity counts; NaN if every day is missing.

    >>> ts_max([1, 7, 3], 3)
    7
    """
    return rolling(lambda w: np.nanmax(w, axis=0), window, 1, strict, x, finite=False)


@operator("time_series", scale=Same(), profiles=("consultant",), keeps_missing=False)
def ts_min(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Smallest value in the window.

    Formula: min x
    NaN: missing days are left out, infinity counts; NaN if every day is missing.

    >>> ts_min([1, nan, 3], 3)
    1
    """
    return rolling(lambda w: np.nanmin(w, axis=0), window, 1, strict, x, finite=False)


def _days_since(held: Array, extreme: Array) -> Array:
    newest_first = (held == extreme)[::-1]
    return newest_first.argmax(axis=0).astype(np.float64)


@operator("time_series", unit=Bare(), scale=Stripped(), keeps_missing=False)
def ts_arg_max(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Days since the window's largest value: 0 if it is today's.

    Formula: t − (day of max x)
    NaN: missing days are left out; NaN if every day is missing.
    Ties: of equal values the most recent.

    >>> ts_arg_max([9, 5, 9, 1], 4)
    1
    """
    return rolling(lambda w: _days_since(w, np.nanmax(w, axis=0)), window, 1, strict, x, finite=False)


@operator("time_series", unit=Bare(), scale=Stripped(), keeps_missing=False)
def ts_arg_min(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Days since the window's smallest value: 0 if it is today's.

    Formula: t − (day of min x)
    NaN: missing days are left out; NaN if every day is missing.
    Ties: of equal values the most recent.

    >>> ts_arg_min([1, 5, 9, 7], 4)
    3
    """
    return rolling(lambda w: _days_since(w, np.nanmin(w, axis=0)), window, 1, strict, x, finite=False)


def rank_and_count(held: Array) -> tuple[Array, Array]:
    """Rank of the last row in each column, 0 to 1, and the number of valid values."""
    valid = (~np.isnan(held)).sum(axis=0)
    smaller, equal = (held < held[-1]).sum(axis=0), (held == held[-1]).sum(axis=0)
    ranked = np.where(valid > 1, (smaller + (equal - 1) / 2) / (valid - 1), 0.5)
    return np.where(np.isnan(held[-1]), np.nan, ranked), valid


@operator("time_series", unit=Bare(), scale=Stripped())
def ts_rank(x: Matrix, window: Window, *, constant: Real = 0.0, strict: bool = False) -> Array:
    """Rank of today's x among the window's values, 0 (lowest) to 1, plus a constant.

    Formula: (smaller values + half of the other equal ones) / (n − 1) + constant
    NaN: a missing value today gives NaN; missing days are left out.
    Ties: equal values share the average rank; a value alone has 0.5.

    >>> ts_rank([10, 12, 11, 15, 13], 5)
    0.75
    >>> ts_rank([200, 0, 100], 3)
    0.5
    >>> ts_rank([1, 2, 2], 3, constant=1)
    1.75
    """
    return rolling(lambda w: rank_and_count(w)[0], window, 1, strict, x, finite=False) + constant


@operator("time_series", scale=Same(), keeps_missing=False)
def ts_decay_linear(x: Matrix, window: Window, *, dense: Flag = False, strict: bool = False) -> Array:
    """Weighted mean of the window, weights `window` (today) down to 1.

    Formula: Σ (window − i)·x[t − i] / (window·(window + 1) / 2); with `dense` the weights of missing days are left out
    of the denominator as well
    NaN: a missing or infinite value counts as 0, with `dense` it is left out; NaN if no day is valid.

    >>> ts_decay_linear([1, 6, 8, 10], 3)
    8.667
    >>> ts_decay_linear([nan, 6, nan], 3)
    2
    >>> ts_decay_linear([nan, 6, nan], 3, dense=true)
    6
    """

    def decay(held: Array) -> Array:
        weights = np.arange(window - len(held) + 1, window + 1, dtype=np.float64)[:, None]
        total = np.nansum(held * weights, axis=0)
        if dense:
            return total / np.where(np.isnan(held), 0.0, weights).sum(axis=0)
        return total / (window * (window + 1) / 2)

    return rolling(decay, window, 1, strict, x)


@operator("time_series", scale=Same(), profiles=("consultant",), keeps_missing=False, searched=False)
def ts_decay_exp_window(x: Matrix, window: Window, *, factor: Share, nan: Flag = True, strict: bool = False) -> Array:
    """Weighted mean of the window, each day weighing `factor` times the day after it.

    Formula: Σ x[t − i]·factorⁱ / Σ factorⁱ
    NaN: a missing or infinite day is left out of both sums; with `nan=false` it counts as 0. NaN if no day is valid.

    >>> ts_decay_exp_window([1, 2, 4], 3, factor=0.5)
    3
    >>> ts_decay_exp_window([1, nan, 4], 3, factor=0.5, nan=false)
    2.429
    """

    def decay(held: Array) -> Array:
        weights = np.broadcast_to(factor ** np.arange(len(held) - 1.0, -1, -1)[:, None], held.shape)
        below = np.where(np.isnan(held), 0.0, weights).sum(axis=0) if nan else (factor ** np.arange(window)).sum()
        return np.nansum(held * weights, axis=0) / below

    return rolling(decay, window, 1, strict, x)


@operator("time_series", scale=Same(), history=1, profiles=("consultant",), searched=False)
def ts_weighted_decay(x: Matrix, *, k: Share = 0.5) -> Array:
    """Weighted mean of today's x and yesterday's.

    Formula: k·x[t] + (1 − k)·x[t − 1]
    NaN: missing where either day is missing.

    >>> ts_weighted_decay([4, 6], k=0.25)
    4.5
    """
    return k * x + (1 - k) * delayed(x, 1)


@operator("time_series", unit=Bare(), scale=Stripped(), stateful=True, keeps_missing=False, searched=False)
def ts_step(step: Number, *, shape: tuple[int, int] = (1, 1)) -> Array:
    """A counter of the days: 1, 2, 3 … times `step`, from the first day of the data; a regressor for trends.

    Formula: step·(t + 1), t = 0 on the first day
    NaN: never.

    >>> ts_regression([3, 5, 7, 9], ts_step(1), 4, rettype=2)
    2
    """
    return np.broadcast_to(step * np.arange(1.0, shape[0] + 1)[:, None], shape)


@operator("time_series", unit=Bare(), scale=Stripped(), keeps_missing=False, searched=False)
def ts_count_nans(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Number of missing values in the window.

    Formula: Σ is_nan(x)
    NaN: never, but for windows that reach before the first day in strict mode.

    >>> ts_count_nans([100, nan, nan, 200], 4)
    2
    """
    missing = np.isnan(x).astype(np.float64)
    return filled(window, strict, rolling(lambda w: w.sum(axis=0), window, 1, False, missing))
