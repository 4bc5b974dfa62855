"""What a run has learned: the expressions that were evaluated, oriented to a positive Sharpe ratio, best first.

The profit of −e is that of e with the other sign, so every expression is kept in the orientation in which it earns,
whether or not that one was proposed yet. Behaviour duplicates (|correlation| above 0.99 with a better one) are kept
out, so that no parent counts twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from alpha_pipeline.expression import Node, canonical, operator_count
from alpha_pipeline.generate.base import FloatArray, Scored, SearchSettings
from alpha_pipeline.generate.grammar import negated
from alpha_pipeline.generate.reward import (
    correlations,
    is_degenerate,
    profile_reward,
    rewards_by_rank,
    sharpe_standard_error,
)
from alpha_pipeline.thresholds import Thresholds

BEHAVIOUR_DUPLICATE = 0.99


@dataclass(frozen=True, eq=False)
class Individual:
    """An expression in the orientation in which it earns; figures as in `Scored`."""

    node: Node
    pnl: FloatArray
    sharpe: float
    fitness: float
    turnover: float
    base: float  # reward without the correlation term
    order: int  # when it was told; breaks ties
    proposed: bool  # this orientation was itself a proposal


class Archive:
    """The best distinct individuals of a run, at most `capacity`, and the exportable ones among them.

    Attributes:
        members: best first by base reward.
        pnl: their daily profit, [members, days].
        rewards: with the correlation term, against better members and the pool.
        elite: positions of a set that meets the thresholds with mutual |correlation| within the limit, taken
            greedily by Sharpe, those already proposed first: what the run would export now.
    """

    def __init__(self, settings: SearchSettings, limits: Thresholds, pool: FloatArray | None, capacity: int) -> None:
        self.settings, self.limits, self.capacity = settings, limits, capacity
        self.pool = pool
        self.members: list[Individual] = []
        self.pnl: FloatArray = np.zeros((0, 0))
        self.rewards: FloatArray = np.zeros(0)
        self.elite: list[int] = []
        self._told = 0
        self._among: FloatArray = np.zeros((0, 0))  # |correlation| of members
        self._to_pool: FloatArray = np.zeros(0)  # largest |correlation| of each member with the pool

    def add(self, results: Sequence[Scored]) -> None:
        """Take in what was evaluated; degenerate results are left out."""
        new: dict[Node, Individual] = {}
        for result in results:
            self._told += 1
            if not is_degenerate(result, self.limits):
                individual = self._oriented(result)
                if individual.proposed or individual.node not in new:  # evaluated beats mirrored
                    new[individual.node] = individual
        held = {member.node: member for member in self.members}
        fresh = [i for i in new.values() if i.node not in held or (i.proposed and not held[i.node].proposed)]
        if not fresh:
            return
        replaced = {individual.node for individual in fresh}
        stay = [position for position, member in enumerate(self.members) if member.node not in replaced]
        self._merge(stay, fresh)

    def to_negate(self) -> list[Individual]:
        """Exportable individuals whose orientation was never proposed: a minus in front is all that is missing."""
        return [self.members[i] for i in self.elite if not self.members[i].proposed]

    def unlike_elite(self) -> npt.NDArray[np.bool_]:
        """Members outside the elite whose |correlation| with all of it is within the limit, [members]."""
        if not self.elite:
            return np.ones(len(self.members), dtype=bool)
        return np.asarray(self._among[:, self.elite].max(axis=1) <= self.limits.correlation)

    def mark_proposed(self, nodes: set[Node]) -> None:
        """Note which mirrored individuals are being proposed, lest they be asked for twice."""
        for position, member in enumerate(self.members):
            if not member.proposed and member.node in nodes:
                self.members[position] = replace(member, proposed=True)

    def _oriented(self, result: Scored) -> Individual:
        sign = 1.0 if result.sharpe >= 0 else -1.0
        node = result.node if sign > 0 else canonical(negated(result.node))
        pnl = sign * result.pnl
        lower = abs(result.sharpe) - sharpe_standard_error(pnl)
        length = operator_count(node) / self.settings.most_operators
        base = profile_reward(lower, abs(result.fitness), result.turnover, length, self.limits)
        return Individual(
            node, pnl, abs(result.sharpe), abs(result.fitness), result.turnover, base, self._told, sign > 0
        )

    def _merge(self, stay: list[int], fresh: list[Individual]) -> None:
        """Rank the members at `stay` and the fresh ones together, and keep the best that are distinct."""
        everyone = [*(self.members[i] for i in stay), *fresh]
        pnl = np.array([individual.pnl for individual in everyone])
        # Only what is new is correlated: [fresh, everyone]. Rounded, so that no tie hangs on how a sum was split.
        crossed = np.round(np.abs(correlations(pnl[len(stay) :], pnl)), 10)
        among = np.zeros((len(everyone), len(everyone)))
        among[: len(stay), : len(stay)] = self._among[np.ix_(stay, stay)]
        among[len(stay) :, :] = crossed
        among[:, len(stay) :] = crossed.T
        pool = np.zeros((0, pnl.shape[1])) if self.pool is None else self.pool
        to_pool = np.round(np.abs(correlations(pnl[len(stay) :], pool)).max(axis=1, initial=0.0), 10)
        to_pool = np.concatenate([self._to_pool[stay], to_pool])

        def rank(position: int) -> tuple[float, bool, int]:
            individual = everyone[position]
            return -individual.base, not individual.proposed, individual.order

        kept: list[int] = []
        for position in sorted(range(len(everyone)), key=rank):
            if not kept or among[position, kept].max() <= BEHAVIOUR_DUPLICATE:
                kept.append(position)
        kept = kept[: self.capacity]
        self.members = [everyone[i] for i in kept]
        self.pnl, self._among, self._to_pool = pnl[kept], among[np.ix_(kept, kept)], to_pool[kept]
        self.rewards = rewards_by_rank(np.array([member.base for member in self.members]), self._among, self._to_pool)
        self._choose_elite()

    def _choose_elite(self) -> None:
        limit = self.limits.correlation
        passing = [
            i
            for i, m in enumerate(self.members)
            if self.limits.met_by(m.sharpe, m.fitness, m.turnover) and self._to_pool[i] <= limit
        ]
        passing.sort(key=lambda i: (not self.members[i].proposed, -self.members[i].sharpe, self.members[i].order))
        self.elite = []
        for position in passing:
            if not self.elite or self._among[position, self.elite].max() <= limit:
                self.elite.append(position)
