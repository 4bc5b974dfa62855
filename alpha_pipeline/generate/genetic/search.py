"""`genetic`: strongly typed genetic programming that aims for many unrelated alphas rather than one best.

1. The first population is drawn from the grammar, sizes ramped from small to large (Koza 1992, ramped start).
2. Every answer goes into the archive, oriented to a positive Sharpe ratio; behaviour duplicates stay out.
3. Populations live on islands, with NSGA-II selection and migration (see `islands`); a share of the parents comes from
   the grid of elites instead (MAP-Elites, see `memory.elites`), and so from whatever other generators found.
4. Each ask first proposes exportable expressions whose sign alone was wrong, then a share of blends by forecast, then
   typed children (Montana 1995, strongly typed genetic programming) by one of the variations, then immigrants.
5. Once enough is exportable the search deepens: no more blends, and whatever is best is changed a little, so that what
   is handed over comes closer to what is behind it.

Everything is determined by the seed and the answers: lists and counters only, no order of a set or of a clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alpha_pipeline.expression import Node, canonical
from alpha_pipeline.generate.base import Learner, Scored
from alpha_pipeline.generate.genetic.blend import Blends
from alpha_pipeline.generate.genetic.islands import Islands
from alpha_pipeline.generate.genetic.settings import GeneticSettings
from alpha_pipeline.generate.memory.front import pareto_front
from alpha_pipeline.generate.memory.individual import Individual
from alpha_pipeline.generate.memory.kept import keep, recall
from alpha_pipeline.generate.memory.memory import Memory
from alpha_pipeline.generate.reward import Reward
from alpha_pipeline.generate.searcher import Searcher
from alpha_pipeline.generate.space import variation
from alpha_pipeline.generate.space.drawn import Drawn
from alpha_pipeline.generate.space.grammar import Grammar, negated

WAYS = ("blend", "crossover", "subtree", "point", "window", "hoist", "wrap", "immigrant")
IMPROVING = frozenset({"point", "window", "hoist", "wrap"})
"""Ways that change little."""

KEPT = 400
"""Parents that are left for runs to come."""

TRIES = 400
"""Attempts in a row without a new valid expression after which the space counts as exhausted."""


@dataclass(frozen=True)
class Birth:
    """How a proposal came to be: the way, its island, and the lower bound of the parent's Sharpe ratio."""

    way: str
    island: int
    parent: float | None = None


class GeneticSearch(Searcher):
    """Typed genetic programming; see the module."""

    name = "genetic"

    def __init__(self, grammar: Grammar, seed: int, memory: Memory, settings: GeneticSettings | None = None) -> None:
        super().__init__(grammar, seed, memory)
        self.settings = settings or GeneticSettings()
        self.population = self.settings.sized(grammar.settings.budget)
        self.archive = memory.archive
        own = self.settings
        size = -(-self.population // own.islands)
        self.islands = Islands(own.islands, size, own.migrate_every, own.migrants, own.pareto)
        self._founded = 0 if own.founded else self.population
        self._first: list[Node] = []  # of an earlier run, to be proposed before all else
        self._taken_up = 0  # evaluations of earlier runs
        self._turn = 0  # whose child comes next
        self._way = Drawn([getattr(own, way) for way in WAYS])
        self._births: dict[Node, Birth] = {}  # of what was asked and not yet answered

    @property
    def learners(self) -> list[Learner]:
        return [self]

    @property
    def trained(self) -> int:
        """Evaluations that the archive comes from: of all generators that share it, and of earlier runs."""
        return self._taken_up + self.memory.told

    def save(self, path: Path) -> None:
        """Keep the best of the archive in a file; see `memory.kept`."""
        keep(path, self.memory, KEPT, self.trained)

    def load(self, path: Path) -> None:
        """Breed from what a file holds, on the days it was found; elsewhere propose it first.

        Raises:
            BadInput: the file is broken, or of another format.
        """
        self._first, self._taken_up = recall(path, self.memory)
        parents = self.archive.members
        self._founded = min(max(len(parents), len(self._first)), self.population)
        self.islands.learn(
            [parents[island :: self.settings.islands] for island in range(self.settings.islands)], self.archive
        )

    def ask(self, count: int) -> list[Node]:
        """`count` new expressions; fewer when `TRIES` attempts in a row gave none."""
        asked: list[Node] = []
        while self._first and len(asked) < count:
            self._propose(self._first.pop(0), Birth("kept", self._island()), asked)
        while len(asked) < count and self._founded < self.population:
            node = self._founder()
            if node is None or not self._propose(node, Birth("founder", self._island()), asked):
                break
            self._founded += 1
        for individual in self.archive.to_negate():
            if len(asked) < count:
                self._propose(individual.node, Birth("negation", self._island(), individual.lower), asked)
        self.archive.mark_proposed(set(asked))
        if len(asked) == count:
            return asked
        deepens = len(self.archive.elite) >= self.settings.enough
        blends = None if deepens else self._blends()
        failures = 0
        while len(asked) < count and failures < TRIES:
            child = self._child(blends)
            failures = 0 if child is not None and self._propose(*child, asked) else failures + 1
        return asked

    def learn(self, results: Sequence[Scored], rewards: Sequence[Reward]) -> None:
        """Give each island what was born on it, and note how the ways of making children did."""
        born: list[list[Individual]] = [[] for _ in self.islands.populations]
        made: Counter[str] = Counter()
        improved: Counter[str] = Counter()
        for result in results:
            birth = self._births.pop(result.node, Birth("other", 0))
            made[birth.way] += 1
            node = result.node if result.sharpe >= 0 else canonical(negated(result.node))
            place = self.archive.place(node)
            if place is None:
                continue
            individual = self.archive.members[place]
            born[birth.island].append(individual)
            if birth.parent is not None:
                improved[birth.way] += individual.lower > birth.parent
        self.islands.learn(born, self.archive)
        figures = {f"share_{way}": number / len(results) for way, number in sorted(made.items())}
        figures |= {f"improved_{way}": improved[way] / made[way] for way in sorted(improved)}
        for number, population in enumerate(self.islands.populations):
            figures[f"island_{number}_best"] = max((each.lower for each in population), default=0.0)
        elites = self.memory.elites
        figures |= {"qd_score": elites.score, "coverage": elites.coverage}
        figures["front"] = float(len(pareto_front(self.archive)))
        self.note(rewards, figures)

    def _propose(self, node: Node, birth: Birth, asked: list[Node]) -> bool:
        if not self.take(node, asked):
            return False
        self._births[asked[-1]] = birth
        return True

    def _island(self) -> int:
        """Islands take turns."""
        self._turn += 1
        return self._turn % self.settings.islands

    def _may_propose(self, node: Node) -> bool:
        return node not in self.memory.seen and self.grammar.problem(node) is None

    def _founder(self) -> Node | None:
        """One of the first population: the size it aims for grows with its number, to the largest sample."""
        largest = max(3, self.grammar.largest_sample)
        for _ in range(TRIES):
            aim = 2 + self._founded * (largest - 2) // self.population
            node = self.grammar.sample(self.random, aim)
            if node is not None and node not in self.memory.seen:
                return node
        return None

    def _blends(self) -> Blends:
        return Blends(self.archive, self.population, self.grammar.settings, self.settings.blend_exportable)

    def _child(self, blends: Blends | None) -> tuple[Node, Birth] | None:
        """A proposal to be, and where it comes from; None where the way drawn led nowhere.

        Args:
            blends: what may be added up; None once the search deepens.
        """
        way, island = WAYS[self._way(self.random)], self._island()
        if way == "blend":
            node = None if blends is None else blends.next(self.random, self._may_propose)
            return None if node is None else (node, Birth(way, island))
        parent = None if way == "immigrant" else self._parent(island, way in IMPROVING and blends is not None)
        if parent is None:
            node = self.grammar.sample(self.random)
            return None if node is None else (node, Birth("immigrant", island))
        if way == "crossover":
            donor = self._parent(island) or parent
            node = variation.crossover(self.random, self.grammar, parent.node, donor.node)
        elif way == "wrap":
            node = variation.wrap(self.random, self.grammar, parent.node, parent.turnover)
        else:
            changes = {
                "subtree": variation.subtree,
                "point": variation.point,
                "window": variation.window,
                "hoist": variation.hoist,
            }
            node = changes[way](self.random, self.grammar, parent.node)
        return None if node is None else (node, Birth(way, island, parent.lower))

    def _parent(self, island: int, improve: bool = False) -> Individual | None:
        """An elite of the grid, or the winner of a tournament on the island."""
        if self.random.random() < self.settings.elites:
            return self.memory.elites.draw(self.random)
        return self.islands.parent(self.random, island, self.settings.tournament, improve)
