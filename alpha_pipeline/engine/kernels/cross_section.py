"""Across the instruments, row by row: zscore and scale (rank has its own module), and the universe mask.

Row sums are held in `LANES` float64 partial sums, added up at the end: a single running sum would make every addition
wait for the one before.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.kernels import rank
from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.jit import njit

LANES = 64
NAN = np.float32(np.nan)
INFINITY = np.float32(np.inf)


@njit
def _zscore(x: Matrix, out: Matrix, lo: int, hi: int) -> None:
    columns = x.shape[1]
    sums = np.empty((2, LANES))
    for t in range(lo, hi):
        row, result = x[t], out[t]
        sums[:] = 0.0
        for start in range(0, columns, LANES):
            part = row[start : start + LANES]
            for k in range(len(part)):
                known = abs(part[k]) < INFINITY
                sums[0, k] += np.float64(part[k]) if known else 0.0
                sums[1, k] += 1.0 if known else 0.0
        count = sums[1].sum()
        mean = sums[0].sum() / count
        sums[0] = 0.0
        for start in range(0, columns, LANES):
            part = row[start : start + LANES]
            for k in range(len(part)):
                above = np.float64(part[k]) - mean
                sums[0, k] += above * above if abs(part[k]) < INFINITY else 0.0
        squares = sums[0].sum()
        # exactly 0 where all are equal: equal float32 add up without rounding in float64, so the mean is the value
        share = 1.0 / np.sqrt(squares / count) if squares > 0.0 else np.nan
        for j in range(columns):
            result[j] = np.float32((np.float64(row[j]) - mean) * share) if abs(row[j]) < INFINITY else NAN


@njit
def _scale(x: Matrix, out: Matrix, lo: int, hi: int) -> None:
    columns = x.shape[1]
    sums = np.empty(LANES)
    for t in range(lo, hi):
        row, result = x[t], out[t]
        sums[:] = 0.0
        for start in range(0, columns, LANES):
            part = row[start : start + LANES]
            for k in range(len(part)):
                size = abs(part[k])
                sums[k] += np.float64(size) if size < INFINITY else 0.0
        total = sums.sum()
        share = 1.0 / total if total > 0.0 else np.nan
        for j in range(columns):
            result[j] = np.float32(np.float64(row[j]) * share) if abs(row[j]) < INFINITY else NAN


@njit
def mask(x: Matrix, universe: NDArray[np.bool_], out: Matrix, lo: int, hi: int) -> None:
    """x where `universe` (bool [dates, instruments]) is set, NaN elsewhere; rows [lo, hi)."""
    for t in range(lo, hi):
        row, member, result = x[t], universe[t], out[t]
        for j in range(len(row)):
            value = row[j]
            result[j] = value if member[j] else NAN


KERNELS: dict[str, Kernel] = {
    **rank.KERNELS,
    "zscore": Kernel("rows", _zscore),
    "scale": Kernel("rows", _scale),
}
