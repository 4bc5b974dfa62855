"""The Pareto front of a run: nothing held is better than one of it in one objective and no worse in the others.

Objectives: the Sharpe ratio's lower bound (more is better), operators (fewer), and the largest |correlation| of daily
profit with what ranks before it in the archive and with the pool (less). Turnover is a constraint, and coverage: what
breaks the latter never enters an archive. Constraint domination as in Deb et al. 2002, "A fast and elitist
multiobjective genetic algorithm: NSGA-II", section VI: what keeps the constraints dominates what does not, and of two
that do not the one of the smaller violation dominates; so while anything keeps them, only such things are on the front.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alpha_pipeline.expression import Node
from alpha_pipeline.generate.base import FloatArray
from alpha_pipeline.generate.memory.archive import Archive
from alpha_pipeline.thresholds import Thresholds

SHOWN = 50


@dataclass(frozen=True)
class Member:
    """One expression of the front: its three objectives, and what it would be accepted by."""

    node: Node
    sharpe_lower: float
    operators: int
    correlation: float
    sharpe: float
    fitness: float
    turnover: float


def pareto_front(archive: Archive, most: int = SHOWN) -> list[Member]:
    """The front of an archive's members, by falling Sharpe lower bound; the `most` best by it where there are more."""
    costs, excess = objectives(archive), violation(archive)
    held = np.flatnonzero(excess == excess.min()) if len(excess) else np.zeros(0, np.int64)
    front = held[nondominated(costs[held])]
    front = front[np.argsort(costs[front, 0], kind="stable")][:most]
    return [
        Member(m.node, m.lower, m.operators, float(costs[i, 2]), m.sharpe, m.fitness, m.turnover)
        for i, m in ((int(i), archive.members[i]) for i in front)
    ]


def objectives(archive: Archive) -> FloatArray:
    """(−Sharpe lower bound, operators, |correlation|) of every member, [members, 3], each to be made small."""
    own = [(-member.lower, float(member.operators)) for member in archive.members]
    return np.column_stack([np.array(own).reshape(-1, 2), archive.nearest])


def violation(archive: Archive) -> FloatArray:
    """How far the turnover of every member is outside the accepted range, [members], in parts of the range's end."""
    return turnover_violation(np.array([member.turnover for member in archive.members]), archive.limits)


def turnover_violation(turnover: FloatArray, limits: Thresholds) -> FloatArray:
    """0 within the range of turnover, else the distance to it over the end that is missed; any shape."""
    low, high = limits.turnover_low, limits.turnover_high
    above = np.maximum(turnover - high, 0.0) / (high if high > 0 else 1.0)
    below = np.maximum(low - turnover, 0.0) / (low if low > 0 else 1.0)
    return np.asarray(above + below)


def nondominated(costs: FloatArray) -> npt.NDArray[np.bool_]:
    """Which rows of [n, objectives] no other row dominates; equal rows stand together.

    One row dominates another that it is nowhere above and somewhere below.
    """
    kept = np.zeros(len(costs), bool)
    left = np.lexsort(costs.T[::-1])  # what dominates a row comes before it, so the first that is left is on the front
    while len(left):
        first, left = left[0], left[1:]
        kept[first] = True
        rows = costs[left]
        left = left[~((costs[first] <= rows).all(axis=1) & (costs[first] < rows).any(axis=1))]
    return kept
