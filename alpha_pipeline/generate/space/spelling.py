"""Which way of an operator is meant, and the tokens that write a given tree.

An operator makes a nonterminal in one way or in several, by the units of its inputs or by a number in the place of one.
Forks tell the ways apart, one token each; where there is but one way, nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from alpha_pipeline.expression import Call, Constant, Field, Node
from alpha_pipeline.generate.space.grammar import Symbol
from alpha_pipeline.generate.space.lookahead import Way
from alpha_pipeline.generate.space.tokens import MINUS, PLUS, Vocabulary
from alpha_pipeline.generate.space.units import unit_of

if TYPE_CHECKING:
    from alpha_pipeline.generate.space.derivation import Derivation


class Fork:
    """A choice between ways of an operator.

    Attributes:
        number: tells forks apart.
        position: the argument whose unit is chosen.
        branches: what follows each token: the way, or another fork.
        ways: the ways that are left after each token.
    """

    __slots__ = ("branches", "number", "position", "ways")

    def __init__(self, number: int, position: int) -> None:
        self.number, self.position = number, position
        self.branches: dict[int, Fork | Way] = {}
        self.ways: dict[int, tuple[Way, ...]] = {}


class Forks:
    """Makes forks, and numbers them."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._made = 0

    def over(self, ways: Sequence[Way], place: int = 0) -> Fork | Way:
        """What tells the ways of one operator and nonterminal apart.

        Args:
            ways: those left; all agree in the inputs before `place`.
            place: which of the inputs that are no window or group.
        """
        if len(ways) == 1:
            return ways[0]
        position = ways[0].production.operator.numeric_positions[place]
        groups: dict[int, list[Way]] = {}
        for way in ways:
            groups.setdefault(self._token(way, position), []).append(way)
        if len(groups) == 1:
            return self.over(ways, place + 1)
        fork = Fork(self._made, position)
        self._made += 1
        for token, group in groups.items():
            fork.ways[token] = tuple(group)
            fork.branches[token] = self.over(group, place + 1)
        return fork

    def _token(self, way: Way, position: int) -> int:
        if way.number is not None:
            return self._vocabulary.numbers[way.number]
        given = way.production.inputs[position]
        assert isinstance(given, Symbol)
        return self._vocabulary.units[given.unit]


def spell(derivation: Derivation, node: Node) -> list[int] | None:
    """Tokens that write a canonical tree, or None where the derivation has no such way."""
    vocabulary = derivation.space.vocabulary
    minus = isinstance(node, Call) and node.operator == "reverse"
    inside = node.arguments[0] if minus and isinstance(node, Call) else node
    unit = unit_of(inside)
    start = [vocabulary.signs[MINUS if minus else PLUS], None if unit is None else vocabulary.units[unit]]
    if not all(derivation.take_if_legal(token) for token in start) or not _write(derivation, inside):
        return None
    return list(derivation.tokens) if derivation.done and derivation.node() == node else None


def _write(derivation: Derivation, node: Node) -> bool:
    """Take the tokens of a subtree; False where one may not stand there."""
    vocabulary = derivation.space.vocabulary
    if isinstance(node, Field):
        return derivation.take_if_legal(vocabulary.fields.get(node))
    if isinstance(node, Constant) or node.attributes:
        return False
    if not derivation.take_if_legal(vocabulary.operators.get(node.operator)):
        return False
    numbers = [argument.value for argument in node.arguments if isinstance(argument, Constant)]
    while (fork := derivation.fork) is not None:
        token: int | None = None
        if fork.position < len(node.arguments):
            unit = unit_of(node.arguments[fork.position])
            token = None if unit is None else vocabulary.units.get(unit)
        by_number = [vocabulary.numbers[value] for value in numbers if value in vocabulary.numbers]
        numbered = [candidate for candidate in by_number if candidate in fork.branches]
        if not derivation.take_if_legal(numbered[0] if numbered else token):
            return False
    way = derivation.way
    assert way is not None
    if len(node.arguments) != len(way.production.inputs):
        return False
    if way.window is not None:
        window = node.arguments[way.window]
        days = int(window.value) if isinstance(window, Constant) and window.value.is_integer() else 0
        if not derivation.take_if_legal(vocabulary.windows.get(days)):
            return False
    if way.group is not None:
        group = node.arguments[way.group]
        if not isinstance(group, Field) or not derivation.take_if_legal(vocabulary.groups.get(group.name)):
            return False
    return all(_write(derivation, node.arguments[position]) for position in way.positions)
