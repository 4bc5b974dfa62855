"""`genetic`: strongly typed genetic programming that aims for many unrelated alphas rather than one best.

1. The first population is drawn from the grammar, sizes ramped from small to large.
2. Every answer goes into the archive, oriented to a positive Sharpe ratio; behaviour duplicates stay out.
3. Each ask first proposes exportable expressions whose sign alone was wrong, then a share of blends by forecast, then
   children of tournament winners by one of the variations, then immigrants.
4. A parent's reward falls with its correlation to better ones, so tournaments spread over unrelated families.

Everything is determined by the seed and the answers: lists and counters only, no order of a set or of a clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from alpha_pipeline.expression import Node
from alpha_pipeline.generate.genetic.blend import Blends
from alpha_pipeline.generate.memory.archive import Individual
from alpha_pipeline.generate.memory.memory import Memory
from alpha_pipeline.generate.searcher import Searcher
from alpha_pipeline.generate.space import variation
from alpha_pipeline.generate.space.drawn import Drawn
from alpha_pipeline.generate.space.grammar import Grammar


@dataclass(frozen=True)
class GeneticSettings:
    """How proposals are spent; shares are of what is left after sign corrections, and need not sum to 1.

    Args:
        population: parents that tournaments draw from; None for a third of the budget, 40 to 400:
            blends live off unrelated material (measured on markets kept apart for tuning: 48, 65, 84 and 72 alphas for
            sizes of 50, 83, 160 and 220 at a budget of 500).
        tournament: contestants per parent.
        blend, crossover, subtree, point, window, hoist, wrap, immigrant: relative rates of the ways to make a child.
    """

    population: int | None = None
    tournament: int = 4
    blend: float = 0.35
    crossover: float = 0.15
    subtree: float = 0.12
    point: float = 0.08
    window: float = 0.06
    hoist: float = 0.04
    wrap: float = 0.12
    immigrant: float = 0.08

    def sized(self, budget: int) -> int:
        """The population for a budget."""
        return self.population if self.population is not None else min(max(budget // 3, 40), 400)


WAYS = ("blend", "crossover", "subtree", "point", "window", "hoist", "wrap", "immigrant")
IMPROVING = frozenset({"point", "window", "hoist", "wrap"})
"""Ways that change little."""

TRIES = 400
"""Attempts in a row without a new valid expression after which the space counts as exhausted."""


class GeneticSearch(Searcher):
    """Typed genetic programming; see the module."""

    name = "genetic"

    def __init__(self, grammar: Grammar, seed: int, memory: Memory, settings: GeneticSettings | None = None) -> None:
        super().__init__(grammar, seed, memory)
        self.settings = settings or GeneticSettings()
        self.population = self.settings.sized(grammar.settings.budget)
        self.archive = memory.archive
        self._founded = 0
        self._way = Drawn([getattr(self.settings, way) for way in WAYS])

    def ask(self, count: int) -> list[Node]:
        """`count` new expressions; fewer when `TRIES` attempts in a row gave none."""
        asked: list[Node] = []
        while len(asked) < count and self._founded < self.population:
            node = self._founder()
            if node is None or not self.take(node, asked):
                break
            self._founded += 1
        for individual in self.archive.to_negate():
            if len(asked) < count:
                self.take(individual.node, asked)
        self.archive.mark_proposed(set(asked))
        blends = Blends(self.archive, self.population, self.grammar.settings)
        failures = 0
        while len(asked) < count and failures < TRIES:
            node = self._child(blends)
            failures = 0 if node is not None and self.take(node, asked) else failures + 1
        return asked

    def _may_propose(self, node: Node) -> bool:
        return node not in self.memory.seen and self.grammar.problem(node) is None

    def _founder(self) -> Node | None:
        """One of the first population: the size it aims for grows with its number, to three fifths of the most."""
        largest = max(3, self.grammar.settings.most_operators * 3 // 5)
        for _ in range(TRIES):
            aim = 2 + self._founded * (largest - 2) // self.population
            node = self.grammar.sample(self.random, aim)
            if node is not None and node not in self.memory.seen:
                return node
        return None

    def _child(self, blends: Blends) -> Node | None:
        way = WAYS[self._way(self.random)]
        if way == "immigrant" or not self.archive.members:
            return self.grammar.sample(self.random)
        if way == "blend":
            return blends.next(self.random, self._may_propose)
        parent = self._parent(improve=way in IMPROVING)
        if way == "crossover":
            return variation.crossover(self.random, self.grammar, parent.node, self._parent().node)
        if way == "wrap":
            return variation.wrap(self.random, self.grammar, parent.node, parent.turnover)
        changes = {
            "subtree": variation.subtree,
            "point": variation.point,
            "window": variation.window,
            "hoist": variation.hoist,
        }
        return changes[way](self.random, self.grammar, parent.node)

    def _parent(self, improve: bool = False) -> Individual:
        """The best of a few drawn from the population, by reward with the correlation term.

        Small improvements behave much like their parent, so they are made of what is not exportable yet and resembles
        nothing that is; where there is no such member, of any.
        """
        archive = self.archive
        ranked = archive.by_reward()
        if improve:
            unlike = archive.unlike_elite()
            ranked = ranked[unlike[ranked]] if unlike.any() else ranked
        best = ranked[: self.population]
        drawn = self.random.integers(len(best), size=self.settings.tournament)
        return archive.members[int(best[int(drawn.min())])]
