"""Operators across instruments of two and more inputs: projections, regressions, means of ranks; rules as in
`cross_sectional`. What is added up is taken over the instruments at which both inputs are finite."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from alpha_pipeline.expression.operator import operator
from alpha_pipeline.expression.operators.cross_sectional import ranked
from alpha_pipeline.expression.scale import Pure
from alpha_pipeline.expression.types import Array, Matrix
from alpha_pipeline.expression.units import Bare

CONSULTANT = ("consultant",)


def _by_day(function: Callable[[Array, Array], Array], x: Array, y: Array) -> Array:
    """`function` of each day's pairs in which both are finite, put back in place; NaN elsewhere."""
    out = np.full(x.shape, np.nan)
    for day in range(len(x)):
        both = np.isfinite(x[day]) & np.isfinite(y[day])
        if both.any():
            out[day, both] = function(x[day, both], y[day, both])
    return out


def projection(x: Array, y: Array) -> Array:
    """The projection of x on y, without an intercept; NaN where y is 0 throughout."""
    size = (y * y).sum()
    return y * ((x * y).sum() / size) if size > 0 else np.full(len(x), np.nan)


def fitted(y: Array, x: Array) -> Array:
    """The values of y on the line over x by least squares; NaN where x does not vary."""
    above = x - x.mean()
    varies = x.max() > x.min()
    return y.mean() + above * ((above * y).sum() / (above * above).sum()) if varies else np.full(len(x), np.nan)


@operator("cross_sectional", scale=Pure(), profiles=CONSULTANT, searched=False)
def vector_proj(x: Matrix, y: Matrix) -> Array:
    """The part of x along y, the day's values being taken as vectors.

    Formula: y · Σxy / Σy²
    NaN: if either is NaN or infinite (such pairs are not added up); everywhere where y is 0 throughout.

    >>> vector_proj([1, 2, 3], [3, 4, 5])
    [1.56, 2.08, 2.6]
    """
    return _by_day(projection, x, y)


@operator("cross_sectional", scale=Pure(), profiles=CONSULTANT, searched=False)
def vector_neut(x: Matrix, y: Matrix) -> Array:
    """x less its part along y, the day's values being taken as vectors.

    Formula: x − y · Σxy / Σy²
    NaN: if either is NaN or infinite (such pairs are not added up); everywhere where y is 0 throughout.

    >>> vector_neut([1, 2, 3], [3, 4, 5])
    [-0.56, -0.08, 0.4]
    """
    return _by_day(lambda a, b: a - projection(a, b), x, y)


@operator("cross_sectional", scale=Pure(), profiles=CONSULTANT, searched=False)
def regression_proj(y: Matrix, x: Matrix) -> Array:
    """What the day's straight line of y over x gives for x.

    Formula: a + b · x by least squares over the instruments
    NaN: if either is NaN or infinite (such pairs are not added up); everywhere where x does not vary.

    >>> regression_proj([1, 2, 6], [1, 2, 3])
    [0.5, 3, 5.5]
    """
    return _by_day(fitted, y, x)


@operator("cross_sectional", scale=Pure(), profiles=CONSULTANT, searched=False)
def regression_neut(y: Matrix, x: Matrix) -> Array:
    """y less what the day's straight line of y over x gives for x.

    Formula: y − (a + b · x) by least squares over the instruments
    NaN: if either is NaN or infinite (such pairs are not added up); everywhere where x does not vary.

    >>> regression_neut([1, 2, 6], [1, 2, 3])
    [0.5, -1, 0.5]
    """
    return _by_day(lambda a, b: a - fitted(a, b), y, x)


@operator("cross_sectional", unit=Bare(), scale=Pure(), profiles=CONSULTANT, searched=False)
def rank_gmean_amean_diff(*x: Matrix) -> Array:
    """The geometric less the arithmetic mean of the inputs' ranks.

    Formula: (r₁ · … · rₙ)^(1/n) − (r₁ + … + rₙ) / n with r = rank(x)
    NaN: if any input is.
    Ties: share the average rank.

    >>> rank_gmean_amean_diff([1, 2, 3], [1, 3, 2])
    [0, -0.0429, -0.0429]
    """
    ranks = np.array([[ranked(row) for row in each] for each in x]).reshape(len(x), *x[0].shape)
    return np.prod(ranks, axis=0) ** (1 / len(x)) - ranks.mean(axis=0)
