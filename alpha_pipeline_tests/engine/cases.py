"""Random calls of an operator on random data: what the contract tests are made of."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from alpha_pipeline.engine import Engine
from alpha_pipeline.engine.kernels.kernel import Cells
from alpha_pipeline.engine.plain import cells_of
from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import DEFAULT_CHOICES, OPERATORS, Call, Choices, Constant, Field, Operator, Slot
from alpha_pipeline.expression.types import AttributeKind, AttributeValue, ValueType
from alpha_pipeline_tests.expression.trees import attribute_value

Matrix = npt.NDArray[np.float32]

FLAVOURS: dict[str, Callable[[np.random.Generator, tuple[int, int]], npt.NDArray[Any]]] = {
    "plain": lambda random, shape: random.normal(0, 1, shape),
    "ties": lambda random, shape: random.integers(-2, 3, shape),
    "signed zeros": lambda random, shape: random.choice([-1.0, -0.0, 0.0, 1.0], shape),
    "constant columns": lambda random, shape: np.broadcast_to(random.lognormal(3, 2, shape[1]), shape),
    "steps": lambda random, shape: np.repeat(random.normal(100, 9, (-(-shape[0] // 6), shape[1])), 6, 0)[: shape[0]],
    "high and tight": lambda random, shape: 400_000 + np.cumsum(random.normal(0, 0.2, shape), axis=0),
    "level shift": lambda random, shape: (
        np.where(np.arange(shape[0])[:, None] < shape[0] // 2, 1e6, 1) + random.normal(0, 0.01, shape)
    ),
    "outliers": lambda random, shape: np.where(random.random(shape) < 0.05, 1e15, random.normal(0, 1, shape)),
    "heavy": lambda random, shape: random.standard_cauchy(shape) ** 3,
    "tiny": lambda random, shape: random.normal(0, 1e-20, shape),
}
NAMES = sorted(FLAVOURS)


@dataclass(frozen=True)
class Data:
    """What an engine reads of a panel, with any fields; everybody is in the universe."""

    fields: dict[str, Matrix]
    groups: dict[str, npt.NDArray[np.int32]]
    vectors: dict[str, Cells]
    shape: tuple[int, int]

    @property
    def universe(self) -> npt.NDArray[np.bool_]:
        return np.ones(self.shape, np.bool_)


@dataclass(frozen=True)
class Case:
    """A call and the data it is made on."""

    call: Call
    data: Data
    choices: Choices = DEFAULT_CHOICES
    strict: bool = False

    @property
    def operator(self) -> Operator:
        return OPERATORS[self.call.operator]

    @property
    def slots(self) -> tuple[Slot, ...]:
        return self.operator.slots_of(len(self.call.arguments))

    @property
    def numeric(self) -> list[str]:
        """The names of its numeric inputs: fields and vector fields."""
        inputs = [self.call.arguments[i] for i in self.operator.numeric_of(len(self.call.arguments))]
        return [argument.name for argument in inputs if isinstance(argument, Field)]

    def run(self, threads: int = 1) -> Matrix:
        """The engine's result; of an operator that gives a vector field, the sum of each cell."""
        with Engine(
            cast(Any, self.data),
            threads=threads,
            choices=self.choices,
            windows="strict" if self.strict else "partial",
        ) as engine:
            gives_vectors = self.operator.result is ValueType.VECTOR
            return engine.evaluate(Call("vec_sum", (self.call,)) if gives_vectors else self.call)

    def plain(self) -> npt.NDArray[np.float64]:
        """The plain kernel's result, likewise."""
        arguments: list[Any] = []
        for slot, argument in zip(self.slots, self.call.arguments, strict=True):
            if isinstance(argument, Constant):
                value: Any = argument.value
                if slot is Slot.WINDOW:
                    value = int(value)
                elif slot is not Slot.NUMBER:
                    value = np.full(self.data.shape, value)
            elif isinstance(argument, Call):  # a group by day: densify(codes)
                value = self.data.fields[cast(Field, argument.arguments[0]).name].astype(np.float64)
            elif slot is Slot.VECTOR:
                value = cells_of(self.data.vectors[argument.name], self.data.shape[1])
            elif slot is Slot.GROUP:
                value = np.array(np.broadcast_to(self.data.groups[argument.name], self.data.shape), np.float64)
            else:
                value = self.data.fields[argument.name].astype(np.float64)
            arguments.append(value)
        if self.operator.result is ValueType.VECTOR:
            return OPERATORS["vec_sum"].run_plain([self.operator.plain(*arguments, **dict(self.call.attributes))])
        given: tuple[tuple[str, Any], ...] = self.call.attributes
        if "shape" in inspect.signature(self.operator.plain).parameters:  # it has no input to take one from
            given = (*given, ("shape", self.data.shape))
        return self.operator.run_plain(arguments, given, self.choices, self.strict)

    def changed(
        self,
        matrix: Callable[[str, Matrix], npt.NDArray[Any]],
        vector: Callable[[str, Cells], Cells] = lambda name, cells: cells,
    ) -> Case:
        """The case on other data: `matrix` and `vector` of the name and values of each of its inputs."""
        fields = {
            name: np.ascontiguousarray(matrix(name, np.array(x)), np.float32) for name, x in self.data.fields.items()
        }
        vectors = {name: vector(name, cells) for name, cells in self.data.vectors.items()}
        rows = len(next(iter(fields.values()), np.empty(self.data.shape)))
        if vectors and not fields:
            rows = (len(next(iter(vectors.values())).offsets) - 1) // self.data.shape[1]
        data = dataclasses.replace(self.data, fields=fields, vectors=vectors, shape=(rows, self.data.shape[1]))
        return dataclasses.replace(self, data=data)

    def __str__(self) -> str:
        return f"{self.call} strict={self.strict} {dict(self.choices.changed())} on {self.data.shape}"


def case_of(name: str, *inputs: Matrix, window: int | None = None) -> Case:
    """A call of the operator on these matrices."""
    fields = {f"x{i}": x for i, x in enumerate(inputs)}
    arguments: list[Any] = [Field(name) for name in fields]
    if window is not None:
        arguments.append(Constant(float(window)))
    return Case(Call(name, tuple(arguments)), Data(fields, {}, {}, (inputs[0].shape[0], inputs[0].shape[1])))


def random_matrix(random: np.random.Generator, shape: tuple[int, int], flavour: str, infinite: bool = True) -> Matrix:
    """float32 matrix of a flavour with missing and infinite cells, a column without data and one with late data."""
    values = np.array(FLAVOURS[flavour](random, shape), dtype=np.float32)
    values[random.random(shape) < random.choice([0.0, 0.1, 0.6])] = np.nan
    if infinite and random.random() < 0.5:
        values[random.random(shape) < 0.03] = np.inf
        values[random.random(shape) < 0.03] = -np.inf
    values[:, random.integers(shape[1])] = np.nan
    values[: shape[0] // 2, random.integers(shape[1])] = np.nan
    return values


def random_codes(random: np.random.Generator, instruments: int) -> npt.NDArray[np.int32]:
    """Codes that are runs of columns, with groups of one name."""
    steps = np.concatenate(([0], random.random(instruments - 1) < random.choice([0.1, 0.5, 1.0])))
    return np.cumsum(steps).astype(np.int32)


def random_labels(random: np.random.Generator, shape: tuple[int, int]) -> Matrix:
    """Codes in any order, some missing, that change now and then: float32 [dates, instruments]."""
    days = random.integers(0, random.integers(1, shape[1] + 1), shape).astype(np.float32)
    days[random.random(shape) < random.choice([0.0, 0.2])] = np.nan
    return days[np.maximum.accumulate(np.where(random.random(shape[0]) < 0.4, np.arange(shape[0]), 0))]


def random_cells(random: np.random.Generator, shape: tuple[int, int], flavour: str) -> Cells:
    """A vector field with empty cells and a column without events; values are finite, as a panel's are."""
    counts = random.poisson(1.5, shape)
    counts[:, random.integers(shape[1])] = 0
    offsets = np.concatenate(([0], np.cumsum(counts.reshape(-1)))).astype(np.int64)
    values = FLAVOURS[flavour](random, (max(1, int(offsets[-1])), 1))[: offsets[-1], 0]
    return Cells(np.array(values, dtype=np.float32), offsets)


def random_attributes(random: np.random.Generator, operator: Operator) -> tuple[tuple[str, AttributeValue], ...]:
    """Attributes of the declared types, some left at their default."""
    needed = random.choice(operator.one_of) if operator.one_of else None
    given: list[tuple[str, AttributeValue]] = []
    for each in operator.attributes:
        if each.required or each.name == needed or random.random() < 0.6:
            given.append((each.name, attribute_value(random, each.type)))
    return tuple(given)


def random_choices(random: np.random.Generator, operator: Operator) -> Choices:
    """Every choice of the operator at any of its options."""
    options = {each.name: each.metadata["options"] for each in dataclasses.fields(Choices)}
    return Choices(**{name: str(random.choice(options[name])) for name in operator.choices})


def random_case(
    random: np.random.Generator,
    name: str,
    shape: tuple[int, int] | None = None,
    flavour: str | None = None,
    *,
    infinite: bool = True,
    constants: bool = False,
) -> Case:
    """A call of the operator.

    Args:
        flavour: of every matrix; each its own by default.
        infinite: infinite values may occur.
        constants: numbers may stand in the place of matrices where the operator takes them.
    """
    operator = OPERATORS[name]
    shape = shape or (int(random.integers(1, 28)), int(random.integers(1, 15)))
    count = operator.arity + (int(random.integers(0, 3)) if operator.variadic else 0)
    data = Data({}, {}, {}, shape)
    arguments: list[Any] = []
    for position, slot in enumerate(operator.slots_of(count)):
        own = flavour or str(random.choice(NAMES))
        if slot is Slot.WINDOW:
            longest = shape[0] + 6 if random.random() < 0.5 else 8
            arguments.append(Constant(float(random.integers(1, longest))))
        elif slot is Slot.NUMBER:
            arguments.append(Constant(float(random.integers(1, 4))))
        elif slot is Slot.VECTOR:
            data.vectors[f"v{position}"] = random_cells(random, shape, own)
            arguments.append(Field(f"v{position}"))
        elif slot is Slot.GROUP:
            arguments.append(_group(random, position, data))
        elif constants and slot in (Slot.NUMERIC, Slot.CONDITION) and position and random.random() < 0.3:
            arguments.append(Constant(float(random.choice([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0]))))
        else:
            codes = slot is Slot.LABELS and random.random() < 0.7
            data.fields[f"x{position}"] = (
                random_labels(random, shape) if codes else random_matrix(random, shape, own, infinite)
            )
            arguments.append(Field(f"x{position}"))
    strict = "strict" in operator.takes and bool(random.random() < 0.3)
    choices = random_choices(random, operator)
    while True:
        call = Call(name, tuple(arguments), random_attributes(random, operator))
        if _accepted(operator, call):
            return Case(call, data, choices, strict)


def _accepted(operator: Operator, call: Call) -> bool:
    """Whether its texts go together, which no type says."""
    if not any(each.type.kind is AttributeKind.TEXT and not each.type.options for each in operator.attributes):
        return True
    try:
        operator.plain(*[np.ones((1, 1))] * operator.arity, **dict(call.attributes))
    except BadInput:
        return False
    return True


def _group(random: np.random.Generator, position: int, data: Data) -> Any:
    """Runs of columns, as a panel has them, or any codes by day."""
    if random.random() < 0.5:
        data.groups[f"g{position}"] = random_codes(random, data.shape[1])
        return Field(f"g{position}")
    data.fields[f"g{position}"] = random_labels(random, data.shape)
    return Call("densify", (Field(f"g{position}"),))
