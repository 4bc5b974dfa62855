"""Groups of any shape for kernels that know but one: a group as a run of columns.

A panel's own groups are such runs. Any other grouping is a float32 [dates, instruments] matrix of codes, NaN where an
instrument is in no group, and may change from day to day. For each stretch of days with equal codes the instruments
are put in the order of their codes, the kernel runs on them, and its results are put back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix, Offsets


def offsets_of(codes: NDArray[Any]) -> Offsets:
    """Codes [instruments], equal ones side by side, as the bounds of their runs of columns [groups + 1]."""
    starts = np.flatnonzero(codes[1:] != codes[:-1]) + 1
    return np.concatenate(([0], starts, [len(codes)])).astype(np.int32)


def arranged(kernel: Kernel, position: int, rows_back: int) -> Kernel:
    """The kernel for any codes, which it takes as a matrix at `position` of its arguments.

    Args:
        kernel: works by rows, and keeps nothing from one to the next.
        rows_back: so many earlier rows it looks at; today's groups hold for them too.
    """

    def run(*arguments: Any) -> None:
        *inputs, out, lo, hi = arguments
        codes: Matrix = inputs[position]
        for start, stop in _stretches(codes, lo, hi):
            out[start:stop] = np.nan
            members = np.flatnonzero(~np.isnan(codes[start]))
            if not len(members):
                continue
            order = members[np.argsort(codes[start, members], kind="stable")]
            first = max(0, start - rows_back)
            gathered = [_gathered(value, first, stop, order) for value in inputs]
            gathered[position] = offsets_of(codes[start, order])
            result = np.empty((stop - first, len(order)), np.float32)
            kernel.run(*gathered, result, start - first, stop - first)
            out[start:stop, order] = result[start - first :]

    return Kernel("rows", run, broadcasts=kernel.broadcasts)


def _gathered(value: Any, first: int, stop: int, order: NDArray[np.intp]) -> Any:
    """The rows [first, stop) of a matrix, in C order, its columns put in order; other arguments as they are."""
    if not isinstance(value, np.ndarray) or value.ndim != 2:
        return value
    return np.take(value if len(value) == 1 else value[first:stop], order, axis=1)


def _stretches(codes: Matrix, lo: int, hi: int) -> Iterator[tuple[int, int]]:
    """[start, stop) of the days of [lo, hi) on which every code is that of the day before."""
    start = lo
    for day in range(lo + 1, hi):
        if not np.array_equal(codes[day], codes[start], equal_nan=True):
            yield start, day
            start = day
    if lo < hi:
        yield start, hi
