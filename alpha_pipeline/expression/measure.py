"""Figures of a tree that need no data: depth, size, lookback, price-scale exponent, fields used."""

from __future__ import annotations

from functools import lru_cache

from alpha_pipeline.expression.fields import CATALOGUE, Catalogue
from alpha_pipeline.expression.nodes import Call, Constant, Field, Node, walk
from alpha_pipeline.expression.operator import OPERATORS
from alpha_pipeline.expression.scale import Exponent


def depth(node: Node) -> int:
    """Operators inside one another: 0 for a field, 1 for `rank(close)`, 2 for `rank(-close)`."""
    return _extent(node)[0] if isinstance(node, Call) else 0


def size(node: Node) -> int:
    """Number of nodes, constants and windows included."""
    return sum(1 for _ in walk(node))


def operator_count(node: Node) -> int:
    """Operators in the tree, infix ones and a leading minus included, as BRAIN counts them."""
    return _extent(node)[1] if isinstance(node, Call) else 0


@lru_cache(maxsize=50_000)
def _extent(call: Call) -> tuple[int, int]:
    """(depth, operators); a search asks for those of the same subtrees over and over."""
    inner = [_extent(argument) for argument in call.arguments if isinstance(argument, Call)]
    return 1 + max((deep for deep, _ in inner), default=0), 1 + sum(count for _, count in inner)


def fields_used(node: Node) -> frozenset[str]:
    """Names of all fields and groups in the tree, texts in quotes left out."""
    return frozenset(n.name for n in walk(node) if isinstance(n, Field) and not n.quoted)


@lru_cache(maxsize=50_000)
def lookback(node: Node, catalogue: Catalogue = CATALOGUE) -> int:
    """Rows before today that today's value rests on: `ts_mean(x, 20)` 19, `ts_delay(x, 5)` 5, summed along nesting.

    What an operator with a memory (`trade_when`, `hump`) carries over from earlier days is not counted.
    """
    if isinstance(node, Field):
        spec = catalogue.spec(node.name)
        return spec.history if spec else 0
    if not isinstance(node, Call):
        return 0
    operator = OPERATORS[node.operator]
    position = operator.window_of(len(node.arguments))
    if position is None:
        own = max(operator.history, 0)
    else:
        window = node.arguments[position]
        own = int(window.value) + operator.history if isinstance(window, Constant) else 0
    own += operator.reached(node.attributes)
    return own + max((lookback(argument, catalogue) for argument in node.arguments), default=0)


@lru_cache(maxsize=50_000)
def scale_exponent(node: Node, catalogue: Catalogue = CATALOGUE) -> Exponent:
    """The power of an instrument's price scale that the value carries; None where it is no power (see `scale`)."""
    if isinstance(node, Field):
        spec = catalogue.spec(node.name)
        return spec.scale if spec else None
    if not isinstance(node, Call):
        return 0
    operator = OPERATORS[node.operator]
    numeric = [node.arguments[i] for i in operator.numeric_of(len(node.arguments))]
    constants = [n.value if isinstance(n, Constant) else None for n in numeric]
    exponents = [scale_exponent(n, catalogue) for n in numeric]
    if any(isinstance(n, Call) and n not in numeric and scale_exponent(n, catalogue) != 0 for n in node.arguments):
        return None  # a group that depends on the price level
    if node.operator == "multiply" and node.attributes and any(exponent != 0 for exponent in exponents):
        return None  # a 1 in the place of a missing price has no scale
    return operator.scale.infer(exponents, constants)
