"""How the price scale of an expression follows from that of its inputs.

Multiply every price of an instrument by k and divide its volume by k: an expression of scale exponent e is multiplied
by k**e. Prices have 1, volume −1, traded value, returns and capitalisation 0. The rules say what an operator makes of
its inputs' exponents; None means "no power of k", that is, the value depends on the price scale in some other way.

A final exponent of 0 means that the expression cannot see the price level. The rules are conservative: what they call
None may still be invariant (`ts_delta(log(close), 5)` is), so finalists are also tested with numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

Exponent: TypeAlias = float | None


class ScaleRule(Protocol):
    """A rule from the exponents of the numeric inputs to that of the result."""

    def infer(self, inputs: Sequence[Exponent], constants: Sequence[float | None]) -> Exponent:
        """The exponent of the result; `constants[i]` is input i's value where it is a plain number."""
        ...


def _known(inputs: Sequence[Exponent]) -> list[float] | None:
    known = [value for value in inputs if value is not None]
    return known if len(known) == len(inputs) else None


@dataclass(frozen=True, slots=True)
class Same:
    """All inputs equal; the result has their exponent (sums, maxima, averages over time)."""

    def infer(self, inputs: Sequence[Exponent], constants: Sequence[float | None]) -> Exponent:
        known = _known(inputs)
        return known[0] if known and len(set(known)) == 1 else None


@dataclass(frozen=True, slots=True)
class Compared:
    """All inputs equal; the result is a pure number (comparisons)."""

    def infer(self, inputs: Sequence[Exponent], constants: Sequence[float | None]) -> Exponent:
        known = _known(inputs)
        return 0 if known and len(set(known)) == 1 else None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The first input, a condition, must be a pure number; the others equal, the result like them."""

    def infer(self, inputs: Sequence[Exponent], constants: Sequence[float | None]) -> Exponent:
        return Same().infer(inputs[1:], constants[1:]) if inputs[0] == 0 else None


@dataclass(frozen=True, slots=True)
class Weighted:
    """A weighted sum of the inputs' exponents: (1, 1) for a product, (1, −1) for a quotient."""

    weights: tuple[int, ...]

    def infer(self, inputs: Sequence[Exponent], constants: Sequence[float | None]) -> Exponent:
        known = _known(inputs)
        weights = (*self.weights, *self.weights[-1:] * (len(inputs) - len(self.weights)))  # chains: the last repeats
        return None if known is None else sum(w * e for w, e in zip(weights, known, strict=True))


@dataclass(frozen=True, slots=True)
class Power:
    """The base's exponent times a constant power; with a variable power the base must be a pure number."""

    def infer(self, inputs: Sequence[Exponent], constants: Sequence[float | None]) -> Exponent:
        base, power = inputs
        if base is None or power != 0:
            return None
        if constants[1] is not None:
            return base * constants[1]
        return 0 if base == 0 else None


@dataclass(frozen=True, slots=True)
class Stripped:
    """Whatever the inputs' exponents, the result is a pure number (ranks over time, correlations, signs)."""

    def infer(self, inputs: Sequence[Exponent], constants: Sequence[float | None]) -> Exponent:
        return 0 if _known(inputs) is not None else None


@dataclass(frozen=True, slots=True)
class Pure:
    """Every input must be a pure number, and so is the result (logarithms, everything across instruments)."""

    def infer(self, inputs: Sequence[Exponent], constants: Sequence[float | None]) -> Exponent:
        return 0 if all(value == 0 for value in inputs) else None
