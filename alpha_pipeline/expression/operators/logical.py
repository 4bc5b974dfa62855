"""Comparisons (1, 0, or NaN where a side is NaN) and the choice between two values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from alpha_pipeline.expression.operator import Infix, operator
from alpha_pipeline.expression.scale import Chosen, Compared
from alpha_pipeline.expression.types import Array, Condition, Numeric, ValueType


def _compared(compare: Callable[[Array, Array], Array], x: Array, y: Array) -> Array:
    return np.where(np.isnan(x) | np.isnan(y), np.nan, compare(x, y).astype(np.float64))


@operator("logical", scale=Compared(), result=ValueType.BOOLEAN, infix=Infix("<", 50))
def less(x: Numeric, y: Numeric) -> Array:
    """1 where x < y."""
    return _compared(np.less, x, y)


@operator("logical", scale=Compared(), result=ValueType.BOOLEAN, infix=Infix("<=", 50), searched=False)
def less_equal(x: Numeric, y: Numeric) -> Array:
    """1 where x ≤ y."""
    return _compared(np.less_equal, x, y)


@operator("logical", scale=Compared(), result=ValueType.BOOLEAN, infix=Infix(">", 50))
def greater(x: Numeric, y: Numeric) -> Array:
    """1 where x > y."""
    return _compared(np.greater, x, y)


@operator("logical", scale=Compared(), result=ValueType.BOOLEAN, infix=Infix(">=", 50), searched=False)
def greater_equal(x: Numeric, y: Numeric) -> Array:
    """1 where x ≥ y."""
    return _compared(np.greater_equal, x, y)


@operator(
    "logical", scale=Compared(), result=ValueType.BOOLEAN, infix=Infix("==", 40), commutative=True, searched=False
)
def equal(x: Numeric, y: Numeric) -> Array:
    """1 where x equals y."""
    return _compared(np.equal, x, y)


@operator(
    "logical", scale=Compared(), result=ValueType.BOOLEAN, infix=Infix("!=", 40), commutative=True, searched=False
)
def not_equal(x: Numeric, y: Numeric) -> Array:
    """1 where x differs from y."""
    return _compared(np.not_equal, x, y)


@operator("logical", scale=Chosen(), keeps_missing=False)
def if_else(condition: Condition, x: Numeric, y: Numeric) -> Array:
    """x where the condition is not zero, y where it is zero or NaN."""
    return np.where(np.isnan(condition) | (condition == 0), y, x)
