"""Vector fields, several numbers per cell (events): one number of them per cell, or fewer of them.

Numbers that are NaN are left out, and infinite ones as well where numbers are added up. A cell without a number left is
NaN, also in counts. Standard deviations and moments divide by n.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from alpha_pipeline.expression.operator import operator
from alpha_pipeline.expression.operators.texts import Numbers, numbers_of
from alpha_pipeline.expression.scale import Pure, Same, Stripped
from alpha_pipeline.expression.types import Array, CountFromZero, Real, Share, ValueType, Vector
from alpha_pipeline.expression.units import Bare

CONSULTANT = ("consultant",)


def by_cell(function: Callable[[Array], float], x: Array, added: bool = True) -> Array:
    """`function` of the valid numbers of each cell; NaN where there are none."""
    out = np.full(x.shape, np.nan)
    for place in np.ndindex(*x.shape):
        events = np.asarray(x[place], dtype=np.float64)
        valid = events[np.isfinite(events) if added else ~np.isnan(events)]
        if len(valid):
            out[place] = function(valid)
    return out


def _moment(power: int, less: float) -> Callable[[Array], float]:
    def moment(events: Array) -> float:
        if events.max() == events.min():
            return np.nan
        return float((((events - events.mean()) / events.std()) ** power).mean() - less)

    return moment


def _deviation(events: Array) -> float:
    return float(events.std()) if events.max() > events.min() else 0.0


@operator("vector", scale=Same(), searched=False)
def vec_avg(x: Vector) -> Array:
    """Mean of the cell's numbers.

    Formula: Σx / n
    NaN: where the cell holds no finite number.

    >>> vec_avg([{2, 3, 5, 6, 3, 8, 10}, {4, nan}, {}])
    [5.29, 4, nan]
    """
    return by_cell(np.mean, x)


@operator("vector", scale=Same(), searched=False)
def vec_sum(x: Vector) -> Array:
    """Sum of the cell's numbers.

    Formula: Σx
    NaN: where the cell holds no finite number.

    >>> vec_sum([{2, 3, 5, 6, 3, 8, 10}, {4, nan}, {}])
    [37, 4, nan]
    """
    return by_cell(np.sum, x)


@operator("vector", unit=Bare(), scale=Stripped(), profiles=CONSULTANT, searched=False)
def vec_count(x: Vector) -> Array:
    """How many numbers the cell holds.

    Formula: n
    NaN: where the cell holds no number.

    >>> vec_count([{2, 3, 5}, {4, nan}, {}])
    [3, 1, nan]
    """
    return by_cell(len, x, added=False)


@operator("vector", scale=Same(), profiles=CONSULTANT, searched=False)
def vec_min(x: Vector) -> Array:
    """Smallest of the cell's numbers.

    Formula: min x
    NaN: where the cell holds no number.

    >>> vec_min([{2, 3, 5}, {4, nan}, {}])
    [2, 4, nan]
    """
    return by_cell(np.min, x, added=False)


@operator("vector", scale=Same(), profiles=CONSULTANT, searched=False)
def vec_max(x: Vector) -> Array:
    """Largest of the cell's numbers.

    Formula: max x
    NaN: where the cell holds no number.

    >>> vec_max([{2, 3, 5}, {4, nan}, {}])
    [5, 4, nan]
    """
    return by_cell(np.max, x, added=False)


@operator("vector", scale=Same(), profiles=CONSULTANT, searched=False)
def vec_range(x: Vector) -> Array:
    """Largest less smallest of the cell's numbers.

    Formula: max x − min x
    NaN: where the cell holds no finite number.

    >>> vec_range([{2, 3, 5}, {4, nan}, {}])
    [3, 0, nan]
    """
    return by_cell(lambda events: float(events.max() - events.min()), x)


@operator("vector", scale=Same(), profiles=CONSULTANT, searched=False)
def vec_stddev(x: Vector) -> Array:
    """Population standard deviation of the cell's numbers; 0 for a single one.

    Formula: √(Σ(x − mean)² / n)
    NaN: where the cell holds no finite number.

    >>> vec_stddev([{2, 4}, {4, nan}, {}])
    [1, 0, nan]
    """
    return by_cell(_deviation, x)


@operator("vector", scale=Stripped(), profiles=CONSULTANT, searched=False)
def vec_ir(x: Vector) -> Array:
    """Mean over standard deviation of the cell's numbers.

    Formula: mean / σ
    NaN: where the cell holds no finite number, or they are all equal.

    >>> vec_ir([{2, 4}, {4, 4}, {}])
    [3, nan, nan]
    """
    return by_cell(lambda events: float(events.mean() / events.std()) if _deviation(events) > 0 else np.nan, x)


@operator("vector", scale=Stripped(), profiles=CONSULTANT, searched=False)
def vec_skewness(x: Vector) -> Array:
    """Skewness of the cell's numbers.

    Formula: mean of ((x − mean) / σ)³
    NaN: where the cell holds no finite number, or they are all equal.

    >>> vec_skewness([{1, 2, 6}, {4, 4}])
    [0.5952, nan]
    """
    return by_cell(_moment(3, 0), x)


@operator("vector", scale=Stripped(), profiles=CONSULTANT, searched=False)
def vec_kurtosis(x: Vector) -> Array:
    """Excess kurtosis of the cell's numbers: 0 for a normal distribution.

    Formula: mean of ((x − mean) / σ)⁴, less 3
    NaN: where the cell holds no finite number, or they are all equal.

    >>> vec_kurtosis([{1, 2, 3, 6}, {4, 4}])
    [-1, nan]
    """
    return by_cell(_moment(4, 3), x)


@operator("vector", scale=Same(), profiles=CONSULTANT, searched=False)
def vec_norm(x: Vector) -> Array:
    """Sum of the absolute values of the cell's numbers.

    Formula: Σ|x|
    NaN: where the cell holds no finite number.

    >>> vec_norm([{2, -3, 5}, {nan}, {}])
    [10, nan, nan]
    """
    return by_cell(lambda events: float(np.abs(events).sum()), x)


@operator("vector", scale=Same(), profiles=CONSULTANT, searched=False)
def vec_choose(x: Vector, *, nth: CountFromZero) -> Array:
    """One of the cell's numbers by its place; 0 is the first. No number is left out.

    Formula: x[nth]
    NaN: where the cell holds too few numbers, or a NaN there.

    >>> vec_choose([{2, 3, 5}, {4}, {}], nth=1)
    [3, nan, nan]
    """
    out = np.full(x.shape, np.nan)
    for place in np.ndindex(*x.shape):
        if len(x[place]) > nth:
            out[place] = x[place][int(nth)]
    return out


@operator("vector", scale=Same(), profiles=CONSULTANT, searched=False)
def vec_percentage(x: Vector, *, percentage: Share = 0.5) -> Array:
    """The value below which a share of the cell's numbers lies: the median by default.

    Formula: the sorted numbers at place percentage · (n − 1), in between by a straight line
    NaN: where the cell holds no finite number.

    >>> vec_percentage([{2, 3, 10}, {1, 2}, {}])
    [3, 1.5, nan]
    """
    return by_cell(lambda events: float(np.quantile(events, percentage)), x)


@operator("vector", scale=Pure(), profiles=CONSULTANT, searched=False)
def vec_powersum(x: Vector, *, constant: Real = 2.0) -> Array:
    """Sum of a power of the cell's numbers.

    Formula: Σ x^constant
    NaN: where the cell holds no finite number, or a power is none.

    >>> vec_powersum([{1, 2, 3}, {-2, nan}, {}])
    [14, 4, nan]
    """
    return by_cell(lambda events: float((events**constant).sum()), x)


@operator("vector", scale=Pure(), result=ValueType.VECTOR, profiles=CONSULTANT, searched=False)
def vec_filter(x: Vector, *, value: Numbers = "nan 0") -> Array:
    """The cell's numbers without those that are listed; it stays a vector.

    Formula: the numbers of x, in their order, that value does not list
    NaN: kept, unless value lists nan.

    >>> vec_count(vec_filter([{2, 0, nan, 5}, {0}, {}]))
    [2, nan, nan]
    >>> vec_sum(vec_filter([{2, 0, nan, 5}], value="5"))
    [2]
    """
    dropped = np.array(numbers_of(value, "value"), dtype=np.float32)  # the precision of the data
    out = np.empty(x.shape, dtype=object)
    for place in np.ndindex(*x.shape):
        events = np.asarray(x[place], dtype=np.float64)
        gone = np.isin(events.astype(np.float32), dropped) | (np.isnan(events) & np.isnan(dropped).any())
        out[place] = events[~gone]
    return out
