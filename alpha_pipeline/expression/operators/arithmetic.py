"""Arithmetic, cell by cell. NaN in gives NaN out; numbers broadcast."""

from __future__ import annotations

import numpy as np

from alpha_pipeline.expression.operator import Infix, operator
from alpha_pipeline.expression.scale import Power, Pure, Same, Stripped, Weighted
from alpha_pipeline.expression.types import Array, Numeric


@operator("arithmetic", scale=Same(), infix=Infix("+", 60), commutative=True)
def add(x: Numeric, y: Numeric) -> Array:
    """x + y."""
    return x + y


@operator("arithmetic", scale=Same(), infix=Infix("-", 60))
def subtract(x: Numeric, y: Numeric) -> Array:
    """x − y."""
    return x - y


@operator("arithmetic", scale=Weighted((1, 1)), infix=Infix("*", 70), commutative=True)
def multiply(x: Numeric, y: Numeric) -> Array:
    """x · y."""
    return x * y


@operator("arithmetic", scale=Weighted((1, -1)), infix=Infix("/", 70))
def divide(x: Numeric, y: Numeric) -> Array:
    """x / y; a number over 0 is ±inf, 0 / 0 is NaN."""
    with np.errstate(all="ignore"):
        return np.divide(x, y)


def _power(x: Array, y: Array) -> Array:
    """NumPy's power, but NaN wherever either side is NaN (NumPy's NaN^0 and 1^NaN are 1)."""
    with np.errstate(all="ignore"):
        return np.where(np.isnan(x) | np.isnan(y), np.nan, np.power(x, y))


@operator("arithmetic", scale=Power(), infix=Infix("^", 90), searched=False)
def power(x: Numeric, y: Numeric) -> Array:
    """x to the power y; a negative x to a fractional power is NaN."""
    return _power(x, y)


@operator("arithmetic", scale=Power())
def signed_power(x: Numeric, y: Numeric) -> Array:
    """sign(x) · |x| to the power y: `signed_power(-9, 0.5)` is −3."""
    with np.errstate(invalid="ignore"):  # 0 · inf
        return np.sign(x) * _power(np.abs(x), y)


@operator("arithmetic", scale=Same(), infix=Infix("-", 80))
def reverse(x: Numeric) -> Array:
    """−x."""
    return -x


@operator("arithmetic", scale=Same())
def abs_(x: Numeric) -> Array:
    """Absolute value of x."""
    return np.abs(x)


@operator("arithmetic", scale=Pure())
def log(x: Numeric) -> Array:
    """Natural logarithm; NaN where x is 0 or negative."""
    with np.errstate(all="ignore"):
        return np.where(x > 0, np.log(x), np.nan)


@operator("arithmetic", scale=Stripped())
def sign(x: Numeric) -> Array:
    """1, 0 or −1 by the sign of x."""
    return np.sign(x)


@operator("arithmetic", scale=Same(), commutative=True)
def max_(x: Numeric, y: Numeric) -> Array:
    """The larger of x and y; NaN if either is NaN."""
    return np.maximum(x, y)


@operator("arithmetic", scale=Same(), commutative=True)
def min_(x: Numeric, y: Numeric) -> Array:
    """The smaller of x and y; NaN if either is NaN."""
    return np.minimum(x, y)
