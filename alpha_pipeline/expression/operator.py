"""`@operator`: one declaration is an operator's registration.

The decorated function is the operator's plain kernel: slow, obvious, float64, the oracle of the fast one that the
engine attaches beneath by the same name. Its signature gives arity and types, its docstring says what it computes, and
the decorator's arguments give everything else that parser, printer, checker, engine and generators need. Adding an
operator is writing one such function (and a fast kernel, which a contract test asks for).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, get_type_hints

from alpha_pipeline.expression.scale import ScaleRule
from alpha_pipeline.expression.types import Slot, ValueType

PlainKernel = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Infix:
    """How an operator prints between its arguments; a higher precedence binds tighter."""

    symbol: str
    precedence: int


@dataclass(frozen=True, slots=True)
class Operator:
    """All that is known of an operator; made by `@operator` only.

    Attributes:
        name: BRAIN's name; what canonical text shows.
        category: elementwise, logical, time_series, cross_section or group.
        parameters: names of the arguments, in order.
        slots: what each argument takes.
        result: type of the result.
        scale: rule of the price-scale exponent over the numeric inputs (MATRIX, NUMERIC and CONDITION slots).
        plain: the slow kernel: float64 [dates, instruments] in and out.
        summary: first line of its documentation.
        aliases: other spellings that parse to it.
        infix: how it prints between its arguments, if it does.
        commutative: the order of its first two arguments does not matter.
        history: what its window adds to the lookback beyond the window itself: 0 for a delay, −1 for a window
            that holds today.
        minimum: valid values a window needs for a result, where the operator has a window.
        keeps_missing: a NaN in any numeric input today gives NaN today.
        profiles: the BRAIN accounts that may use it.
        searched: whether the generators draw it.
    """

    name: str
    category: str
    parameters: tuple[str, ...]
    slots: tuple[Slot, ...]
    result: ValueType
    scale: ScaleRule
    plain: PlainKernel
    summary: str
    aliases: tuple[str, ...]
    infix: Infix | None
    commutative: bool
    history: int
    minimum: int
    keeps_missing: bool
    profiles: frozenset[str]
    searched: bool

    @property
    def arity(self) -> int:
        return len(self.slots)

    @property
    def window_position(self) -> int | None:
        """Which argument is the window, if one is."""
        return self.slots.index(Slot.WINDOW) if Slot.WINDOW in self.slots else None

    @property
    def numeric_positions(self) -> tuple[int, ...]:
        """Which arguments are numbers or matrices (not group, window)."""
        return tuple(i for i, slot in enumerate(self.slots) if slot in (Slot.MATRIX, Slot.NUMERIC, Slot.CONDITION))

    @property
    def signature(self) -> str:
        """The operator with its parameter names, as in documentation: `ts_mean(x, window)`."""
        return f"{self.name}({', '.join(self.parameters)})"


OPERATORS: dict[str, Operator] = {}
"""Every operator by its canonical name, in the order of declaration."""

SPELLINGS: dict[str, str] = {}
"""Every accepted function name, aliases included, to the canonical name."""

INFIX: dict[str, str] = {}
"""Infix symbol to canonical name."""


def operator(
    category: str,
    *,
    scale: ScaleRule,
    result: ValueType = ValueType.MATRIX,
    aliases: Iterable[str] = (),
    infix: Infix | None = None,
    commutative: bool = False,
    history: int = -1,
    minimum: int = 1,
    keeps_missing: bool = True,
    profiles: Iterable[str] = ("user", "consultant"),
    searched: bool = True,
) -> Callable[[PlainKernel], PlainKernel]:
    """Register the decorated plain kernel as an operator; see `Operator` for the arguments.

    Raises:
        TypeError: the signature has an argument without a slot annotation, or the docstring is missing.
        ValueError: a name or symbol is taken.
    """

    def register(plain: PlainKernel) -> PlainKernel:
        name = plain.__name__.rstrip("_")
        if not plain.__doc__:
            raise TypeError(f"operator {name} has no docstring")
        slots = _slots(plain)
        declared = Operator(
            name=name,
            category=category,
            parameters=tuple(slots),
            slots=tuple(slots.values()),
            result=result,
            scale=scale,
            plain=plain,
            summary=plain.__doc__.strip().splitlines()[0],
            aliases=tuple(aliases),
            infix=infix,
            commutative=commutative,
            history=history,
            minimum=minimum,
            keeps_missing=keeps_missing,
            profiles=frozenset(profiles),
            searched=searched,
        )
        for spelling in (name, *declared.aliases):
            if spelling in SPELLINGS:
                raise ValueError(f"operator name {spelling} is taken by {SPELLINGS[spelling]}")
            SPELLINGS[spelling] = name
        if infix is not None and declared.arity == 2:  # a minus before one argument is the parser's business
            INFIX[infix.symbol] = name
        OPERATORS[name] = declared
        return plain

    return register


def _slots(plain: PlainKernel) -> dict[str, Slot]:
    """The arguments of a plain kernel, in order, and what each takes; keyword-only ones are not of the language."""
    hints = get_type_hints(plain, include_extras=True)
    slots: dict[str, Slot] = {}
    for parameter in inspect.signature(plain).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            continue
        markers = getattr(hints[parameter.name], "__metadata__", ())
        slot = next((marker for marker in markers if isinstance(marker, Slot)), None)
        if slot is None:
            raise TypeError(f"operator {plain.__name__}: argument {parameter.name} has no slot annotation")
        slots[parameter.name] = slot
    return slots
