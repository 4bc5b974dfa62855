"""One expression being evaluated: its units, each run when its value is first wanted."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from alpha_pipeline.engine.arguments import (
    leaves_the_universe,
    number_of,
    setting_values,
    typed_attributes,
)
from alpha_pipeline.engine.costs import cost
from alpha_pipeline.engine.kernels import KERNELS
from alpha_pipeline.engine.kernels.kernel import Cells, Matrix
from alpha_pipeline.engine.pieces import Tiled, row_of
from alpha_pipeline.engine.plain import plain_kernel
from alpha_pipeline.engine.plan import MASK, UNIVERSE, Along, Plan, Unit, takes_groups
from alpha_pipeline.engine.tree import masks
from alpha_pipeline.expression import OPERATORS, Call, Constant, Field, Node, Slot

if TYPE_CHECKING:
    from alpha_pipeline.engine.engine import Engine


class EvaluationTimeout(Exception):
    """An evaluation went past its deadline."""


class Evaluation:
    """The values of one planned expression that still have uses in it."""

    def __init__(self, engine: Engine, plan: Plan, deadline: float | None) -> None:
        self._engine = engine
        self._plan = plan
        self._deadline = deadline
        self._uses: Counter[Node] = Counter(plan.uses)
        self._values: dict[Call, Matrix] = {}

    def matrix(self, node: Node) -> NDArray[Any]:
        """The value of the expression or of a unit's input: float32 [dates, instruments]; the universe is bool."""
        engine = self._engine
        if isinstance(node, Call):
            return self._call(node)
        if isinstance(node, Constant):
            filled = engine.take()
            filled.fill(node.value)
            return filled
        if node is UNIVERSE:
            return engine.universe
        field = engine.fields.get(node.name)
        if field is not None:
            return field
        codes = engine.take()
        codes[:] = engine.panel.groups[node.name]
        return codes

    def _call(self, call: Call) -> Matrix:
        value = self._values.get(call)
        if value is None:
            value = self._engine.cache.claim(call)
        if value is None:
            try:
                value = self._stored(call)
                self._engine.cache.put(call, value, lasting=call != self._plan.root)
            except BaseException:
                self._engine.cache.abandon(call)
                raise
        self._uses[call] -= 1
        if self._uses[call] > 0:
            self._values[call] = value
        else:
            self._values.pop(call, None)
        return value

    def _stored(self, call: Call) -> Matrix:
        """From the engine's store, or made and offered to it."""
        engine, unit = self._engine, self._plan.unit(call)
        store = engine.store
        if store is None or not store.pays(engine.matrix_bytes, seconds := cost(call) * engine.copy_seconds):
            return self._made(unit)
        key, value = engine.keys.of(call), engine.take()
        if store.get(key, value):
            return value
        del value
        value = self._made(unit)
        store.put(key, value, seconds)
        return value

    def _made(self, unit: Unit) -> Matrix:
        if unit.along is Along.ALONE:
            return self._alone(unit.call)
        engine = self._engine
        tiles = unit.along is Along.COLUMNS and engine.cuts_tiles and len(unit.steps) > 1
        inputs: list[NDArray[Any] | Tiled] = [
            engine.tiled(node.name)
            if tiles and isinstance(node, Field) and node.name in engine.fields
            else self.matrix(node)
            for node in unit.inputs
        ]
        self._look_at_the_clock(unit.call)
        return engine.run(unit, inputs)

    # -- operators that run alone ------------------------------------------------------------------------------------

    def _alone(self, call: Call) -> Matrix:
        """By its fast kernel on whole matrices, or by its plain one."""
        engine, kernel = self._engine, KERNELS.get(call.operator)
        if kernel is None or not takes_groups(call, kernel):
            return self._plain(call)
        template = engine.terms.template(call)
        arguments = template.arguments.copy()
        for position, node, masked in template.takes:
            arguments[position] = self._input(node, masked)
        for position, number in template.numbers:
            arguments[position] = row_of(number, engine.panel.shape[1])
        for position, node in template.vectors:
            arguments[position : position + 2] = self._vectors(node)
        self._look_at_the_clock(call)
        return engine.apply(template.kernel, arguments)

    def _plain(self, call: Call) -> Matrix:
        """The call by the operator's plain kernel."""
        engine, operator = self._engine, OPERATORS[call.operator]
        slots, masked = operator.slots_of(len(call.arguments)), masks(operator)
        arguments: list[Any] = []
        for slot, argument in zip(slots, call.arguments, strict=True):
            if slot is Slot.WINDOW:
                arguments.append((int(number_of(argument)), engine.windows == "strict"))
            elif slot is Slot.VECTOR:
                arguments.append(self._vectors(argument))
            elif isinstance(argument, Constant):
                arguments.append(argument.value)
            elif slot is Slot.GROUP and isinstance(argument, Field):
                arguments.append(engine.panel.groups[argument.name])
            else:
                outside = masked and slot is not Slot.GROUP and leaves_the_universe(argument, engine.fields)
                arguments.append(self._input(argument, outside))
        self._look_at_the_clock(call)
        return engine.apply(
            plain_kernel(operator, slots, typed_attributes(operator, call.attributes), engine.choices), arguments
        )

    def _vectors(self, node: Node) -> Cells:
        """The value of a node that is a vector field; not kept, as its size is its own."""
        if isinstance(node, Field):
            return self._engine.vectors[node.name]
        assert isinstance(node, Call)
        operator = OPERATORS[node.operator]
        slots = operator.slots_of(len(node.arguments))
        arguments: list[Any] = []
        for slot, argument in zip(slots, node.arguments, strict=True):
            arguments += self._vectors(argument) if slot is Slot.VECTOR else [number_of(argument)]
        self._look_at_the_clock(node)
        settings = setting_values(operator, node.attributes, self._engine.choices)
        return Cells(*KERNELS[operator.name].run(*arguments, *settings))

    def _input(self, node: Node, masked: bool) -> NDArray[Any]:
        value = self.matrix(node)
        return self._engine.apply(MASK, [value, self._engine.universe]) if masked else value

    def _look_at_the_clock(self, call: Call) -> None:
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise EvaluationTimeout(f"past its deadline before {call.operator}")
