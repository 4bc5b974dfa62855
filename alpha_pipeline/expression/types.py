"""The types of the language, and the markers that operator signatures are written with."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray


class ValueType(Enum):
    """What a subexpression is."""

    MATRIX = "matrix"  # dates × instruments, numbers
    BOOLEAN = "boolean"  # a matrix of 1, 0 and NaN; usable as a matrix
    GROUP = "group"  # a label per instrument
    CONSTANT = "constant"  # one number


class Slot(Enum):
    """What an operator takes in one argument position."""

    MATRIX = "a matrix"  # a matrix or a boolean, but no bare number
    NUMERIC = "a matrix or a number"
    CONDITION = "a boolean"  # a comparison; a matrix counts as true where it is not zero
    GROUP = "a group"
    WINDOW = "a window (a positive whole number of days)"

    def accepts(self, value: ValueType) -> bool:
        """Whether a value of this type may stand here (a window's value is checked apart from this)."""
        return value in _ACCEPTED[self]


_ACCEPTED = {
    Slot.MATRIX: {ValueType.MATRIX, ValueType.BOOLEAN},
    Slot.NUMERIC: {ValueType.MATRIX, ValueType.BOOLEAN, ValueType.CONSTANT},
    Slot.CONDITION: {ValueType.MATRIX, ValueType.BOOLEAN},
    Slot.GROUP: {ValueType.GROUP},
    Slot.WINDOW: {ValueType.CONSTANT},
}

Array: TypeAlias = NDArray[Any]

# Annotations of plain kernels: the registry reads the slot from them.
Matrix = Annotated[NDArray[np.float64], Slot.MATRIX]
Numeric = Annotated[NDArray[np.float64], Slot.NUMERIC]
Condition = Annotated[NDArray[np.float64], Slot.CONDITION]
Group = Annotated[NDArray[np.int64], Slot.GROUP]
Window = Annotated[int, Slot.WINDOW]
