"""What single figures of a judged run mean: shares, areas, portfolios, clusters. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from alpha_pipeline.evaluator import Trial
from alpha_pipeline.expression import operator_count
from alpha_pipeline.race.handover import Likeness
from alpha_pipeline.race.oracle import Worth, oracle_sharpe

ALIKE, AS_GOOD = 0.7, 0.8
"""Rank correlation with the plant's signal, and share of its oracle ratio, from which it counts as found."""
CLUSTER = 0.5  # |ρ| from which accepted expressions belong together
TURNOVER_EDGES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.45)
LENGTH_EDGES = (3, 5, 7, 9, 11, 13)


def found_of(plants: Sequence[Worth], accepted: Sequence[Worth]) -> list[bool]:
    """Of each plant, whether something like it, and nearly as good, is among the accepted."""
    return [plant.oracle > 0 and any(recalls(plant, each, k) for each in accepted) for k, plant in enumerate(plants)]


def recalls(plant: Worth, found: Worth, number: int) -> bool:
    """Whether one expression is the plant, or as good as it."""
    return bool(found.likeness[number] >= ALIKE and found.oracle >= AS_GOOD * plant.oracle)


def share(hit: Sequence[bool], weights: NDArray[Any]) -> float | None:
    """Weighted share of hits; None where there is no weight."""
    total = float(weights.sum()) if len(weights) else 0.0
    return float(np.dot(np.array(hit, float), weights)) / total if total > 0 else None


def area(points: Sequence[float], values: Sequence[float], scale: float) -> float | None:
    """Mean of a curve over the logarithm of its points (trapezoids), over `scale`; None where that is 0."""
    if scale <= 0:
        return None
    if len(points) == 1:
        return values[0] / scale
    at = np.log(np.array(points))
    return float(np.trapezoid(values, at) / (at[-1] - at[0]) / scale)


def portfolio_oracle(held: Sequence[Worth], search: slice) -> float:
    """Oracle ratio of expressions held at equal risk, which is measured on the search window as a trader would.

    Counted from the day on which all of them have books.
    """
    if not held:
        return 0.0
    begin = max(each.first_day for each in held)
    earned, profit = np.zeros(len(held[0].earned)), np.zeros(len(held[0].profit))
    for each in held:
        risk = float(each.profit[each.first_day : search.stop].std()) if each.first_day < search.stop else 0.0
        if risk > 0:
            earned += each.earned / risk
            profit += each.profit / risk
    return oracle_sharpe(earned[begin:], profit[begin:])


def clusters(accepted: Sequence[Trial]) -> int:
    """Groups of accepted trials by average linkage of 1 − |ρ|, cut where |ρ| is 0.5."""
    if len(accepted) < 2:
        return len(accepted)
    apart = 1.0 - Likeness(accepted).matrix()
    np.fill_diagonal(apart, 0.0)
    tree = linkage(squareform((apart + apart.T) / 2, checks=False), method="average")
    return int(fcluster(tree, 1.0 - CLUSTER, criterion="distance").max())


def qd_score(accepted: Sequence[tuple[Trial, float]]) -> float:
    """Sum over cells of turnover and length of the best oracle ratio accepted there (Mouret and Clune 2015)."""
    best: dict[tuple[int, int], float] = {}
    for trial, oracle in accepted:
        turnover = int(np.searchsorted(TURNOVER_EDGES, trial.metrics.turnover))
        cell = (turnover, int(np.searchsorted(LENGTH_EDGES, operator_count(trial.node))))
        best[cell] = max(best.get(cell, 0.0), oracle)
    return math.fsum(best.values())
