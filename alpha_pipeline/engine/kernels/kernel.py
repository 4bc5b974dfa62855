"""What a kernel is: a function that fills a block of an operator's result, so that threads can share one operator.

Every matrix is float32 [dates, instruments] in C order ("day-major"); sums are held in float64. A matrix argument that
is one number is a float32 [1, instruments] row. No kernel writes to its inputs, holds the GIL for long, or keeps state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float32]
Offsets: TypeAlias = NDArray[np.int32]
Axis: TypeAlias = Literal["rows", "columns", "all", "vectors"]


class Cells(NamedTuple):
    """A vector field: cell (t, j) of N instruments holds values[offsets[t·N + j] : offsets[t·N + j + 1]]."""

    values: NDArray[np.float32]
    offsets: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Kernel:
    """The fast form of an operator.

    Attributes:
        axis: what `lo` and `hi` count: "rows" (dates), "columns" (instruments), "all" (dates, but in one block: 0 and
            their number); or "vectors" for an operator whose result is a vector field.
        run: `run(*arguments, out, lo, hi)` writes `out[lo:hi]` or `out[:, lo:hi]` and nothing else. Arguments are those
            of the operator: matrices; a window as an int, followed by the number of valid values it needs (int); a
            plain number as a float; a group as int32 offsets [groups + 1] of its runs of columns; a vector field as
            its values and offsets (see `Cells`). They are followed by all attributes in the order of their declaration
            and by all choices (see `choices.Choices`) in theirs. On the axis "vectors" there is no `out, lo, hi`;
            the result is returned as values and offsets.
        broadcasts: a matrix argument may be a [1, instruments] row.
    """

    axis: Axis
    run: Callable[..., Any]
    broadcasts: bool = False
