"""`@operator`: one declaration is an operator's registration.

The decorated function is the operator's plain kernel: slow, obvious, float64, the oracle of the fast one that the
engine may hold beneath by the same name (without one the engine runs the plain kernel itself). Its positional
parameters give arity and types, its keyword-only ones the attributes, its docstring says what it computes and shows
examples, and the decorator's arguments give everything else that parser, printer, checker, engine, reference pages and
generators need. Adding an operator is writing one such function.

The docstring holds, after its first line, what there is to say of NaN and ties, and examples in doctest form, which the
tests run (see `reference.examples` for their notation).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, Literal, get_type_hints

import numpy as np

from alpha_pipeline.expression.choices import DEFAULT_CHOICES, Choices
from alpha_pipeline.expression.scale import ScaleRule
from alpha_pipeline.expression.types import Array, AttributeType, AttributeValue, ChoiceMarker, Slot, ValueType
from alpha_pipeline.expression.units import Kept, Mismatch, Unit, UnitRule

PlainKernel = Callable[..., Any]

Across = Literal["cells", "days", "instruments", "both"]

CATEGORIES: dict[str, Across] = {
    "arithmetic": "cells",
    "logical": "cells",
    "time_series": "days",
    "cross_sectional": "instruments",
    "vector": "cells",
    "transformational": "cells",
    "group": "instruments",
    "special": "cells",
}
"""The platform's categories, and what an operator of each looks at beside its own cell unless it says otherwise."""

ACCOUNTS = ("user", "consultant")
"""Accounts that alphas are exported for: an ordinary one (the default) and a consultant's."""

_NUMERIC = (Slot.MATRIX, Slot.NUMERIC, Slot.CONDITION, Slot.VECTOR, Slot.LABELS)


@dataclass(frozen=True, slots=True)
class Infix:
    """How an operator prints between its arguments; a higher precedence binds tighter."""

    symbol: str
    precedence: int


@dataclass(frozen=True, slots=True)
class Attribute:
    """A keyword attribute of an operator."""

    name: str
    type: AttributeType
    default: AttributeValue | None
    required: bool


@dataclass(frozen=True)
class Operator:
    """All that is known of an operator; made by `@operator` only.

    Attributes:
        name: BRAIN's name; what canonical text shows.
        category: one of `CATEGORIES`.
        parameters: names of the arguments, in order.
        slots: what each argument takes.
        attributes: keyword attributes, in order.
        choices: the settings of `choices.Choices` that its kernels take.
        variadic: the last argument may be repeated.
        chained: the function form takes more than two inputs and means a chain from the left: `add(a, b, c)`.
        result: type of the result; None for that of the first argument.
        unit: rule of the unit over the numeric inputs (see `numeric_positions`).
        scale: rule of the price-scale exponent over the same.
        plain: the slow kernel: float64 [dates, instruments] in and out.
        aliases: other spellings that parse to it.
        infix: how it prints between its arguments, if it does.
        commutative: the order of its first two arguments does not matter.
        across: what it looks at beside a cell: nothing, other days, other instruments, or both.
        stateful: today's value may rest on any earlier day, whatever the window.
        history: what its window adds to the lookback beyond the window itself: 0 for a delay, −1 for a window
            that holds today.
        reach: days that attributes add to the lookback (`lag`, the weights of `filter`), from their values.
        minimum: valid values a window needs for a result, where the operator has a window.
        keeps_missing: a NaN in any numeric input today gives NaN today.
        filled_by: a flag among the attributes under which that does not hold, since missing values are filled.
        profiles: the BRAIN accounts that may use it.
        searched: whether the generators draw it.
        one_of: attributes of which at least one must be given.
        elsewhere: where it runs instead of here ("in SuperAlphas only"); empty for what runs here.
    """

    name: str
    category: str
    parameters: tuple[str, ...]
    slots: tuple[Slot, ...]
    attributes: tuple[Attribute, ...]
    choices: tuple[str, ...]
    variadic: bool
    chained: bool
    result: ValueType | None
    unit: UnitRule
    scale: ScaleRule
    plain: PlainKernel
    aliases: tuple[str, ...]
    infix: Infix | None
    commutative: bool
    across: Across
    stateful: bool
    history: int
    reach: Callable[[Mapping[str, Any]], int] | None
    minimum: int
    keeps_missing: bool
    filled_by: str
    profiles: frozenset[str]
    searched: bool
    one_of: tuple[str, ...]
    elsewhere: str

    @property
    def arity(self) -> int:
        """Number of arguments; the least number of a variadic operator."""
        return len(self.slots)

    @cached_property
    def window_position(self) -> int | None:
        """Which argument is the window, if one is; of the least number of arguments."""
        return self.slots.index(Slot.WINDOW) if Slot.WINDOW in self.slots else None

    def window_of(self, count: int) -> int | None:
        """`window_position` of a call with `count` arguments: a variadic operator's window comes after them all."""
        window = self.window_position
        return window if window is None or not self.variadic else window + max(0, count - len(self.slots))

    @cached_property
    def numeric_positions(self) -> tuple[int, ...]:
        """Which arguments are numbers, matrices or vectors (not group, window); of the least number of arguments."""
        return tuple(i for i, slot in enumerate(self.slots) if slot in _NUMERIC)

    def slots_of(self, count: int) -> tuple[Slot, ...]:
        """The slots of a call with `count` arguments: the last one before the window repeats, if it may."""
        extra = count - len(self.slots)
        if not self.repeats or extra <= 0:
            return self.slots
        last = len(self.slots) if self.window_position is None else self.window_position
        return (*self.slots[:last], *[self.slots[last - 1]] * extra, *self.slots[last:])

    @property
    def repeats(self) -> bool:
        """Whether it takes more inputs than its slots."""
        return self.variadic or self.chained

    def fits(self, count: int) -> bool:
        """Whether it may have so many arguments."""
        return count == len(self.slots) or (self.repeats and count > len(self.slots))

    def numeric_of(self, count: int) -> tuple[int, ...]:
        """`numeric_positions` of a call with `count` arguments."""
        if count == len(self.slots):
            return self.numeric_positions
        return tuple(i for i, slot in enumerate(self.slots_of(count)) if slot in _NUMERIC)

    def attribute(self, name: str) -> Attribute | None:
        """The attribute of that name, in any case."""
        return next((each for each in self.attributes if each.name.lower() == name.lower()), None)

    def reached(self, given: Sequence[tuple[str, AttributeValue]]) -> int:
        """Days that the attributes, given or by default, add to the lookback."""
        if self.reach is None:
            return 0
        return self.reach({**{each.name: each.default for each in self.attributes}, **dict(given)})

    def passes_missing(self, given: Sequence[tuple[str, AttributeValue]]) -> bool:
        """`keeps_missing` under attributes that are given."""
        return self.keeps_missing and (self.filled_by, True) not in given

    def infer_unit(
        self, inputs: Sequence[Unit], numbers: Sequence[bool], choices: Choices = DEFAULT_CHOICES
    ) -> Unit | Mismatch:
        """The unit of the result, or the first input that does not fit."""
        found = self.unit.infer(inputs, numbers)
        if isinstance(found, Unit) and self.category == "time_series" and choices.time_series_units == "time_series":
            return found.over_time()
        return found

    def solve_units(
        self, target: Unit, vocabulary: Sequence[Unit], choices: Choices = DEFAULT_CHOICES
    ) -> Iterator[tuple[Unit, ...]]:
        """Backwards: all units of the numeric inputs, out of a vocabulary, from which the operator makes `target`."""
        count = len(self.numeric_positions)
        for units in product(vocabulary, repeat=count):
            if self.infer_unit(units, [False] * count, choices) == target:
                yield units

    def run_plain(
        self,
        arguments: Sequence[Any],
        attributes: Sequence[tuple[str, AttributeValue]] = (),
        choices: Choices = DEFAULT_CHOICES,
        strict: bool = False,
        shape: tuple[int, int] | None = None,
    ) -> Array:
        """The plain kernel's result on arguments in the order of the slots, float64 [dates, instruments]; for vectors,
        object.

        Args:
            attributes: those that are given, by name.
            strict: windows must be full of valid values.
            shape: of the result, for an operator without any input that shows it (`ts_step`).
        """
        keywords: dict[str, Any] = dict(attributes)
        keywords.update({name: getattr(choices, name) for name in self.choices})
        if "strict" in self.takes:
            keywords["strict"] = strict
        if shape is not None and "shape" in self.takes:
            keywords["shape"] = shape
        positional = list(arguments)
        if self.variadic and self.window_position is not None:
            keywords[self.parameters[self.window_position]] = positional.pop()
        with np.errstate(all="ignore"):
            kind = object if self.result is ValueType.VECTOR else np.float64
            return np.asarray(self.plain(*positional, **keywords), dtype=kind)

    @cached_property
    def takes(self) -> frozenset[str]:
        """Names of the parameters of its plain kernel, those of the engine (`strict`, `shape`) among them."""
        return frozenset(inspect.signature(self.plain).parameters)

    @property
    def summary(self) -> str:
        """First line of its documentation."""
        return (self.plain.__doc__ or "").strip().splitlines()[0]

    @property
    def signature(self) -> str:
        """The operator as in documentation: `ts_rank(x, window, constant=0)`."""
        from alpha_pipeline.expression.printer import attribute_text

        shown = list(self.parameters)
        if self.variadic or self.chained:
            last = len(shown) if self.window_position is None else self.window_position
            shown.insert(last, "…")
        for each in self.attributes:
            given = each.name if each.required else attribute_text(each.name, each.default)
            shown.append(given)
        return f"{self.name}({', '.join(shown)})"


OPERATORS: dict[str, Operator] = {}
"""Every operator by its canonical name, in the order of declaration."""

SPELLINGS: dict[str, str] = {}
"""Every accepted function name, in lower case and without underscores, to the canonical name."""

INFIX: dict[str, str] = {}
"""Infix symbol to canonical name."""


def folded(name: str) -> str:
    """A name as `SPELLINGS` knows it: the platform takes any case, and lets underscores be left out."""
    return name.replace("_", "").lower()


def operator(
    category: str,
    *,
    scale: ScaleRule,
    unit: UnitRule | None = None,
    result: ValueType | None = ValueType.MATRIX,
    aliases: Iterable[str] = (),
    infix: Infix | None = None,
    commutative: bool = False,
    chained: bool = False,
    across: Across | None = None,
    stateful: bool = False,
    history: int = -1,
    reach: Callable[[Mapping[str, Any]], int] | None = None,
    minimum: int = 1,
    keeps_missing: bool = True,
    filled_by: str = "",
    profiles: Iterable[str] = ("user", "consultant"),
    searched: bool = True,
    one_of: Iterable[str] = (),
    elsewhere: str = "",
) -> Callable[[PlainKernel], PlainKernel]:
    """Register the decorated plain kernel as an operator; see `Operator` for the arguments.

    Args:
        unit: `Kept()`, the first input's unit, where nothing else is said.

    Raises:
        TypeError: the signature has a parameter without an annotation of the language, or the docstring is missing.
        ValueError: a name or symbol is taken, or there is no such category.
    """
    if category not in CATEGORIES:
        raise ValueError(f"there is no category {category}; use one of {', '.join(CATEGORIES)}")
    if not set(profiles) <= set(ACCOUNTS):
        raise ValueError(f"{', '.join(profiles)}: an operator's profiles are out of {', '.join(ACCOUNTS)}")

    def register(plain: PlainKernel) -> PlainKernel:
        name = plain.__name__.rstrip("_")
        if not plain.__doc__:
            raise TypeError(f"operator {name} has no docstring")
        slots, attributes, choices, variadic = _read_signature(plain)
        declared = Operator(
            name=name,
            category=category,
            parameters=tuple(slots),
            slots=tuple(slots.values()),
            attributes=attributes,
            choices=choices,
            variadic=variadic,
            chained=chained,
            result=result,
            unit=unit or Kept(),
            scale=scale,
            plain=plain,
            aliases=tuple(aliases),
            infix=infix,
            commutative=commutative,
            across=across or CATEGORIES[category],
            stateful=stateful,
            history=history,
            reach=reach,
            minimum=minimum,
            keeps_missing=keeps_missing,
            filled_by=filled_by,
            profiles=frozenset(profiles),
            searched=searched and not elsewhere,
            one_of=tuple(one_of),
            elsewhere=elsewhere,
        )
        spellings = dict.fromkeys(folded(spelling) for spelling in (name, *declared.aliases))
        for spelling in spellings:
            if spelling in SPELLINGS:
                raise ValueError(f"operator name {spelling} is taken by {SPELLINGS[spelling]}")
        SPELLINGS.update(dict.fromkeys(spellings, name))
        if infix is not None and declared.arity == 2:  # a minus before one argument is the parser's business
            INFIX[infix.symbol] = name
        OPERATORS[name] = declared
        return plain

    return register


def unregister(name: str) -> None:
    """Forget an operator again: for tests that declare one."""
    declared = OPERATORS.pop(name)
    for spelling in [spelling for spelling, meant in SPELLINGS.items() if meant == name]:
        del SPELLINGS[spelling]
    if declared.infix is not None:
        INFIX.pop(declared.infix.symbol, None)


def _read_signature(
    plain: PlainKernel,
) -> tuple[dict[str, Slot], tuple[Attribute, ...], tuple[str, ...], bool]:
    """Slots, attributes and choices of a plain kernel, and whether its last slot repeats.

    Keyword-only parameters without a marker (`strict`) are the engine's, not the language's.
    """
    hints = get_type_hints(plain, include_extras=True)
    slots: dict[str, Slot] = {}
    attributes: list[Attribute] = []
    choices: list[str] = []
    variadic = False
    for parameter in inspect.signature(plain).parameters.values():
        markers = getattr(hints.get(parameter.name), "__metadata__", ())
        if parameter.kind is parameter.KEYWORD_ONLY:
            required = parameter.default is parameter.empty
            for marker in markers:
                if isinstance(marker, Slot):  # what follows the repeated inputs of a variadic operator
                    slots[parameter.name] = marker
                elif isinstance(marker, AttributeType):
                    default = None if required else parameter.default
                    attributes.append(Attribute(parameter.name, marker, default, required))
                elif isinstance(marker, ChoiceMarker):
                    choices.append(parameter.name)
            continue
        slot = next((marker for marker in markers if isinstance(marker, Slot)), None)
        if slot is None:
            raise TypeError(f"operator {plain.__name__}: parameter {parameter.name} has no annotation of the language")
        slots[parameter.name] = slot
        if parameter.kind is parameter.VAR_POSITIONAL:
            variadic = True
    return slots, tuple(attributes), tuple(choices), variadic
