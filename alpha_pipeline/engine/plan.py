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
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Any, NamedTuple

from alpha_pipeline.engine import tree
from alpha_pipeline.engine.arguments import MATRICES, leaves_the_universe, number_of, setting_values, window_of
from alpha_pipeline.engine.costs import WORTH, own_cost
from alpha_pipeline.engine.groups import arranged
from alpha_pipeline.engine.kernels import KERNELS
from alpha_pipeline.engine.kernels.cross_section import mask
from alpha_pipeline.engine.kernels.kernel import Kernel, Offsets
from alpha_pipeline.engine.plain import looks_back
from alpha_pipeline.expression import OPERATORS, Call, Choices, Constant, Field, Node, Slot, ValueType

MASK = Kernel("rows", mask)


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

    A place names a value of the piece: from 0 on the results of the steps, from −1 downwards the unit's inputs.

    Attributes:
        kernel: what runs.
        arguments: all of them, with gaps where values of the piece go.
        takes: (position, place) of those values.
        numbers: (position, number) of constants in the place of a matrix.
    """

    kernel: Kernel
    arguments: list[Any]
    takes: list[tuple[int, int]]
    numbers: list[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Unit:
    """Calls that run together, piece by piece.

    Attributes:
        call: whose value it is.
        inputs: matrices that it reads: fields, other units' calls, `UNIVERSE`, constants in full.
        steps: in order; the last one makes the value. Empty for a unit that runs alone.
        last_use: by place, the step after which a value is free.
    """

    call: Call
    along: Along
    inputs: list[Node]
    steps: list[Step]
    last_use: list[int]


class Plan:
    """The units of an expression.

    Attributes:
        root: the expression.
        uses: how often the value of each unit's call is read by others; the root by the caller.
        members: of each unit's call, how the unit is cut and all its calls, inputs last.
    """

    def __init__(self, root: Node, terms: Terms) -> None:
        self.root = root
        self.uses: Counter[Node] = Counter()
        self.members: dict[Call, tuple[Along, list[Call]]] = {}
        self._terms = terms

    def unit(self, call: Call) -> Unit:
        """The unit that makes a call's value; built when it is asked for, as many values are there already."""
        along, calls = self.members[call]
        if along is Along.ALONE:
            return Unit(call, along, [], [], [])
        return _unit(call, along, reversed(calls), self._terms)


@dataclass(frozen=True, slots=True)
class Terms:
    """What of an engine its plans depend on.

    Attributes:
        one_piece: the panel is so small that nothing is cut: whatever has a fast kernel runs together, but what is
            dear is a unit, since storing it costs nothing.
        made: steps of calls met before.
    """

    one_piece: bool
    strict: bool
    choices: Choices
    fields: Container[str]
    groups: dict[str, Offsets]
    made: dict[Call, Template] = field(default_factory=dict)

    MOST = 50_000

    def template(self, call: Call) -> Template:
        """The step of a call, its inputs by node."""
        found = self.made.get(call)
        if found is None:
            if len(self.made) > self.MOST:
                self.made.clear()
            found = self.made[call] = _template(call, self)
        return found


class Template(NamedTuple):
    """A kernel's run before its inputs have places: with the nodes of what it takes.

    Attributes:
        kernel, arguments, numbers: as of a `Step`.
        takes: (position, node, whether it is masked first).
        vectors: (position, node) of vector fields, which take two places.
    """

    kernel: Kernel
    arguments: list[Any]
    takes: list[tuple[int, Node, bool]]
    numbers: list[tuple[int, float]]
    vectors: list[tuple[int, Node]]


def plan(root: Node, keep: Container[Node], terms: Terms) -> Plan:
    """The units of a resolved expression.

    Args:
        keep: calls that are to be units of their own.
    """
    made = Plan(root, terms)
    if not isinstance(root, Call):
        return made
    order = _inputs_first(root)
    along = _along(order, terms.one_piece)
    users: dict[Call, list[Call]] = {root: []}  # the units that read a call
    for call in reversed(order):
        using, own = users[call], along[call]
        leader = using[0] if using and all(each is using[0] for each in using) else call
        how = along[leader]
        if (
            leader is call
            or how is Along.ALONE
            or (own is not None and own is not how)
            or (terms.one_piece and own_cost(call) >= WORTH)
            or call in keep
        ):
            leader, how = call, own or Along.ROWS
            along[call] = how
            made.members[call] = (how, [])
            # a unit reads an input once; an operator that runs alone, each time it is written
            alone = [each for each in using if along[each] is Along.ALONE]
            made.uses[call] = len(alone) + len({*using}.difference(alone)) if using else 1
        made.members[leader][1].append(call)
        for argument in call.arguments:
            if isinstance(argument, Call):
                users.setdefault(argument, []).append(leader)
    return made


VECTORS = frozenset(name for name, operator in OPERATORS.items() if operator.result is ValueType.VECTOR)
"""Operators whose value is a vector field: part of whoever uses them."""


def _inputs_first(root: Call) -> list[Call]:
    """All distinct calls whose values are matrices, each after those that it needs."""
    order: list[Call] = []
    seen: set[Call] = set()

    def visit(call: Call) -> None:
        seen.add(call)
        for argument in call.arguments:
            if isinstance(argument, Call) and argument not in seen and argument.operator not in VECTORS:
                visit(argument)
        order.append(call)

    visit(root)
    return order


def _along(inputs_first: list[Call], one_piece: bool) -> dict[Call, Along | None]:
    """How each call is cut; None: as whoever uses it."""
    along: dict[Call, Along | None] = {}
    for call in inputs_first:
        own = _nature(call.operator, _made_groups(call))
        if one_piece:
            own = own if own is Along.ALONE else Along.ROWS
        elif own is None:
            below = [along.get(argument) for argument in call.arguments if isinstance(argument, Call)]
            if Along.ROWS in below:
                own = Along.ROWS
            elif Along.COLUMNS in below:
                own = Along.COLUMNS
        along[call] = own
    return along


def _made_groups(call: Call) -> int:
    """How many of a call's groups are not the panel's own."""
    operator = OPERATORS[call.operator]
    if Slot.GROUP not in operator.slots:
        return 0
    pairs = zip(operator.slots_of(len(call.arguments)), call.arguments, strict=True)
    return sum(slot is Slot.GROUP and not isinstance(argument, Field) for slot, argument in pairs)


def takes_groups(call: Call, kernel: Kernel) -> bool:
    """Whether the kernel can be handed the call's groups: a panel's own, or one of any shape if it works by rows."""
    others = _made_groups(call)
    return others == 0 or (others == 1 and kernel.axis == "rows" and not OPERATORS[call.operator].stateful)


@cache
def _nature(name: str, made_groups: int) -> Along | None:
    """How a call must be cut, `made_groups` of its groups not being the panel's; None: either way, cell by cell."""
    operator, kernel = OPERATORS[name], KERNELS.get(name)
    if kernel is None or Slot.VECTOR in operator.slots:
        return Along.ALONE
    grouped = Slot.GROUP in operator.slots
    if kernel.axis == "columns" and operator.across in ("cells", "days") and not grouped:
        return Along.COLUMNS
    if kernel.axis != "rows" or looks_back(operator) or made_groups > 1:
        return Along.ALONE
    if operator.across == "instruments":
        return Along.ROWS
    return None if operator.across == "cells" and not grouped else Along.ALONE


def _unit(leader: Call, along: Along, calls: Iterable[Call], terms: Terms) -> Unit:
    places: dict[Node, int] = {}
    inputs: list[Node] = []
    steps: list[Step] = []
    last: dict[int, int] = {}

    def place_of(node: Node) -> int:
        place = places.get(node)
        if place is None:
            inputs.append(node)
            place = places[node] = -len(inputs)
        last[place] = len(steps)
        return place

    for call in calls:
        template = terms.template(call)
        wanted: list[tuple[int, Node]] = []
        for position, node, masked in template.takes:
            if masked:
                outside = Call(" masked", (node,))
                if outside not in places:
                    mask_takes = [(0, place_of(node)), (1, place_of(UNIVERSE))]
                    places[outside] = len(steps)
                    steps.append(Step(MASK, [None, None], mask_takes, []))
                node = outside
            wanted.append((position, node))
        takes = [(position, place_of(node)) for position, node in wanted]  # after all masks: `last` counts steps
        places[call] = len(steps)
        steps.append(Step(template.kernel, template.arguments, takes, template.numbers))
    count = len(steps)
    last_use = [last.get(place, count) for place in range(count)]
    last_use += [last[place] for place in range(-len(inputs), 0)]
    return Unit(leader, along, inputs, steps, last_use)


def _template(call: Call, terms: Terms) -> Template:
    operator, kernel = OPERATORS[call.operator], KERNELS[call.operator]
    masked = tree.masks(operator)
    made = Template(kernel, [], [], [], [])
    codes, window = None, 0
    for slot, argument in zip(operator.slots_of(len(call.arguments)), call.arguments, strict=True):
        at = len(made.arguments)
        if slot in MATRICES:
            made.arguments.append(None)
            if isinstance(argument, Constant) and kernel.broadcasts:
                made.numbers.append((at, argument.value))
            else:
                made.takes.append((at, argument, masked and leaves_the_universe(argument, terms.fields)))
        elif slot is Slot.WINDOW:
            window = int(number_of(argument))
            made.arguments.extend(window_of(operator, argument, terms.strict))
        elif slot is Slot.VECTOR:
            made.arguments.extend((None, None))
            made.vectors.append((at, argument))
        elif slot is Slot.GROUP and isinstance(argument, Field):
            made.arguments.append(terms.groups[argument.name])
        elif slot is Slot.GROUP:
            codes = at
            made.arguments.append(None)
            made.takes.append((at, argument, False))
        else:
            made.arguments.append(number_of(argument))
    made.arguments.extend(setting_values(operator, call.attributes, terms.choices))
    return made if codes is None else made._replace(kernel=arranged(kernel, codes, window))
