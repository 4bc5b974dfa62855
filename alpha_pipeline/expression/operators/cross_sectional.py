"""Operators across the instruments of the universe, day by day.

The engine hands them the universe's members only (NaN elsewhere). Infinite values are ranked as extremes; where values
are added up they are left out, and their own result is NaN.
"""

from __future__ import annotations

import numpy as np

from alpha_pipeline.expression.operator import operator
from alpha_pipeline.expression.scale import Pure
from alpha_pipeline.expression.types import Array, Matrix


def ranked(row: Array) -> Array:
    """Ranks of one day's values in [0, 1]: ties share the average, a single value gets 0.5, NaN stays NaN."""
    out = np.full(len(row), np.nan)
    valid = ~np.isnan(row)
    values = row[valid]
    if len(values) == 1:
        out[valid] = 0.5
    elif len(values) > 1:
        smaller = (values[None, :] < values[:, None]).sum(axis=1)
        equal = (values[None, :] == values[:, None]).sum(axis=1)
        out[valid] = (smaller + (equal - 1) / 2) / (len(values) - 1)
    return out


def finite_only(row: Array) -> Array:
    """The row with every non-finite value as NaN."""
    return np.where(np.isfinite(row), row, np.nan)


@operator("cross_sectional", scale=Pure())
def rank(x: Matrix) -> Array:
    """Rank among the instruments, evenly spaced from 0 (lowest) to 1; ties share the average."""
    return np.array([ranked(row) for row in x]).reshape(x.shape)


@operator("cross_sectional", scale=Pure())
def zscore(x: Matrix) -> Array:
    """x less the day's mean, over its population standard deviation; NaN where that is 0."""
    out = np.full(x.shape, np.nan)
    for day, row in enumerate(x):
        values = finite_only(row)
        held = values[~np.isnan(values)]
        if len(held) and held.max() > held.min():
            out[day] = (values - held.mean()) / held.std()
    return out


@operator("cross_sectional", scale=Pure())
def scale(x: Matrix) -> Array:
    """x over the day's sum of absolute values; NaN where that is 0."""
    out = np.full(x.shape, np.nan)
    for day, row in enumerate(x):
        values = finite_only(row)
        total = np.nansum(np.abs(values))
        if total > 0:
            out[day] = values / total
    return out
