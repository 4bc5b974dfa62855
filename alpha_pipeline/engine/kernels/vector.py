"""Vector fields to matrices: one number per cell of the events that it holds.

Cell (t, j) of N instruments holds values[offsets[t·N + j] : offsets[t·N + j + 1]], so a block of rows is one run of
events; what a cell's events add up to is a weighted count of cell numbers, in float64 and in the events' order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.expression.operators.texts import numbers_of

Events: TypeAlias = NDArray[np.float32]
Offsets: TypeAlias = NDArray[np.int64]
Numbers: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Block:
    """The valid events of some rows: their values, the cell of each (ascending), and how many each cell holds."""

    values: Numbers
    cell: NDArray[np.int64]
    count: NDArray[np.int64]

    def total(self, weights: Numbers) -> Numbers:
        """Sum by cell."""
        return np.bincount(self.cell, weights, len(self.count)).astype(np.float64, copy=False)  # of no events it is int

    def reduced(self, function: np.ufunc) -> Numbers:
        """`function` by cell; NaN where a cell is empty."""
        out = np.full(len(self.count), np.nan)
        held = self.count > 0
        if held.any():
            out[held] = function.reduceat(self.values, (np.cumsum(self.count) - self.count)[held])
        return out

    def above_mean(self) -> Numbers:
        """Each event less the mean of its cell; exactly 0 where all are equal, float32 sums being exact in float64."""
        return self.values - (self.total(self.values) / self.count)[self.cell]

    def deviation(self) -> Numbers:
        return np.sqrt(self.total(self.above_mean() ** 2) / self.count)


def _of_cells(function: Callable[..., Numbers], added: bool = True) -> Kernel:
    """A kernel from a function of a block and the attributes that gives a number per cell."""

    def run(values: Events, offsets: Offsets, *rest: Any) -> None:
        *attributes, out, lo, hi = rest
        width = out.shape[1]
        bounds = offsets[lo * width : hi * width + 1]
        events = values[bounds[0] : bounds[-1]]
        cell = np.repeat(np.arange((hi - lo) * width), np.diff(bounds))
        valid = np.isfinite(events) if added else ~np.isnan(events)
        cell = cell[valid]
        block = Block(events[valid].astype(np.float64), cell, np.bincount(cell, minlength=(hi - lo) * width))
        with np.errstate(all="ignore"):
            result = np.where(block.count > 0, function(block, *attributes), np.nan)
            out[lo:hi] = result.reshape(hi - lo, width)

    return Kernel("rows", run)


def _moment(power: int, less: float) -> Callable[[Block], Numbers]:
    def moment(block: Block) -> Numbers:
        deviation = block.deviation()
        scores = block.above_mean() / deviation[block.cell]
        return np.where(deviation > 0, block.total(scores**power) / block.count - less, np.nan)

    return moment


def _ir(block: Block) -> Numbers:
    deviation = block.deviation()
    return np.where(deviation > 0, block.total(block.values) / block.count / deviation, np.nan)


def _percentage(block: Block, percentage: float) -> Numbers:
    ordered = block.values[np.lexsort((block.values, block.cell))]
    if not len(ordered):
        return np.full(len(block.count), np.nan)
    place = percentage * np.maximum(block.count - 1, 0)
    below = np.floor(place).astype(np.int64)
    first = np.cumsum(block.count) - block.count
    last = len(ordered) - 1  # an empty cell's place may lie behind the last event; its result is dropped
    low = ordered[np.minimum(first + below, last)]
    high = ordered[np.minimum(first + np.minimum(below + 1, block.count - 1), last)]
    between: Numbers = low + (place - below) * (high - low)
    return between


def _choose(values: Events, offsets: Offsets, nth: int, out: Matrix, lo: int, hi: int) -> None:
    width = out.shape[1]
    bounds = offsets[lo * width : hi * width + 1]
    chosen = np.full((hi - lo) * width, np.nan, np.float32)
    held = np.diff(bounds) > nth
    chosen[held] = values[bounds[:-1][held] + int(nth)]
    out[lo:hi] = chosen.reshape(hi - lo, width)


def _filter(values: Events, offsets: Offsets, dropped_text: str) -> tuple[Events, Offsets]:
    dropped = np.array(numbers_of(dropped_text, "value"), dtype=np.float32)
    kept = ~np.isin(values, dropped)
    if np.isnan(dropped).any():
        kept &= ~np.isnan(values)
    return values[kept], np.concatenate(([0], np.cumsum(kept)))[offsets]


KERNELS: dict[str, Kernel] = {
    "vec_avg": _of_cells(lambda block: block.total(block.values) / block.count),
    "vec_sum": _of_cells(lambda block: block.total(block.values)),
    "vec_count": _of_cells(lambda block: block.count.astype(np.float64), added=False),
    "vec_min": _of_cells(lambda block: block.reduced(np.minimum), added=False),
    "vec_max": _of_cells(lambda block: block.reduced(np.maximum), added=False),
    "vec_range": _of_cells(lambda block: block.reduced(np.maximum) - block.reduced(np.minimum)),
    "vec_stddev": _of_cells(Block.deviation),
    "vec_ir": _of_cells(_ir),
    "vec_skewness": _of_cells(_moment(3, 0.0)),
    "vec_kurtosis": _of_cells(_moment(4, 3.0)),
    "vec_norm": _of_cells(lambda block: block.total(np.abs(block.values))),
    "vec_choose": Kernel("rows", _choose),
    "vec_percentage": _of_cells(_percentage),
    "vec_powersum": _of_cells(lambda block, constant: block.total(block.values**constant)),
    "vec_filter": Kernel("vectors", _filter),
}
