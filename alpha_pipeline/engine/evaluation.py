"""One expression being evaluated: what each operator is handed, and which kernel runs it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from alpha_pipeline.engine import tree
from alpha_pipeline.engine.groups import arranged
from alpha_pipeline.engine.kernels import KERNELS
from alpha_pipeline.engine.kernels.cross_section import mask
from alpha_pipeline.engine.kernels.kernel import Cells, Kernel, Matrix
from alpha_pipeline.engine.plain import plain_kernel
from alpha_pipeline.expression import OPERATORS, Call, Choices, Constant, Field, Node, Operator, Slot
from alpha_pipeline.expression.types import AttributeKind, AttributeType, AttributeValue

if TYPE_CHECKING:
    from alpha_pipeline.engine.engine import Engine

MASK = Kernel("rows", mask)
MATRICES = (Slot.MATRIX, Slot.NUMERIC, Slot.CONDITION, Slot.LABELS)


class EvaluationTimeout(Exception):
    """An evaluation went past its deadline."""


class Evaluation:
    """The values of one resolved expression that still have uses in it."""

    def __init__(self, engine: Engine, node: Node, deadline: float | None) -> None:
        self._engine = engine
        self._root = node
        self._deadline = deadline
        self._uses = tree.uses(node)
        self._values: dict[Call, Matrix] = {}

    def run(self) -> Matrix:
        return self._matrix(self._root)

    def _matrix(self, node: Node) -> Matrix:
        """The value of a node that is a matrix or a group: float32 [dates, instruments], for a group its codes."""
        if isinstance(node, Field):
            field = self._engine.fields.get(node.name)
            return self._codes(node.name) if field is None else field
        if isinstance(node, Constant):
            filled = self._engine.take()
            filled.fill(node.value)
            return filled
        value = self._values.get(node)
        if value is None:
            value = self._engine.cache.get(node)
        if value is None:
            value = self._call(node)
            self._engine.cache.put(node, value)
        self._uses[node] -= 1
        if self._uses[node] > 0:
            self._values[node] = value
        else:
            self._values.pop(node, None)
        return value

    def _codes(self, group: str) -> Matrix:
        codes = self._engine.take()
        codes[:] = self._engine.panel.groups[group]
        return codes

    def _vectors(self, node: Node) -> Cells:
        """The value of a node that is a vector field; not kept, as its size is its own."""
        if isinstance(node, Field):
            return self._engine.vectors[node.name]
        assert isinstance(node, Call)
        operator = OPERATORS[node.operator]
        slots = operator.slots_of(len(node.arguments))
        arguments: list[Any] = []
        for slot, argument in zip(slots, node.arguments, strict=True):
            arguments += self._vectors(argument) if slot is Slot.VECTOR else [_number(argument)]
        self._look_at_the_clock(operator)
        settings = setting_values(operator, node.attributes, self._engine.choices)
        return Cells(*KERNELS[operator.name].run(*arguments, *settings))

    def _call(self, call: Call) -> Matrix:
        engine, operator, kernel = self._engine, OPERATORS[call.operator], KERNELS.get(call.operator)
        slots = operator.slots if len(call.arguments) == operator.arity else operator.slots_of(len(call.arguments))
        masked = tree.masks(operator)
        if kernel is None or (Slot.GROUP in slots and not _takes_groups(kernel, operator, slots, call)):
            return self._plain(call, operator, slots)
        arguments: list[Any] = []
        codes, window = None, 0
        for slot, argument in zip(slots, call.arguments, strict=True):
            if slot in MATRICES:
                if isinstance(argument, Constant) and kernel.broadcasts:
                    arguments.append(np.full((1, engine.panel.shape[1]), argument.value, np.float32))
                else:
                    arguments.append(self._input(argument, masked))
            elif slot is Slot.WINDOW:
                window = int(_number(argument))
                arguments += [window, window if engine.windows == "strict" else operator.minimum]
            elif slot is Slot.GROUP:
                if isinstance(argument, Field):
                    arguments.append(engine.groups[argument.name])
                else:
                    codes = len(arguments)
                    arguments.append(self._matrix(argument))
            elif slot is Slot.VECTOR:
                arguments += self._vectors(argument)
            else:
                arguments.append(_number(argument))
        if operator.attributes or operator.choices:
            arguments += setting_values(operator, call.attributes, engine.choices)
        if codes is not None:
            kernel = arranged(kernel, codes, window)
        self._look_at_the_clock(operator)
        return engine.apply(kernel, arguments)

    def _plain(self, call: Call, operator: Operator, slots: tuple[Slot, ...]) -> Matrix:
        """The call by the operator's plain kernel."""
        engine, masked = self._engine, tree.masks(operator)
        arguments: list[Any] = []
        for slot, argument in zip(slots, call.arguments, strict=True):
            if slot is Slot.WINDOW:
                arguments.append((int(_number(argument)), engine.windows == "strict"))
            elif slot is Slot.VECTOR:
                arguments.append(self._vectors(argument))
            elif isinstance(argument, Constant):
                arguments.append(argument.value)
            elif slot is Slot.GROUP and isinstance(argument, Field):
                arguments.append(engine.panel.groups[argument.name])
            else:
                arguments.append(self._input(argument, masked and slot is not Slot.GROUP))
        self._look_at_the_clock(operator)
        return engine.apply(
            plain_kernel(operator, slots, typed_attributes(operator, call.attributes), engine.choices), arguments
        )

    def _input(self, node: Node, masked: bool) -> Matrix:
        value = self._matrix(node)
        if masked and not isinstance(node, Constant) and self._leaves_the_universe(node):
            return self._engine.apply(MASK, [value, self._engine.universe])
        return value

    def _leaves_the_universe(self, node: Node) -> bool:
        """Whether its value may be there outside the universe. Groups are known of everyone."""
        if isinstance(node, Field):
            return node.name not in self._engine.fields
        return not tree.confined(node)

    def _look_at_the_clock(self, operator: Operator) -> None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise EvaluationTimeout(f"past its deadline before {operator.name}")


def _takes_groups(kernel: Kernel, operator: Operator, slots: tuple[Slot, ...], call: Call) -> bool:
    """Whether the kernel can be handed the call's groups: a panel's own, or one of any shape if it works by rows."""
    pairs = zip(slots, call.arguments, strict=True)
    others = sum(slot is Slot.GROUP and not isinstance(argument, Field) for slot, argument in pairs)
    return others == 0 or (others == 1 and kernel.axis == "rows" and not operator.stateful)


def _number(node: Node) -> float:
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
