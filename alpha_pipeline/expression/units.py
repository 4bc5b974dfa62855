"""Units as the platform checks them: what an operator asks of its inputs' units, and the unit of its result.

A unit is a product of base units with whole exponents. Rules are small objects that infer forwards;
`Operator.solve_units` solves backwards (which input units make this result?) by searching a given vocabulary with the
same rule, so both always agree.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

_NAMES = ("CSPrice", "CSShare", "TSPrice", "TSShare", "Group")


class Unit(NamedTuple):
    """Exponents of the base units: cross-sectional and time-series price and share, and group."""

    price: int = 0
    share: int = 0
    time_price: int = 0
    time_share: int = 0
    group: int = 0

    def __str__(self) -> str:
        """As the platform writes it: `Unit[CSPrice:1,CSShare:-1]`."""
        held = [f"{name}:{exponent}" for name, exponent in zip(_NAMES, self, strict=True) if exponent]
        return f"Unit[{','.join(held)}]"

    def over_time(self) -> Unit:
        """The unit after an operator along time: cross-sectional bases become time-series ones."""
        return Unit(0, 0, self.price + self.time_price, self.share + self.time_share, self.group)

    @property
    def scale(self) -> int:
        """The price-scale exponent that goes with the unit: prices count 1, shares −1 (see `scale`)."""
        return self.price + self.time_price - self.share - self.time_share


PURE = Unit()
PRICE = Unit(price=1)
SHARES = Unit(share=1)
MONEY = Unit(price=1, share=1)
GROUP = Unit(group=1)

_BASE = re.compile(r"\s*(CSPrice|CSShare|TSPrice|TSShare|Group)\s*:\s*([+-]?\d{1,2})\s*")


def parse_unit(text: str) -> Unit:
    """The unit written as `CSPrice:1,CSShare:-1` or `Unit[…]`; empty for a pure number.

    Raises:
        ValueError: another text.
    """
    inner = text.strip()
    if inner.startswith("Unit[") and inner.endswith("]"):
        inner = inner[5:-1]
    exponents = dict.fromkeys(_NAMES, 0)
    for part in inner.split(",") if inner.strip() else []:
        match = _BASE.fullmatch(part)
        if match is None:
            raise ValueError(f"{text!r} is no unit; write it as CSPrice:1,CSShare:-1")
        exponents[match.group(1)] += int(match.group(2))
    return Unit(*exponents.values())


class Mismatch(NamedTuple):
    """An input whose unit is not what the operator expects; `place` counts the numeric inputs."""

    place: int
    expected: Unit
    found: Unit


class UnitRule(ABC):
    """From the units of the numeric inputs to that of the result, or to the first mismatch.

    `blind` is the unit of the result where not all of the inputs' are known; None where that cannot be said.
    """

    __slots__ = ()
    blind: ClassVar[Unit | None] = None

    @abstractmethod
    def infer(self, inputs: Sequence[Unit], numbers: Sequence[bool]) -> Unit | Mismatch:
        """`numbers[i]`: input i is a plain number."""

    @abstractmethod
    def describe(self, inputs: Sequence[str]) -> str:
        """The rule in words, for the reference; `inputs` are the names of the numeric inputs."""


def _first_unlike(inputs: Sequence[Unit], first: int = 0) -> Mismatch | None:
    for index in range(first + 1, len(inputs)):
        if inputs[index] != inputs[first]:
            return Mismatch(index, inputs[first], inputs[index])
    return None


@dataclass(frozen=True, slots=True)
class Alike(UnitRule):
    """All inputs in the unit of the first; so is the result, unless it is `pure` (comparisons)."""

    pure: bool = False

    def infer(self, inputs: Sequence[Unit], numbers: Sequence[bool]) -> Unit | Mismatch:
        return _first_unlike(inputs) or (PURE if self.pure else inputs[0])

    def describe(self, inputs: Sequence[str]) -> str:
        result = "the result is a pure number" if self.pure else "so has the result"
        return f"All of {', '.join(inputs)} in the unit of {inputs[0]}; {result}."


@dataclass(frozen=True, slots=True)
class Multiplied(UnitRule):
    """Exponents added up with weights: (1, 1) for a product, (1, −1) for a quotient, (−1,) for an inverse."""

    weights: tuple[int, ...]

    def infer(self, inputs: Sequence[Unit], numbers: Sequence[bool]) -> Unit | Mismatch:
        weights = (*self.weights, *self.weights[-1:] * (len(inputs) - len(self.weights)))  # chains: the last repeats
        pairs = list(zip(weights, inputs, strict=True))
        return Unit(*(sum(weight * unit[base] for weight, unit in pairs) for base in range(len(_NAMES))))

    def describe(self, inputs: Sequence[str]) -> str:
        powers = [name if w == 1 else f"{name}^{w}" for w, name in zip(self.weights, inputs, strict=True)]
        return f"The unit of {' · '.join(powers)}."


@dataclass(frozen=True, slots=True)
class Kept(UnitRule):
    """The unit of one input, whatever the others have."""

    position: int = 0

    def infer(self, inputs: Sequence[Unit], numbers: Sequence[bool]) -> Unit | Mismatch:
        return inputs[self.position] if inputs else PURE

    def describe(self, inputs: Sequence[str]) -> str:
        return f"The unit of {inputs[self.position]}." if inputs else "A pure number."


@dataclass(frozen=True, slots=True)
class Bare(UnitRule):
    """A pure number, whatever the inputs have: ranks, scores, signs, counts, logic."""

    blind: ClassVar[Unit | None] = PURE

    def infer(self, inputs: Sequence[Unit], numbers: Sequence[bool]) -> Unit | Mismatch:
        return PURE

    def describe(self, inputs: Sequence[str]) -> str:
        return "A pure number, whatever the inputs have."


@dataclass(frozen=True, slots=True)
class Demanding(UnitRule):
    """The first input must be a pure number, and so is the result: logarithms, roots, products over time."""

    blind: ClassVar[Unit | None] = PURE

    def infer(self, inputs: Sequence[Unit], numbers: Sequence[bool]) -> Unit | Mismatch:
        return PURE if inputs[0] == PURE else Mismatch(0, PURE, inputs[0])

    def describe(self, inputs: Sequence[str]) -> str:
        return f"{inputs[0]} must be a pure number, and so is the result."


@dataclass(frozen=True, slots=True)
class Branches(UnitRule):
    """Two values to choose from, at `first` and after it: alike, but a plain number fits either side."""

    first: int = 1

    def infer(self, inputs: Sequence[Unit], numbers: Sequence[bool]) -> Unit | Mismatch:
        one, other = inputs[self.first : self.first + 2]
        if numbers[self.first]:
            return other
        if numbers[self.first + 1] or one == other:
            return one
        return Mismatch(self.first + 1, one, other)

    def describe(self, inputs: Sequence[str]) -> str:
        one, other = inputs[self.first : self.first + 2]
        return f"The unit of {one} and {other}, which must agree; a plain number fits either side."


@dataclass(frozen=True, slots=True)
class Grouped(UnitRule):
    """A group label; the first input must be one already if `relabels`."""

    relabels: bool = False

    blind: ClassVar[Unit | None] = GROUP

    def infer(self, inputs: Sequence[Unit], numbers: Sequence[bool]) -> Unit | Mismatch:
        if self.relabels and inputs[0] != GROUP:
            return Mismatch(0, GROUP, inputs[0])
        return GROUP

    def describe(self, inputs: Sequence[str]) -> str:
        return f"A group; {inputs[0]} must be one already." if self.relabels else "A group."
