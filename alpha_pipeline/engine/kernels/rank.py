"""Exact rank of every row: ties share the average, ±inf are extremes, NaN stays NaN.

Each value becomes a 64-bit integer: above, the float's bits reordered so that integers compare as the floats do; below,
its column. NumPy sorts such rows with vector instructions, several times faster than it argsorts floats; and the sorted
integers name their columns, so ranks are put back in one pass. Missing values sort last and are cut off by count.
The same passes rank a run of columns on its own, which is what groups need.

Wide rows have a faster way where the CPU has AVX-512: see `rank_buckets`. It hands back rows that do not suit it, and
its results are the same to the bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.engine.kernels.rank_buckets import WIDEST, rank_by_buckets
from alpha_pipeline.jit import njit
from alpha_pipeline.lanes.avx512 import AVAILABLE

BLOCK = 2**16  # keys sorted at a time: 0.5 MB
NARROWEST = 800  # columns from which buckets are faster than sorting
NAN = np.float32(np.nan)
HALF = np.float32(0.5)
LAST = np.int64(2**63 - 1)
LOW_HALF = np.int64(0xFFFFFFFF)
MAGNITUDE = np.int32(0x7FFFFFFF)
INFINITE_BITS = np.int32(0x7F800000)
MINUS_ZERO = np.int32(-(2**31))
ZERO = np.int32(0)

Keys = NDArray[np.int64]


@njit
def _pack(x: Matrix, row: int, left: int, keys: Keys, counts: Keys) -> None:
    """Keys [rows, columns] of x[row:, left:], and how many of each row are valid."""
    bits = x.view(np.int32)
    rows, columns = keys.shape
    for i in range(rows):
        source, target = bits[row + i, left : left + columns], keys[i]
        valid = 0
        for j in range(columns):
            b = source[j]
            known = (b & MAGNITUDE) <= INFINITE_BITS
            b = ZERO if b == MINUS_ZERO else b
            order = b ^ ((b >> np.int32(31)) & MAGNITUDE)
            key = (np.int64(order) << 32) | np.int64(j)
            target[j] = key if known else LAST
            valid += 1 if known else 0
        counts[i] = valid


@njit
def _unpack(keys: Keys, counts: Keys, out: Matrix, row: int, left: int) -> None:
    """Ranks in [0, 1] of the sorted keys, put back into out[row:, left:]."""
    rows, columns = keys.shape
    starts = np.empty(columns, np.int32)
    for i in range(rows):
        ordered, result, count = keys[i], out[row + i, left : left + columns], counts[i]
        result[:] = NAN
        if count == 1:
            result[ordered[0] & LOW_HALF] = HALF
            continue
        ties = 0
        for k in range(1, count):
            ties |= 1 if (ordered[k] >> 32) == (ordered[k - 1] >> 32) else 0
        step = 1.0 / (count - 1.0)
        if not ties:
            for k in range(count):
                result[ordered[k] & LOW_HALF] = np.float32(np.float64(k) * step)
            continue
        start = 0  # where the run of equal values began, then where it ends; no branches
        starts[0] = 0
        for k in range(1, count):
            start = start if (ordered[k] >> 32) == (ordered[k - 1] >> 32) else k
            starts[k] = start
        stop = count - 1
        half_step = 0.5 * step
        for k in range(count - 1, -1, -1):
            key = ordered[k]
            if k < count - 1:
                stop = stop if (key >> 32) == (ordered[k + 1] >> 32) else k
            result[key & LOW_HALF] = np.float32(np.float64(starts[k] + stop) * half_step)


def sort_columns(x: Matrix, out: Matrix, lo: int, hi: int, left: int, right: int) -> None:
    """`rank_columns` by sorting, on any CPU and for any values."""
    width = right - left
    keys = np.empty((min(max(BLOCK // max(width, 1), 1), max(hi - lo, 1)), width), np.int64)
    counts = np.empty(len(keys), np.int64)
    for row in range(lo, hi, len(keys)):
        here = keys[: min(len(keys), hi - row)]
        _pack(x, row, left, here, counts)
        here.sort(axis=1)
        _unpack(here, counts, out, row, left)


def rank_columns(x: Matrix, out: Matrix, lo: int, hi: int, left: int, right: int) -> None:
    """Rank x[t, left:right] for each row t of [lo, hi) into the same cells of `out`."""
    if AVAILABLE and NARROWEST <= right - left <= WIDEST:
        rank_by_buckets(x, out, lo, hi, left, right, sort_columns)
    else:
        sort_columns(x, out, lo, hi, left, right)


def _rank(x: Matrix, rate: float, out: Matrix, lo: int, hi: int) -> None:
    rank_columns(x, out, lo, hi, 0, x.shape[1])


KERNELS: dict[str, Kernel] = {"rank": Kernel("rows", _rank)}
