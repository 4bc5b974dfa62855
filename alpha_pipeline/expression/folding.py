"""Arithmetic of plain numbers inside an expression, worked out."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from alpha_pipeline.expression.nodes import Call, Constant, Node
from alpha_pipeline.expression.operator import OPERATORS
from alpha_pipeline.expression.types import AttributeValue

FOLDED = ("arithmetic", "logical")
"""Categories whose operators make a number of numbers."""


def folded_constant(node: Node) -> Constant | None:
    """The number that a tree of numbers is; None for any other tree, and where the result is not finite."""
    if isinstance(node, Constant):
        return node
    if not isinstance(node, Call):
        return None
    operator = OPERATORS.get(node.operator)
    if operator is None or operator.category not in FOLDED or len(node.arguments) != operator.arity:
        return None
    numbers = [folded_constant(argument) for argument in node.arguments]
    known = [number.value for number in numbers if number is not None]
    return fold(node.operator, known, node.attributes) if len(known) == len(numbers) else None


def fold(name: str, values: Sequence[float], attributes: Sequence[tuple[str, AttributeValue]] = ()) -> Constant | None:
    """The operator of that name over plain numbers; None where it looks beyond a cell, or the result is not finite."""
    operator = OPERATORS[name]
    if operator.category not in FOLDED or operator.across != "cells" or (attributes and operator.choices):
        return None
    result = float(operator.run_plain([np.array([[value]]) for value in values], attributes)[0, 0])
    return Constant(result + 0.0) if math.isfinite(result) else None
