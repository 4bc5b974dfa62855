"""An evaluated expression in the orientation in which it earns: what archives, grids and fronts hold."""

from __future__ import annotations

from dataclasses import dataclass

from alpha_pipeline.expression import Node, canonical, operator_count
from alpha_pipeline.generate.base import FloatArray, Scored, SearchSettings
from alpha_pipeline.generate.reward import USUAL, RewardWeights, profile_reward, sharpe_standard_error
from alpha_pipeline.generate.space.grammar import negated
from alpha_pipeline.thresholds import Thresholds


@dataclass(frozen=True, eq=False)
class Individual:
    """An expression in the orientation in which it earns; figures as in `Scored`.

    Attributes:
        lower: Sharpe ratio less its standard error.
        operators: in it.
        base: reward without the correlation term.
        order: when it was told; breaks ties.
        proposed: this orientation was itself a proposal.
        meets: Sharpe, fitness and turnover are good enough.
    """

    node: Node
    pnl: FloatArray
    sharpe: float
    fitness: float
    turnover: float
    lower: float
    operators: int
    base: float
    order: int
    proposed: bool
    meets: bool


def oriented(
    result: Scored, order: int, settings: SearchSettings, limits: Thresholds, weights: RewardWeights = USUAL
) -> Individual:
    """A usable result, turned so that its Sharpe ratio is positive: the profit of −e is that of e, negated."""
    sign = 1.0 if result.sharpe >= 0 else -1.0
    node = result.node if sign > 0 else canonical(negated(result.node))
    pnl, sharpe, fitness = sign * result.pnl, abs(result.sharpe), abs(result.fitness)
    lower, operators = sharpe - sharpe_standard_error(pnl), operator_count(node)
    length = operators / settings.most_operators
    base = profile_reward(lower, fitness, result.turnover, length, limits, weights)
    meets = limits.met_by(sharpe, fitness, result.turnover)
    return Individual(node, pnl, sharpe, fitness, result.turnover, lower, operators, base, order, sign > 0, meets)
