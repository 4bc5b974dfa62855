"""From what stands in a call to what kernels are handed: windows, numbers, attributes, inputs that must be masked; and
the check of what engines are made with."""

from __future__ import annotations

from collections.abc import Container

from alpha_pipeline.engine import tree
from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import Call, Choices, Constant, Field, Node, Operator, Slot
from alpha_pipeline.expression.types import AttributeKind, AttributeType, AttributeValue

MATRICES = (Slot.MATRIX, Slot.NUMERIC, Slot.CONDITION, Slot.LABELS)
"""Slots of inputs that are a value for each date and instrument."""


def check_terms(memory: int, windows: str) -> None:
    """What every engine is made with.

    Raises:
        BadInput: it cannot be used.
    """
    if memory < 0:
        raise BadInput("memory cannot be negative", "memory", "give the bytes the engine may use")
    if windows not in ("partial", "strict"):
        raise BadInput(f"unknown kind of windows {windows!r}", "windows", "use partial or strict")


def leaves_the_universe(node: Node, fields: Container[str]) -> bool:
    """Whether an input of an operator across instruments may have values outside the universe, and must be masked.

    Groups have: they are known of everyone. Numbers stand for themselves.
    """
    if isinstance(node, Field):
        return node.name not in fields
    return isinstance(node, Call) and not tree.confined(node)


def window_of(operator: Operator, argument: Node, strict: bool) -> list[int]:
    """A window as kernels take it: its days, and how many valid values it needs."""
    days = int(number_of(argument))
    return [days, days if strict else operator.minimum]


def number_of(node: Node) -> float:
    """The value of an argument that is a plain number: the checker lets nothing else through."""
    assert isinstance(node, Constant)
    return node.value


def typed_attributes(
    operator: Operator, given: tuple[tuple[str, AttributeValue], ...]
) -> tuple[tuple[str, AttributeValue], ...]:
    """Given attributes in the type of their declaration: whole numbers as int, flags as bool."""
    types = {each.name: each.type for each in operator.attributes}
    return tuple((name, _typed(types[name], value)) for name, value in given)


def setting_values(
    operator: Operator, given: tuple[tuple[str, AttributeValue], ...], choices: Choices
) -> list[AttributeValue | None]:
    """What follows the arguments in a call of a fast kernel: all attributes and choices, in order."""
    named = dict(given)
    settings: list[AttributeValue | None] = []
    for each in operator.attributes:
        value = named.get(each.name, each.default)
        settings.append(None if value is None else _typed(each.type, value))
    return [*settings, *(getattr(choices, name) for name in operator.choices)]


def _typed(kind: AttributeType, value: AttributeValue) -> AttributeValue:
    if kind.kind is AttributeKind.NUMBER:
        return int(value) if kind.whole else float(value)
    return bool(value) if kind.kind is AttributeKind.FLAG else value
