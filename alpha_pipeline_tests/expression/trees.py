"""Random trees and panels for the tests of the language. Not the generators' grammar: well-typed is all they are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alpha_pipeline.expression import FIELDS, OPERATORS, Call, Constant, Field, Node, Operator, Slot, ValueType

MATRICES = [*(n for n, s in FIELDS.items() if s.type is ValueType.MATRIX), "adv20", "adv60"]
GROUPS = [n for n, s in FIELDS.items() if s.type is ValueType.GROUP]
NUMBERS = [0.0, 1.0, -1.0, 0.5, 2.0, -3.25, 1e-9, 1e20, 20.0, 12345.678]
WINDOWS = [1, 2, 3, 5, 7, 20]


def random_tree(random: np.random.Generator, depth: int) -> Node:
    """A well-typed tree of at most `depth` operators inside one another."""
    if depth == 0 or random.random() < 0.15:
        return Field(MATRICES[random.integers(len(MATRICES))])
    names = list(OPERATORS)
    operator = OPERATORS[names[random.integers(len(names))]]
    arguments = [_argument(random, operator, slot, depth) for slot in operator.slots]
    if all(isinstance(arguments[i], Constant) for i in operator.numeric_positions):
        arguments[operator.numeric_positions[0]] = random_tree(random, depth - 1)
    return Call(operator.name, tuple(arguments))


def _argument(random: np.random.Generator, operator: Operator, slot: Slot, depth: int) -> Node:
    if slot is Slot.WINDOW:
        return Constant(float(WINDOWS[random.integers(len(WINDOWS))]))
    if slot is Slot.GROUP:
        return Field(GROUPS[random.integers(len(GROUPS))])
    if slot is Slot.NUMERIC and random.random() < 0.2:
        return Constant(NUMBERS[random.integers(len(NUMBERS))])
    return random_tree(random, depth - 1)


def random_panel(
    random: np.random.Generator, days: int = 24, instruments: int = 7
) -> dict[str, npt.NDArray[np.float64]]:
    """float64 [days, instruments] per field, with NaN and ties; int64 [instruments] codes per group."""
    panel: dict[str, npt.NDArray[np.float64]] = {}
    for name in MATRICES:
        values = np.round(np.exp(random.normal(0, 1, (days, instruments))), 1)
        if name == "returns":
            values = np.round(random.normal(0, 0.02, (days, instruments)), 3)
        values[random.random(values.shape) < 0.1] = np.nan
        panel[name] = values
    for name in ("adv20", "adv60"):
        panel[name] = OPERATORS["ts_mean"].plain(panel["volume"], int(name.removeprefix("adv")))
    for name in GROUPS:
        panel[name] = np.sort(random.integers(0, 3, instruments)).astype(np.float64)
    return panel


def evaluate(node: Node, panel: dict[str, npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """The tree's values by the plain kernels: float64 [days, instruments]."""
    if isinstance(node, Field):
        return panel[node.name]
    if isinstance(node, Constant):
        return np.full(panel["close"].shape, node.value)
    operator = OPERATORS[node.operator]
    values: list[object] = []
    for slot, argument in zip(operator.slots, node.arguments, strict=True):
        if slot is Slot.WINDOW:
            assert isinstance(argument, Constant)
            values.append(int(argument.value))
        elif slot is Slot.GROUP:
            values.append(evaluate(argument, panel).astype(np.int64))
        else:
            values.append(evaluate(argument, panel))
    with np.errstate(all="ignore"):
        return np.asarray(operator.plain(*values), dtype=np.float64)
