"""Windows of several inputs at once, made afresh for every window: co-moments, partial correlation, projections, fits.

Of each column the days on which all inputs are valid are copied together, so that those of any window lie side by side;
`figure` says what is made of them. The cost is that of the window, as no sum slides, and so is the accuracy.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.expression.operators.time_series_regressions import TOLD_APART
from alpha_pipeline.jit import njit, reduction

INFINITY = np.float32(np.inf)
NAN = np.float32(np.nan)
TILE = 16  # columns copied at a time: a cache line of a row
PARTIAL, TRIPLE, FOURTH, PROJECTION, REST, POLYNOMIAL = range(6)

Values = NDArray[np.float64]


@reduction
def _products(values: Values, means: tuple[float, float, float]) -> tuple[float, ...]:
    """Of values [3, days] less their means: Σ aa, bb, cc, ab, ac, bc, abc, abbb."""
    aa = bb = cc = ab = ac = bc = abc = abbb = 0.0
    first, second, third = values[0], values[1], values[2]
    for i in range(len(first)):
        a, b, c = first[i] - means[0], second[i] - means[1], third[i] - means[2]
        aa += a * a
        bb += b * b
        cc += c * c
        ab += a * b
        ac += a * c
        bc += b * c
        abc += (a * b) * c
        abbb += (a * b) * (b * b)
    return aa, bb, cc, ab, ac, bc, abc, abbb


@reduction
def _dot(a: Values, b: Values) -> float:
    total = 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@njit
def _error(values: Values, degree: int, basis: Values) -> float:
    """The last error of the polynomial of values[0] over values[1]; `basis` [degree + 1, days] is scratch."""
    y, x = values[0], values[1]
    count = len(y)
    lowest, highest = x.min(), x.max()
    middle, reach = (highest + lowest) / 2.0, (highest - lowest) / 2.0
    size, fitted = 0, 0.0
    while size <= degree:
        here = basis[size, :count]
        for i in range(count):
            unit = (x[i] - middle) / reach if reach > 0.0 else 0.0
            here[i] = 1.0 if size == 0 else unit * basis[size - 1, i]
        for _ in range(2):  # once leaves rounding behind
            for earlier in range(size):
                share = _dot(basis[earlier, :count], here)
                for i in range(count):
                    here[i] -= share * basis[earlier, i]
        length = np.sqrt(_dot(here, here))
        if length < TOLD_APART:
            break
        for i in range(count):
            here[i] /= length
        fitted += _dot(here, y) * here[count - 1]
        size += 1
        if size == count:
            return 0.0  # it goes through all points exactly
    return float(y[count - 1] - fitted)


@njit
def _figure(values: Values, figure: int, degree: int, basis: Values) -> float:
    """The figure of values [3, days], oldest first."""
    if figure == POLYNOMIAL:
        return _error(values, degree, basis)
    count = values.shape[1]
    means = (0.0, 0.0, 0.0)
    if figure < PROJECTION:  # exactly the value where all are equal, as float32 add up exactly
        means = (values[0].sum() / count, values[1].sum() / count, values[2].sum() / count)
    aa, bb, cc, ab, ac, bc, abc, abbb = _products(values, means)
    if figure >= PROJECTION:
        projection = values[1, count - 1] * (ab / bb) if bb > 0.0 else np.nan
        return float(projection if figure == PROJECTION else values[0, count - 1] - projection)
    if figure == PARTIAL:
        if not (aa > 0.0 and bb > 0.0 and cc > 0.0):
            return np.nan
        own, first, second = ab / np.sqrt(aa * bb), ac / np.sqrt(aa * cc), bc / np.sqrt(bb * cc)
        left_first, left_second = 1.0 - first * first, 1.0 - second * second
        if not (left_first > 1e-12 and left_second > 1e-12):
            return np.nan
        return float(min(max((own - first * second) / np.sqrt(left_first * left_second), -1.0), 1.0))
    a, b, c = np.sqrt(aa / count), np.sqrt(bb / count), np.sqrt(cc / count)
    spread = a * b * c if figure == TRIPLE else a * b * b * b
    return float((abc if figure == TRIPLE else abbb) / count / spread) if spread > 0.0 else np.nan


@njit
def _joint(
    inputs: tuple[Matrix, Matrix, Matrix],
    window: int,
    needed: int,
    figure: int,
    degree: int,
    out: Matrix,
    lo: int,
    hi: int,
) -> None:
    """The figure of every window with at least `needed` days on which all inputs are finite."""
    first_input, second_input, third_input = inputs
    rows = len(first_input)
    values = np.empty((3, rows))
    days = np.empty(rows, np.int64)
    basis = np.empty((min(degree, window, rows) + 1, min(window, rows)))
    tile = np.empty((3, TILE, rows), np.float32)
    results = np.empty((TILE, rows), np.float32)
    for left in range(lo, hi, TILE):
        width = min(TILE, hi - left)
        for t in range(rows):
            for j in range(width):
                tile[0, j, t] = first_input[t, left + j]
                tile[1, j, t] = second_input[t, left + j]
                tile[2, j, t] = third_input[t, left + j]
        for j in range(width):
            first = last = 0  # the window holds values[:, first:last]
            for t in range(rows):
                if last > first and days[first] <= t - window:
                    first += 1
                a, b, c = tile[0, j, t], tile[1, j, t], tile[2, j, t]
                today = (abs(a) < INFINITY) & (abs(b) < INFINITY) & (abs(c) < INFINITY)
                if today:
                    values[0, last], values[1, last], values[2, last], days[last] = a, b, c, t
                    last += 1
                told = last - first >= max(needed, 1) and (today or figure < PROJECTION)
                found = _figure(values[:, first:last], figure, degree, basis) if told else np.nan
                results[j, t] = np.float32(found)
        for t in range(rows):
            for j in range(width):
                out[t, left + j] = results[j, t]


def _of_two(figure: int) -> Kernel:
    def run(a: Matrix, b: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
        _joint((a, b, b), window, needed, figure, 0, out, lo, hi)

    return Kernel("columns", run)


def _of_three(figure: int) -> Kernel:
    def run(a: Matrix, b: Matrix, c: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
        _joint((a, b, c), window, needed, figure, 0, out, lo, hi)

    return Kernel("columns", run)


def _polynomial(y: Matrix, x: Matrix, window: int, needed: int, k: float, out: Matrix, lo: int, hi: int) -> None:
    _joint((y, x, x), window, needed, POLYNOMIAL, int(min(k, window)), out, lo, hi)


KERNELS: dict[str, Kernel] = {
    "ts_partial_corr": _of_three(PARTIAL),
    "ts_triple_corr": _of_three(TRIPLE),
    "ts_co_skewness": _of_two(TRIPLE),
    "ts_co_kurtosis": _of_two(FOURTH),
    "ts_vector_proj": _of_two(PROJECTION),
    "ts_vector_neut": _of_two(REST),
    "ts_poly_regression": Kernel("columns", _polynomial),
}
