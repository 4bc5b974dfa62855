"""What a run has learned: the expressions that were evaluated, oriented to a positive Sharpe ratio, best first.

The profit of −e is that of e with the other sign, so every expression is kept in the orientation in which it earns,
whether or not that one was proposed yet. Behaviour duplicates (|correlation| above 0.99 with a better one) are kept
out, so that no parent counts twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alpha_pipeline.expression import Node, canonical, operator_count
from alpha_pipeline.generate.base import FloatArray, Scored, SearchSettings
from alpha_pipeline.generate.grammar import negated
from alpha_pipeline.generate.reward import (
    Thresholds,
    correlations,
    is_degenerate,
    profile_reward,
    rewards_by_rank,
    sharpe_standard_error,
)

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

    def meets(self, limits: Thresholds) -> bool:
        """Whether Sharpe, fitness and turnover meet the limits."""
        turnover_fits = limits.lowest_turnover <= self.turnover <= limits.highest_turnover
        return self.sharpe >= limits.sharpe and self.fitness >= limits.fitness and turnover_fits


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

    def add(self, results: Sequence[Scored]) -> None:
        """Take in what was evaluated; degenerate results are left out."""
        made: dict[Node, Individual] = {member.node: member for member in self.members}
        for result in results:
            self._told += 1
            if not is_degenerate(result):
                individual = self._oriented(result)
                known = made.get(individual.node)
                if known is None or individual.proposed:  # evaluated beats mirrored
                    made[individual.node] = individual
        ranked = sorted(made.values(), key=lambda i: (-i.base, not i.proposed, i.order))
        if ranked:
            self._keep_distinct(ranked)

    def to_negate(self) -> list[Individual]:
        """Exportable individuals whose orientation was never proposed: a minus in front is all that is missing."""
        return [self.members[i] for i in self.elite if not self.members[i].proposed]

    def mark_proposed(self, nodes: set[Node]) -> None:
        """Note which mirrored individuals are being proposed, lest they be asked for twice."""
        for position, member in enumerate(self.members):
            if not member.proposed and member.node in nodes:
                self.members[position] = Individual(**{**member.__dict__, "proposed": True})

    def _oriented(self, result: Scored) -> Individual:
        sign = 1.0 if result.sharpe >= 0 else -1.0
        node = result.node if sign > 0 else canonical(negated(result.node))
        pnl = sign * result.pnl
        lower = abs(result.sharpe) - sharpe_standard_error(pnl)
        base = profile_reward(
            lower, abs(result.fitness), result.turnover, operator_count(node) / self.settings.most_operators
        )
        return Individual(
            node, pnl, abs(result.sharpe), abs(result.fitness), result.turnover, base, self._told, sign > 0
        )

    def _keep_distinct(self, ranked: list[Individual]) -> None:
        ranked = ranked[: self.capacity * 2]
        pnl = np.array([i.pnl for i in ranked])
        among = np.abs(correlations(pnl, pnl))
        kept: list[int] = []
        for position in range(len(ranked)):
            if not kept or among[position, kept].max() <= BEHAVIOUR_DUPLICATE:
                kept.append(position)
        kept = kept[: self.capacity]
        self.members = [ranked[i] for i in kept]
        self.pnl = pnl[kept]
        pool = np.zeros((0, self.pnl.shape[1])) if self.pool is None else self.pool
        base = np.array([member.base for member in self.members])
        self.rewards = rewards_by_rank(base, self.pnl, pool)
        to_pool = np.abs(correlations(self.pnl, pool)).max(axis=1, initial=0.0)
        self._choose_elite(among[np.ix_(kept, kept)], to_pool)

    def _choose_elite(self, among: FloatArray, to_pool: FloatArray) -> None:
        limit = self.limits.correlation
        passing = [i for i, m in enumerate(self.members) if m.meets(self.limits) and to_pool[i] <= limit]
        passing.sort(key=lambda i: (not self.members[i].proposed, -self.members[i].sharpe, self.members[i].order))
        self.elite = []
        for position in passing:
            if not self.elite or among[position, self.elite].max() <= limit:
                self.elite.append(position)
