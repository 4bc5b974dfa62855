"""Which calls of an expression run together: its units, and the steps of each.

A unit is a call with everything below it that can run in the same small pieces of the panel, so that nothing in between
is ever a whole matrix:

- along "columns", time-series and cell-by-cell operators: a piece is a tile, all dates of some instruments;
- along "rows", cross-sectional and cell-by-cell operators: a piece is a block of dates of all instruments;
- "alone", what fits neither (plain kernels, vector fields, groups over a window): one operator, whole matrices.

A call that two units need, or that the engine wants to keep, is a unit of its own. Only the value of a unit is stored.
Cell-by-cell operators follow their inputs, and where these are fields, whoever uses them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine import tree
from alpha_pipeline.engine.groups import arranged
from alpha_pipeline.engine.kernels import KERNELS
from alpha_pipeline.engine.kernels.cross_section import mask
from alpha_pipeline.engine.kernels.kernel import Kernel, Offsets
from alpha_pipeline.engine.plain import looks_back
from alpha_pipeline.expression import OPERATORS, Call, Choices, Constant, Field, Node, Operator, Slot
from alpha_pipeline.expression.types import AttributeKind, AttributeType, AttributeValue

MASK = Kernel("rows", mask)
MATRICES = (Slot.MATRIX, Slot.NUMERIC, Slot.CONDITION, Slot.LABELS)


class Along(Enum):
    """How a unit is cut into pieces."""

    COLUMNS = "columns"
    ROWS = "rows"
    ALONE = "alone"


UNIVERSE = Field(" universe")  # no name that can be written
"""Stands for the panel's universe among a unit's inputs."""


@dataclass(frozen=True, slots=True)
class Step:
    """One kernel run on one piece.

    Attributes:
        kernel: what runs.
        arguments: all of them, with gaps where values of the piece go.
        takes: (position, place) of those values.
        numbers: (position, row) of constants in the place of a matrix: float32 [1, instruments].
        place: where the result goes.
    """

    kernel: Kernel
    arguments: tuple[Any, ...]
    takes: tuple[tuple[int, int], ...]
    numbers: tuple[tuple[int, NDArray[np.float32]], ...]
    place: int


@dataclass(slots=True)
class Unit:
    """Calls that run together, piece by piece.

    Attributes:
        call: whose value it is.
        inputs: matrices that it reads: fields, other units' calls, `UNIVERSE`, constants in full. Places 0, 1, … of a
            piece are theirs, those after belong to the steps.
        steps: in order; the last one makes the value. None for a unit that runs alone.
        last_use: for each place, the step after which it is free.
    """

    call: Call
    along: Along
    inputs: tuple[Node, ...] = ()
    steps: tuple[Step, ...] = ()
    last_use: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """The units of an expression, by their calls, and how often each is read by others (the root by the caller)."""

    root: Node
    units: dict[Call, Unit]
    uses: Counter[Node]


@dataclass(frozen=True, slots=True)
class Terms:
    """What of an engine its plans depend on."""

    instruments: int
    strict: bool
    choices: Choices
    fields: Container[str]
    groups: dict[str, Offsets]


def plan(root: Node, keep: Container[Node], terms: Terms) -> Plan:
    """The units of a resolved expression.

    Args:
        keep: calls that are to be units of their own.
    """
    if not isinstance(root, Call):
        return Plan(root, {}, Counter())
    ordered = _consumers_first(root)
    along = _along(ordered)
    owners: dict[Call, set[Call]] = {root: set()}
    members: dict[Call, list[Call]] = {}
    owner: dict[Call, Call] = {}
    for call in ordered:
        wanted = owners[call]
        leader = next(iter(wanted)) if len(wanted) == 1 and call not in keep else call
        if leader is not call and (along[call] or along[leader]) is not along[leader]:
            leader = call
        if along[leader] is Along.ALONE:
            leader = call
        if leader is call and along[call] is None:
            along[call] = Along.ROWS
        owner[call] = leader
        members.setdefault(leader, []).append(call)
        for argument in call.arguments:
            if isinstance(argument, Call) and not _is_vector(argument):
                owners.setdefault(argument, set()).add(leader)
    units: dict[Call, Unit] = {}
    uses: Counter[Node] = Counter({root: 1})
    for leader, calls in members.items():
        how = along[leader]
        assert how is not None
        unit = Unit(leader, how) if how is Along.ALONE else _Builder(how, terms).unit(leader, list(reversed(calls)))
        units[leader] = unit
        reads = unit.inputs if how is not Along.ALONE else _matrix_inputs(leader)
        uses.update(node for node in reads if isinstance(node, Call))
    return Plan(root, units, uses)


def _consumers_first(root: Call) -> list[Call]:
    """All distinct calls whose values are matrices, each before those that it needs."""
    order: list[Call] = []
    seen: set[Call] = set()
    waiting: list[tuple[Call, bool]] = [(root, False)]
    while waiting:
        call, done = waiting.pop()
        if done:
            order.append(call)
        elif call not in seen:
            seen.add(call)
            waiting.append((call, True))
            waiting += [(a, False) for a in call.arguments if isinstance(a, Call) and not _is_vector(a)]
    order.reverse()
    return order


def _is_vector(call: Call) -> bool:
    kernel = KERNELS.get(call.operator)
    return kernel is not None and kernel.axis == "vectors"


def _matrix_inputs(call: Call) -> list[Node]:
    """The inputs of a call that runs alone, once each time they are read."""
    return [a for a in call.arguments if not (isinstance(a, Call) and _is_vector(a))]


def _along(consumers_first: list[Call]) -> dict[Call, Along | None]:
    """How each call is cut; None: as whoever uses it."""
    along: dict[Call, Along | None] = {}
    for call in reversed(consumers_first):
        own = _nature(call)
        if own is None:
            below = {along[a] for a in call.arguments if isinstance(a, Call) and not _is_vector(a)}
            if Along.ROWS in below:
                own = Along.ROWS
            elif Along.COLUMNS in below:
                own = Along.COLUMNS
        along[call] = own
    return along


def _nature(call: Call) -> Along | None:
    """How a call must be cut; None: either way, since it works cell by cell."""
    operator, kernel = OPERATORS[call.operator], KERNELS.get(call.operator)
    slots = operator.slots_of(len(call.arguments))
    if kernel is None or Slot.VECTOR in slots:
        return Along.ALONE
    if kernel.axis == "columns" and operator.across in ("cells", "days") and Slot.GROUP not in slots:
        return Along.COLUMNS
    if kernel.axis != "rows" or looks_back(operator) or not takes_groups(kernel, operator, slots, call):
        return Along.ALONE
    if operator.across == "instruments":
        return Along.ROWS
    return None if operator.across == "cells" and Slot.GROUP not in slots else Along.ALONE


def takes_groups(kernel: Kernel, operator: Operator, slots: tuple[Slot, ...], call: Call) -> bool:
    """Whether the kernel can be handed the call's groups: a panel's own, or one of any shape if it works by rows."""
    pairs = zip(slots, call.arguments, strict=True)
    others = sum(slot is Slot.GROUP and not isinstance(argument, Field) for slot, argument in pairs)
    return others == 0 or (others == 1 and kernel.axis == "rows" and not operator.stateful)


class _Builder:
    """Makes a unit: gives every value of a piece its place."""

    def __init__(self, along: Along, terms: Terms) -> None:
        self._along = along
        self._terms = terms
        self._inputs: dict[Node, int] = {}
        self._made: dict[Node, int] = {}  # results of steps, numbered from 0; masked ones under a call of their own
        self._steps: list[tuple[Kernel, list[Any], list[tuple[int, Node]], list[tuple[int, Any]]]] = []

    def unit(self, leader: Call, inputs_first: list[Call]) -> Unit:
        for call in inputs_first:
            self._step(call)
        count = len(self._inputs)

        def place(node: Node) -> int:
            return count + self._made[node] if node in self._made else self._inputs[node]

        steps = tuple(
            Step(kernel, tuple(arguments), tuple((at, place(n)) for at, n in takes), tuple(numbers), count + number)
            for number, (kernel, arguments, takes, numbers) in enumerate(self._steps)
        )
        last_use = list(range(-count, len(steps)))
        for number, step in enumerate(steps):
            for _, used in step.takes:
                last_use[used] = number
        return Unit(leader, self._along, tuple(self._inputs), steps, last_use)

    def _step(self, call: Call) -> None:
        terms, operator, kernel = self._terms, OPERATORS[call.operator], KERNELS[call.operator]
        masked = tree.masks(operator)
        arguments: list[Any] = []
        takes: list[tuple[int, Node]] = []
        numbers: list[tuple[int, Any]] = []
        for slot, argument in zip(operator.slots_of(len(call.arguments)), call.arguments, strict=True):
            at = len(arguments)
            if slot in MATRICES:
                arguments.append(None)
                if isinstance(argument, Constant) and kernel.broadcasts:
                    numbers.append((at, np.full((1, terms.instruments), argument.value, np.float32)))
                else:
                    takes.append((at, self._value(argument, masked)))
            elif slot is Slot.WINDOW:
                arguments += window_of(operator, argument, terms.strict)
            elif slot is Slot.GROUP and isinstance(argument, Field):
                arguments.append(terms.groups[argument.name])
            elif slot is Slot.GROUP:
                arguments.append(None)
                takes.append((at, self._value(argument, False)))
                kernel = arranged(kernel, at, 0)
            else:
                arguments.append(number_of(argument))
        arguments += setting_values(operator, call.attributes, terms.choices)
        self._made[call] = len(self._steps)
        self._steps.append((kernel, arguments, takes, numbers))

    def _value(self, node: Node, masked: bool) -> Node:
        """The node, or what stands for it where it has to be masked first; made a value of the piece if it is not."""
        if node not in self._made:
            self._inputs.setdefault(node, len(self._inputs))
        if not masked or not leaves_the_universe(node, self._terms.fields):
            return node
        outside = Call(" masked", (node,))
        if outside not in self._made:
            self._inputs.setdefault(UNIVERSE, len(self._inputs))
            self._made[outside] = len(self._steps)
            self._steps.append((MASK, [None, None], [(0, node), (1, UNIVERSE)], []))
        return outside


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
