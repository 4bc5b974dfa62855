"""Attributes that are written as text: lists of numbers, ranges, and the annotations for them."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression.types import Array, AttributeKind, AttributeType

MOST_EDGES = 10_000

Numbers = Annotated[str, AttributeType(AttributeKind.TEXT, samples=("1,2", "nan 0"))]
Mask = Annotated[str, AttributeType(AttributeKind.TEXT, samples=("nearest_bound", "mean", "NAN", "0.5"))]
Range = Annotated[str, AttributeType(AttributeKind.TEXT, samples=("0,1,0.1", "-2, 2, 0.5"))]
Edges = Annotated[str, AttributeType(AttributeKind.TEXT, samples=("2,5,6,7,10", "0.5"))]


def numbers_of(text: str, attribute: str) -> list[float]:
    """The numbers of a text such as `1, 2.5` or `nan 0`: separated by commas or blanks, in any case.

    Raises:
        BadInput: a part is no number.
    """
    try:
        return [float(part) for part in text.replace(",", " ").split()]
    except ValueError as error:
        message = f'Got invalid value for attribute "{attribute}", must be numbers separated by commas, found "{text}"'
        raise BadInput(message, "expression", 'write it as "1, 2, 3"') from error


def edges_of(range_text: str, edges_text: str) -> Array:
    """The edges of `bucket`, float32 and ascending, from `range` ("start, end, step") or `buckets` (the edges).

    They are rounded to float32, the precision of the data, so that a value on an edge is on it in both.

    Raises:
        BadInput: both or neither are given, or the numbers make no buckets.
    """
    if bool(range_text.strip()) == bool(edges_text.strip()):
        raise BadInput("bucket takes either range or buckets", "expression", 'write bucket(x, range="0,1,0.1")')
    if edges_text.strip():
        edges = np.array(numbers_of(edges_text, "buckets"))
        if not np.isfinite(edges).all() or (np.diff(edges) <= 0).any():
            raise BadInput(f'the buckets "{edges_text}" do not ascend', "expression", 'write buckets="2,5,6,7,10"')
        return edges.astype(np.float32)
    numbers = numbers_of(range_text, "range")
    valid = len(numbers) == 3 and all(map(math.isfinite, numbers)) and numbers[2] > 0 and numbers[0] < numbers[1]
    if not valid or (numbers[1] - numbers[0]) / numbers[2] > MOST_EDGES:
        message = f'the range "{range_text}" is no start, end and step of at most {MOST_EDGES:,} buckets'
        raise BadInput(message, "expression", 'write range="0,1,0.1"')
    start, end, step = numbers
    count = math.ceil((end - start) / step - 1e-9)
    return np.array([*(start + step * i for i in range(count)), end]).astype(np.float32)


def spread_of(values: list[float], count: int, names: tuple[str, str]) -> list[float]:
    """`values` as `count` numbers: one stands for all.

    Raises:
        BadInput: there is another number of them.
    """
    if len(values) == 1:
        return values * count
    if len(values) != count:
        message = f"{names[0]} has {count} numbers and {names[1]} {len(values)}"
        raise BadInput(message, "expression", f"give {names[1]} one number, or as many as {names[0]}")
    return values
