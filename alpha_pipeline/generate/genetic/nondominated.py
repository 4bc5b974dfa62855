"""Ranks of NSGA-II under constraints: DEAP sorts and measures crowding, the constraints are put around it.

Deb et al. 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II": rank 0 is the front of what nothing
dominates, rank 1 the front without it, and so on; the crowding distance (section III.B) is the side length of the box
between a point's neighbours on its front, infinite at the ends. Under constraints (section VI) whatever keeps them
dominates what does not, and of two that do not the one of the smaller violation dominates. So those that keep them are
sorted by their objectives, and all others follow by violation alone, equal ones on one front.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from alpha_pipeline.generate.base import FloatArray

Ranks = npt.NDArray[np.int64]


@dataclass
class _Point:
    number: int
    fitness: Any


def ranked(costs: FloatArray, violation: FloatArray) -> tuple[Ranks, FloatArray]:
    """(front, crowding distance) of every row.

    Args:
        costs: [n, objectives], each to be made small, finite.
        violation: [n], 0 where the constraints are kept, else by how much they are not.

    Returns:
        Fronts from 0, and distances as DEAP scales them (divided by the number of objectives), each [n].
    """
    from deap.tools.emo import assignCrowdingDist, sortLogNondominated

    kind = _fitness(costs.shape[1])
    points = [_Point(number, kind(tuple(row))) for number, row in enumerate(costs.tolist())]
    feasible = [points[number] for number in np.flatnonzero(violation <= 0.0)]
    fronts = list(sortLogNondominated(feasible, len(feasible))) if feasible else []
    for much in np.unique(violation[violation > 0.0]):
        fronts.append([points[number] for number in np.flatnonzero(violation == much)])
    front, crowding = np.zeros(len(costs), np.int64), np.zeros(len(costs))
    for rank, held in enumerate(fronts):
        held.sort(key=lambda point: point.number)  # of equal ones the earlier is at the end, whatever the sort did
        assignCrowdingDist(held)
        for point in held:
            front[point.number], crowding[point.number] = rank, point.fitness.crowding_dist
    return front, crowding


def best_first(front: Ranks, crowding: FloatArray) -> Ranks:
    """Numbers by rising front, then by falling crowding distance: the crowded-comparison order (section III.B)."""
    return np.lexsort((-crowding, front)).astype(np.int64)


@lru_cache(maxsize=8)
def _fitness(objectives: int) -> Any:
    """DEAP's fitness of costs; a class, as DEAP wants the weights in one."""
    from deap.base import Fitness

    return type("Costs", (Fitness,), {"weights": (-1.0,) * objectives})
