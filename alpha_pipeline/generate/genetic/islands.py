"""Islands: populations that breed apart and now and then send each other their best.

Each keeps its own line of search for a while, so that one good family does not take over the whole (Cohoon et al. 1987;
Whitley et al. 1999 on the island model). An island holds founders, children of its own parents, and migrants; migrants
are copies that go round a ring. Survivors are chosen by NSGA-II (see `nondominated`), on (−Sharpe lower bound,
operators, |correlation| with what ranks before) under the constraint on turnover. What left the archive, as a twin of
something better or as one of the worst, leaves its island.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alpha_pipeline.generate.genetic.nondominated import best_first, ranked
from alpha_pipeline.generate.memory.archive import Archive
from alpha_pipeline.generate.memory.front import objectives, violation
from alpha_pipeline.generate.memory.individual import Individual


class Islands:
    """The populations.

    Args:
        count: of islands.
        size: of each after selection.
        every: rounds between migrations.
        share: of an island's size that goes on to the next one.
        pareto: choose by NSGA-II; else by reward alone.

    Attributes:
        populations: of each island, best first.
        unlike: of each island, places of those that resemble nothing exportable.
        arrived: migrants taken in so far.
    """

    def __init__(self, count: int, size: int, every: int, share: float, pareto: bool = True) -> None:
        self.size, self._every, self._pareto = size, every, pareto
        self._migrants = max(1, round(share * size)) if share > 0 else 0
        self.populations: list[list[Individual]] = [[] for _ in range(count)]
        self.unlike: list[list[int]] = [[] for _ in range(count)]
        self.arrived = 0
        self._round = 0

    def learn(self, born: Sequence[Sequence[Individual]], archive: Archive) -> None:
        """Take in what was born on each island, let the best survive, and let some of them migrate."""
        costs, excess = objectives(archive), violation(archive)
        unlike = archive.unlike_elite()
        for island, children in enumerate(born):
            nodes = dict.fromkeys(each.node for each in (*self.populations[island], *children))
            held = [place for place in map(archive.place, nodes) if place is not None]
            places = np.array(held, np.int64)
            if self._pareto:
                chosen = places[best_first(*ranked(costs[places], excess[places]))]
            else:
                chosen = places[np.argsort(-archive.rewards[places], kind="stable")]
            chosen = chosen[: self.size]
            self.populations[island] = [archive.members[place] for place in chosen]
            self.unlike[island] = np.flatnonzero(unlike[chosen]).tolist()
        self._round += 1
        if self._round % self._every == 0:
            self._migrate()

    def parent(self, random: np.random.Generator, island: int, contestants: int, improve: bool) -> Individual | None:
        """The winner of a tournament: of a few drawn alike the one that ranks first; None on an empty island.

        Args:
            random: where randomness comes from.
            island: where to look.
            contestants: drawn; 2 is NSGA-II's binary tournament.
            improve: only of what resembles nothing exportable, where there is such: what changes it little should not
                end beside something that is exported already.
        """
        population, places = self.populations[island], self.unlike[island] if improve else []
        if not population:
            return None
        drawn = random.integers(len(places) or len(population), size=contestants)
        first = int(drawn.min())  # best first
        return population[places[first] if places else first]

    def _migrate(self) -> None:
        """Copies of each island's best go to the next; they compete there from its next selection on."""
        if len(self.populations) < 2:
            return
        leaving = [population[: self._migrants] for population in self.populations]
        for island, arriving in enumerate(leaving[-1:] + leaving[:-1]):
            held = {each.node for each in self.populations[island]}
            new = [each for each in arriving if each.node not in held]
            self.populations[island] += new
            self.arrived += len(new)
