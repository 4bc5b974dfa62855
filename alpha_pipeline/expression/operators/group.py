"""Inside a group (sector, industry, …), day by day: a value of each instrument's own. Rules as in `cross_sectional`.

A group comes as a matrix of codes; an instrument whose code is NaN is in no group, and its result is NaN. Operators
that give one value to a whole group are in `group_totals`, those that make groups of groups in `group_labels`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from alpha_pipeline.expression.operator import operator
from alpha_pipeline.expression.operators.cross_sectional import finite_only, ranked
from alpha_pipeline.expression.scale import Pure
from alpha_pipeline.expression.types import Array, Flag, Group, Matrix, NotNegative
from alpha_pipeline.expression.units import Bare


def by_group(function: Callable[..., Array | float], group: Array, *inputs: Array) -> Array:
    """`function` of each day's values of each group, put back in place; of inputs [days, instruments]."""
    out = np.full(inputs[0].shape, np.nan)
    codes = np.broadcast_to(group, out.shape)
    for day, labels in enumerate(codes):
        for code in np.unique(labels[~np.isnan(labels)]):
            members = labels == code
            out[day, members] = function(*(x[day, members] for x in inputs))
    return out


@operator("group", unit=Bare(), scale=Pure())
def group_rank(x: Matrix, group: Group) -> Array:
    """Rank inside the group, evenly spaced from 0 (lowest) to 1.

    Formula: (number of smaller values + half of the other equal ones) / (n − 1)
    NaN: a missing value stays missing and counts for nobody; no group gives NaN. Alone in the group it is 0.5.
    Ties: share the average rank. ±inf are ranked as extremes.

    >>> group_rank([4, 3, 6, 10], [1, 1, 2, 2])
    [1, 0, 0, 1]
    """
    return by_group(ranked, group, x)


@operator("group", unit=Bare(), scale=Pure())
def group_scale(x: Matrix, group: Group) -> Array:
    """Where x lies between the smallest and the largest value of its group, 0 to 1.

    Formula: (x − min) / (max − min)
    NaN: a missing or infinite value gives NaN and counts for nobody; NaN where all of a group are equal.

    >>> group_scale([10, 20, 30], [1, 1, 1])
    [0, 0.5, 1]
    """

    def scaled(row: Array) -> Array:
        values = finite_only(row)
        held = values[~np.isnan(values)]
        if not len(held) or held.max() == held.min():
            return np.full(len(row), np.nan)
        return (values - held.min()) / (held.max() - held.min())

    return by_group(scaled, group, x)


@operator("group", scale=Pure())
def group_neutralize(x: Matrix, group: Group) -> Array:
    """x less the mean of its group: what the neutralisation setting does.

    Formula: x − mean
    NaN: a missing or infinite value gives NaN and counts for nobody.

    >>> group_neutralize([3, 2, 6, 5, 8], [1, 1, 1, 1, 1])
    [-1.8, -2.8, 1.2, 0.2, 3.2]
    """

    def neutralized(row: Array) -> Array:
        values = finite_only(row)
        held = values[~np.isnan(values)]
        return values - held.mean() if len(held) else values

    return by_group(neutralized, group, x)


@operator("group", unit=Bare(), scale=Pure())
def group_zscore(x: Matrix, group: Group) -> Array:
    """x less the mean of its group, over the group's population standard deviation.

    Formula: (x − mean) / deviation
    NaN: a missing or infinite value gives NaN and counts for nobody; NaN where all of a group are equal.

    >>> group_zscore([10, 20, 30], [1, 1, 1])
    [-1.22, 0, 1.22]
    """

    def scored(row: Array) -> Array:
        values = finite_only(row)
        held = values[~np.isnan(values)]
        if not len(held) or held.max() == held.min():
            return np.full(len(row), np.nan)
        return (values - held.mean()) / held.std()

    return by_group(scored, group, x)


@operator("group", unit=Bare(), scale=Pure(), profiles=("consultant",), searched=False)
def group_normalize(
    x: Matrix, group: Group, *, constantCheck: Flag = False, tolerance: NotNegative = 0.01, scale: NotNegative = 1.0
) -> Array:
    """x over the sum of absolute values of its group, times `scale`.

    With `constantCheck` a group whose sum is below `tolerance` is left as it is.

    Formula: scale · x / Σ|x|
    NaN: a missing or infinite value gives NaN and counts for nobody; NaN where all of a group are 0.

    >>> group_normalize([1, -3, 2, 2], [1, 1, 2, 2], scale=2)
    [0.5, -1.5, 1, 1]
    >>> group_normalize([0.001, -0.003, 2, 2], [1, 1, 2, 2], constantCheck=true)
    [0.001, -0.003, 0.5, 0.5]
    """

    def normalized(row: Array) -> Array:
        values = finite_only(row)
        total = np.nansum(np.abs(values))
        if constantCheck and total < tolerance:
            return values
        return values / total * scale if total > 0 else np.full(len(row), np.nan)

    return by_group(normalized, group, x)


def _projected(x: Array, y: Array) -> tuple[Array, Array]:
    """x where both are finite, and its projection on y; NaN where y has no length."""
    both = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(both, x, np.nan), np.where(both, y, np.nan)
    length = np.nansum(y * y)
    share = np.nansum(x * y) / length if length > 0 else np.nan
    return x, share * y


@operator("group", scale=Pure(), profiles=("consultant",), searched=False)
def group_vector_proj(x: Matrix, y: Matrix, group: Group) -> Array:
    """Projection of x on y inside the group, without an intercept.

    Formula: y · Σxy / Σy²
    NaN: where x or y is missing or infinite, which then counts for nobody; NaN where y is 0 in the whole group.

    >>> group_vector_proj([1, 2, 3, 7], [3, 4, 5, 1], [1, 1, 1, 2])
    [1.56, 2.08, 2.6, 7]
    """
    return by_group(lambda a, b: _projected(a, b)[1], group, x, y)


@operator("group", scale=Pure(), profiles=("consultant",), searched=False)
def group_vector_neut(x: Matrix, y: Matrix, group: Group) -> Array:
    """x less its projection on y inside the group, without an intercept.

    Formula: x − y · Σxy / Σy²
    NaN: where x or y is missing or infinite, which then counts for nobody; NaN where y is 0 in the whole group.

    >>> group_vector_neut([1, 2, 3, 7], [3, 4, 5, 1], [1, 1, 1, 2])
    [-0.56, -0.08, 0.4, 0]
    """

    def neutralized(a: Array, b: Array) -> Array:
        own, projection = _projected(a, b)
        return own - projection

    return by_group(neutralized, group, x, y)
