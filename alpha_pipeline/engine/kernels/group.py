"""Inside groups, row by row. A group is a run of columns: group g holds columns offsets[g] to offsets[g + 1].

Ranks inside a group are those of its columns, many rows sorted at a time; counting smaller values instead was slower
from 40 instruments on. What is one value for a group is one routine with a kind, compiled once; medians are NumPy's
sorting, and `group_sums` has what NumPy adds up.

The sums of `_neutralize` and `_zscore` are written out in both: as a function that both call they took 1.5 times as
long.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from alpha_pipeline.engine.kernels import group_sums
from alpha_pipeline.engine.kernels.group_backfill import backfill
from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix, Offsets
from alpha_pipeline.engine.kernels.rank import rank_columns
from alpha_pipeline.jit import njit

LANES = 16  # partial results of a row, so that no step waits for the one before
NAN = np.float32(np.nan)
INFINITY = np.float32(np.inf)
ONE_ROW = np.ones((1, 1), np.float32)
STRIP = 50_000  # cells

COUNT, LARGEST, SMALLEST, SUM, MEAN, HARMONIC, DEVIATION = range(7)


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


@njit
def _zscore(x: Matrix, offsets: Offsets, out: Matrix, lo: int, hi: int) -> None:
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
            count = sums[1].sum()
            mean = sums[0].sum() / count
            sums[0] = 0.0
            for start in range(0, len(row), LANES):
                part = row[start : start + LANES]
                for k in range(len(part)):
                    above = np.float64(part[k]) - mean
                    sums[0, k] += above * above if abs(part[k]) < INFINITY else 0.0
            squares = sums[0].sum()  # exactly 0 where all are equal, as in `cross_section`
            share = 1.0 / np.sqrt(squares / count) if squares > 0.0 else np.nan
            for j in range(len(row)):
                result[j] = np.float32((np.float64(row[j]) - mean) * share) if abs(row[j]) < INFINITY else NAN


@njit
def _valued(x: Matrix, weight: Matrix, offsets: Offsets, kind: int, out: Matrix, lo: int, hi: int) -> None:
    """A number of each group, for its valid members. `weight` counts for the means only."""
    weighted = kind in (MEAN, HARMONIC)
    step = int(len(weight) > 1)
    for t in range(lo, hi):
        for g in range(len(offsets) - 1):
            left, right = offsets[g], offsets[g + 1]
            row, result = x[t, left:right], out[t, left:right]
            weights = weight[t * step, left:right] if weighted else row
            count, total, mass = 0.0, 0.0, 0.0
            smallest, largest = INFINITY, -INFINITY
            for j in range(len(row)):
                value = row[j]
                finite = (abs(value) < INFINITY) & (abs(weights[j]) < INFINITY)
                known = value == value if kind <= SMALLEST else finite
                result[j] = np.float32(0) if known else NAN
                if known:
                    count += 1.0
                    smallest, largest = min(smallest, value), max(largest, value)
                    share = np.float64(weights[j]) if weighted else 1.0
                    mass += share
                    total += share / np.float64(value) if kind == HARMONIC else share * np.float64(value)
            mean = total / count
            squares = 0.0
            if kind == DEVIATION:
                for j in range(len(row)):
                    above = np.float64(row[j]) - mean
                    squares += above * above if result[j] == result[j] else 0.0
            found = total
            if kind == COUNT:
                found = count
            elif kind == LARGEST:
                found = np.float64(largest)
            elif kind == SMALLEST:
                found = np.float64(smallest)
            elif kind == MEAN:
                found = total / mass
            elif kind == HARMONIC:
                found = mass / total
            elif kind == DEVIATION:
                found = np.sqrt(squares / count)
            for j in range(len(row)):
                result[j] = np.float32(found) if result[j] == result[j] else NAN


def _kind(kind: int) -> Kernel:
    def run(x: Matrix, offsets: Offsets, out: Matrix, lo: int, hi: int) -> None:
        _valued(x, ONE_ROW, offsets, kind, out, lo, hi)

    return Kernel("rows", run)


def _mean(x: Matrix, weight: Matrix, offsets: Offsets, mean: str, out: Matrix, lo: int, hi: int) -> None:
    _valued(x, weight, offsets, HARMONIC if mean == "harmonic" else MEAN, out, lo, hi)


def _percentage(x: Matrix, offsets: Offsets, share: float, out: Matrix, lo: int, hi: int) -> None:
    for left, right in pairwise(offsets.tolist()):
        rows = max(1, STRIP // (right - left))
        for start in range(lo, hi, rows):
            stop = min(start + rows, hi)
            values = x[start:stop, left:right]
            known = np.isfinite(values)
            ordered = np.where(known, values, NAN)
            ordered.sort(axis=1)  # NaN last
            place = share * np.maximum(known.sum(axis=1) - 1, 0)
            below = place.astype(np.int64)[:, None]
            above = np.minimum(below + 1, right - left - 1)
            low, high = (np.take_along_axis(ordered, i, axis=1).astype(np.float64) for i in (below, above))
            part = place[:, None] - below
            found = np.where(part > 0, low + (high - low) * part, low).astype(np.float32)
            out[start:stop, left:right] = np.where(known, found, NAN)


def _median(x: Matrix, offsets: Offsets, out: Matrix, lo: int, hi: int) -> None:
    _percentage(x, offsets, 0.5, out, lo, hi)


KERNELS: dict[str, Kernel] = {
    **group_sums.KERNELS,
    "group_rank": Kernel("rows", _rank),
    "group_scale": Kernel("rows", _scale),
    "group_neutralize": Kernel("rows", _neutralize),
    "group_zscore": Kernel("rows", _zscore),
    "group_count": _kind(COUNT),
    "group_max": _kind(LARGEST),
    "group_min": _kind(SMALLEST),
    "group_sum": _kind(SUM),
    "group_std_dev": _kind(DEVIATION),
    "group_mean": Kernel("rows", _mean, broadcasts=True),
    "group_median": Kernel("rows", _median),
    "group_percentage": Kernel("rows", _percentage),
    "group_backfill": Kernel("rows", backfill),
}
