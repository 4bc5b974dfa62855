"""Arithmetic that decides which values count: infinite and missing ones, bounds, replacements, group labels."""

from __future__ import annotations

import numpy as np

from alpha_pipeline.expression.operator import operator
from alpha_pipeline.expression.operators.texts import Mask, Numbers, numbers_of, spread_of
from alpha_pipeline.expression.scale import Pure, Same, Weighted
from alpha_pipeline.expression.types import Array, Choice, Flag, Labels, Matrix, Numeric, OptionalReal, Real
from alpha_pipeline.expression.units import Grouped

CONSULTANT = ("consultant",)


def single(x: Array) -> Array:
    """x in float32, the precision of the data, in which bounds and listed values are compared: 0.1 equals 0.1."""
    return x.astype(np.float32)


@operator("arithmetic", unit=Grouped(relabels=True), scale=Pure(), result=None, across="instruments", searched=False)
def densify(x: Labels) -> Array:
    """The day's distinct group labels, renumbered from 0 in ascending order.

    Formula: the number of distinct labels of the day that are smaller
    NaN: where there is no label.
    Ties: equal labels stay equal.

    >>> densify([70, 3, 70, nan, 12])
    [2, 0, 2, nan, 1]
    """
    out = np.full(x.shape, np.nan)
    for day, row in enumerate(x):
        valid = ~np.isnan(row)
        out[day, valid] = np.unique(row[valid], return_inverse=True)[1]
    return out


@operator("arithmetic", scale=Same(), across="instruments", profiles=CONSULTANT, searched=False)
def pasteurize(x: Matrix) -> Array:
    """x where it is a finite number, inside the universe only.

    Formula: x
    NaN: where x is NaN or infinite, and outside the universe.

    >>> pasteurize([1, inf, nan])
    [1, nan, nan]
    """
    return np.where(np.isfinite(x), x, np.nan)


@operator("arithmetic", scale=Same(), profiles=CONSULTANT, searched=False)
def purify(x: Numeric) -> Array:
    """x where it is a finite number.

    Formula: x
    NaN: where x is NaN or infinite.

    >>> purify([1, inf, nan])
    [1, nan, nan]
    """
    return np.where(np.isfinite(x), x, np.nan)


@operator("arithmetic", scale=Pure(), keeps_missing=False, profiles=CONSULTANT, searched=False)
def to_nan(x: Numeric, *, value: Real = 0.0, reverse: Flag = False) -> Array:
    """One value made missing; reversed, missing values made that value.

    Formula: x
    NaN: where x is NaN or equals value; with reverse=true nowhere: a NaN becomes value.

    >>> to_nan([0, 5, nan])
    [nan, 5, nan]
    >>> to_nan([0, 5, nan], value=7, reverse=true)
    [0, 5, 7]
    """
    if reverse:
        return np.where(np.isnan(x), value, x)
    return np.where(single(x) == np.float32(value), np.nan, x)


@operator("arithmetic", scale=Weighted((1, 0)), keeps_missing=False, profiles=CONSULTANT, searched=False)
def nan_mask(x: Numeric, y: Numeric, *, nan_mask: Choice = "negative") -> Array:
    """x, but missing where y is negative.

    Formula: x
    NaN: if x is, and where y is below 0; a NaN of y masks nothing.

    >>> nan_mask([1, 2, 3, 4], [5, -1, 0, nan])
    [1, nan, 3, 4]
    """
    return np.where(y < 0 if nan_mask == "negative" else y <= 0, np.nan, x)


@operator("arithmetic", scale=Pure(), one_of=("lower", "upper"), profiles=CONSULTANT, searched=False)
def nan_out(x: Numeric, *, lower: OptionalReal = None, upper: OptionalReal = None) -> Array:
    """x, but missing outside the bounds that are given.

    Formula: x
    NaN: if x is, below lower and above upper; a value on a bound stays.

    >>> nan_out([1, 2, 3, 4], lower=2, upper=3)
    [nan, 2, 3, nan]
    """
    low, high = -np.inf if lower is None else lower, np.inf if upper is None else upper
    return np.where((single(x) < np.float32(low)) | (single(x) > np.float32(high)), np.nan, x)


@operator("arithmetic", scale=Pure(), one_of=("lower", "upper"), profiles=CONSULTANT, searched=False)
def clamp(
    x: Numeric,
    *,
    lower: OptionalReal = None,
    upper: OptionalReal = None,
    inverse: Flag = False,
    mask: Mask = "",
) -> Array:
    """x cut at the bounds; inversed, what lies between the bounds is replaced.

    Formula: min(max(x, lower), upper); inversed, mask where lower < x < upper, else x. The mask is `nearest_bound`,
    `mean` (of the two bounds), `NAN` or a number; without one it is NaN.
    NaN: if x is, and where the mask is.
    Ties: a value as near to the lower as to the upper bound becomes the lower.

    >>> clamp([1, 5, 9], lower=2, upper=6)
    [2, 5, 6]
    >>> clamp([1, 3, 5, 9], lower=2, upper=6, inverse=true, mask="nearest_bound")
    [1, 2, 6, 9]
    """
    low, high = -np.inf if lower is None else lower, np.inf if upper is None else upper
    if not inverse:
        return np.minimum(np.maximum(x, low), high)
    if mask.lower() == "nearest_bound":
        value = np.where(x - low <= high - x, low, high)
    elif mask.lower() == "mean":
        value = np.asarray((low + high) / 2)
    else:
        value = np.asarray((numbers_of(mask, "mask") or [np.nan])[0])
    return np.where((single(x) > np.float32(low)) & (single(x) < np.float32(high)), value, x)


@operator("arithmetic", scale=Pure(), keeps_missing=False, profiles=CONSULTANT, searched=False)
def replace(x: Numeric, *, target: Numbers, dest: Numbers) -> Array:
    """x with the values listed in target replaced by those of dest in the same places, or by its only one.

    Formula: dest[i] where x = target[i], else x
    NaN: if x is, unless target lists nan.

    >>> replace([1, 2, nan, 4], target="1 nan", dest="10 0")
    [10, 2, 0, 4]
    """
    old = numbers_of(target, "target")
    new = spread_of(numbers_of(dest, "dest"), len(old), ("target", "dest"))
    out = np.array(x)
    for before, after in zip(old, new, strict=True):
        out[np.isnan(x) if np.isnan(before) else single(x) == np.float32(before)] = after
    return out
