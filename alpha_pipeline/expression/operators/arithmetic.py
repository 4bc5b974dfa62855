"""Arithmetic of one or two inputs, cell by cell. NaN in gives NaN out; numbers broadcast.

Beside it stand `arithmetic_functions` (logistic, angles, rounding, …) and `arithmetic_values` (which values count).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alpha_pipeline.expression.operator import Infix, operator
from alpha_pipeline.expression.scale import Exponent, Power, Pure, Same, Stripped, Weighted
from alpha_pipeline.expression.types import Array, Choice, Flag, Numeric
from alpha_pipeline.expression.units import Alike, Bare, Demanding, Multiplied


@dataclass(frozen=True, slots=True)
class Halved:
    """Half the input's exponent: the square root."""

    def infer(self, inputs: Sequence[Exponent], constants: Sequence[float | None]) -> Exponent:
        return None if inputs[0] is None else inputs[0] / 2


def filled(x: Array, value: float) -> Array:
    """x with `value` for NaN."""
    return np.where(np.isnan(x), value, x)


@operator(
    "arithmetic",
    unit=Alike(),
    scale=Same(),
    infix=Infix("+", 60),
    commutative=True,
    chained=True,
    filled_by="filter",
)
def add(x: Numeric, y: Numeric, *, filter: Flag = False) -> Array:
    """x + y, and so on with more inputs.

    Formula: x + y
    NaN: if any input is NaN; with filter=true a NaN counts as 0.

    >>> add([1, 2, nan], [3, nan, nan])
    [4, nan, nan]
    >>> add([1, 2, nan], [3, nan, nan], filter=true)
    [4, 2, 0]
    """
    return filled(x, 0) + filled(y, 0) if filter else x + y


@operator("arithmetic", unit=Alike(), scale=Same(), infix=Infix("-", 60), chained=True, filled_by="filter")
def subtract(x: Numeric, y: Numeric, *, filter: Flag = False) -> Array:
    """x − y, and so on from left to right with more inputs.

    Formula: x − y
    NaN: if any input is NaN; with filter=true a NaN counts as 0.

    >>> subtract([3, nan], [5, 2])
    [-2, nan]
    >>> subtract([3, nan], [5, 2], filter=true)
    [-2, -2]
    """
    return filled(x, 0) - filled(y, 0) if filter else x - y


@operator(
    "arithmetic",
    unit=Multiplied((1, 1)),
    scale=Weighted((1, 1)),
    infix=Infix("*", 70),
    commutative=True,
    chained=True,
    filled_by="filter",
)
def multiply(x: Numeric, y: Numeric, *, filter: Flag = False, multiply_filter: Choice = "one") -> Array:
    """x · y, and so on with more inputs.

    Formula: x · y
    NaN: if any input is NaN; with filter=true a NaN counts as 1.

    >>> multiply([3, 5], [5, nan])
    [15, nan]
    >>> multiply([3, 5], [5, nan], filter=true)
    [15, 5]
    """
    value = 1 if multiply_filter == "one" else 0
    return filled(x, value) * filled(y, value) if filter else x * y


@operator("arithmetic", unit=Multiplied((1, -1)), scale=Weighted((1, -1)), infix=Infix("/", 70))
def divide(x: Numeric, y: Numeric) -> Array:
    """x / y.

    Formula: x / y; a number over 0 is ±inf
    NaN: if any input is NaN, and 0 / 0.

    >>> divide([6, 1, 0], [4, 0, 0])
    [1.5, inf, nan]
    """
    with np.errstate(all="ignore"):
        return np.divide(x, y)


def _power(x: Array, y: Array) -> Array:
    """NumPy's power, but NaN where either side is NaN (NumPy's NaN^0 and 1^NaN are 1), and for fractions of −inf."""
    with np.errstate(all="ignore"):
        missing = np.isnan(x) | np.isnan(y) | ((x < 0) & np.isfinite(y) & (y % 1 != 0))
        return np.where(missing, np.nan, np.power(x, y))


@operator("arithmetic", unit=Demanding(), scale=Power(), infix=Infix("^", 90), searched=False)
def power(x: Numeric, y: Numeric) -> Array:
    """x to the power y.

    Formula: x^y
    NaN: if any input is NaN; a negative x to a fractional power.

    >>> power([-2, 4, -8], [2, 0.5, 0.5])
    [4, 2, nan]
    """
    return _power(x, y)


@operator("arithmetic", scale=Power())
def signed_power(x: Numeric, y: Numeric) -> Array:
    """|x| to the power y, with the sign of x.

    Formula: sign(x) · |x|^y
    NaN: if any input is NaN.

    >>> signed_power([3, -9], [2, 0.5])
    [9, -3]
    """
    with np.errstate(invalid="ignore"):  # 0 · inf
        return np.sign(x) * _power(np.abs(x), y)


@operator("arithmetic", scale=Same(), infix=Infix("-", 80))
def reverse(x: Numeric) -> Array:
    """x with the opposite sign.

    Formula: −x
    NaN: if x is.

    >>> reverse([-2, 0, 3])
    [2, 0, -3]
    """
    return -x


@operator("arithmetic", unit=Multiplied((-1,)), scale=Weighted((-1,)), searched=False)
def inverse(x: Numeric) -> Array:
    """One over x.

    Formula: 1 / x; ±inf where x is 0
    NaN: if x is.

    >>> inverse([4, -0.5, nan])
    [0.25, -2, nan]
    """
    return 1 / x


@operator("arithmetic", scale=Same())
def abs_(x: Numeric) -> Array:
    """Absolute value of x.

    Formula: |x|
    NaN: if x is.

    >>> abs([-1, 0, nan])
    [1, 0, nan]
    """
    return np.abs(x)


@operator("arithmetic", unit=Demanding(), scale=Pure())
def log(x: Numeric) -> Array:
    """Natural logarithm of x.

    Formula: ln x
    NaN: if x is, and where it is 0 or negative.

    >>> log([1, 20, 0, -1])
    [0, 2.996, nan, nan]
    """
    with np.errstate(all="ignore"):
        return np.where(x > 0, np.log(x), np.nan)


@operator("arithmetic", unit=Demanding(), scale=Halved(), searched=False)
def sqrt(x: Numeric) -> Array:
    """Square root of x.

    Formula: √x
    NaN: if x is, and where it is negative.

    >>> sqrt([9, 2, -1])
    [3, 1.4142, nan]
    """
    return np.sqrt(x)


@operator("arithmetic", unit=Bare(), scale=Stripped())
def sign(x: Numeric) -> Array:
    """Sign of x: 1, 0 or −1.

    Formula: 1 if x > 0, −1 if x < 0, else 0
    NaN: if x is.

    >>> sign([-2, 0, 3])
    [-1, 0, 1]
    """
    return np.sign(x)


@operator("arithmetic", unit=Alike(), scale=Same(), commutative=True, chained=True)
def max_(x: Numeric, y: Numeric) -> Array:
    """The largest of two or more inputs.

    Formula: max(x, y)
    NaN: if any input is NaN.

    >>> max([1, 5, 1], [2, 3, nan])
    [2, 5, nan]
    """
    return np.maximum(x, y) + 0.0  # of zeros of both signs: +0, whichever comes first


@operator("arithmetic", unit=Alike(), scale=Same(), commutative=True, chained=True)
def min_(x: Numeric, y: Numeric) -> Array:
    """The smallest of two or more inputs.

    Formula: min(x, y)
    NaN: if any input is NaN.

    >>> min([1, 5, 1], [2, 3, nan])
    [1, 3, nan]
    """
    return np.minimum(x, y) + 0.0
