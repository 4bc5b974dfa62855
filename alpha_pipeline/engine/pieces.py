"""Runs the steps of a unit on one piece of the panel after the other, its values in scratch memory that stays cached.

A tile's inputs are contiguous copies: the rows of a tile of a wide matrix lie a page apart, and every kernel is quicker
on a small matrix of its own. Of fields the copies are kept, all tiles of them (`Tiled`). Rows need no copy: a block of
dates is contiguous as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.kernels.kernel import Matrix
from alpha_pipeline.engine.plan import Along, Unit

TILE_CELLS = 320_000  # of one value in a tile, 1.3 MB: smaller ones gain less in the caches than their steps cost
BLOCK_CELLS = 200_000  # likewise in a block of dates
STEP = 16  # tiles begin at whole cache lines


class Tiled(NamedTuple):
    """A field cut into tiles, each a C-ordered matrix of all dates."""

    tiles: list[Matrix]


def tiled(matrix: Matrix) -> Tiled:
    """Copies of a matrix's tiles."""
    return Tiled([np.ascontiguousarray(matrix[:, lo:hi]) for lo, hi in pieces(Along.COLUMNS, matrix.shape)])


class Scratch(threading.local):
    """Memory for the values of a piece, of each thread its own."""

    def __init__(self) -> None:
        self._flat: list[NDArray[np.float32]] = []

    def matrix(self, slot: int, rows: int, columns: int) -> Matrix:
        """A C-ordered matrix with undefined content, on the memory of a slot."""
        cells = rows * columns
        while len(self._flat) <= slot:
            self._flat.append(np.empty(0, np.float32))
        if self._flat[slot].size < cells:
            self._flat[slot] = np.empty(cells, np.float32)
        return self._flat[slot][:cells].reshape(rows, columns)


def pieces(along: Along, shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """[lo, hi) of each piece: instruments of a tile, dates of a block."""
    days, instruments = shape
    if along is Along.COLUMNS:
        length, size = instruments, max(STEP, TILE_CELLS // max(1, days) // STEP * STEP)
    else:
        length, size = days, max(1, BLOCK_CELLS // max(1, instruments))
    return [(lo, min(lo + size, length)) for lo in range(0, length, size)]


def arguments_of(unit: Unit, inputs: Sequence[NDArray[Any] | Tiled], columns: int) -> list[Any]:
    """What the kernel of a unit of one step is handed when it runs on whole matrices."""
    (step,) = unit.steps
    arguments = step.arguments.copy()
    for position, place in step.takes:
        arguments[position] = inputs[~place]
    for position, number in step.numbers:
        arguments[position] = row_of(number, columns)
    return arguments


def row_of(number: float, columns: int) -> Matrix:
    """A number in the place of a matrix."""
    return np.full((1, columns), number, np.float32)


def run_piece(
    unit: Unit,
    inputs: Sequence[NDArray[Any] | Tiled],
    out: Matrix,
    number: int,
    bounds: tuple[int, int],
    scratch: Scratch,
) -> None:
    """Fill `out` of piece `number`, which is [lo, hi) of the axis."""
    lo, hi = bounds
    tile = unit.along is Along.COLUMNS and hi - lo < out.shape[1]
    days, columns = (len(out), hi - lo) if unit.along is Along.COLUMNS else (hi - lo, out.shape[1])
    values: list[Any] = [None] * len(unit.last_use)
    slots: dict[int, int] = {}  # of the values that stand in scratch memory, by place
    free: list[int] = []
    taken = 0
    last = len(unit.steps) - 1
    for at, step in enumerate(unit.steps):
        arguments = step.arguments.copy()
        for position, place in step.takes:
            value = values[place]
            if value is None:  # an input, met for the first time
                value = inputs[~place]
                if isinstance(value, Tiled):
                    value = value.tiles[number]
                elif tile:
                    slots[place] = slot = free.pop() if free else taken
                    taken += slot == taken
                    copy = scratch.matrix(slot, days, columns)
                    np.copyto(copy, value[:, lo:hi])
                    value = copy
                elif unit.along is Along.ROWS:
                    value = value[lo:hi]
                values[place] = value
            arguments[position] = value
        for position, constant in step.numbers:
            arguments[position] = row_of(constant, columns)
        if at == last and not tile:
            result = out if unit.along is Along.COLUMNS else out[lo:hi]
        else:
            slots[at] = slot = free.pop() if free else taken
            taken += slot == taken
            result = scratch.matrix(slot, days, columns)
        kernel = step.kernel
        kernel.run(*arguments, result, 0, columns if kernel.axis == "columns" else days)
        values[at] = result
        for _, place in step.takes:
            if unit.last_use[place] == at and place in slots:
                free.append(slots.pop(place))
    if tile:
        np.copyto(out[:, lo:hi], values[last])
