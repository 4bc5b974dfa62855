"""The types of the language, and the markers that operator signatures are written with."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray


class ValueType(Enum):
    """What a subexpression is."""

    MATRIX = "matrix"  # dates × instruments, numbers
    BOOLEAN = "boolean"  # a matrix of 1, 0 and NaN; usable as a matrix
    VECTOR = "vector"  # several numbers per date and instrument: events
    GROUP = "group"  # a label per date and instrument
    CONSTANT = "constant"  # one number
    SYMBOL = "symbol"  # text per instrument, such as a ticker: not usable in an alpha


class Slot(Enum):
    """What an operator takes in one argument position."""

    MATRIX = "a matrix"  # a matrix or a boolean, but no bare number
    NUMERIC = "a matrix or a number"
    CONDITION = "a boolean"  # a comparison; a matrix or a number is true where it is not zero
    VECTOR = "a vector field"
    GROUP = "a group"  # a group, or the number 1 for all instruments as one group
    LABELS = "a group or a matrix"  # what densify relabels
    NUMBER = "a plain number"
    WINDOW = "a window (a positive whole number of days)"
    ANYTHING = "anything"  # of operators that do not run here

    def accepts(self, value: ValueType) -> bool:
        """Whether a value of this type may stand here (a window's value is checked apart from this)."""
        return value in _ACCEPTED[self]


_NUMBERS = {ValueType.MATRIX, ValueType.BOOLEAN, ValueType.CONSTANT}
_ACCEPTED = {
    Slot.MATRIX: {ValueType.MATRIX, ValueType.BOOLEAN},
    Slot.NUMERIC: _NUMBERS,
    Slot.CONDITION: _NUMBERS,
    Slot.VECTOR: {ValueType.VECTOR},
    Slot.GROUP: {ValueType.GROUP, ValueType.CONSTANT},
    Slot.LABELS: {ValueType.GROUP, ValueType.MATRIX, ValueType.BOOLEAN},
    Slot.NUMBER: {ValueType.CONSTANT},
    Slot.WINDOW: {ValueType.CONSTANT},
    Slot.ANYTHING: set(ValueType),
}

AttributeValue: TypeAlias = float | bool | str
"""The value of a keyword attribute: `std=4`, `dense=true`, `driver="gaussian"`."""


class AttributeKind(Enum):
    """What an attribute's value may be."""

    NUMBER = "a number"
    FLAG = "true or false"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class AttributeType:
    """What an attribute takes: its kind and bounds.

    Attributes:
        lowest, highest: inclusive bounds of a number.
        whole: whole numbers only.
        options: the only texts allowed, if any are named.
        samples: values that tests and pages show; for free texts, whose form no bound describes.
    """

    kind: AttributeKind
    lowest: float = -math.inf
    highest: float = math.inf
    whole: bool = False
    options: tuple[str, ...] = ()
    samples: tuple[AttributeValue, ...] = ()


@dataclass(frozen=True, slots=True)
class ChoiceMarker:
    """Marks a parameter of a plain kernel that takes a setting of `choices.Choices` of the same name."""


Array: TypeAlias = NDArray[Any]

# Annotations of plain kernels: the registry reads the slot from them.
Matrix = Annotated[NDArray[np.float64], Slot.MATRIX]
Numeric = Annotated[NDArray[np.float64], Slot.NUMERIC]
Condition = Annotated[NDArray[np.float64], Slot.CONDITION]
Vector = Annotated[NDArray[np.object_], Slot.VECTOR]  # [dates, instruments] of float64 arrays, possibly empty
Group = Annotated[NDArray[np.float64], Slot.GROUP]  # [dates, instruments] codes from 0, NaN for no group
Labels = Annotated[NDArray[np.float64], Slot.LABELS]
Number = Annotated[float, Slot.NUMBER]
Window = Annotated[int, Slot.WINDOW]
Anything = Annotated[object, Slot.ANYTHING]

MOST = 9_999
"""The largest count that an attribute takes, like the longest window: no text may hold a process for long."""

# Annotations of keyword-only parameters: attributes.
Real = Annotated[float, AttributeType(AttributeKind.NUMBER)]
OptionalReal = Annotated[float | None, AttributeType(AttributeKind.NUMBER)]
NotNegative = Annotated[float, AttributeType(AttributeKind.NUMBER, lowest=0)]
Share = Annotated[float, AttributeType(AttributeKind.NUMBER, lowest=0, highest=1)]
Count = Annotated[int, AttributeType(AttributeKind.NUMBER, lowest=1, highest=MOST, whole=True)]
CountFromZero = Annotated[int, AttributeType(AttributeKind.NUMBER, lowest=0, highest=MOST, whole=True)]
Flag = Annotated[bool, AttributeType(AttributeKind.FLAG)]
Driver = Annotated[str, AttributeType(AttributeKind.TEXT, options=("gaussian", "uniform", "cauchy"))]
Choice = Annotated[str, ChoiceMarker()]
