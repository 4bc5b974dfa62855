"""Arithmetic of plain numbers inside an expression, worked out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from alpha_pipeline.expression.nodes import Call, Constant, Node
from alpha_pipeline.expression.operator import OPERATORS

FOLDED = ("arithmetic", "logical")
"""Categories whose operators make a number of numbers."""


def folded_constant(node: Node, known: dict[Call, Constant | None]) -> Constant | None:
    """The number that a tree of numbers is; None for any other tree, and where the result is not finite.

    Args:
        known: what was found for each call; kept by the caller, as variables bring the same call again and again.
    """
    if isinstance(node, Constant):
        return node
    if not isinstance(node, Call):
        return None
    if node not in known:
        known[node] = _worked_out(node, known)
    return known[node]


def _worked_out(call: Call, known: dict[Call, Constant | None]) -> Constant | None:
    numbers: list[float] = []
    for argument in call.arguments:
        number = folded_constant(argument, known)
        if number is None:
            return None
        numbers.append(number.value)
    return fold(call, numbers)


def fold(call: Call, numbers: Sequence[float]) -> Constant | None:
    """What the call makes of plain numbers in the place of its arguments, in double precision.

    None where it looks beyond a cell, where attributes or a reading (see `choices`) decide, or where the result is not
    finite.
    """
    operator = OPERATORS.get(call.operator)
    if operator is None or operator.category not in FOLDED or operator.across != "cells":
        return None
    told = call.attributes or any(each.required for each in operator.attributes)
    read = operator.choices and not operator.attributes  # with attributes, the choice is what one of them means
    if told or read or len(numbers) != operator.arity:
        return None
    result = float(operator.run_plain([np.array([[number]]) for number in numbers])[0, 0])
    result = float(f"{result:.12g}")  # 0.1 + 0.2 is 0.3: as many digits as single precision can ever see
    return Constant(result + 0.0) if math.isfinite(result) else None  # there is only one zero
