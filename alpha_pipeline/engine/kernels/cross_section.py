"""Across the instruments, row by row (rank has its own module), and the universe mask.

What is compiled adds rows up by the `lanes.runs`, in float64. The others are NumPy's, on strips of rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.kernels import rank
from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.jit import njit
from alpha_pipeline.lanes.runs import put_run, sizes_of_run, squares_of_run, sum_of_run

STRIP = 50_000  # cells at a time
NAN = np.float32(np.nan)
INFINITY = np.float32(np.inf)

Rows: TypeAlias = NDArray[np.float64]


@njit
def _zscore(x: Matrix, out: Matrix, lo: int, hi: int) -> None:
    columns = x.shape[1]
    for t in range(lo, hi):
        row = x[t]
        total, count = sum_of_run(row, 0, columns)
        mean = total / count
        squares = squares_of_run(row, 0, columns, mean)
        # exactly 0 where all are equal: equal float32 add up without rounding in float64, so the mean is the value
        put_run(row, 0, columns, mean, 1.0 / np.sqrt(squares / count) if squares > 0.0 else np.nan, out[t])


@njit
def _scale_rows(x: Matrix, scale: float, out: Matrix, lo: int, hi: int) -> None:
    columns = x.shape[1]
    for t in range(lo, hi):
        total = sizes_of_run(x[t], 0, columns)
        put_run(x[t], 0, columns, 0.0, scale / total if total > 0.0 else np.nan, out[t])


@njit
def mask(x: Matrix, universe: NDArray[np.bool_], out: Matrix, lo: int, hi: int) -> None:
    """x where `universe` (bool [dates, instruments]) is set, NaN elsewhere; rows [lo, hi)."""
    for t in range(lo, hi):
        row, member, result = x[t], universe[t], out[t]
        for j in range(len(row)):
            value = row[j]
            result[j] = value if member[j] else NAN


def _scale(
    x: Matrix, scale: float, longscale: float | None, shortscale: float | None, out: Matrix, lo: int, hi: int
) -> None:
    if longscale is None and shortscale is None:
        _scale_rows(x, float(scale), out, lo, hi)
        return
    long = 1.0 if longscale is None else longscale
    short = 1.0 if shortscale is None else shortscale
    _by_strip(_scale_sides, x, out, lo, hi, long, short)


def _by_strip(function: Callable[..., Any], x: Matrix, out: Matrix, lo: int, hi: int, *attributes: Any) -> None:
    """`function` of rows in float64, NaN in the place of infinite values, and of which cells are valid."""
    rows = max(1, STRIP // max(1, out.shape[1]))
    with np.errstate(all="ignore"):
        for start in range(lo, hi, rows):
            stop = min(start + rows, hi)
            valid = np.isfinite(x[start:stop])
            values = np.where(valid, x[start:stop], np.nan).astype(np.float64)
            out[start:stop] = function(values, valid, *attributes)


def _total(values: Rows, where: NDArray[np.bool_]) -> Rows:
    """Sums [rows, 1] of the cells that are wanted."""
    total: Rows = np.where(where, values, 0.0).sum(axis=1, keepdims=True)
    return total


def _scale_sides(values: Rows, valid: NDArray[np.bool_], long: float, short: float) -> Rows:
    above, below = _total(values, values > 0), -_total(values, values < 0)
    sides = np.where(values > 0, values / above * long, np.where(values < 0, values / below * short, values))
    return np.where(above + below > 0, sides, np.nan)


def _moments(values: Rows, valid: NDArray[np.bool_], freedom: int = 0) -> tuple[Rows, Rows]:
    """Mean and standard deviation [rows, 1] over n − `freedom`; exactly 0 where all are equal, as in `_zscore`."""
    count = valid.sum(axis=1, keepdims=True)
    mean = _total(values, valid) / count
    return mean, np.sqrt(_total((values - mean) ** 2, valid) / (count - freedom))


def _normalized(values: Rows, valid: NDArray[np.bool_], use_std: bool, limit: float) -> Rows:
    mean, deviation = _moments(values, valid, freedom=1)
    above = values - mean
    if use_std:
        above = np.where(deviation > 0, above / deviation, np.nan)
    return np.clip(above, -limit, limit) if limit else above


def _winsorized(values: Rows, valid: NDArray[np.bool_], std: float) -> Rows:
    mean, deviation = _moments(values, valid)
    return np.clip(values, mean - std * deviation, mean + std * deviation)


def _normalize(x: Matrix, use_std: bool, limit: float, out: Matrix, lo: int, hi: int) -> None:
    _by_strip(_normalized, x, out, lo, hi, use_std, limit)


def _winsorize(x: Matrix, std: float, out: Matrix, lo: int, hi: int) -> None:
    _by_strip(_winsorized, x, out, lo, hi, std)


def _quantile(x: Matrix, driver: str, sigma: float, out: Matrix, lo: int, hi: int) -> None:
    from scipy.special import ndtri  # takes a tenth of a second to import, and few expressions need it

    rank.rank_columns(x, out, lo, hi, 0, x.shape[1])
    rows = max(1, STRIP // max(1, out.shape[1]))
    with np.errstate(all="ignore"):
        for start in range(lo, hi, rows):
            ranks = out[start : min(start + rows, hi)]
            count = (~np.isnan(ranks)).sum(axis=1, keepdims=True).astype(np.float64)
            # ranks are multiples of a half step, and float32 only just too coarse to stand near the tails
            steps = np.maximum(2 * (count - 1), 1)
            exact = np.where(count > 1, np.rint(ranks * steps) / steps, ranks)
            shifted = 1 / count + exact * (1 - 2 / count)
            if driver == "gaussian":
                ranks[:] = sigma * ndtri(shifted)
            elif driver == "cauchy":
                ranks[:] = sigma * np.tan(np.pi * (shifted - 0.5))
            else:
                ranks[:] = sigma * (shifted - 0.5)


def _densify(labels: Matrix, out: Matrix, lo: int, hi: int) -> None:
    for t in range(lo, hi):
        row = labels[t]
        valid = ~np.isnan(row)
        out[t] = NAN
        out[t, valid] = np.unique(row[valid], return_inverse=True)[1]


KERNELS: dict[str, Kernel] = {
    **rank.KERNELS,
    "zscore": Kernel("rows", _zscore),
    "scale": Kernel("rows", _scale),
    "normalize": Kernel("rows", _normalize),
    "winsorize": Kernel("rows", _winsorize),
    "quantile": Kernel("rows", _quantile),
    "densify": Kernel("rows", _densify),
}
