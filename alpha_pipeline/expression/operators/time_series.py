"""Operators along time: today's value from the last `window` days, today included, of the same instrument.

A window uses the valid values it holds. Valid means finite where values are added up (sum, mean, deviation, decay,
correlation) and not NaN where they are only compared (maximum, minimum, their positions, rank). With fewer valid values
than the operator's minimum the result is NaN; in strict mode the minimum is the whole window. Standard deviations and
covariances divide by n.

The kernels here are the plain ones: a Python loop over days, the oracle for the engine's.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from alpha_pipeline.expression.operator import operator
from alpha_pipeline.expression.scale import Same, Stripped, Weighted
from alpha_pipeline.expression.types import Array, Matrix, Window


def _rolling(
    function: Callable[..., Array], window: int, minimum: int, strict: bool, *inputs: Array, finite: bool = True
) -> Array:
    """`function` of each day's window of every input (days × instruments), NaN where too few days are valid in all."""
    out = np.full(inputs[0].shape, np.nan)
    needed = window if strict else minimum
    for day in range(len(out)):
        held = [np.array(x[max(0, day - window + 1) : day + 1], dtype=np.float64) for x in inputs]
        valid = np.logical_and.reduce([np.isfinite(x) if finite else ~np.isnan(x) for x in held])
        for x in held:
            x[~valid] = np.nan
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)  # all-NaN windows are expected here
            out[day] = np.where(valid.sum(axis=0) >= needed, function(*held), np.nan)
    return out


def _delayed(x: Array, window: int) -> Array:
    out = np.full(x.shape, np.nan)
    if window < len(x):
        out[window:] = x[: len(x) - window]
    return out


@operator("time_series", scale=Same(), history=0, keeps_missing=False)
def ts_delay(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """x of `window` days ago."""
    return _delayed(x, window)


@operator("time_series", scale=Same(), history=0)
def ts_delta(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """x less x of `window` days ago."""
    return x - _delayed(x, window)


@operator("time_series", scale=Same(), keeps_missing=False)
def ts_sum(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Sum of the valid values in the window."""
    return _rolling(lambda w: np.nansum(w, axis=0), window, 1, strict, x)


@operator("time_series", scale=Same(), keeps_missing=False)
def ts_mean(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Mean of the valid values in the window."""
    return _rolling(lambda w: np.nanmean(w, axis=0), window, 1, strict, x)


@operator("time_series", scale=Same(), minimum=2, keeps_missing=False)
def ts_std_dev(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Population standard deviation of the valid values in the window, at least two; 0 if they are all equal."""
    return _rolling(_deviation, window, 2, strict, x)


def _deviation(held: Array) -> Array:
    equal = np.nanmax(held, axis=0) == np.nanmin(held, axis=0)
    return np.where(equal, 0.0, np.nanstd(held, axis=0))


@operator("time_series", scale=Stripped(), minimum=2)
def ts_zscore(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Today's x less the window's mean, over its standard deviation; NaN where that is 0."""

    def zscore(held: Array) -> Array:
        deviation = _deviation(held)
        return np.where(deviation > 0, (held[-1] - np.nanmean(held, axis=0)) / deviation, np.nan)

    return _rolling(zscore, window, 2, strict, x)


@operator("time_series", scale=Same(), profiles=("consultant",), keeps_missing=False)
def ts_max(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Largest value in the window."""
    return _rolling(lambda w: np.nanmax(w, axis=0), window, 1, strict, x, finite=False)


@operator("time_series", scale=Same(), profiles=("consultant",), keeps_missing=False)
def ts_min(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Smallest value in the window."""
    return _rolling(lambda w: np.nanmin(w, axis=0), window, 1, strict, x, finite=False)


def _days_since(held: Array, extreme: Array) -> Array:
    newest_first = (held == extreme)[::-1]
    return newest_first.argmax(axis=0).astype(np.float64)


@operator("time_series", scale=Stripped(), keeps_missing=False)
def ts_arg_max(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Days since the window's largest value: 0 if it is today's; of equal ones the most recent."""
    return _rolling(lambda w: _days_since(w, np.nanmax(w, axis=0)), window, 1, strict, x, finite=False)


@operator("time_series", scale=Stripped(), keeps_missing=False)
def ts_arg_min(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Days since the window's smallest value: 0 if it is today's; of equal ones the most recent."""
    return _rolling(lambda w: _days_since(w, np.nanmin(w, axis=0)), window, 1, strict, x, finite=False)


@operator("time_series", scale=Stripped())
def ts_rank(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Rank of today's x among the window's values, 0 (lowest) to 1; ties share the average; alone it is 0.5."""

    def rank(held: Array) -> Array:
        valid = (~np.isnan(held)).sum(axis=0)
        smaller, equal = (held < held[-1]).sum(axis=0), (held == held[-1]).sum(axis=0)
        ranked = np.where(valid > 1, (smaller + (equal - 1) / 2) / (valid - 1), 0.5)
        return np.where(np.isnan(held[-1]), np.nan, ranked)

    return _rolling(rank, window, 1, strict, x, finite=False)


@operator("time_series", scale=Same(), keeps_missing=False)
def ts_decay_linear(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Weighted mean of the window, weights `window` (today) down to 1; a missing value counts as 0."""

    def decay(held: Array) -> Array:
        weights = np.arange(window - len(held) + 1, window + 1, dtype=np.float64)[:, None]
        return np.nansum(held * weights, axis=0) / (window * (window + 1) / 2)

    return _rolling(decay, window, 1, strict, x)


@operator("time_series", scale=Stripped(), minimum=2, keeps_missing=False, commutative=True)
def ts_corr(x: Matrix, y: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Pearson correlation over the days on which both are valid; NaN where either does not vary."""

    def correlation(a: Array, b: Array) -> Array:
        product = _deviation(a) * _deviation(b)
        return np.where(product > 0, np.clip(_covariance(a, b) / product, -1, 1), np.nan)

    return _rolling(correlation, window, 2, strict, x, y)


def _covariance(a: Array, b: Array) -> Array:
    return np.nanmean((a - np.nanmean(a, axis=0)) * (b - np.nanmean(b, axis=0)), axis=0)


@operator("time_series", scale=Weighted((1, 1)), minimum=2, keeps_missing=False, commutative=True)
def ts_covariance(x: Matrix, y: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Population covariance over the days on which both are valid."""
    return _rolling(_covariance, window, 2, strict, x, y)
