"""Plain kernels in the place of fast ones: slow, exact, for every operator that has no kernel of its own.

Blocks follow what the operator looks at: rows where it needs no other day, columns where it needs no other instrument,
else the whole. Values are float64 inside and rounded to float32 at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.kernels.kernel import Axis, Cells, Kernel, Matrix
from alpha_pipeline.expression import Choices, Operator, Slot
from alpha_pipeline.expression.types import AttributeValue

STRIP = 2**18  # cells of a strip of rows, so that the float64 copies stay small


def axis_of(operator: Operator) -> Axis:
    """How its plain kernel may be cut into blocks."""
    if operator.across == "both" or (operator.across == "instruments" and looks_back(operator)):
        return "all"
    return "columns" if operator.across == "days" or looks_back(operator) else "rows"


def looks_back(operator: Operator) -> bool:
    """Whether it needs other days than today, by its window or otherwise."""
    return operator.stateful or operator.window_position is not None or operator.history >= 0


def plain_kernel(
    operator: Operator, slots: Sequence[Slot], attributes: Sequence[tuple[str, AttributeValue]], choices: Choices
) -> Kernel:
    """The operator's plain kernel, one argument a slot.

    Arguments are float32 matrices, floats (which stand for matrices of that number), windows as pairs of ints, groups
    as int32 [instruments] or float32 [dates, instruments] codes, and `Cells`.
    """
    axis = axis_of(operator)

    def run(*arguments: Any) -> None:
        *inputs, out, lo, hi = arguments
        strip = max(1, STRIP // max(1, out.shape[1])) if axis == "rows" else max(1, hi - lo)
        for start in range(lo, hi, strip):
            stop = min(start + strip, hi)
            block = (slice(None), slice(start, stop)) if axis == "columns" else (slice(start, stop), slice(None))
            held, strict = [], False
            for slot, value in zip(slots, inputs, strict=True):
                if slot is Slot.WINDOW:
                    window, strict = value
                    held.append(window)
                else:
                    held.append(value if slot is Slot.NUMBER else _block(value, out, block))
            result = operator.run_plain(held, attributes, choices, strict)
            with np.errstate(all="ignore"):  # what is too large for float32 is infinite
                out[block] = result

    return Kernel(axis, run, broadcasts=True)


def _block(value: Any, out: Matrix, block: tuple[slice, slice]) -> NDArray[Any]:
    """An argument's float64 [dates, instruments] values of a block."""
    if isinstance(value, Cells):
        return cells_of(value, out.shape[1])[block] if block[0] == slice(None) else _strip(value, out.shape[1], block)
    if np.ndim(value) < 2 or (len(value) == 1 and len(out) > 1):
        value = np.broadcast_to(np.asarray(value, dtype=np.float64), out.shape)
    return np.asarray(value[block], dtype=np.float64)


def _strip(vectors: Cells, columns: int, block: tuple[slice, slice]) -> NDArray[np.object_]:
    offsets = vectors.offsets[block[0].start * columns : block[0].stop * columns + 1]
    values = vectors.values[offsets[0] : offsets[-1]]
    return cells_of(Cells(values, offsets - offsets[0]), columns)


def cells_of(vectors: Cells, columns: int) -> NDArray[np.object_]:
    """A vector field as plain kernels take it: object [dates, instruments] of float64 arrays."""
    values = vectors.values.astype(np.float64)
    cells = np.empty(len(vectors.offsets) - 1, dtype=np.object_)
    for index, part in enumerate(np.split(values, vectors.offsets[1:-1])):
        cells[index] = part
    return cells.reshape(-1, columns)
