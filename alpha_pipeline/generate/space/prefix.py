"""The token space: expressions written operators first, with the tokens that may follow known at every step.

A derivation is a sign, the unit of the whole, and then every nonterminal from left to right: a field, or an operator
followed by what it needs besides its subtrees (the unit of an input where several are possible, or a number in its
place; a window; a group), then the subtrees. What may follow is worked out by `lookahead`, once for every state, so
that every derivation ends in a valid expression within all bounds; `derivation.Derivation` walks through it.

`canonical` may change a finished tree: arguments are sorted, `x - ts_delay(x, 5)` becomes `ts_delta(x, 5)`, and
comparisons are turned. None of these makes a valid tree invalid, and what would has no derivation: `ts_mean(volume,
20)`, which is `adv20` in another unit, and `max` inside `max` or `min` inside `min`, which are sorted as one chain.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from alpha_pipeline.expression import OPERATORS, Call, Constant, Field, Node, Slot, canonical, export_text
from alpha_pipeline.generate.space.derivation import Derivation, Stage
from alpha_pipeline.generate.space.grammar import LONGEST, LONGEST_EXPORT, ROOTS, WEIGHTS, Grammar
from alpha_pipeline.generate.space.legal import Legal, Priors
from alpha_pipeline.generate.space.lookahead import ALIKE, HISTORY, LookAhead, Place, Way, windows_within
from alpha_pipeline.generate.space.spelling import Fork, Forks, spell
from alpha_pipeline.generate.space.tokens import MINUS, PLUS, Vocabulary


class PrefixSpace:
    """The token space of a grammar; see the module.

    Attributes:
        vocabulary: the tokens.
        context_sizes: how many values each figure of `Derivation.context` has.
    """

    def __init__(self, grammar: Grammar, priors: Priors | None = None) -> None:
        self.grammar, self.settings = grammar, grammar.settings
        self.priors = priors or Priors()
        self.vocabulary = Vocabulary(grammar)
        self.ahead = LookAhead(grammar)
        forks = Forks(self.vocabulary)
        self.forks: list[dict[int, Fork | Way]] = [
            {self.vocabulary.operators[name]: forks.over(ways) for name, ways in self.ahead.ways[symbol].items()}
            for symbol in self.ahead.symbols
        ]
        """By the nonterminal's number and the operator's token."""
        self.arities = {
            name: max(len(way.symbols) for way in ways)
            for by_name in self.ahead.ways.values()
            for name, ways in by_name.items()
        }
        """Subtrees of each operator."""
        self.operator_of = {token: name for name, token in self.vocabulary.operators.items()}
        self.field_of = {token: leaf for leaf, token in self.vocabulary.fields.items()}
        self.window_of = {token: days for days, token in self.vocabulary.windows.items()}
        self.group_of = {token: name for name, token in self.vocabulary.groups.items()}
        self.root_of = {self.vocabulary.units[symbol.unit]: self.ahead.symbols.index(symbol) for symbol, _ in ROOTS}
        self.longest_leaf = max(len(token.name) for token in self.vocabulary.fields if isinstance(token, Field))
        self.characters = {name: self._characters(name) for name in self.arities}
        """Of export text, that an operator and its added leaves take at most."""
        self.most_characters = max(self.characters.values())
        size = len(self.vocabulary)
        states = len(self.ahead.symbols) + len(Stage)
        limits = self.settings
        self.context_sizes = (size + 1, size + 1, limits.deepest + 1, states, limits.most_operators + 1, size + 1)
        self.nothing = Legal(size, [], [])
        """What may follow a complete expression."""
        self._legal: dict[tuple[object, ...], Legal] = {}

    def begin(self) -> Derivation:
        """An empty derivation."""
        return Derivation(self)

    def sample(self, random: np.random.Generator) -> Derivation:
        """A whole derivation drawn by the priors alone."""
        derivation = self.begin()
        while not derivation.done:
            derivation.take(derivation.draw(random))
        return derivation

    def decode(self, tokens: Sequence[int]) -> Node:
        """The expression that the tokens write.

        Raises:
            ValueError: a token that may not stand where it does, or too few or too many of them.
        """
        derivation = self.begin()
        for token in tokens:
            derivation.take(token)
        return derivation.node()

    def encode(self, node: Node) -> list[int] | None:
        """Tokens that write the expression; None where none do: another window, too large, a waste."""
        return spell(self.begin(), canonical(node))

    # What may follow, by stage. Every answer is kept under all that it depends on.

    def signs(self) -> Legal:
        """Where nothing is written yet."""
        known = self._legal.get(("sign",))
        if known is None:
            signs = [sign for sign in (PLUS, MINUS) if self.roots(sign == MINUS) is not None]
            tokens = [self.vocabulary.signs[sign] for sign in signs]
            known = self._legal["sign",] = Legal(len(self.vocabulary), tokens, [0.0] * len(tokens))
        return known

    def roots(self, minus: bool) -> Legal | None:
        """Units of the whole; None where there is no room for any."""
        key = ("root", minus)
        if key not in self._legal:
            limits = self.settings
            place = self.ahead.root_after_minus if minus else self.ahead.root
            room = min(limits.most_operators, self.operators_within(LONGEST_EXPORT)) - minus
            found = [
                (self.vocabulary.units[symbol.unit], math.log(weight) if self.priors.weights else 0.0)
                for symbol, weight in ROOTS
                if self.ahead.cheapest(symbol, place, limits.deepest - minus, windows_within(limits.longest_lookback))
                <= room
            ]
            if not found:
                return None
            tokens, logs = zip(*found, strict=True)
            self._legal[key] = Legal(len(self.vocabulary), tokens, logs)
        return self._legal[key]

    def operators_within(self, characters: int) -> int:
        """How many operators are sure to fit into so many characters of export text."""
        return (characters - self.longest_leaf - 3) // self.most_characters

    def nodes(
        self,
        number: int,
        place: Place,
        depth: int,
        windows: int,
        room: int,
        leaves_fit: bool,
        forbidden: tuple[Node, ...] = (),
    ) -> Legal:
        """Fields and operators of a nonterminal.

        Args:
            number: the nonterminal's position in `LookAhead.symbols`.
            place: what is around it.
            depth, windows: see `LookAhead.cheapest`.
            room: operators that may be used.
            leaves_fit: whether a field leaves room for what must then differ from it.
            forbidden: trees, canonical, that it may not become.
        """
        kinds = tuple(sorted(map(_kind, forbidden))) if forbidden else ()
        key = (number, place.number, depth, windows if windows < depth else depth, room, leaves_fit, kinds)
        known = self._legal.get(key)
        if known is None:
            known = self._legal[key] = self._find_nodes(number, place, depth, windows, room, leaves_fit, kinds)
        return known

    def _find_nodes(
        self, number: int, place: Place, depth: int, windows: int, room: int, leaves_fit: bool, kinds: Sequence[str]
    ) -> Legal:
        symbol = self.ahead.symbols[number]
        found: list[tuple[int, int, float]] = []  # token, arity, weight
        for leaf in self.ahead.leaves(symbol, place) if leaves_fit else ():
            if _kind(leaf) not in kinds:
                found.append((self.vocabulary.fields[leaf], 0, 1.0))
        for name in self.ahead.ways[symbol]:
            forbidden = kinds.count(ALIKE.get(name, name))
            if name not in place.operators and self.ahead.of_operator(symbol, name, depth, windows, forbidden) <= room:
                weight = WEIGHTS.get(name, 1.0) if self.priors.weights else 1.0
                found.append((self.vocabulary.operators[name], self.arities[name], weight))
        totals: dict[int, float] = {}
        for _, arity, weight in found:
            totals[arity] = totals.get(arity, 0.0) + weight
        logs = [math.log(weight / totals[arity] if self.priors.arity else weight) for _, arity, weight in found]
        return Legal(len(self.vocabulary), [token for token, _, _ in found], logs, [arity for _, arity, _ in found])

    def branches(self, fork: Fork, depth: int, windows: int, room: int, forbidden: int) -> Legal:
        """Units or numbers at a fork; `forbidden` is how many trees with this operator may not be made."""
        windows = min(windows, depth)
        key = ("fork", fork.number, depth, windows, room, forbidden)
        known = self._legal.get(key)
        if known is None:
            tokens = [
                token
                for token, ways in fork.ways.items()
                if min(self.ahead.of_way(way, depth, windows, forbidden) for way in ways) <= room
            ]
            known = self._legal[key] = Legal(len(self.vocabulary), tokens, [0.0] * len(tokens))
        return known

    def groups(self) -> Legal:
        """Groups, all alike."""
        known = self._legal.get(("group",))
        if known is None:
            tokens = list(self.vocabulary.groups.values())
            known = self._legal["group",] = Legal(len(self.vocabulary), tokens, [0.0] * len(tokens))
        return known

    def windows(self, way: Way, depth: int, days: int, room: int, forbidden: int) -> Legal:
        """Windows of an operator, with so many days of lookback left for it."""
        key = ("window", way, depth, days, room, forbidden)
        known = self._legal.get(key)
        if known is None:
            tokens = [
                token
                for window, token in self.vocabulary.windows.items()
                if window <= days - HISTORY
                and self.ahead.of_way(way, depth, windows_within(days - window) + 1, forbidden, window) <= room
            ]
            known = self._legal[key] = Legal(len(self.vocabulary), tokens, [0.0] * len(tokens))
        return known

    def _characters(self, name: str) -> int:
        """Characters of export text that an operator adds at most, with the fields that it makes room for."""
        operator = OPERATORS[name]
        fillers: dict[Slot, Node] = {
            Slot.WINDOW: Constant(float(LONGEST)),
            Slot.GROUP: Field(max(["", *self.grammar.groups], key=len)),
        }
        filler = Field("close")
        node = Call(name, tuple(fillers.get(slot, filler) for slot in operator.slots))
        inputs = len(operator.numeric_positions)
        own = len(export_text(node, self.grammar.profile)) - inputs * len(filler.name)
        brackets = 2 * (inputs + 1)
        return own + brackets + (inputs - 1) * self.longest_leaf


def _kind(node: Node) -> str:
    """What a forbidden tree rules out: a field, or, in part, an operator and those like it."""
    if isinstance(node, Call):
        return ALIKE.get(node.operator, node.operator)
    assert isinstance(node, Field)
    return f"field {node.name}"
