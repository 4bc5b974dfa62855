"""Random trees and panels for the tests of the language. Not the generators' grammar: well-typed is all they are."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from alpha_pipeline.expression import FIELDS, OPERATORS, Call, Constant, Field, Node, Operator, Slot, ValueType
from alpha_pipeline.expression.types import AttributeKind, AttributeType, AttributeValue

MATRICES = [*(n for n, s in FIELDS.items() if s.type is ValueType.MATRIX), "adv20", "adv60"]
GROUPS = [n for n, s in FIELDS.items() if s.type is ValueType.GROUP]
VECTORS = ["nws12_prez_4l"]
NUMBERS = [0.0, 1.0, -1.0, 0.5, 2.0, -3.25, 1e-9, 1e20, 20.0, 12345.678]
WINDOWS = [1, 2, 3, 5, 7, 20]
GROUPING = [name for name, operator in OPERATORS.items() if operator.result is ValueType.GROUP]
DRAWN = [
    name
    for name, operator in OPERATORS.items()
    if not operator.elsewhere and operator.result in (ValueType.MATRIX, ValueType.BOOLEAN, None)
]
"""Operators whose result may stand wherever a matrix may (`densify` of a matrix among them)."""


def random_tree(random: np.random.Generator, depth: int, names: Collection[str] = DRAWN) -> Node:
    """A well-typed tree of at most `depth` operators inside one another, groups apart."""
    if depth == 0 or random.random() < 0.15:
        return Field(MATRICES[random.integers(len(MATRICES))])
    chosen = list(names)
    return _call(random, OPERATORS[chosen[random.integers(len(chosen))]], depth, names)


def random_call(random: np.random.Generator, name: str) -> Call:
    """The operator of that name over small random trees."""
    return _call(random, OPERATORS[name], 2, DRAWN)


def _call(random: np.random.Generator, operator: Operator, depth: int, names: Collection[str]) -> Call:
    count = operator.arity + (int(random.integers(0, 3)) if operator.variadic else 0)
    slots = operator.slots_of(count)
    arguments = [_argument(random, slot, depth, names) for slot in slots]
    numeric = operator.numeric_of(count)
    if numeric and operator.across == "cells" and all(isinstance(arguments[i], Constant) for i in numeric):
        arguments[numeric[0]] = random_tree(random, depth - 1, names)
    return Call(operator.name, tuple(arguments), random_attributes(random, operator))


def _argument(random: np.random.Generator, slot: Slot, depth: int, names: Collection[str]) -> Node:
    if slot is Slot.WINDOW:
        return Constant(float(WINDOWS[random.integers(len(WINDOWS))]))
    if slot is Slot.NUMBER:
        return Constant(1.0)
    if slot is Slot.VECTOR:
        return Field(VECTORS[0])
    if slot is Slot.GROUP:
        if depth > 1 and random.random() < 0.3:
            return _call(random, OPERATORS[GROUPING[random.integers(len(GROUPING))]], depth - 1, names)
        return Field(GROUPS[random.integers(len(GROUPS))])
    if slot in (Slot.NUMERIC, Slot.CONDITION) and random.random() < 0.2:
        return Constant(NUMBERS[random.integers(len(NUMBERS))])
    return random_tree(random, depth - 1, names)


def random_attributes(random: np.random.Generator, operator: Operator) -> tuple[tuple[str, AttributeValue], ...]:
    """Values for the attributes that are required, and for some others, none of them a default."""
    given: list[tuple[str, AttributeValue]] = []
    one_of = operator.one_of[int(random.integers(len(operator.one_of)))] if operator.one_of else None
    for each in operator.attributes:
        if each.name in operator.one_of and each.name != one_of:
            continue
        if each.required or each.name == one_of or random.random() < 0.3:
            value = attribute_value(random, each.type)
            if value != each.default:
                given.append((each.name, value))
            elif each.required or each.name == one_of:
                raise AssertionError(f"{operator.name} has no value for {each.name}")
    return tuple(given)


def attribute_value(random: np.random.Generator, kind: AttributeType) -> AttributeValue:
    """A value of the type: one of its options or samples, or a number within its bounds and near 0."""
    if kind.kind is AttributeKind.FLAG:
        return bool(random.random() < 0.5)
    pool = kind.options or kind.samples
    if pool:
        return pool[random.integers(len(pool))]
    assert kind.kind is AttributeKind.NUMBER, "a text without samples"
    if kind.whole:
        lowest = int(max(kind.lowest, -3))
        return float(random.integers(lowest, int(min(kind.highest, lowest + 8)) + 1))
    if np.isfinite(kind.lowest) and np.isfinite(kind.highest):
        return float(np.round(random.uniform(kind.lowest, kind.highest), 3))
    drawn = float(np.round(random.normal(0, 2), 2)) if random.random() < 0.8 else 0.0
    return min(max(abs(drawn) if np.isfinite(kind.lowest) else drawn, kind.lowest), kind.highest)


def random_panel(random: np.random.Generator, days: int = 24, instruments: int = 7) -> dict[str, npt.NDArray[Any]]:
    """[days, instruments] per field: float64 with NaN and ties, codes for groups, arrays of events for vectors."""
    panel: dict[str, npt.NDArray[Any]] = {}
    for name in MATRICES:
        values = np.round(np.exp(random.normal(0, 1, (days, instruments))), 1)
        if name == "returns":
            values = np.round(random.normal(0, 0.02, (days, instruments)), 3)
        values[random.random(values.shape) < 0.1] = np.nan
        panel[name] = values
    for name in ("adv20", "adv60"):
        panel[name] = OPERATORS["ts_mean"].plain(panel["volume"], int(name.removeprefix("adv")))
    for name in GROUPS:
        codes = np.zeros(instruments) if name == "market" else np.sort(random.integers(0, 3, instruments))
        panel[name] = np.broadcast_to(codes.astype(np.float64), (days, instruments))
    for name in VECTORS:
        cells = np.empty((days, instruments), dtype=object)
        for index in np.ndindex(cells.shape):
            cells[index] = np.round(random.normal(0, 1, int(random.integers(0, 4))), 1)
        panel[name] = cells
    return panel


def evaluate(node: Node, panel: dict[str, npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
    """The tree's values by the plain kernels: float64 [days, instruments]."""
    if isinstance(node, Field):
        return panel[node.name]
    if isinstance(node, Constant):
        return np.full(panel["close"].shape, node.value)
    operator = OPERATORS[node.operator]
    values: list[object] = []
    for slot, argument in zip(operator.slots_of(len(node.arguments)), node.arguments, strict=True):
        if slot is Slot.WINDOW:
            assert isinstance(argument, Constant)
            values.append(int(argument.value))
        elif slot is Slot.NUMBER:
            assert isinstance(argument, Constant)
            values.append(argument.value)
        elif slot is Slot.GROUP and argument == Constant(1.0):
            values.append(panel["market"])
        else:
            values.append(evaluate(argument, panel))
    return operator.run_plain(values, node.attributes, shape=panel["close"].shape)
