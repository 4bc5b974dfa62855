"""One value for a whole group, day by day: means, sums, extremes; and what fills a gap with such a value.

Missing values count for nobody and stay missing, unless the operator is there to fill them. Infinite values count where
they are only compared (count, max, min); where values are added up they are left out, and their own result is NaN.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from alpha_pipeline.expression.operator import operator
from alpha_pipeline.expression.operators.cross_sectional import finite_only
from alpha_pipeline.expression.operators.group import by_group
from alpha_pipeline.expression.scale import Pure, Stripped
from alpha_pipeline.expression.types import Array, Choice, Group, Matrix, NotNegative, Numeric, Share, Window
from alpha_pipeline.expression.units import Bare, Demanding


def _weighted(x: Array, weight: Array, harmonic: bool) -> tuple[Array, float]:
    """Where both are finite, and the weighted mean over those."""
    known = np.isfinite(x) & np.isfinite(weight)
    values, weights = x[known], weight[known]
    if not len(values):
        return known, np.nan
    if harmonic:
        return known, float(weights.sum() / (weights / values).sum())
    return known, float((weights * values).sum() / weights.sum())


@operator("group", scale=Pure(), searched=False)
def group_mean(x: Matrix, weight: Numeric, group: Group, *, group_mean: Choice = "arithmetic") -> Array:
    """Weighted mean of the group, for each of its members; arithmetic, or harmonic by the setting `group_mean`.

    Formula: Σ weight·x / Σ weight
    NaN: where x or weight is missing or infinite, which then counts for nobody.

    >>> group_mean([10, 15, 20, 7], 1, [1, 1, 1, 2])
    [15, 15, 15, 7]
    >>> group_mean([10, 20, nan], [3, 1, 1], [1, 1, 1])
    [12.5, 12.5, nan]
    """

    def mean(values: Array, weights: Array) -> Array:
        known, found = _weighted(values, weights, group_mean == "harmonic")
        return np.where(known, found, np.nan)

    return by_group(mean, group, x, weight)


@operator("group", scale=Pure(), profiles=("consultant",), keeps_missing=False, searched=False)
def group_extra(x: Matrix, weight: Numeric, group: Group) -> Array:
    """x, a missing value filled with the weighted mean of its group.

    Formula: x, or where it is missing Σ weight·x / Σ weight
    NaN: a missing value stays so where its group has no value with a weight; no group gives NaN.

    >>> group_extra([1, nan, 4, nan], [3, 1, 1, 1], [1, 1, 1, 2])
    [1, 1.75, 4, nan]
    """

    def filled(values: Array, weights: Array) -> Array:
        return np.where(np.isnan(values), _weighted(values, weights, False)[1], values)

    return by_group(filled, group, x, weight)


def _one_value(function: Callable[[Array], float], x: Array, group: Array, finite: bool) -> Array:
    """`function` of the valid values of each group, for those of its members that are valid."""

    def value(row: Array) -> Array:
        known = np.isfinite(row) if finite else ~np.isnan(row)
        return np.where(known, function(row[known]), np.nan) if known.any() else np.full(len(row), np.nan)

    return by_group(value, group, x)


@operator("group", unit=Bare(), scale=Stripped(), profiles=("consultant",), searched=False)
def group_count(x: Matrix, group: Group) -> Array:
    """How many members of the group have a value.

    Formula: number of values that are not NaN
    NaN: a missing value gives NaN.

    >>> group_count([4, 5, nan, 2], [1, 1, 1, 2])
    [2, 2, nan, 1]
    """
    return _one_value(len, x, group, finite=False)


@operator("group", scale=Pure(), profiles=("consultant",), searched=False)
def group_sum(x: Matrix, group: Group) -> Array:
    """Sum of the group's values.

    Formula: Σx
    NaN: a missing or infinite value gives NaN and is left out.

    >>> group_sum([4, 5, nan, 2], [1, 1, 1, 2])
    [9, 9, nan, 2]
    """
    return _one_value(np.sum, x, group, finite=True)


@operator("group", scale=Pure(), profiles=("consultant",), searched=False)
def group_std_dev(x: Matrix, group: Group) -> Array:
    """Population standard deviation of the group's values; 0 where all are equal.

    Formula: √(Σ(x − mean)² / n)
    NaN: a missing or infinite value gives NaN and is left out.

    >>> group_std_dev([1, 3, nan, 2], [1, 1, 1, 2])
    [1, 1, nan, 0]
    """
    return _one_value(lambda held: 0.0 if held.min() == held.max() else float(held.std()), x, group, finite=True)


@operator("group", scale=Pure(), profiles=("consultant",), searched=False)
def group_max(x: Matrix, group: Group) -> Array:
    """Largest value of the group.

    Formula: max x
    NaN: a missing value gives NaN and is left out.

    >>> group_max([4, 5, nan, 2], [1, 1, 1, 2])
    [5, 5, nan, 2]
    """
    return _one_value(np.max, x, group, finite=False)


@operator("group", scale=Pure(), profiles=("consultant",), searched=False)
def group_min(x: Matrix, group: Group) -> Array:
    """Smallest value of the group.

    Formula: min x
    NaN: a missing value gives NaN and is left out.

    >>> group_min([4, 5, nan, 2], [1, 1, 1, 2])
    [4, 4, nan, 2]
    """
    return _one_value(np.min, x, group, finite=False)


@operator("group", scale=Pure(), profiles=("consultant",), searched=False)
def group_median(x: Matrix, group: Group) -> Array:
    """Median of the group's values: of an even number the mean of the two in the middle.

    Formula: group_percentage at 0.5
    NaN: a missing or infinite value gives NaN and is left out.

    >>> group_median([4, 5, 9, 2, 3], [1, 1, 1, 2, 2])
    [5, 5, 5, 2.5, 2.5]
    """
    return _one_value(np.median, x, group, finite=True)


@operator("group", scale=Pure(), profiles=("consultant",), searched=False)
def group_percentage(x: Matrix, group: Group, *, percentage: Share = 0.5) -> Array:
    """The value below which a share of the group lies; 0.5 is the median.

    Formula: the value at place percentage · (n − 1) of the sorted values, on the line between its neighbours
    NaN: a missing or infinite value gives NaN and is left out.

    >>> group_percentage([0, 10, 20, 30, 40], [1, 1, 1, 1, 1], percentage=0.25)
    [10, 10, 10, 10, 10]
    """
    return _one_value(lambda held: float(np.quantile(held, percentage)), x, group, finite=True)


@operator("group", unit=Demanding(), scale=Pure(), across="both", keeps_missing=False, searched=False)
def group_backfill(x: Matrix, group: Group, window: Window, *, std: NotNegative = 4.0, strict: bool = False) -> Array:
    """x, a missing value filled with the winsorised mean of all values its group had in the window.

    Today's members of the group count, with all days of the window. Values further than `std` sample standard
    deviations from the mean are pulled in to that bound before the mean is taken again.

    Formula: mean of the values clamped to mean ± std · deviation, over the group and the window
    NaN: a missing value stays so where its group has no value in the window; no group gives NaN.

    >>> group_backfill([[5, 9, nan], [5, 2, 2], [2, nan, -4], [4, 7, nan]], 1, 4)
    [4, 7, 3.56]
    """
    codes = np.broadcast_to(group, x.shape)
    out = np.where(np.isnan(codes), np.nan, x)
    needed = window if strict else 1
    for day, labels in enumerate(codes):
        held = finite_only(x[max(0, day - window + 1) : day + 1].reshape(-1)).reshape(-1, x.shape[1])
        for code in np.unique(labels[np.isnan(x[day]) & ~np.isnan(labels)]):
            members = labels == code
            pool = held[:, members]
            pool = pool[~np.isnan(pool)]
            if len(pool) >= needed:
                out[day, members & np.isnan(x[day])] = _winsorised_mean(pool, std)
    return out


def _winsorised_mean(pool: Array, std: float) -> float:
    if len(pool) == 1 or pool.min() == pool.max():
        return float(pool[0])
    bound = std * pool.std(ddof=1)
    return float(np.clip(pool, pool.mean() - bound, pool.mean() + bound).mean())
