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

from collections.abc import Sequence

import numpy as np

from alpha_pipeline.expression import OPERATORS, Call, Constant, Field, Node, Slot, canonical, export_text
from alpha_pipeline.generate.space.derivation import Derivation
from alpha_pipeline.generate.space.frame import Stage
from alpha_pipeline.generate.space.grammar import LONGEST, LONGEST_EXPORT, ROOTS, Grammar
from alpha_pipeline.generate.space.legal import Priors
from alpha_pipeline.generate.space.lookahead import LookAhead, Way
from alpha_pipeline.generate.space.spelling import Fork, Forks, spell
from alpha_pipeline.generate.space.states import States
from alpha_pipeline.generate.space.tokens import Vocabulary

__all__ = ["Derivation", "PrefixSpace", "Priors", "Vocabulary"]


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
        self.operator_of = {token: name for name, token in self.vocabulary.operators.items()}
        self.field_of = {token: leaf for leaf, token in self.vocabulary.fields.items()}
        self.window_of = {token: days for days, token in self.vocabulary.windows.items()}
        self.group_of = {token: name for name, token in self.vocabulary.groups.items()}
        self.root_of = {self.vocabulary.units[symbol.unit]: self.ahead.symbols.index(symbol) for symbol, _ in ROOTS}
        self._longest_leaf = max(len(token.name) for token in self.vocabulary.fields if isinstance(token, Field))
        self.characters = {name: self._characters(name) for name in self.vocabulary.operators}
        """Of export text, that an operator and its added leaves take at most."""
        self._most_characters = max(self.characters.values())
        self.most_operators = min(self.settings.most_operators, self.operators_within(LONGEST_EXPORT))
        self.states = States(self.vocabulary, self.ahead, self.priors, self.most_operators)
        size = len(self.vocabulary)
        kinds = len(self.ahead.symbols) + len(Stage)
        limits = self.settings
        self.context_sizes = (size + 1, size + 1, limits.deepest + 1, kinds, limits.most_operators + 1, size + 1)

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

    def operators_within(self, characters: int) -> int:
        """How many operators are sure to fit into so many characters of export text."""
        return (characters - self._longest_leaf - 3) // self._most_characters

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
        return own + brackets + (inputs - 1) * self._longest_leaf
