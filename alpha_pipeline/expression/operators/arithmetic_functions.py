"""Arithmetic functions of one input: exponential, logistic, angles, rounding, logarithms of a kind."""

from __future__ import annotations

import numpy as np

from alpha_pipeline.expression.operator import operator
from alpha_pipeline.expression.scale import Pure, Stripped
from alpha_pipeline.expression.types import Array, Choice, Matrix, NotNegative, Numeric

CONSULTANT = ("consultant",)


@operator("arithmetic", scale=Pure(), profiles=CONSULTANT, searched=False)
def exp(x: Numeric) -> Array:
    """The exponential function.

    Formula: e^x
    NaN: if x is.

    >>> exp([0, 1, -2])
    [1, 2.7183, 0.1353]
    """
    return np.exp(x)


@operator("arithmetic", scale=Pure(), profiles=CONSULTANT, searched=False)
def sigmoid(x: Numeric) -> Array:
    """The logistic function: from 0 over 0.5 at 0 to 1.

    Formula: 1 / (1 + e^−x)
    NaN: if x is.

    >>> sigmoid([0, 2, -2])
    [0.5, 0.8808, 0.1192]
    """
    return 1 / (1 + np.exp(-x))


@operator("arithmetic", scale=Pure(), profiles=CONSULTANT, searched=False)
def tanh(x: Numeric) -> Array:
    """Hyperbolic tangent: from −1 over 0 at 0 to 1.

    Formula: (e^x − e^−x) / (e^x + e^−x)
    NaN: if x is.

    >>> tanh([0, 1, -1])
    [0, 0.7616, -0.7616]
    """
    return np.tanh(x)


@operator("arithmetic", scale=Pure(), profiles=CONSULTANT, searched=False)
def floor(x: Numeric) -> Array:
    """The greatest whole number not above x.

    Formula: ⌊x⌋
    NaN: if x is.

    >>> floor([2.7, -2.2])
    [2, -3]
    """
    return np.floor(x)


@operator("arithmetic", scale=Pure(), profiles=CONSULTANT, searched=False)
def ceiling(x: Numeric) -> Array:
    """The smallest whole number not below x.

    Formula: ⌈x⌉
    NaN: if x is.

    >>> ceiling([2.2, -2.7])
    [3, -2]
    """
    return np.ceil(x)


@operator("arithmetic", scale=Pure(), profiles=CONSULTANT, searched=False)
def round_(x: Numeric) -> Array:
    """The nearest whole number.

    Formula: the whole number nearest to x
    NaN: if x is.
    Ties: halves go away from 0: 2.5 to 3, −2.5 to −3.

    >>> round([2.4, 2.5, -2.5])
    [2, 3, -3]
    """
    return np.copysign(np.floor(np.abs(x) + 0.5), x)


@operator("arithmetic", scale=Pure(), profiles=CONSULTANT, searched=False)
def fraction(x: Numeric) -> Array:
    """What x has behind the point, with its sign.

    Formula: sign(x) · (|x| − ⌊|x|⌋)
    NaN: if x is, or is infinite.

    >>> fraction([2.75, -2.75])
    [0.75, -0.75]
    """
    return np.sign(x) * (np.abs(x) - np.floor(np.abs(x)))


@operator("arithmetic", scale=Pure(), profiles=CONSULTANT, searched=False)
def round_down(x: Numeric, *, f: NotNegative = 1.0) -> Array:
    """The greatest multiple of f not above x.

    Formula: f · ⌊x / f⌋
    NaN: if x is, and everywhere where f is 0.

    >>> round_down([7.9, -0.1], f=2)
    [6, -2]
    """
    return f * np.floor(x / f) if f else np.full_like(x, np.nan)


@operator("arithmetic", scale=Pure(), profiles=CONSULTANT, searched=False)
def arc_sin(x: Numeric) -> Array:
    """The angle, in radians, whose sine is x.

    Formula: arcsin x, from −π/2 to π/2
    NaN: if x is, and outside −1 to 1.

    >>> arc_sin([1, 0, 2])
    [1.5708, 0, nan]
    """
    return np.arcsin(x)


@operator("arithmetic", scale=Pure(), profiles=CONSULTANT, searched=False)
def arc_cos(x: Numeric) -> Array:
    """The angle, in radians, whose cosine is x.

    Formula: arccos x, from 0 to π
    NaN: if x is, and outside −1 to 1.

    >>> arc_cos([1, 0, 2])
    [0, 1.5708, nan]
    """
    return np.arccos(x)


@operator("arithmetic", scale=Pure(), profiles=CONSULTANT, searched=False)
def arc_tan(x: Numeric) -> Array:
    """The angle, in radians, whose tangent is x.

    Formula: arctan x, from −π/2 to π/2
    NaN: if x is.

    >>> arc_tan([1, 0, -1])
    [0.7854, 0, -0.7854]
    """
    return np.arctan(x)


@operator("arithmetic", scale=Pure(), profiles=CONSULTANT, searched=False)
def s_log_1p(x: Numeric, *, log_1p: Choice = "natural") -> Array:
    """Logarithm of the size of x, with its sign; 0 stays 0.

    Formula: sign(x) · ln(1 + |x|)
    NaN: if x is.

    >>> s_log_1p([9, -9, 0])
    [2.3026, -2.3026, 0]
    """
    return np.sign(x) * np.log1p(np.abs(x)) / (np.log(10) if log_1p == "decimal" else 1)


@operator("arithmetic", scale=Stripped(), across="days", history=1, profiles=CONSULTANT, searched=False)
def log_diff(x: Matrix) -> Array:
    """Logarithm of today's x less that of yesterday's.

    Formula: ln x[t] − ln x[t−1]
    NaN: if either day is missing, 0 or negative; on the first day.

    >>> log_diff([100, 110])
    0.0953
    """
    logarithms = np.where(x > 0, np.log(x), np.nan)
    out = np.full_like(x, np.nan)
    out[1:] = logarithms[1:] - logarithms[:-1]
    return out
