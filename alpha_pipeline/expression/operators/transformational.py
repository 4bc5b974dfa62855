"""Transformational operators: buckets, values held until a condition, tails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alpha_pipeline.expression.operator import operator
from alpha_pipeline.expression.operators.arithmetic_values import single
from alpha_pipeline.expression.operators.texts import Edges, Range, edges_of
from alpha_pipeline.expression.scale import Exponent, Pure
from alpha_pipeline.expression.types import Array, Choice, Condition, Flag, Matrix, Numeric, Real, ValueType
from alpha_pipeline.expression.units import Grouped, Kept

CONSULTANT = ("consultant",)


@dataclass(frozen=True, slots=True)
class Held:
    """The exponent of the second input; the first and the third, conditions, must be pure numbers."""

    def infer(self, inputs: Sequence[Exponent], constants: Sequence[float | None]) -> Exponent:
        return inputs[1] if inputs[0] == 0 and inputs[2] == 0 else None


@operator(
    "transformational",
    unit=Grouped(),
    scale=Pure(),
    result=ValueType.GROUP,
    one_of=("range", "buckets"),
    keeps_missing=False,
    searched=False,
)
def bucket(
    x: Matrix,
    *,
    range: Range = "",
    buckets: Edges = "",
    skipBegin: Flag = False,
    skipEnd: Flag = False,
    skipBoth: Flag = False,
    NANGroup: Flag = False,
) -> Array:
    """A group by the interval that x lies in: give either range ("start, end, step") or buckets (the edges).

    Formula: the intervals between edges count from 0; then come what is at most the first edge, what is above the last,
    and NaN, as far as they are wanted
    NaN: if x is, unless NANGroup=true; outside the edges on the sides that skipBegin, skipEnd or skipBoth leave out.
    Ties: intervals hold their upper edge, not their lower one.

    >>> bucket([0.05, 0.45, 0.9, 0, 1, 1.5, nan], range="0,1,0.1")
    [0, 4, 8, 10, 9, 11, nan]
    >>> bucket([3, 8, -1, 12, nan], buckets="2,5,6,7,10", skipBoth=true, NANGroup=true)
    [0, 3, nan, nan, 4]
    """
    edges = edges_of(range, buckets)
    values = single(x)
    labels = np.searchsorted(edges, values).astype(np.float64) - 1
    below, above = labels < 0, labels >= len(edges) - 1
    following = len(edges) - 1
    for outside, skipped in ((below, skipBegin or skipBoth), (above, skipEnd or skipBoth)):
        labels[outside] = np.nan if skipped else following
        following += not skipped
    labels[np.isnan(values)] = following if NANGroup else np.nan
    return labels


@operator(
    "transformational",
    unit=Kept(1),
    scale=Held(),
    across="days",
    stateful=True,
    keeps_missing=False,
    searched=False,
)
def trade_when(x: Condition, y: Numeric, z: Condition) -> Array:
    """Takes y while x holds, keeps yesterday's result while it does not, and gives it up while z holds.

    Formula: NaN if z > 0; else y if x > 0; else yesterday's result
    NaN: before x first holds, while z holds, and where y is NaN when taken; a NaN of x or z does not hold.

    >>> trade_when([0, 1, 0, 0], [5, 6, 7, 8], [0, 0, 0, 0])
    6
    >>> trade_when([1, 1, 0, 0], [5, 6, 7, 8], [0, 0, 1, 0])
    nan
    """
    shape = np.broadcast_shapes(x.shape, y.shape, z.shape)
    enter, value, leave = (np.broadcast_to(each, shape) for each in (x, y, z))
    out = np.full(shape, np.nan)
    held = np.full(shape[1], np.nan)
    for day in np.arange(shape[0]):
        held = np.where(leave[day] > 0, np.nan, np.where(enter[day] > 0, value[day], held))
        out[day] = held
    return out


@operator("transformational", scale=Pure(), profiles=CONSULTANT, searched=False)
def tail(x: Numeric, *, lower: Real = 0.0, upper: Real = 0.0, newval: Real = 0.0) -> Array:
    """x, but newval where it lies between lower and upper.

    Formula: newval if lower < x < upper, else x
    NaN: if x is.

    >>> tail([1, 2, 3, 4], lower=1, upper=4, newval=9)
    [1, 9, 9, 4]
    """
    return np.where((single(x) > np.float32(lower)) & (single(x) < np.float32(upper)), newval, x)


@operator("transformational", scale=Pure(), profiles=CONSULTANT, searched=False)
def left_tail(x: Numeric, *, maximum: Real = 0.0, tail_bound: Choice = "keep") -> Array:
    """x up to a bound, missing above it.

    Formula: x if x ≤ maximum
    NaN: if x is, and where it is above maximum.

    >>> left_tail([2, 3, 5, 6], maximum=3)
    [2, 3, nan, nan]
    """
    values, bound = single(x), np.float32(maximum)
    return np.where(values <= bound if tail_bound == "keep" else values < bound, x, np.nan)


@operator("transformational", scale=Pure(), profiles=CONSULTANT, searched=False)
def right_tail(x: Numeric, *, minimum: Real = 0.0, tail_bound: Choice = "keep") -> Array:
    """x from a bound on, missing below it.

    Formula: x if x ≥ minimum
    NaN: if x is, and where it is below minimum.

    >>> right_tail([2, 3, 5, 6, 3, 8, 10], minimum=6)
    [nan, nan, nan, 6, nan, 8, 10]
    """
    values, bound = single(x), np.float32(minimum)
    return np.where(values >= bound if tail_bound == "keep" else values > bound, x, np.nan)
