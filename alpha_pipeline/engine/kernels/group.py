"""Inside groups, row by row. A group is a run of columns: group g holds columns offsets[g] to offsets[g + 1].

Ranks inside a group are those of its columns, many rows sorted at a time; counting smaller values instead was slower
from 40 instruments on.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix, Offsets
from alpha_pipeline.engine.kernels.rank import rank_columns
from alpha_pipeline.jit import njit

LANES = 16  # partial results of a row, so that no step waits for the one before
NAN = np.float32(np.nan)
INFINITY = np.float32(np.inf)


def _rank(x: Matrix, offsets: Offsets, out: Matrix, lo: int, hi: int) -> None:
    for left, right in pairwise(offsets.tolist()):
        rank_columns(x, out, lo, hi, left, right)


@njit
def _scale(x: Matrix, offsets: Offsets, out: Matrix, lo: int, hi: int) -> None:
    ends = np.empty((2, LANES), np.float32)
    for t in range(lo, hi):
        for g in range(len(offsets) - 1):
            row, result = x[t, offsets[g] : offsets[g + 1]], out[t, offsets[g] : offsets[g + 1]]
            ends[0], ends[1] = INFINITY, -INFINITY
            for start in range(0, len(row), LANES):
                part = row[start : start + LANES]
                for k in range(len(part)):
                    value, bottom_k, top_k = part[k], ends[0, k], ends[1, k]
                    known = abs(value) < INFINITY
                    ends[0, k] = value if known & (value < bottom_k) else bottom_k
                    ends[1, k] = value if known & (value > top_k) else top_k
            smallest, largest = INFINITY, -INFINITY
            for k in range(LANES):
                smallest = min(smallest, ends[0, k])
                largest = max(largest, ends[1, k])
            bottom = np.float64(smallest)
            share = 1.0 / (np.float64(largest) - bottom) if largest > smallest else np.nan
            for j in range(len(row)):
                result[j] = np.float32((np.float64(row[j]) - bottom) * share) if abs(row[j]) < INFINITY else NAN


@njit
def _neutralize(x: Matrix, offsets: Offsets, out: Matrix, lo: int, hi: int) -> None:
    sums = np.empty((2, LANES))
    for t in range(lo, hi):
        for g in range(len(offsets) - 1):
            row, result = x[t, offsets[g] : offsets[g + 1]], out[t, offsets[g] : offsets[g + 1]]
            sums[:] = 0.0
            for start in range(0, len(row), LANES):
                part = row[start : start + LANES]
                for k in range(len(part)):
                    known = abs(part[k]) < INFINITY
                    sums[0, k] += np.float64(part[k]) if known else 0.0
                    sums[1, k] += 1.0 if known else 0.0
            mean = sums[0].sum() / sums[1].sum()
            for j in range(len(row)):
                result[j] = np.float32(np.float64(row[j]) - mean) if abs(row[j]) < INFINITY else NAN


KERNELS: dict[str, Kernel] = {
    "group_rank": Kernel("rows", _rank),
    "group_scale": Kernel("rows", _scale),
    "group_neutralize": Kernel("rows", _neutralize),
}
