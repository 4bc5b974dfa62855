"""What one run was worth: from its trials and the oracle, blind to who proposed them.

At checkpoints evenly spread over the logarithm of the budget it is asked what the run would hand over (`handover`), and
what that is truly worth (`oracle`):

- recall: share of the plants of which something alike was accepted: mean daily rank correlation of at least 0.7 with
  the plant's signal, and at least 0.8 of its oracle Sharpe ratio. Weighted: by the plants' oracle Sharpe ratios. A
  plant whose own oracle ratio is not positive, as others outweigh it, is nothing to find and counts nowhere.
- anytime: A(n), oracle ratio of the best in-sample expression after n; its area over log n, divided by the best plant's
  oracle ratio. So also for the equal-risk portfolio of the 20 best accepted.
- optimism gap: in-sample less oracle ratio, mean of the ten best in-sample.
- false finds: accepted with an oracle ratio below 0.3; in a null market, everything accepted.

Source: the project's evaluation protocol, sections 2 and 3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from alpha_pipeline.expression import operator_count
from alpha_pipeline.race.arms import lengths_of
from alpha_pipeline.race.handover import Handover, Likeness
from alpha_pipeline.race.oracle import Oracle, Worth, oracle_sharpe
from alpha_pipeline.race.planting import PlantedAlpha
from alpha_pipeline.race.running import Budget, Run
from alpha_pipeline.thresholds import Thresholds

ALIKE, AS_GOOD = 0.7, 0.8
"""Rank correlation with the plant's signal, and share of its oracle ratio, from which it counts as found."""
FALSE = 0.3
"""Oracle ratio below which an accepted expression is a false find."""
PORTFOLIO, OPTIMISTS = 20, 10
CLUSTER = 0.5  # |ρ| from which accepted expressions belong together
FIRST = 100
TURNOVER_EDGES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.45)
LENGTH_EDGES = (3, 5, 7, 9, 11, 13)


def checkpoints(budget: Budget) -> list[float]:
    """Where a run is judged: 100, 200, 500, 1,000, … and the whole budget; or 64ths to the whole of CPU seconds."""
    whole = budget.whole
    if budget.cpu_seconds is not None:
        return [whole / 2**power for power in range(6, -1, -1)]
    first = FIRST if whole > FIRST else max(1, int(whole) // 10)
    found = []
    step = 0
    while (at := first * (1, 2, 5)[step % 3] * 10 ** (step // 3)) < whole:
        found.append(float(at))
        step += 1
    return [*found, float(whole)]


def judge(run: Run, oracle: Oracle, limits: Thresholds, budget: Budget) -> dict[str, Any]:
    """The figures of one run, JSON-ready; None where a null market has none."""
    handover = Handover(run.trials, limits)
    points = checkpoints(budget)
    spent = run.axis(budget)
    counts = [int(np.searchsorted(spent, point, side="right")) for point in points]
    accepted = [handover.accepted(count) for count in counts]
    best = [handover.best(count) for count in counts]
    optimists = handover.top(counts[-1], OPTIMISTS)
    ever = sorted({n for numbers in accepted for n in numbers})
    wanted = sorted({*ever, *optimists, *(n for n in best if n is not None)})
    worth = dict(zip(wanted, oracle.worth([run.trials[n].node for n in wanted]), strict=True))
    plants, own = oracle.market.plants, oracle.plants
    found = [[found_by(plant, [worth[n] for n in numbers], k) for k, plant in enumerate(own)] for numbers in accepted]
    weights = np.array([max(plant.oracle, 0.0) for plant in own])
    tops = [worth[n].oracle if n is not None else 0.0 for n in best]
    search = oracle.evaluator.windows.search
    portfolios = [portfolio_oracle([worth[n] for n in numbers[:PORTFOLIO]], search) for numbers in accepted]
    curve = [
        {
            "at": point,
            "best": top,
            "portfolio": portfolio,
            "accepted": len(numbers),
            "recall": share(hit, weights > 0),
            "recall_weighted": share(hit, weights),
        }
        for point, top, portfolio, numbers, hit in zip(points, tops, portfolios, accepted, found, strict=True)
    ]
    strongest = max(weights, default=0.0)
    last = accepted[-1]
    false = sum(worth[n].oracle < FALSE for n in last)
    in_sample = float(np.mean(handover.sharpe[optimists])) if optimists else 0.0
    true = float(np.mean([worth[n].oracle for n in optimists])) if optimists else 0.0
    return {
        "recall": curve[-1]["recall"],
        "recall_weighted": curve[-1]["recall_weighted"],
        "anytime": area(points, tops, strongest),
        "anytime_portfolio": area(points, portfolios, strongest),
        "optimism_gap": in_sample - true,
        "in_sample": in_sample,
        "oracle": true,
        "portfolio": curve[-1]["portfolio"],
        "false_finds": false,
        "false_share": false / len(last) if last else 0.0,
        "false_per_1000": 1000 * false / max(run.spent, 1),
        "accepted": len(last),
        "export_rate": len(last) / max(len(run.trials), 1),
        "passing_share": len(handover.passing) / max(len(run.trials), 1),
        "evaluations": run.spent,
        "proposals": len(run.trials),
        "repeats_share": run.repeats / max(run.spent, 1),
        "exhausted": run.exhausted,
        "operators": float(np.mean([operator_count(trial.node) for trial in run.trials])) if run.trials else 0.0,
        "lengths": {str(n): count for n, count in lengths_of([trial.node for trial in run.trials]).items()},
        "clusters": clusters([run.trials[n] for n in last]),
        "qd_score": qd_score([(run.trials[n], worth[n].oracle) for n in last]),
        "curve": curve,
        "plants": _plants(plants, own, found[-1], first_recalls(run, worth, own, ever)),
        "cpu_seconds": float(run.cpu_seconds[-1]) if len(run.trials) else 0.0,
    }


def found_by(plant: Worth, accepted: Sequence[Worth], number: int) -> bool:
    """Whether something like plant `number`, and nearly as good, is among the accepted."""
    return plant.oracle > 0 and any(recalls(plant, each, number) for each in accepted)


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
    return float(np.trapezoid(values, at) / (at[-1] - at[0])) / scale


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


def clusters(accepted: Sequence[Any]) -> int:
    """Groups of accepted trials by average linkage of 1 − |ρ|, cut where |ρ| is 0.5."""
    if len(accepted) < 2:
        return len(accepted)
    apart = 1.0 - Likeness(accepted).matrix()
    np.fill_diagonal(apart, 0.0)
    tree = linkage(squareform((apart + apart.T) / 2, checks=False), method="average")
    return int(fcluster(tree, 1.0 - CLUSTER, criterion="distance").max())


def qd_score(accepted: Sequence[tuple[Any, float]]) -> float:
    """Sum over cells of turnover and length of the best oracle ratio accepted there (Mouret and Clune 2015)."""
    best: dict[tuple[int, int], float] = {}
    for trial, oracle in accepted:
        turnover = int(np.searchsorted(TURNOVER_EDGES, trial.metrics.turnover))
        cell = (turnover, int(np.searchsorted(LENGTH_EDGES, operator_count(trial.node))))
        best[cell] = max(best.get(cell, 0.0), oracle)
    return math.fsum(best.values())


def first_recalls(
    run: Run, worth: Mapping[int, Worth], plants: Sequence[Worth], handed_over: Sequence[int]
) -> list[dict[str, Any]]:
    """What had been spent at the first proposal that found each plant, of those ever handed over; None for never."""
    found = []
    for number, plant in enumerate(plants):
        of_it = (n for n in handed_over if plant.oracle > 0 and recalls(plant, worth[n], number))
        first = next(of_it, None)
        found.append(
            {
                "first_evaluations": None if first is None else int(run.evaluations[first]),
                "first_cpu_seconds": None if first is None else float(run.cpu_seconds[first]),
            }
        )
    return found


def _plants(
    plants: Sequence[PlantedAlpha], own: Sequence[Worth], found: Sequence[bool], first: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    return [
        {
            "expression": plant.expression,
            "tier": plant.tier,
            "sharpe": plant.sharpe,
            "oracle": worth.oracle,
            "found": hit,
            **spent,
        }
        for plant, worth, hit, spent in zip(plants, own, found, first, strict=True)
    ]
