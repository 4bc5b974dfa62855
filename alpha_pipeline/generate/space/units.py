"""Units of the search space: those of the language that the search draws, each with its price-scale exponent.

The platform warns where units do not agree (`returns + cap`), and such expressions mean little, so the search draws
none. Both the language's unit rules and its price-scale rules must hold; a unit of the search is one whose scale is
what its prices and shares say, so that a unit alone decides both. Which input units make a result is found with the
same rules that check it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from alpha_pipeline.expression import OPERATORS, Constant, Field, Node, Operator, Slot, Unit, field_spec
from alpha_pipeline.expression.units import MONEY, PRICE, PURE, SHARES

QUANTITIES = (PRICE, SHARES, MONEY)
"""What prices, volumes and traded values are counted in, on the day itself."""


def _over(one: Unit, other: Unit) -> Unit:
    return Unit(*(a - b for a, b in zip(one, other, strict=True)))


RATIOS = tuple(ratio for unit in QUANTITIES for ratio in (_over(unit, unit.over_time()), _over(unit.over_time(), unit)))
"""A quantity over its own past, or the past over it: a change in parts of the price. Free of the price scale."""

UNITS = (PURE, *QUANTITIES, *(unit.over_time() for unit in QUANTITIES), *RATIOS)
"""What the search draws."""


@lru_cache(maxsize=50_000)
def unit_of(node: Node) -> Unit | None:
    """The unit of a subtree; None where units or scales inside do not agree, or where it is none of `UNITS`."""
    if isinstance(node, Constant):
        return PURE
    if isinstance(node, Field):
        spec = field_spec(node.name)
        return spec.unit if spec is not None and spec.unit in UNITS else None
    operator = OPERATORS[node.operator]
    numeric = [node.arguments[i] for i in operator.numeric_of(len(node.arguments))]
    units = [unit_of(argument) for argument in numeric]
    known = [unit for unit in units if unit is not None]
    if len(known) < len(units):
        return None
    return _infer(operator, known, [argument.value if isinstance(argument, Constant) else None for argument in numeric])


@lru_cache(maxsize=1_000)
def solve_units(name: str, target: Unit) -> tuple[tuple[Unit, ...], ...]:
    """All units of the numeric inputs from which the operator of that name makes `target`.

    Ratios of ratios say nothing that a ratio does not, and conditions are pure numbers.
    """
    operator = OPERATORS[name]
    count = len(operator.numeric_positions)
    nothing = [None] * count
    found = []
    for units in operator.solve_units(target, UNITS):
        placed = zip(units, operator.numeric_positions, strict=True)
        pure_conditions = all(unit == PURE for unit, i in placed if operator.slots[i] is Slot.CONDITION)
        nested = name in ("multiply", "divide") and any(unit in RATIOS for unit in units)
        if pure_conditions and not nested and _infer(operator, units, nothing) == target:
            found.append(units)
    return tuple(found)


def _infer(operator: Operator, units: Sequence[Unit], numbers: Sequence[float | None]) -> Unit | None:
    unit = operator.infer_unit(units, [number is not None for number in numbers])
    scale = operator.scale.infer([unit.scale for unit in units], numbers)
    return unit if isinstance(unit, Unit) and unit in UNITS and scale == unit.scale else None
