"""What a kernel is: a function that fills a block of an operator's result, so that threads can share one operator.

Every matrix is float32 [dates, instruments] in C order ("day-major"); sums are held in float64. A matrix argument that
is one number is a float32 [1, instruments] row. No kernel writes to its inputs, holds the GIL for long, or keeps state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float32]
Offsets: TypeAlias = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Kernel:
    """The fast form of an operator.

    Attributes:
        axis: what `lo` and `hi` count: "rows" (dates) or "columns" (instruments).
        run: `run(*arguments, out, lo, hi)` writes `out[lo:hi]` or `out[:, lo:hi]` and nothing else. Arguments are those
            of the operator: matrices; a window as an int, followed by the number of valid values it needs (int); a
            group as int32 offsets [groups + 1] of its runs of columns.
        broadcasts: a matrix argument may be a [1, instruments] row.
    """

    axis: Literal["rows", "columns"]
    run: Callable[..., Any]
    broadcasts: bool = False
