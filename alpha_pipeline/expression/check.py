"""Stage 2's question: do types, arity and windows fit, and does the panel hold the data?"""

from __future__ import annotations

from collections.abc import Collection

from alpha_pipeline.expression.errors import TypeProblem, nearest
from alpha_pipeline.expression.fields import adv_window, field_spec
from alpha_pipeline.expression.nodes import Constant, Field, Node, Path
from alpha_pipeline.expression.operator import OPERATORS, Operator
from alpha_pipeline.expression.parser import Parsed
from alpha_pipeline.expression.printer import number_text, to_text
from alpha_pipeline.expression.types import Slot, ValueType

LONGEST_WINDOW = 9_999
"""Days; a bound on memory, not on taste: the search itself draws windows from 5 to 252."""


def check(expression: Node | Parsed, available: Collection[str] | None = None) -> ValueType:
    """The type of an expression that may be an alpha.

    Args:
        expression: a tree, or a parsed text, whose positions then go into errors.
        available: names of the fields and groups that the panel holds (`adv{N}` needs `volume`); None for all.

    Raises:
        TypeProblem: wrong arity, an argument of a type that does not fit, a window that is none, missing data, or a
            whole that is a number or a group.
    """
    checker = _Checker(expression, available)
    root = expression.node if isinstance(expression, Parsed) else expression
    result = checker.type_of(root, ())
    if result in (ValueType.CONSTANT, ValueType.GROUP):
        raise checker.problem((), f"the expression is a {result.value}: an alpha needs a value per instrument and day")
    return result


class _Checker:
    def __init__(self, expression: Node | Parsed, available: Collection[str] | None) -> None:
        self.parsed = expression if isinstance(expression, Parsed) else None
        self.available = available

    def problem(self, path: Path, message: str, suggestion: str | None = None) -> TypeProblem:
        if self.parsed is None:
            return TypeProblem(message, suggestion=suggestion)
        return TypeProblem(message, self.parsed.text, self.parsed.positions.get(path), suggestion)

    def type_of(self, node: Node, path: Path) -> ValueType:
        if isinstance(node, Constant):
            return ValueType.CONSTANT
        if isinstance(node, Field):
            return self.field_type(node, path)
        operator = OPERATORS[node.operator]
        if len(node.arguments) != operator.arity:
            count = f"{operator.arity} argument{'s' if operator.arity != 1 else ''}"
            raise self.problem(path, f"{operator.signature} takes {count}, found {len(node.arguments)}")
        types = []
        for position, (slot, argument) in enumerate(zip(operator.slots, node.arguments, strict=True)):
            types.append(self.argument_type(operator, slot, argument, (*path, position)))
        numeric = [types[i] for i in operator.numeric_positions]
        if all(t is ValueType.CONSTANT for t in numeric):
            return ValueType.CONSTANT
        return operator.result

    def field_type(self, node: Field, path: Path) -> ValueType:
        spec = field_spec(node.name)
        if spec is None:
            raise self.problem(path, f"unknown field `{node.name}`")
        needed = "volume" if adv_window(node.name) else node.name
        if self.available is not None and needed not in self.available:
            groups = spec.type is ValueType.GROUP
            held = [n for n in self.available if (field_spec(n) or spec).type is spec.type]
            message = f"the panel holds no {'group' if groups else 'field'} `{node.name}` (it has {', '.join(held)})"
            raise self.problem(path, message, nearest(node.name, held))
        return spec.type

    def argument_type(self, operator: Operator, slot: Slot, node: Node, path: Path) -> ValueType:
        found = self.type_of(node, path)
        if not slot.accepts(found):
            name = operator.parameters[path[-1]]
            message = f"{operator.name} takes {slot.value} as `{name}`, found the {found.value} `{_short(node)}`"
            raise self.problem(path, message)
        if slot is Slot.WINDOW:
            if not isinstance(node, Constant):
                raise self.problem(
                    path, f"the window of {operator.name} must be a plain number, found `{_short(node)}`"
                )
            if node.value != int(node.value) or not 1 <= node.value <= LONGEST_WINDOW:
                found_text = number_text(node.value)
                limits = f"a whole number of days from 1 to {LONGEST_WINDOW}"
                raise self.problem(path, f"the window of {operator.name} must be {limits}, found {found_text}")
        return found


def _short(node: Node) -> str:
    text = to_text(node)
    return text if len(text) <= 40 else text[:37] + "..."
