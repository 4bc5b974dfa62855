"""Statistics of one input's window beyond sum, mean and extremes: products, medians, moments, entropy, ranges."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from alpha_pipeline.expression.operator import operator
from alpha_pipeline.expression.operators.windows import central, deviation, ratio, rolling, rolling_cells
from alpha_pipeline.expression.scale import Pure, Same, Stripped
from alpha_pipeline.expression.types import (
    Array,
    AttributeKind,
    AttributeType,
    CountFromZero,
    Matrix,
    Real,
    Share,
    Window,
)
from alpha_pipeline.expression.units import Bare, Demanding

_CONSULTANT = ("consultant",)
Buckets = Annotated[int, AttributeType(AttributeKind.NUMBER, lowest=1, highest=1_000, whole=True)]


@operator("time_series", unit=Demanding(), scale=Pure(), keeps_missing=False, searched=False)
def ts_product(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Product of the valid values in the window.

    Formula: Π x
    NaN: missing and infinite days are left out; NaN if no day is valid.

    >>> ts_product([1.01, 0.99, 1.02, 1, 1.03], 5)
    1.0505
    """
    return rolling(lambda w: np.nanprod(w, axis=0), window, 1, strict, x)


@operator("time_series", scale=Same(), profiles=_CONSULTANT, keeps_missing=False, searched=False)
def ts_median(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Median of the valid values in the window; of an even number the mean of the middle two.

    Formula: median x
    NaN: missing and infinite days are left out; NaN if no day is valid.

    >>> ts_median([5, 1, nan, 9, 2], 5)
    3.5
    """
    return rolling(lambda w: np.nanmedian(w, axis=0), window, 1, strict, x)


@operator("time_series", scale=Same(), profiles=_CONSULTANT, keeps_missing=False, searched=False)
def ts_percentage(x: Matrix, window: Window, *, percentage: Share = 0.5, strict: bool = False) -> Array:
    """The value that a share of the window's valid values lies below, interpolated between the two next to it.

    Formula: the value at place percentage·(n − 1), counted from 0, of the sorted values
    NaN: missing and infinite days are left out; NaN if no day is valid.

    >>> ts_percentage([10, 20, 30, 40, 50], 5, percentage=0.25)
    20
    >>> ts_percentage([1, 2, 4, 3], 4)
    2.5
    """
    return rolling(lambda w: np.nanquantile(w, percentage, axis=0), window, 1, strict, x)


@operator(
    "time_series", unit=Bare(), scale=Stripped(), minimum=2, profiles=_CONSULTANT, keeps_missing=False, searched=False
)
def ts_ir(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Mean of the valid values in the window over their population standard deviation.

    Formula: mean / √(Σ (x − mean)² / n)
    NaN: missing and infinite days are left out; NaN if fewer than two days are valid or all values are equal.

    >>> ts_ir([1, 3], 2)
    2
    """
    return rolling(lambda w: ratio(np.nanmean(w, axis=0), deviation(w)), window, 2, strict, x)


def _standardised(held: Array, power: int) -> Array:
    from_mean = central(held)
    return ratio(np.nanmean(from_mean**power, axis=0), np.nanmean(from_mean**2, axis=0) ** (power / 2))


@operator(
    "time_series", unit=Bare(), scale=Stripped(), minimum=2, profiles=_CONSULTANT, keeps_missing=False, searched=False
)
def ts_skewness(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Skewness of the valid values in the window.

    Formula: m₃ / m₂^1.5 with mₖ = Σ (x − mean)ᵏ / n
    NaN: missing and infinite days are left out; NaN if fewer than two days are valid or all values are equal.

    >>> ts_skewness([0, 0, 3], 3)
    0.7071
    """
    return rolling(lambda w: _standardised(w, 3), window, 2, strict, x)


@operator(
    "time_series", unit=Bare(), scale=Stripped(), minimum=2, profiles=_CONSULTANT, keeps_missing=False, searched=False
)
def ts_kurtosis(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Excess kurtosis of the valid values in the window: 0 for a normal distribution.

    Formula: m₄ / m₂² − 3 with mₖ = Σ (x − mean)ᵏ / n
    NaN: missing and infinite days are left out; NaN if fewer than two days are valid or all values are equal.

    >>> ts_kurtosis([0, 0, 3], 3)
    -1.5
    """
    return rolling(lambda w: _standardised(w, 4) - 3, window, 2, strict, x)


@operator("time_series", scale=Pure(), minimum=2, profiles=_CONSULTANT, keeps_missing=False, searched=False)
def ts_moment(x: Matrix, window: Window, *, k: CountFromZero, strict: bool = False) -> Array:
    """Central moment of order k of the valid values in the window.

    Formula: Σ (x − mean)ᵏ / n
    NaN: missing and infinite days are left out; NaN if fewer than two days are valid.

    >>> ts_moment([0, 0, 3], 3, k=3)
    2
    """
    if k == 1:  # 0 by definition, whatever rounding makes of it
        return rolling(lambda w: np.zeros(w.shape[1]), window, 2, strict, x)
    return rolling(lambda w: np.nanmean(central(w) ** int(k), axis=0), window, 2, strict, x)


def entropy(values: Array, buckets: int) -> float:
    """Entropy of the values' shares of equally wide buckets from the smallest value to the largest."""
    lowest, width = values.min(), values.max() - values.min()
    if width == 0:
        return 0.0
    bucket = np.minimum(np.floor((values - lowest) / width * buckets), buckets - 1)
    shares = np.unique(bucket, return_counts=True)[1] / len(values)
    return float(-(shares * np.log(shares)).sum())


@operator("time_series", unit=Bare(), scale=Stripped(), profiles=_CONSULTANT, keeps_missing=False, searched=False)
def ts_entropy(x: Matrix, window: Window, *, buckets: Buckets = 10, strict: bool = False) -> Array:
    """Entropy of the window's values, put into equally wide buckets from the smallest to the largest.

    Formula: −Σ p·ln p over the buckets' shares p of the n values
    NaN: missing and infinite days are left out; NaN if no day is valid; 0 where all values are equal.
    Ties: a value on the border of two buckets is in the upper one, the largest value in the last.

    >>> ts_entropy([1, 1, 2, 2], 4, buckets=2)
    0.6931
    """
    return rolling_cells(lambda values: entropy(values, int(buckets)), window, 1, strict, x)


@operator("time_series", scale=Same(), profiles=_CONSULTANT, searched=False)
def ts_min_diff(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Today's x less the smallest value in the window.

    Formula: x − min x
    NaN: a missing or infinite value today gives NaN; such days are left out.

    >>> ts_min_diff([4, 2, 7], 3)
    5
    """
    return rolling(lambda w: w[-1] - np.nanmin(w, axis=0), window, 1, strict, x)


@operator("time_series", scale=Same(), profiles=_CONSULTANT, searched=False)
def ts_max_diff(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Today's x less the largest value in the window.

    Formula: x − max x
    NaN: a missing or infinite value today gives NaN; such days are left out.

    >>> ts_max_diff([4, 9, 7], 3)
    -2
    """
    return rolling(lambda w: w[-1] - np.nanmax(w, axis=0), window, 1, strict, x)


def _extremes_added(held: Array) -> Array:
    return np.nanmin(held, axis=0) + np.nanmax(held, axis=0)


@operator("time_series", scale=Same(), profiles=_CONSULTANT, searched=False)
def ts_min_max_diff(x: Matrix, window: Window, *, f: Real = 0.5, strict: bool = False) -> Array:
    """Today's x less a share of the sum of the window's smallest and largest value.

    Formula: x − f·(min x + max x)
    NaN: a missing or infinite value today gives NaN; such days are left out.

    >>> ts_min_max_diff([4, 10, 8], 3)
    1
    """
    return rolling(lambda w: w[-1] - f * _extremes_added(w), window, 1, strict, x)


@operator("time_series", scale=Same(), profiles=_CONSULTANT, searched=False)
def ts_min_max_cps(x: Matrix, window: Window, *, f: Real = 2.0, strict: bool = False) -> Array:
    """The sum of the window's smallest and largest value, less a multiple of today's x.

    Formula: (min x + max x) − f·x
    NaN: a missing or infinite value today gives NaN; such days are left out.

    >>> ts_min_max_cps([4, 10, 8], 3)
    -2
    """
    return rolling(lambda w: _extremes_added(w) - f * w[-1], window, 1, strict, x)


@operator(
    "time_series", unit=Bare(), scale=Stripped(), minimum=2, profiles=_CONSULTANT, keeps_missing=False, searched=False
)
def inst_tvr(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Turnover of holding x: what was traded in the window over what was held on its days but the first.

    Formula: Σ |x[s] − x[s − 1]| / Σ |x[s]| over the days s of the window whose day before is in it as well
    NaN: pairs of days of which one is missing or infinite are left out; NaN if none is left or nothing is held.

    >>> inst_tvr([105, 102, 99, 101, 100], 5)
    0.022
    """

    def turnover(held: Array) -> Array:
        change = np.diff(held, axis=0)
        size = np.where(np.isnan(change), np.nan, np.abs(held[1:]))
        return ratio(np.nansum(np.abs(change), axis=0), np.nansum(size, axis=0))

    return rolling(turnover, window, 2, strict, x)
