"""Units of the search space: price, shares, money (price × shares), pure number.

The platform warns where units do not agree (`returns + cap`), and such expressions mean little, so the search draws
none. A unit is a pair: the price-scale exponent, which the language's rules propagate (price 1, shares −1), and the
exponent of shares, which the same rules propagate but for the operators named in `_SHARES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from alpha_pipeline.expression import OPERATORS, Constant, Field, Node, Operator, field_spec
from alpha_pipeline.expression.scale import Exponent, Same, ScaleRule, Stripped


class Unit(NamedTuple):
    """Exponents of the price scale and of shares."""

    scale: int
    shares: int


PURE, PRICE, SHARES, MONEY = Unit(0, 0), Unit(1, 0), Unit(-1, 1), Unit(0, 1)
UNITS = (PURE, PRICE, SHARES, MONEY)
"""What the search draws."""

# A day's ranks and scores are pure numbers whatever is ranked; a difference from a mean keeps its unit.
_SHARES: dict[str, ScaleRule] = {
    "rank": Stripped(),
    "zscore": Stripped(),
    "scale": Stripped(),
    "group_rank": Stripped(),
    "group_scale": Stripped(),
    "group_neutralize": Same(),
}


def unit_of(node: Node) -> Unit | None:
    """The unit of a subtree; None where its inputs' units do not agree, or where it is none of `UNITS`."""
    if isinstance(node, Constant):
        return PURE
    if isinstance(node, Field):
        return _field_unit(node.name)
    operator = OPERATORS[node.operator]
    numeric = [node.arguments[i] for i in operator.numeric_positions]
    units = [unit_of(argument) for argument in numeric]
    known = [unit for unit in units if unit is not None]
    if len(known) < len(units):
        return None
    constants = [argument.value if isinstance(argument, Constant) else None for argument in numeric]
    return _infer(operator, known, constants)


def solve_units(operator: Operator, target: Unit) -> list[tuple[Unit, ...]]:
    """All units of the numeric inputs from which the operator makes `target`."""
    count = len(operator.numeric_positions)
    return [units for units in product(UNITS, repeat=count) if _infer(operator, units, [None] * count) == target]


def _infer(operator: Operator, units: Sequence[Unit], constants: Sequence[float | None]) -> Unit | None:
    scale: Exponent = operator.scale.infer([unit.scale for unit in units], constants)
    shares: Exponent = _SHARES.get(operator.name, operator.scale).infer([unit.shares for unit in units], constants)
    if scale is None or shares is None:
        return None
    return next((unit for unit in UNITS if unit == (scale, shares)), None)


def _field_unit(name: str) -> Unit | None:
    spec = field_spec(name)
    if spec is None:
        return None
    shares = spec.unit.share
    return next((unit for unit in UNITS if unit == (spec.scale, shares)), None)
