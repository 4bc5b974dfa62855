"""Tree to canonical text: BRAIN's operator names, infix where there is a symbol, no bracket that is not needed.

`parse(to_text(node)) == node` for every tree that `parse` can make.
"""

from __future__ import annotations

from decimal import Decimal

from alpha_pipeline.expression.nodes import Constant, Field, Node
from alpha_pipeline.expression.operator import OPERATORS
from alpha_pipeline.expression.types import AttributeValue

_ATOM = 100
_UNARY = 80


def number_text(value: float) -> str:
    """The shortest plain decimal that reads back to the same number: no exponent, which the platform may not take."""
    if value != value:
        return "nan"
    text = format(Decimal(repr(float(value))), "f")
    return text.removesuffix(".0")


def attribute_text(name: str, value: AttributeValue | None) -> str:
    """An attribute as the language writes it: `std=4`, `dense=true`, `driver="gaussian"`."""
    if isinstance(value, bool):
        shown = "true" if value else "false"
    elif isinstance(value, str):
        shown = _quoted(value)
    else:
        shown = "none" if value is None else number_text(value)
    return f"{name}={shown}"


def to_text(node: Node) -> str:
    """Canonical text of a tree."""
    return _print(node)[0]


def _quoted(text: str) -> str:
    return f"'{text}'" if '"' in text else f'"{text}"'


def _print(node: Node) -> tuple[str, int]:
    """Text of a node, and how tightly it holds together."""
    if isinstance(node, Field):
        return node.name, _ATOM
    if isinstance(node, Constant):
        return number_text(node.value), _UNARY if node.value < 0 else _ATOM
    operator = OPERATORS.get(node.operator)
    infix = operator.infix if operator is not None and not node.attributes else None
    if infix is None or len(node.arguments) != (1 if node.operator == "reverse" else 2):
        inside = [to_text(argument) for argument in node.arguments]
        inside += [attribute_text(name, value) for name, value in node.attributes]
        return f"{node.operator}({', '.join(inside)})", _ATOM
    if node.operator == "reverse":
        operand = node.arguments[0]
        text, tightness = _print(operand)
        # A number under a minus would read back as a negative number, and --x is clearer as -(-x).
        bare = not isinstance(operand, Constant) and tightness > _UNARY
        return f"-{text}" if bare else f"-({text})", _UNARY
    left, right = node.arguments
    right_associative = infix.symbol == "^"
    first = _bracketed(left, infix.precedence + right_associative)
    second = _bracketed(right, infix.precedence + (not right_associative))
    space = "" if infix.symbol == "^" else " "
    return f"{first}{space}{infix.symbol}{space}{second}", infix.precedence


def _bracketed(node: Node, weakest: int) -> str:
    text, precedence = _print(node)
    return text if precedence >= weakest else f"({text})"
