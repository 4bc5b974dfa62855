"""Inside groups, row by row. A group is a run of columns: group g holds columns offsets[g] to offsets[g + 1].

Ranks inside a small group count smaller values, sixteen columns at a time; those of a large one are sorted, many rows
at a time. What is one value for a group is one routine with a kind, compiled once; medians are NumPy's
sorting, and `group_sums` has what NumPy adds up.

Sums of a group are `lanes.runs`: a group of seven columns is as good as one of seven hundred.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from alpha_pipeline.engine.kernels import group_sums
from alpha_pipeline.engine.kernels.group_backfill import backfill
from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix, Offsets
from alpha_pipeline.engine.kernels.rank import rank_columns
from alpha_pipeline.jit import njit
from alpha_pipeline.lanes.runs import ends_of_run, put_run, rank_in_run, squares_of_run, sum_of_run

NAN = np.float32(np.nan)
INFINITY = np.float32(np.inf)
ONE_ROW = np.ones((1, 1), np.float32)
STRIP = 50_000  # cells

MOST_COMPARED = 48
"""Columns of a group up to which comparing all with all, many at a time, is faster than sorting."""

COUNT, LARGEST, SMALLEST, SUM, MEAN, HARMONIC, DEVIATION = range(7)


def _rank(x: Matrix, offsets: Offsets, out: Matrix, lo: int, hi: int) -> None:
    wide = np.flatnonzero(np.diff(offsets) > MOST_COMPARED)
    if len(wide) < len(offsets) - 1:
        _rank_narrow(x, offsets, out, lo, hi)
    for group in wide.tolist():
        rank_columns(x, out, lo, hi, int(offsets[group]), int(offsets[group + 1]))


@njit
def _rank_narrow(x: Matrix, offsets: Offsets, out: Matrix, lo: int, hi: int) -> None:
    for t in range(lo, hi):
        row, result = x[t], out[t]
        for g in range(len(offsets) - 1):
            if offsets[g + 1] - offsets[g] <= MOST_COMPARED:
                rank_in_run(row, offsets[g], offsets[g + 1], result)


@njit
def _scale(x: Matrix, offsets: Offsets, out: Matrix, lo: int, hi: int) -> None:
    for t in range(lo, hi):
        row, result = x[t], out[t]
        for g in range(len(offsets) - 1):
            left, right = offsets[g], offsets[g + 1]
            smallest, largest = ends_of_run(row, left, right)
            bottom = np.float64(smallest)
            share = 1.0 / (np.float64(largest) - bottom) if largest > smallest else np.nan
            put_run(row, left, right, bottom, share, result)


@njit
def _neutralize(x: Matrix, offsets: Offsets, out: Matrix, lo: int, hi: int) -> None:
    for t in range(lo, hi):
        row, result = x[t], out[t]
        for g in range(len(offsets) - 1):
            left, right = offsets[g], offsets[g + 1]
            total, count = sum_of_run(row, left, right)
            put_run(row, left, right, total / count, 1.0, result)


@njit
def _zscore(x: Matrix, offsets: Offsets, out: Matrix, lo: int, hi: int) -> None:
    for t in range(lo, hi):
        row, result = x[t], out[t]
        for g in range(len(offsets) - 1):
            left, right = offsets[g], offsets[g + 1]
            total, count = sum_of_run(row, left, right)
            squares = squares_of_run(row, left, right, total / count)  # exactly 0 where all are equal: `cross_section`
            share = 1.0 / np.sqrt(squares / count) if squares > 0.0 else np.nan
            put_run(row, left, right, total / count, share, result)


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
