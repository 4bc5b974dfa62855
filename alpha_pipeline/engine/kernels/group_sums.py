"""What needs no more than sums of each group: group_vector_proj, group_vector_neut, group_normalize, group_extra.

NumPy adds up the runs of columns of many rows at a time; nothing is compiled for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix, Offsets

STRIP = 50_000  # cells

Wide: TypeAlias = NDArray[np.float64]
Spread: TypeAlias = Callable[[Wide], Wide]


def _strips(lo: int, hi: int, columns: int) -> Iterator[slice]:
    """The rows [lo, hi), some at a time."""
    rows = max(1, STRIP // max(1, columns))
    for start in range(lo, hi, rows):
        yield slice(start, min(start + rows, hi))


def _by_group(offsets: Offsets) -> Spread:
    """A function that gives each cell the sum of its row's group; what is added up must be finite."""
    sizes = np.diff(offsets)

    def added(values: Wide) -> Wide:
        return np.repeat(np.add.reduceat(values, offsets[:-1], axis=1), sizes, axis=1)

    return added


def _pairs(x: Matrix, y: Matrix) -> tuple[NDArray[np.bool_], Wide, Wide]:
    """Where both are finite, and both there as float64; 0 elsewhere."""
    both = np.isfinite(x) & np.isfinite(y)
    return both, np.where(both, x, 0).astype(np.float64), np.where(both, y, 0).astype(np.float64)


def _vector(rest: bool) -> Kernel:
    def run(x: Matrix, y: Matrix, offsets: Offsets, out: Matrix, lo: int, hi: int) -> None:
        added = _by_group(offsets)
        with np.errstate(all="ignore"):
            for rows in _strips(lo, hi, out.shape[1]):
                both, a, b = _pairs(x[rows], y[rows])
                projection = added(a * b) / added(b * b) * b  # 0 / 0 is NaN, as it should be
                out[rows] = np.where(both, a - projection if rest else projection, np.nan)

    return Kernel("rows", run)


def _normalize(
    x: Matrix, offsets: Offsets, checked: bool, tolerance: float, scale: float, out: Matrix, lo: int, hi: int
) -> None:
    added = _by_group(offsets)
    with np.errstate(all="ignore"):
        for rows in _strips(lo, hi, out.shape[1]):
            known = np.isfinite(x[rows])
            values = np.where(known, x[rows], 0).astype(np.float64)
            total = added(np.abs(values))
            scaled = values / total * scale
            if checked:
                scaled = np.where(total < tolerance, values, scaled)
            out[rows] = np.where(known, scaled, np.nan)


def _extra(x: Matrix, weight: Matrix, offsets: Offsets, out: Matrix, lo: int, hi: int) -> None:
    added = _by_group(offsets)
    with np.errstate(all="ignore"):
        for rows in _strips(lo, hi, out.shape[1]):
            weights = np.broadcast_to(weight, x.shape)[rows]
            _, a, b = _pairs(x[rows], weights)
            out[rows] = np.where(np.isnan(x[rows]), added(b * a) / added(b), x[rows])


KERNELS: dict[str, Kernel] = {
    "group_vector_proj": _vector(rest=False),
    "group_vector_neut": _vector(rest=True),
    "group_normalize": Kernel("rows", _normalize),
    "group_extra": Kernel("rows", _extra, broadcasts=True),
}
