"""Operators across the instruments of the universe, day by day; those of two inputs are in `cross_sectional_pairs`.

The engine hands them the universe's members only (NaN elsewhere). Infinite values are ranked as extremes; where values
are added up they are left out, and their own result is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np

from alpha_pipeline.expression.operator import operator
from alpha_pipeline.expression.scale import Pure
from alpha_pipeline.expression.types import (
    Array,
    AttributeKind,
    AttributeType,
    Driver,
    Flag,
    Matrix,
    NotNegative,
    OptionalReal,
    Real,
)
from alpha_pipeline.expression.units import Bare

CONSULTANT = ("consultant",)
Side = Annotated[str, AttributeType(AttributeKind.TEXT, options=("long", "short"))]


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


def _by_day(function: Callable[[Array, Array], Array], x: Array) -> Array:
    """`function` of each day's finite values, first in place (NaN elsewhere), then alone; NaN where there are none."""
    out = np.full(x.shape, np.nan)
    for day, row in enumerate(x):
        values = finite_only(row)
        held = values[~np.isnan(values)]
        if len(held):
            out[day] = function(values, held)
    return out


@operator("cross_sectional", unit=Bare(), scale=Pure())
def rank(x: Matrix, *, rate: NotNegative = 2.0) -> Array:
    """Rank among the instruments, evenly spaced from 0 (lowest) to 1.

    On the platform `rate` trades precision for speed; here it changes nothing, ranks are exact.

    Formula: (number smaller + (number equal − 1) / 2) / (n − 1); 0.5 for a single value
    NaN: if x is; it counts in no rank.
    Ties: share the average rank.

    >>> rank([4, 3, 6, 10, 2])
    [0.5, 0.25, 0.75, 1, 0]
    >>> rank([1, 1, nan, 3])
    [0.25, 0.25, nan, 1]
    """
    return np.array([ranked(row) for row in x]).reshape(x.shape)


@operator("cross_sectional", unit=Bare(), scale=Pure())
def zscore(x: Matrix) -> Array:
    """x less the day's mean, over its population standard deviation.

    Formula: (x − mean) / √(Σ(x − mean)² / n)
    NaN: if x is NaN or infinite (neither is added up); everywhere where all values are equal.

    >>> zscore([100, 0, 50, 60, 25])
    [1.57, -1.39, 0.09, 0.39, -0.65]
    """
    out = np.full(x.shape, np.nan)
    for day, row in enumerate(x):
        values = finite_only(row)
        held = values[~np.isnan(values)]
        if len(held) and held.max() > held.min():
            out[day] = (values - held.mean()) / held.std()
    return out


@operator("cross_sectional", unit=Bare(), scale=Pure())
def scale(
    x: Matrix, *, scale: NotNegative = 1.0, longscale: OptionalReal = None, shortscale: OptionalReal = None
) -> Array:
    """x so scaled that the day's absolute values add up to `scale`, or each side to its own scale.

    Where longscale or shortscale is given, positive values add up to longscale and negative ones to −shortscale; the
    one that is not given is 1, and `scale` does not count.

    Formula: scale · x / Σ|x|; longscale · x / Σ(x > 0) and shortscale · x / Σ|x < 0|
    NaN: if x is NaN or infinite (neither is added up); everywhere where all values are 0.

    >>> scale([2, -3, 5])
    [0.2, -0.3, 0.5]
    >>> scale([2, -3, 5], scale=4)
    [0.8, -1.2, 2]
    >>> scale([1, 3, -5], longscale=2, shortscale=1)
    [0.5, 1.5, -1]
    """

    def scaled(values: Array, held: Array) -> Array:
        if not held.any():
            return np.full(len(values), np.nan)
        if longscale is None and shortscale is None:
            return values / np.nansum(np.abs(values)) * scale
        long, short = (1.0 if each is None else each for each in (longscale, shortscale))
        above, below = held[held > 0].sum(), -held[held < 0].sum()
        return np.where(values > 0, values / above * long, np.where(values < 0, values / below * short, values))

    return _by_day(scaled, x)


@operator("cross_sectional", scale=Pure(), searched=False)
def normalize(x: Matrix, *, useStd: Flag = False, limit: NotNegative = 0.0) -> Array:
    """x less the day's mean; with useStd=true over the sample standard deviation; then cut at ±limit, unless that is 0.

    Formula: x − mean, or (x − mean) / √(Σ(x − mean)² / (n − 1))
    NaN: if x is NaN or infinite (neither is added up); with useStd=true everywhere where all values are equal.

    >>> normalize([3, 5, 6, 2])
    [-1, 1, 2, -2]
    >>> normalize([3, 5, 6, 2], useStd=true)
    [-0.55, 0.55, 1.1, -1.1]
    >>> normalize([3, 5, 6, 2], limit=1.5)
    [-1, 1, 1.5, -1.5]
    """

    def normalized(values: Array, held: Array) -> Array:
        above = values - held.mean()
        if useStd:
            above = above / held.std(ddof=1) if held.max() > held.min() else np.full(len(values), np.nan)
        return np.clip(above, -limit, limit) if limit else above

    return _by_day(normalized, x)


@operator("cross_sectional", scale=Pure(), profiles=CONSULTANT, searched=False)
def scale_down(x: Matrix, *, constant: Real = 0.0) -> Array:
    """Where x lies between the day's smallest (0) and largest (1) value, less a constant.

    Formula: (x − min) / (max − min) − constant
    NaN: if x is NaN or infinite (neither is compared); everywhere where all values are equal.

    >>> scale_down([15, 7, 0, 20])
    [0.75, 0.35, 0, 1]
    """

    def scaled(values: Array, held: Array) -> Array:
        span = held.max() - held.min()
        return (values - held.min()) / span - constant if span > 0 else np.full(len(values), np.nan)

    return _by_day(scaled, x)


@operator("cross_sectional", scale=Pure(), searched=False)
def winsorize(x: Matrix, *, std: NotNegative = 4.0) -> Array:
    """x cut at `std` population standard deviations from the day's mean, both taken once, before the cut.

    Formula: min(max(x, mean − std · σ), mean + std · σ)
    NaN: if x is NaN or infinite (neither is added up).

    >>> winsorize([2, 4, 5, 6, 3, 8, 10], std=1)
    [2.82, 4, 5, 6, 3, 8, 8.04]
    >>> winsorize([2, 3, 4, 5, 100], std=1)
    [2, 3, 4, 5, 61.4]
    """

    def cut(values: Array, held: Array) -> Array:
        if held.max() == held.min():
            return values
        return np.clip(values, held.mean() - std * held.std(), held.mean() + std * held.std())

    return _by_day(cut, x)


@operator("cross_sectional", unit=Bare(), scale=Pure(), searched=False)
def quantile(x: Matrix, *, driver: Driver = "gaussian", sigma: Real = 1.0) -> Array:
    """The rank, moved inside 0 to 1, through the inverse of a distribution function, times sigma.

    Formula: r = 1/n + rank(x) · (1 − 2/n); sigma · Φ⁻¹(r) for gaussian, sigma · tan(π(r − ½)) for cauchy,
    sigma · (r − mean of r) for uniform
    NaN: if x is; it counts in no rank.
    Ties: share the average rank.

    >>> quantile([0.2, 0.5, -0.1, 0.8, 0.3])
    [-0.3853, 0.3853, -0.8416, 0.8416, 0]
    >>> quantile([0.2, 0.5, -0.1, 0.8, 0.3], driver="uniform")
    [-0.15, 0.15, -0.3, 0.3, 0]
    """
    from scipy.special import ndtri  # takes a tenth of a second to import, and few expressions need it

    out = np.full(x.shape, np.nan)
    for day, row in enumerate(x):
        count = max(1, (~np.isnan(row)).sum())
        shifted = 1 / count + ranked(row) * (1 - 2 / count)
        if driver == "gaussian":
            out[day] = sigma * ndtri(shifted)
        elif driver == "cauchy":
            out[day] = sigma * np.tan(np.pi * (shifted - 0.5))
        else:
            out[day] = sigma * (shifted - 0.5)  # the mean of the ranks is ½ whatever the ties
    return out


@operator("cross_sectional", scale=Pure(), profiles=CONSULTANT, searched=False)
def truncate(x: Matrix, *, maxPercent: NotNegative = 0.01) -> Array:
    """x cut at a share of the day's sum of absolute values.

    Formula: sign(x) · min(|x|, maxPercent · Σ|x|)
    NaN: if x is NaN or infinite (neither is added up).

    >>> truncate([3, 7, 20, 6], maxPercent=0.5)
    [3, 7, 18, 6]
    """

    def cut(values: Array, held: Array) -> Array:
        bound = maxPercent * np.abs(held).sum()
        return np.clip(values, -bound, bound)

    return _by_day(cut, x)


@operator("cross_sectional", unit=Bare(), scale=Pure(), profiles=CONSULTANT, searched=False)
def rank_by_side(x: Matrix, *, rate: NotNegative = 2.0, scale: NotNegative = 1.0) -> Array:
    """Positive values ranked among themselves, and negative ones by their size, as negative ranks; then scaled.

    On the platform `rate` trades precision for speed; here it changes nothing, ranks are exact.

    Formula: r = rank(x) for x > 0, −rank(|x|) for x < 0, 0 for 0; scale · r / Σ|r|
    NaN: if x is; everywhere where all ranks are 0.
    Ties: share the average rank.

    >>> rank_by_side([1, 2, 4, -3, -9])
    [0, 0.2, 0.4, 0, -0.4]
    """
    out = np.full(x.shape, np.nan)
    for day, row in enumerate(x):
        above = ranked(np.where(row > 0, row, np.nan))
        below = ranked(np.where(row < 0, -row, np.nan))
        ranks = np.where(row > 0, above, np.where(row < 0, 0 - below, row))
        total = np.nansum(np.abs(ranks))
        if total > 0:
            out[day] = scale * ranks / total
    return out


@operator("cross_sectional", scale=Pure(), profiles=CONSULTANT, searched=False)
def one_side(x: Matrix, *, side: Side = "long") -> Array:
    """x moved up until no value is negative; with side=short moved down until none is positive.

    Formula: x − min(0, smallest); short: x − max(0, largest)
    NaN: if x is NaN or infinite (neither is compared).

    >>> one_side([-2, 1, 3])
    [0, 3, 5]
    >>> one_side([-2, 1, 3], side=short)
    [-5, -2, 0]
    """

    def moved(values: Array, held: Array) -> Array:
        return values - (min(0, held.min()) if side == "long" else max(0, held.max()))

    return _by_day(moved, x)
