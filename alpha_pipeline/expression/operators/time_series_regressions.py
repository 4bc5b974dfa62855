"""Lines, polynomials and projections of one input's window over another's.

Only the days count on which both are valid.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np

from alpha_pipeline.expression.operator import operator
from alpha_pipeline.expression.operators.windows import central, delayed, ratio, rolling, rolling_cells
from alpha_pipeline.expression.scale import Pure, Weighted
from alpha_pipeline.expression.types import Array, AttributeKind, AttributeType, CountFromZero, Matrix, Window
from alpha_pipeline.expression.units import Multiplied

RegressionResult = Annotated[float, AttributeType(AttributeKind.NUMBER, lowest=0, highest=9, whole=True)]
Degree = Annotated[int, AttributeType(AttributeKind.NUMBER, lowest=1, highest=10, whole=True)]
TOLD_APART = 1e-12  # of the range of x: polynomials are fitted as if values nearer than that were equal
_CONSULTANT = ("consultant",)


@operator(
    "time_series",
    scale=Pure(),
    reach=lambda given: int(given["lag"]),
    minimum=2,
    keeps_missing=False,
    searched=False,
)
def ts_regression(
    y: Matrix,
    x: Matrix,
    window: Window,
    *,
    lag: CountFromZero = 0,
    rettype: RegressionResult = 0,
    strict: bool = False,
) -> Array:
    """Least-squares line of y over x of `lag` days before, on the window's days with both; `rettype` says which figure.

    Formula: y = α + β·x[t − lag] + e. rettype 0: today's e, 1: α, 2: β, 3: today's α + β·x, 4: SSE = Σ e²,
    5: SST = Σ (y − ȳ)², 6: R² = 1 − SSE/SST, 7: MSE = SSE/(n − 2), 8: √(MSE/Sxx), the standard error of β,
    9: √(MSE·(1/n + x̄²/Sxx)), that of α
    NaN: days on which either is missing are left out; NaN if fewer than two (rettype 7 to 9: three) are left, x does
    not vary, y does not vary (rettype 6), or today's x (rettype 0 and 3) or y (rettype 0) is missing.

    >>> ts_regression([1, 3, 2, 5], [1, 2, 3, 4], 4)
    0.6
    >>> ts_regression([1, 3, 2, 5], [1, 2, 3, 4], 4, rettype=1)
    0
    >>> ts_regression([1, 3, 2, 5], [1, 2, 3, 4], 4, rettype=2)
    1.1
    >>> ts_regression([1, 3, 2, 5], [1, 2, 3, 4], 4, rettype=6)
    0.6914
    >>> ts_regression([9, 2, 4, 6], [1, 2, 3, 7], 3, lag=1, rettype=2)
    2
    """
    regressor = delayed(x, int(lag))
    today = iter(regressor)  # `rolling` goes from day to day; an estimate needs today's x, but no y

    def figure(a: Array, b: Array) -> Array:
        today_x = next(today)
        valid = ~np.isnan(a)
        count = valid.sum(axis=0)
        latest = len(a) - 1 - valid[::-1].argmax(axis=0), np.arange(a.shape[1])
        pivot_a, pivot_b = a[latest], b[latest]
        a, b = a - pivot_a, b - pivot_b  # from the latest pair, for the digits
        mean_a, mean_b = np.nanmean(a, axis=0), np.nanmean(b, axis=0)
        from_a, from_b = central(a), central(b)
        spread, total = np.nansum(from_b**2, axis=0), np.nansum(from_a**2, axis=0)
        slope = ratio(np.nansum(from_a * from_b, axis=0), spread)
        level = (mean_a - slope * mean_b) + (pivot_a - slope * pivot_b)
        two = count == 2  # a line goes through two points exactly
        error = np.where(two & valid[-1], 0.0, from_a[-1] - slope * from_b[-1])
        errors = np.where(two, 0.0, np.nansum((from_a - slope * from_b) ** 2, axis=0))
        mean_error = np.where(count > 2, errors / (count - 2), np.nan)
        mean_x = mean_b + pivot_b
        figures = {
            0: error,
            1: level,
            2: slope,
            3: ((mean_a - slope * mean_b) + pivot_a) + slope * (today_x - pivot_b),
            4: errors,
            5: total,
            6: 1 - ratio(errors, total),
            7: mean_error,
            8: np.sqrt(ratio(mean_error, spread)),
            9: np.sqrt(mean_error * (1 / count + ratio(mean_x**2, spread))),
        }
        return np.where(spread > 0, figures[int(rettype)], np.nan)

    found = rolling(figure, window, 2, strict, y, regressor)
    return np.where(np.isfinite(found), found, np.nan) if rettype == 3 else found


def _theil_sen(x: Array, y: Array) -> float:
    first, second = np.triu_indices(len(x), 1)
    run = x[second] - x[first]
    apart = run != 0
    return float(np.median((y[second] - y[first])[apart] / run[apart])) if apart.any() else np.nan


@operator(
    "time_series",
    unit=Multiplied((-1, 1)),
    scale=Weighted((-1, 1)),
    minimum=2,
    profiles=_CONSULTANT,
    keeps_missing=False,
    searched=False,
)
def ts_theilsen(x: Matrix, y: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Theil and Sen's slope of y over x: the median slope of all pairs of days.

    The work grows with the square of the window: a year's takes fifty times as long as a month's.

    Formula: median of (y[s] − y[r]) / (x[s] − x[r]) over the days r < s with x[s] ≠ x[r]
    NaN: days on which either is missing are left out; NaN if x does not vary.

    >>> ts_theilsen([1, 2, 3, 4], [1, 3, 5, 100], 4)
    17.5
    """
    return rolling_cells(_theil_sen, window, 2, strict, x, y)


def _polynomial_error(degree: int) -> Callable[[Array, Array], float]:
    """A function of y and x: the last error of the polynomial by least squares.

    The polynomials that it is put together from are made at right angles to each other on these very points, each from
    x times the one before, so that degrees stay well told apart where most of x lies close together.
    """

    def error(values: Array, x: Array) -> float:
        reach = (x.max() - x.min()) / 2
        unit = (x - (x.max() + x.min()) / 2) / reach if reach > 0 else np.zeros(len(x))
        basis = np.ones((1, len(x))) / np.sqrt(len(x))
        for _ in range(degree):
            following = unit * basis[-1]
            for _ in range(2):  # once leaves rounding behind
                following = following - basis.T @ (basis @ following)
            length = np.sqrt(following @ following)
            if length < TOLD_APART:
                break
            basis = np.vstack([basis, following / length])
            if len(basis) == len(x):
                return 0.0  # it goes through all points exactly
        return float(values[-1] - basis[:, -1] @ (basis @ values))

    return error


@operator("time_series", scale=Weighted((1, 0)), minimum=2, profiles=_CONSULTANT, searched=False)
def ts_poly_regression(y: Matrix, x: Matrix, window: Window, *, k: Degree = 1, strict: bool = False) -> Array:
    """Today's error of the least-squares polynomial of degree k of y over x.

    Formula: y − Σ bᵢ·xⁱ, i = 0 … k, with the b that make the window's sum of squared errors least; with k or fewer
    different x the polynomial of the highest degree that they determine
    NaN: missing where y or x is today; days on which either is missing are left out; NaN if fewer than two are left.

    >>> ts_poly_regression([1, 3, 2, 5], [1, 2, 3, 4], 4)
    0.6
    >>> ts_poly_regression([1, 4, 9, 16], [1, 2, 3, 4], 4, k=2)
    0
    """

    both_today = np.isfinite(y) & np.isfinite(x)
    return np.where(both_today, rolling_cells(_polynomial_error(int(k)), window, 2, strict, y, x), np.nan)


def _projection(a: Array, b: Array) -> Array:
    return ratio(np.nansum(a * b, axis=0), np.nansum(b * b, axis=0)) * b[-1]


@operator("time_series", scale=Weighted((1, 0)), profiles=_CONSULTANT, searched=False)
def ts_vector_proj(x: Matrix, y: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Today's value of the projection of x's window on y's.

    Formula: y[t]·Σ x·y / Σ y²
    NaN: missing where x or y is today; days on which either is missing are left out; NaN where y is 0 throughout.

    >>> ts_vector_proj([1, 2, 3], [3, 4, 5], 3)
    2.6
    """
    return rolling(_projection, window, 1, strict, x, y)


@operator("time_series", scale=Weighted((1, 0)), profiles=_CONSULTANT, searched=False)
def ts_vector_neut(x: Matrix, y: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Today's x less its projection on y: what is left of x at right angles to y.

    Formula: x[t] − y[t]·Σ x·y / Σ y²
    NaN: missing where x or y is today; days on which either is missing are left out; NaN where y is 0 throughout.

    >>> ts_vector_neut([1, 2, 3], [3, 4, 5], 3)
    0.4
    """
    return rolling(lambda a, b: a[-1] - _projection(a, b), window, 1, strict, x, y)
