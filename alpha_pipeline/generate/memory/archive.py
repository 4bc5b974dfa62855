"""What a run has learned: the expressions that were evaluated, oriented to a positive Sharpe ratio, best first.

The profit of −e is that of e with the other sign, so every expression is kept in the orientation in which it earns,
whether or not that one was proposed yet. Behaviour duplicates (|correlation| above 0.99 with a better one) are kept
out, so that no parent counts twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from alpha_pipeline.expression import Node
from alpha_pipeline.generate.base import FloatArray, Scored, SearchSettings
from alpha_pipeline.generate.memory.individual import Individual, oriented
from alpha_pipeline.generate.memory.profits import Profits, Slots
from alpha_pipeline.generate.reward import USUAL, RewardWeights, correlations, is_degenerate, rewards_against
from alpha_pipeline.thresholds import Thresholds

BEHAVIOUR_DUPLICATE = 0.99


class Archive:
    """The best distinct individuals of a run, at most `capacity`, and the exportable ones among them.

    A member keeps its slot in `Profits` and in the tables of correlations while ranks change around it, so that taking
    in a few costs a few rows.

    Attributes:
        members: best first by base reward.
        rewards: with the correlation term, against better members and the pool.
        nearest: the largest |correlation| with better members and the pool.
        elite: positions of a set that meets the thresholds with mutual |correlation| within the limit, taken
            greedily by Sharpe, those already proposed first: what the run would export now.
    """

    def __init__(
        self,
        settings: SearchSettings,
        limits: Thresholds,
        pool: FloatArray | None,
        capacity: int,
        weights: RewardWeights = USUAL,
    ) -> None:
        self.settings, self.limits, self.capacity = settings, limits, capacity
        self.pool, self.weights = pool, weights
        self.members: list[Individual] = []
        self.rewards: FloatArray = np.zeros(0)
        self.nearest: FloatArray = np.zeros(0)
        self.elite: list[int] = []
        self._told = 0
        self._slots: Slots = np.zeros(0, np.int64)  # of the members
        self._profits: Profits | None = None
        self._accepted: Profits | None = None  # the pool's
        self._among: FloatArray = np.zeros((0, 0))  # |correlation|, by slot
        self._to_pool: FloatArray = np.zeros(0)  # largest |correlation| with the pool, by slot
        self._better: FloatArray = np.zeros(0)  # largest |correlation| with members that rank before, by slot
        self._ranked: Slots | None = None
        self._unlike: npt.NDArray[np.bool_] | None = None
        self._places: dict[Node, int] | None = None

    def add(self, results: Sequence[Scored]) -> list[Individual]:
        """Take in what was evaluated; degenerate results are left out. Returns the others, oriented, in their order."""
        told: list[Individual] = []
        new: dict[Node, Individual] = {}
        for result in results:
            self._told += 1
            if not is_degenerate(result, self.limits):
                individual = oriented(result, self._told, self.settings, self.limits, self.weights)
                told.append(individual)
                if individual.proposed or individual.node not in new:  # evaluated beats mirrored
                    new[individual.node] = individual
        held = {member.node: member for member in self.members}
        fresh = [i for i in new.values() if i.node not in held or (i.proposed and not held[i.node].proposed)]
        if not fresh:
            return told
        replaced = {individual.node for individual in fresh}
        stay = [position for position, member in enumerate(self.members) if member.node not in replaced]
        self._merge(stay, fresh)
        return told

    def pnl(self, positions: Sequence[int] | Slots) -> FloatArray:
        """Daily profit of some members, [positions, days]; NaN where the lookback is not yet filled."""
        assert self._profits is not None
        return self._profits.rows[self._slots[positions]]

    def likeness(self, pnl: FloatArray, base: FloatArray) -> FloatArray:
        """Largest |correlation| of each profit, [n, days], with the pool and with members of the elite that are better.

        Args:
            base: the rewards of the n by themselves; what is worse than they are does not hold them back.
        """
        nearest = np.zeros(len(pnl))
        if self.pool is not None and len(self.pool):
            nearest = np.abs(correlations(pnl, self.pool)).max(axis=1)
        if self.elite:
            likeness = np.abs(correlations(pnl, self.pnl(self.elite)))
            better = np.array([self.members[i].base for i in self.elite]) > base[:, None]
            nearest = np.maximum(nearest, np.where(better, likeness, 0.0).max(axis=1))
        return np.asarray(np.round(nearest, 10))  # no tie hangs on how a sum was split

    def place(self, node: Node) -> int | None:
        """Position of the member that is this expression, as it was oriented; None where there is none."""
        if self._places is None:
            self._places = {member.node: position for position, member in enumerate(self.members)}
        return self._places.get(node)

    def likeness_among(self, place: int, places: Sequence[int]) -> FloatArray:
        """|correlation| of the member at one position with those at others, [places]."""
        return np.asarray(self._among[self._slots[place], self._slots[list(places)]])

    def by_reward(self) -> Slots:
        """Positions of the members by falling reward."""
        if self._ranked is None:
            self._ranked = np.argsort(-self.rewards, kind="stable")
        return self._ranked

    def to_negate(self) -> list[Individual]:
        """Exportable individuals whose orientation was never proposed: a minus in front is all that is missing."""
        return [self.members[i] for i in self.elite if not self.members[i].proposed]

    def unlike_elite(self) -> npt.NDArray[np.bool_]:
        """Members outside the elite whose |correlation| with all of it is within the limit, [members]."""
        if self._unlike is None:
            self._unlike = np.ones(len(self.members), dtype=bool)
            if self.elite:
                likest = self._among[np.ix_(self._slots, self._slots[self.elite])].max(axis=1)
                self._unlike = np.asarray(likest <= self.limits.correlation)
        return self._unlike

    def mark_proposed(self, nodes: set[Node]) -> None:
        """Note which mirrored individuals are being proposed, lest they be asked for twice."""
        for position, member in enumerate(self.members):
            if not member.proposed and member.node in nodes:
                self.members[position] = replace(member, proposed=True)

    def _merge(self, stay: Sequence[int], fresh: Sequence[Individual]) -> None:
        """Rank the members at `stay` and the fresh ones together, and keep the best that are distinct."""
        everyone = [*(self.members[i] for i in stay), *fresh]
        slots = np.concatenate([self._slots[list(stay)], self._correlated(fresh)])
        new = np.arange(len(everyone)) >= len(stay)
        base = np.array([individual.base for individual in everyone])
        unproposed = np.array([not individual.proposed for individual in everyone])
        order = np.lexsort((np.array([individual.order for individual in everyone]), unproposed, -base))
        kept = self._distinct(slots[order], new[order])[: self.capacity]
        before, self._slots = self._slots, slots[order][kept]
        self.members = [everyone[i] for i in order[kept]]
        gone = np.setdiff1d(np.concatenate([before, slots]), self._slots)
        self._compare_with_better(new[order][kept], gone)
        assert self._profits is not None
        self._profits.let_go(gone)
        better, to_pool = self._better[self._slots], self._to_pool[self._slots]
        self.rewards = rewards_against(base[order][kept], better, to_pool, self.weights)
        self.nearest = np.maximum(better, to_pool)
        self._ranked = self._unlike = self._places = None
        self._choose_elite()

    def _correlated(self, fresh: Sequence[Individual]) -> Slots:
        """Slots for the fresh ones, their correlations worked out."""
        pnl = np.array([individual.pnl for individual in fresh])
        if self._profits is None:
            self._profits = Profits(pnl.shape[1])
            self._accepted = Profits(pnl.shape[1], self.pool)
        assert self._accepted is not None
        slots = self._profits.add(pnl)
        larger = len(self._profits) - len(self._among)
        if larger:
            self._among = np.pad(self._among, (0, larger))
            self._to_pool, self._better = np.pad(self._to_pool, (0, larger)), np.pad(self._better, (0, larger))
        crossed = self._profits.resembling(slots)
        self._among[:, slots] = crossed.T
        self._among[slots, :] = crossed
        self._to_pool[slots] = self._profits.resembling(slots, self._accepted).max(axis=1, initial=0.0)
        return slots

    def _distinct(self, slots: Slots, new: npt.NDArray[np.bool_]) -> Slots:
        """Of slots in rank order, the places of those that resemble none before them too much.

        The old ones are known to be distinct: each pair that is alike has a new one in it.
        """
        fresh = np.flatnonzero(new)
        alike = self._among[np.ix_(slots[fresh], slots)] > BEHAVIOUR_DUPLICATE
        alike[np.arange(len(fresh)), fresh] = False
        rivals: dict[int, list[int]] = {}
        for row, place in zip(*np.nonzero(alike), strict=True):
            one, other = sorted((int(fresh[row]), int(place)))
            rivals.setdefault(other, []).append(one)
        dropped: set[int] = set()
        for place in sorted(rivals):
            if not dropped.issuperset(rivals[place]):
                dropped.add(place)
        return np.array([place for place in range(len(slots)) if place not in dropped], np.int64)

    def _compare_with_better(self, new: npt.NDArray[np.bool_], gone: Slots) -> None:
        """Bring `_better` up to date: fresh ones came in between, and some that were compared with may be gone."""
        slots, places = self._slots, np.arange(len(self._slots))
        fresh = np.flatnonzero(new)
        before = places[:, None] > fresh
        nearest = np.where(before, self._among[np.ix_(slots, slots[fresh])], 0.0).max(axis=1, initial=0.0)
        lost = self._among[np.ix_(slots, gone)].max(axis=1, initial=0.0) >= self._better[slots]
        self._better[slots] = np.maximum(self._better[slots], nearest)
        for place in np.flatnonzero(new | (lost & (self._better[slots] > 0.0))):
            self._better[slots[place]] = self._among[slots[place], slots[:place]].max(initial=0.0)

    def _choose_elite(self) -> None:
        limit = self.limits.correlation
        passing = [i for i, m in enumerate(self.members) if m.meets and self._to_pool[self._slots[i]] <= limit]
        passing.sort(key=lambda i: (not self.members[i].proposed, -self.members[i].sharpe, self.members[i].order))
        self.elite = []
        for position in passing:
            row = self._among[self._slots[position]]
            if not self.elite or row[self._slots[self.elite]].max() <= limit:
                self.elite.append(position)
