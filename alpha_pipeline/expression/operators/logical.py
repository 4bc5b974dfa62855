"""Comparisons and logic: 1, 0, or NaN where a side is NaN; and the choice between two values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from alpha_pipeline.expression.operator import Infix, operator
from alpha_pipeline.expression.scale import Chosen, Compared, Stripped
from alpha_pipeline.expression.types import Array, Condition, Numeric, ValueType
from alpha_pipeline.expression.units import Alike, Bare, Branches

CONSULTANT = ("consultant",)
BOOLEAN = ValueType.BOOLEAN


def _compared(compare: Callable[[Array, Array], Array], x: Array, y: Array) -> Array:
    return np.where(np.isnan(x) | np.isnan(y), np.nan, compare(x, y).astype(np.float64))


@operator("logical", unit=Alike(pure=True), scale=Compared(), result=BOOLEAN, infix=Infix("<", 50))
def less(x: Numeric, y: Numeric) -> Array:
    """1 where x is less than y.

    Formula: x < y
    NaN: if either is NaN.

    >>> less([1, 2, 3], [2, 2, nan])
    [1, 0, nan]
    """
    return _compared(np.less, x, y)


@operator("logical", unit=Alike(pure=True), scale=Compared(), result=BOOLEAN, infix=Infix("<=", 50), searched=False)
def less_equal(x: Numeric, y: Numeric) -> Array:
    """1 where x is at most y.

    Formula: x ≤ y
    NaN: if either is NaN.

    >>> less_equal([1, 2, 3], [2, 2, 2])
    [1, 1, 0]
    """
    return _compared(np.less_equal, x, y)


@operator("logical", unit=Alike(pure=True), scale=Compared(), result=BOOLEAN, infix=Infix(">", 50))
def greater(x: Numeric, y: Numeric) -> Array:
    """1 where x is greater than y.

    Formula: x > y
    NaN: if either is NaN.

    >>> greater([1, 2, 3], [2, 2, 2])
    [0, 0, 1]
    """
    return _compared(np.greater, x, y)


@operator("logical", unit=Alike(pure=True), scale=Compared(), result=BOOLEAN, infix=Infix(">=", 50), searched=False)
def greater_equal(x: Numeric, y: Numeric) -> Array:
    """1 where x is at least y.

    Formula: x ≥ y
    NaN: if either is NaN.

    >>> greater_equal([1, 2, 3], [2, 2, 2])
    [0, 1, 1]
    """
    return _compared(np.greater_equal, x, y)


@operator(
    "logical",
    unit=Alike(pure=True),
    scale=Compared(),
    result=BOOLEAN,
    infix=Infix("==", 40),
    commutative=True,
    searched=False,
)
def equal(x: Numeric, y: Numeric) -> Array:
    """1 where x equals y.

    Formula: x = y
    NaN: if either is NaN.

    >>> equal([1, 2, nan], [2, 2, nan])
    [0, 1, nan]
    """
    return _compared(np.equal, x, y)


@operator(
    "logical",
    unit=Alike(pure=True),
    scale=Compared(),
    result=BOOLEAN,
    infix=Infix("!=", 40),
    commutative=True,
    searched=False,
)
def not_equal(x: Numeric, y: Numeric) -> Array:
    """1 where x differs from y.

    Formula: x ≠ y
    NaN: if either is NaN.

    >>> not_equal([1, 2, nan], [2, 2, nan])
    [1, 0, nan]
    """
    return _compared(np.not_equal, x, y)


@operator(
    "logical",
    unit=Bare(),
    scale=Stripped(),
    result=BOOLEAN,
    infix=Infix("&&", 30),
    commutative=True,
    searched=False,
)
def and_(x: Condition, y: Condition) -> Array:
    """1 where both are true, that is, not 0.

    Formula: x ≠ 0 and y ≠ 0
    NaN: if either is NaN.

    >>> and([1, 2, 0, nan], [1, 0, 0, 1])
    [1, 0, 0, nan]
    """
    return _compared(np.logical_and, x, y)


@operator(
    "logical",
    unit=Bare(),
    scale=Stripped(),
    result=BOOLEAN,
    infix=Infix("||", 20),
    commutative=True,
    searched=False,
)
def or_(x: Condition, y: Condition) -> Array:
    """1 where at least one is true, that is, not 0.

    Formula: x ≠ 0 or y ≠ 0
    NaN: if either is NaN.

    >>> or([1, 2, 0, nan], [1, 0, 0, 1])
    [1, 1, 0, nan]
    """
    return _compared(np.logical_or, x, y)


@operator("logical", unit=Bare(), scale=Stripped(), result=BOOLEAN, searched=False)
def not_(x: Condition) -> Array:
    """1 where x is 0, and 0 where it is anything else.

    Formula: x = 0
    NaN: if x is.

    >>> not([1, 0, -2, nan])
    [0, 1, 0, nan]
    """
    return _compared(np.equal, x, np.zeros(1))


@operator("logical", unit=Bare(), scale=Stripped(), result=BOOLEAN, profiles=CONSULTANT, searched=False)
def negate(x: Condition) -> Array:
    """1 where x is 0, and 0 where it is anything else: the same as `not`.

    Formula: x = 0
    NaN: if x is.

    >>> negate([1, 0, -2, nan])
    [0, 1, 0, nan]
    """
    return _compared(np.equal, x, np.zeros(1))


@operator("logical", unit=Branches(), scale=Chosen(), keeps_missing=False)
def if_else(condition: Condition, x: Numeric, y: Numeric) -> Array:
    """x where the condition is not zero, y where it is zero or NaN; `condition ? x : y` means the same.

    Formula: x if condition ≠ 0, else y
    NaN: where the value that is taken is NaN.

    >>> if_else([1, 0, nan, -2], [1, 2, 3, 4], [5, 6, 7, 8])
    [1, 6, 7, 4]
    """
    return np.where(np.isnan(condition) | (condition == 0), y, x)


@operator("logical", unit=Bare(), scale=Stripped(), result=BOOLEAN, keeps_missing=False, searched=False)
def is_nan(x: Numeric) -> Array:
    """1 where x is NaN.

    Formula: x is NaN
    NaN: never.

    >>> is_nan([1, nan, inf])
    [0, 1, 0]
    """
    return np.isnan(x).astype(np.float64)


@operator(
    "logical", unit=Bare(), scale=Stripped(), result=BOOLEAN, keeps_missing=False, profiles=CONSULTANT, searched=False
)
def is_not_nan(x: Numeric) -> Array:
    """1 where x is not NaN.

    Formula: x is not NaN
    NaN: never.

    >>> is_not_nan([1, nan, inf])
    [1, 0, 1]
    """
    return (~np.isnan(x)).astype(np.float64)


@operator(
    "logical", unit=Bare(), scale=Stripped(), result=BOOLEAN, keeps_missing=False, profiles=CONSULTANT, searched=False
)
def is_finite(x: Numeric) -> Array:
    """1 where x is a finite number.

    Formula: x is neither NaN nor infinite
    NaN: never.

    >>> is_finite([1, nan, inf])
    [1, 0, 0]
    """
    return np.isfinite(x).astype(np.float64)


@operator(
    "logical", unit=Bare(), scale=Stripped(), result=BOOLEAN, keeps_missing=False, profiles=CONSULTANT, searched=False
)
def is_not_finite(x: Numeric) -> Array:
    """1 where x is NaN or infinite.

    Formula: x is NaN or infinite
    NaN: never.

    >>> is_not_finite([1, nan, inf])
    [0, 1, 1]
    """
    return (~np.isfinite(x)).astype(np.float64)
