"""Units through a tree: the unit of an expression, and the platform's warning where they do not agree."""

from __future__ import annotations

from typing import TypeAlias

from alpha_pipeline.expression.choices import DEFAULT_CHOICES, Choices
from alpha_pipeline.expression.fields import CATALOGUE, Catalogue
from alpha_pipeline.expression.nodes import Call, Constant, Field, Node
from alpha_pipeline.expression.operator import OPERATORS
from alpha_pipeline.expression.units import PURE, Mismatch, Unit

Known: TypeAlias = "dict[Call, Unit | str | None]"


def unit_warning(node: Node, catalogue: Catalogue = CATALOGUE, choices: Choices = DEFAULT_CHOICES) -> str | None:
    """The platform's unit warning, in its words; None where all units agree.

    As there, only the first mismatch is told: inner operators come before outer ones, left before right. It never
    keeps an expression from running. The tree must type-check.
    """
    found = infer_unit(node, catalogue, choices)
    return found if isinstance(found, str) else None


def unit_of(node: Node, catalogue: Catalogue = CATALOGUE, choices: Choices = DEFAULT_CHOICES) -> Unit | None:
    """The unit of an expression; None where units inside it do not agree, or are not known."""
    found = infer_unit(node, catalogue, choices)
    return found if isinstance(found, Unit) else None


def infer_unit(node: Node, catalogue: Catalogue = CATALOGUE, choices: Choices = DEFAULT_CHOICES) -> Unit | str | None:
    """The unit of an expression, or the warning about the first mismatch inside it; None where it is not known."""
    return _inferred(node, catalogue, choices, {})


def _inferred(node: Node, catalogue: Catalogue, choices: Choices, known: Known) -> Unit | str | None:
    if isinstance(node, Field):
        spec = catalogue.spec(node.name)
        return spec.unit if spec is not None else None
    if not isinstance(node, Call):
        return PURE
    if node not in known:
        known[node] = _of_call(node, catalogue, choices, known)
    return known[node]


def _of_call(node: Call, catalogue: Catalogue, choices: Choices, known: Known) -> Unit | str | None:
    operator = OPERATORS[node.operator]
    positions = operator.numeric_of(len(node.arguments))
    units: list[Unit | None] = []
    for position, argument in enumerate(node.arguments):
        if isinstance(argument, Call) or position in positions:
            unit = _inferred(argument, catalogue, choices, known)
            if isinstance(unit, str):
                return unit
            if position in positions:
                units.append(unit)
    numbers = [isinstance(node.arguments[position], Constant) for position in positions]
    told = [unit for unit in units if unit is not None]
    if len(told) < len(units):
        return operator.unit.blind
    found = operator.infer_unit(told, numbers, choices)
    if isinstance(found, Mismatch):
        index = positions[found.place]
        return (
            f'Incompatible unit for input of "{operator.name}" at index {index}, '
            f'expected "{found.expected}", found "{found.found}"'
        )
    return found
