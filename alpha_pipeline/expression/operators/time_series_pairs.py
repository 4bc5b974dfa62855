"""Statistics of several inputs' windows: correlations, co-moments, joint ranks.

Only the days count on which all inputs are valid.
"""

from __future__ import annotations

import numpy as np

from alpha_pipeline.expression.operator import operator
from alpha_pipeline.expression.operators.time_series import ts_rank
from alpha_pipeline.expression.operators.windows import central, deviation, ratio, rolling
from alpha_pipeline.expression.scale import Stripped, Weighted
from alpha_pipeline.expression.types import (
    Array,
    Matrix,
    Window,
)
from alpha_pipeline.expression.units import Bare, Multiplied

_CONSULTANT = ("consultant",)


def _covariance(a: Array, b: Array) -> Array:
    return np.asarray(np.nanmean((a - np.nanmean(a, axis=0)) * (b - np.nanmean(b, axis=0)), axis=0))


def _correlation(a: Array, b: Array) -> Array:
    product = deviation(a) * deviation(b)
    return np.where(product > 0, np.clip(_covariance(a, b) / product, -1, 1), np.nan)


@operator("time_series", unit=Bare(), scale=Stripped(), minimum=2, keeps_missing=False, commutative=True)
def ts_corr(x: Matrix, y: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Pearson correlation over the days on which both are valid.

    Formula: Σ (x − x̄)(y − ȳ) / √(Σ (x − x̄)²·Σ (y − ȳ)²)
    NaN: days on which either is missing are left out; NaN if fewer than two are left or either does not vary.

    >>> ts_corr([2, 3, 5, 6, 3, 8, 10], [100, 190, 150, 180, 210, 220, 240], 7)
    0.6891
    """
    return rolling(_correlation, window, 2, strict, x, y)


@operator(
    "time_series",
    unit=Multiplied((1, 1)),
    scale=Weighted((1, 1)),
    minimum=2,
    keeps_missing=False,
    commutative=True,
)
def ts_covariance(y: Matrix, x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Population covariance over the days on which both are valid.

    Formula: Σ (x − x̄)(y − ȳ) / n
    NaN: days on which either is missing are left out; NaN if fewer than two are left.

    >>> ts_covariance([2, 4, 6, 8, 10], [1, 3, 5, 7, 9], 5)
    8
    """
    return rolling(_covariance, window, 2, strict, y, x)


@operator(
    "time_series",
    unit=Bare(),
    scale=Stripped(),
    minimum=3,
    profiles=_CONSULTANT,
    keeps_missing=False,
    commutative=True,
    searched=False,
)
def ts_partial_corr(x: Matrix, y: Matrix, z: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Correlation of x and y, with what both have in common with z taken out.

    Formula: (r_xy − r_xz·r_yz) / √((1 − r_xz²)·(1 − r_yz²)) with r = ts_corr on the days on which all three are valid
    NaN: days on which any is missing are left out; NaN if fewer than three are left, any does not vary, or z is a
    multiple of x or y.

    >>> ts_partial_corr([1, 2, 3, 4], [1, 3, 2, 4], [1, 0, 0, 1], 4)
    0.8
    """

    def partial(a: Array, b: Array, c: Array) -> Array:
        ab, ac, bc = _correlation(a, b), _correlation(a, c), _correlation(b, c)
        left = (1 - ac**2) * (1 - bc**2)
        told = (1 - ac**2 > 1e-12) & (1 - bc**2 > 1e-12)  # below, it is rounding
        return np.where(told, np.clip((ab - ac * bc) / np.sqrt(left), -1, 1), np.nan)

    return rolling(partial, window, 3, strict, x, y, z)


def _standardised(*held: Array) -> Array:
    """Mean product of the columns' deviations from their means, each over its standard deviation."""
    product, spread = np.ones(held[0].shape), np.ones(held[0].shape[1])
    for each in held:
        product = product * central(each)
        spread = spread * np.sqrt(np.nanmean(central(each) ** 2, axis=0))
    return ratio(np.nanmean(product, axis=0), spread)


@operator(
    "time_series",
    unit=Bare(),
    scale=Stripped(),
    minimum=2,
    profiles=_CONSULTANT,
    keeps_missing=False,
    commutative=True,
    searched=False,
)
def ts_triple_corr(x: Matrix, y: Matrix, z: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Standardised third cross moment of three inputs.

    Formula: Σ (x − x̄)(y − ȳ)(z − z̄) / n / (σx·σy·σz)
    NaN: days on which any is missing are left out; NaN if fewer than two are left or any does not vary.

    >>> ts_triple_corr([0, 0, 3], [0, 0, 1], [0, 0, 2], 3)
    0.7071
    """
    return rolling(_standardised, window, 2, strict, x, y, z)


@operator(
    "time_series", unit=Bare(), scale=Stripped(), minimum=2, profiles=_CONSULTANT, keeps_missing=False, searched=False
)
def ts_co_skewness(y: Matrix, x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Co-skewness of y with x: how y moves with the size of x's moves.

    Formula: Σ (y − ȳ)(x − x̄)² / n / (σy·σx²)
    NaN: days on which either is missing are left out; NaN if fewer than two are left or either does not vary.

    >>> ts_co_skewness([0, 0, 1], [0, 0, 3], 3)
    0.7071
    """
    return rolling(lambda a, b: _standardised(a, b, b), window, 2, strict, y, x)


@operator(
    "time_series", unit=Bare(), scale=Stripped(), minimum=2, profiles=_CONSULTANT, keeps_missing=False, searched=False
)
def ts_co_kurtosis(y: Matrix, x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Co-kurtosis of y with x.

    Formula: Σ (y − ȳ)(x − x̄)³ / n / (σy·σx³)
    NaN: days on which either is missing are left out; NaN if fewer than two are left or either does not vary.

    >>> ts_co_kurtosis([0, 0, 1], [0, 0, 3], 3)
    1.5
    """
    return rolling(lambda a, b: _standardised(a, b, b, b), window, 2, strict, y, x)


@operator("time_series", unit=Bare(), scale=Stripped(), profiles=_CONSULTANT, searched=False)
def ts_rank_gmean_amean_diff(x: Matrix, *more: Matrix, window: Window, strict: bool = False) -> Array:
    """Geometric less arithmetic mean of the inputs' ranks in their windows: low where the ranks differ.

    Formula: (Π rᵢ)^(1/n) − Σ rᵢ / n with rᵢ = ts_rank of input i, 0 to 1
    NaN: missing where any input is missing today; missing days before are left out of that input's window.
    Ties: as in `ts_rank`.

    >>> ts_rank_gmean_amean_diff([1, 2, 3], [7, 6, 5], 3)
    -0.5
    """
    ranks = [ts_rank(each, window, strict=strict) for each in (x, *more)]
    return np.asarray(np.prod(ranks, axis=0) ** (1 / len(ranks)) - np.mean(ranks, axis=0))
