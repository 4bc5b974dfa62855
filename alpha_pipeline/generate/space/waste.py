"""What the search does not spend proposals on: expressions that type-check but say nothing new, or blow up.

The rules are tables. The grammar reads them to leave such productions out, and `wasteful` applies them to any tree, so
that what crossover and mutation make is held to the same rules.
"""

from __future__ import annotations

from alpha_pipeline.expression import OPERATORS, Call, Constant, Field, Node, ValueType, field_spec

UNIT = frozenset({"rank", "group_rank", "ts_rank", "group_scale"})
"""Operators whose values lie in [0, 1]: what a fixed threshold may be compared with."""

POSITIVE = frozenset({"abs", "ts_std_dev"})
"""Operators whose values are never negative and seldom 0, whatever goes in."""

KEEPS_POSITIVE = frozenset(
    {"add", "multiply", "divide", "max", "min", "ts_delay", "ts_sum", "ts_mean", "ts_decay_linear", "ts_max", "ts_min"}
)
"""Operators whose values are positive where all matrix inputs are."""

NEEDS_POSITIVE = frozenset({("divide", 1), ("log", 0)})
"""Inputs (operator, position) that must not pass through 0."""

REVERSED_INSIDE = frozenset({"if_else", "max", "min"})
"""Operators that a minus may stand in. Elsewhere the same values come from a minus in front of the whole, or from
`subtract`, or not at all."""

_MONOTONE = frozenset({"rank", "zscore", "scale", "signed_power"})  # same order within a day as their input
REDUNDANT: dict[str, frozenset[str]] = {
    "rank": _MONOTONE,
    "group_rank": _MONOTONE | {"group_rank", "group_scale", "group_neutralize"},
    "group_scale": frozenset({"scale", "zscore", "group_scale", "group_neutralize", "group_rank"}),
    "group_neutralize": frozenset({"group_neutralize"}),
    "zscore": frozenset({"zscore", "scale"}),
    "scale": frozenset({"zscore", "scale"}),
    "ts_zscore": frozenset({"ts_zscore", "ts_arg_max", "ts_arg_min"}),
    "ts_rank": frozenset({"ts_rank", "ts_arg_max", "ts_arg_min"}),
    "ts_arg_max": frozenset({"ts_arg_max", "ts_arg_min", "ts_rank"}),
    "ts_arg_min": frozenset({"ts_arg_max", "ts_arg_min", "ts_rank"}),
    "ts_delay": frozenset({"ts_delay", "sign"}),
    "sign": UNIT | {"sign", "abs", "scale", "signed_power", "ts_std_dev", "ts_arg_max", "ts_arg_min"},
    "abs": UNIT | {"abs", "ts_std_dev", "sign"},
    "signed_power": frozenset({"signed_power", "sign", "abs"}),
    "log": frozenset({"log", "signed_power"}),
    "ts_std_dev": frozenset({"ts_std_dev"}),
}
"""Outer operator to the inner ones that it makes pointless, or that make it pointless."""


def is_positive(node: Node) -> bool:
    """Whether the values are positive by construction: prices, volumes, their averages and spreads."""
    if isinstance(node, Constant):
        return node.value > 0
    if isinstance(node, Field):
        spec = field_spec(node.name)
        return spec is not None and spec.type is ValueType.MATRIX and node.name != "returns"
    if node.operator in POSITIVE:
        return True
    numeric = OPERATORS[node.operator].numeric_positions
    return node.operator in KEEPS_POSITIVE and all(is_positive(node.arguments[i]) for i in numeric)


def wasteful(node: Node, inside: str | None = None) -> str | None:
    """Why a proposal would be wasted on the tree, or None; `inside` is the operator around it."""
    if not isinstance(node, Call):
        return None
    name, operator = node.operator, OPERATORS[node.operator]
    if inside is not None and name in REDUNDANT.get(inside, ()):
        return f"{name} inside {inside}"
    if name == "reverse" and inside is not None and inside not in REVERSED_INSIDE:
        return f"a minus inside {inside}"
    if name == "reverse" and isinstance(node.arguments[0], Call) and node.arguments[0].operator == "subtract":
        return "a minus before a difference"
    matrices = [node.arguments[i] for i in operator.numeric_positions if not isinstance(node.arguments[i], Constant)]
    if not matrices:
        return f"{name} of numbers alone"
    if len(set(matrices)) < len(matrices):
        return f"{name} of equal arguments"
    for position, argument in enumerate(node.arguments):
        if (name, position) in NEEDS_POSITIVE and not is_positive(argument):
            return f"{name} of what may be 0 or negative"
    for argument in node.arguments:
        reason = wasteful(argument, name)
        if reason is not None:
            return reason
    return None
