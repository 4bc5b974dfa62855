"""What one run was worth: from its trials and the oracle, blind to who proposed them.

At checkpoints evenly spread over the logarithm of the budget it is asked what of the run meets the thresholds, what it
would hand over of that (`handover`), and what it is truly worth (`oracle`):

- recall: share of the plants of which something alike met the thresholds: mean daily rank correlation of at least 0.7
  with the plant's signal, and at least 0.8 of its oracle Sharpe ratio. Weighted: by the plants' oracle Sharpe ratios. A
  plant whose own oracle ratio is not positive, as others outweigh it, is nothing to find and counts nowhere. Looked for
  among what was ever handed over, and those whose profit is likest the plant's.
- recall exported: likewise, of what is handed over alone: there a blend of plants keeps out the plant, being better.
- anytime: A(n), oracle ratio of the best in-sample expression after n; its area over log n, divided by the best plant's
  oracle ratio. So also for the equal-risk portfolio of the 20 best accepted.
- optimism gap: in-sample less oracle ratio, mean of the ten best in-sample.
- false finds: accepted with an oracle ratio below 0.3; in a null market, everything accepted.

Source: the project's evaluation protocol, sections 2 and 3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alpha_pipeline.expression import operator_count
from alpha_pipeline.race.arms import lengths_of
from alpha_pipeline.race.handover import Handover
from alpha_pipeline.race.measures import area, clusters, found_of, portfolio_oracle, qd_score, recalls, share
from alpha_pipeline.race.oracle import Oracle, Worth
from alpha_pipeline.race.planting import PlantedAlpha
from alpha_pipeline.race.running import Budget, Run
from alpha_pipeline.thresholds import Thresholds

FALSE = 0.3
"""Oracle ratio below which an accepted expression is a false find."""
PORTFOLIO, OPTIMISTS, LIKELY = 20, 10, 12
FIRST = 100


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
    own, search = oracle.plants, oracle.evaluator.windows.search
    likely = {n for plant in own for n in handover.likest(plant.profit[search], counts[-1], LIKELY)}
    met = sorted({*ever, *likely})  # what is looked at of all that meet the thresholds
    wanted = sorted({*met, *optimists, *(n for n in best if n is not None)})
    worth = dict(zip(wanted, oracle.worth([run.trials[n].node for n in wanted]), strict=True))
    plants = oracle.market.plants
    weights = np.array([max(plant.oracle, 0.0) for plant in own])
    found = [found_of(own, [worth[n] for n in met if n < count]) for count in counts]
    exported = found_of(own, [worth[n] for n in accepted[-1]])
    tops = [worth[n].oracle if n is not None else 0.0 for n in best]
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
    strongest = float(max(weights, default=0.0))
    last = accepted[-1]
    false = sum(worth[n].oracle < FALSE for n in last)
    in_sample = float(np.mean(handover.sharpe[optimists])) if optimists else 0.0
    true = float(np.mean([worth[n].oracle for n in optimists])) if optimists else 0.0
    return {
        "recall": curve[-1]["recall"],
        "recall_weighted": curve[-1]["recall_weighted"],
        "recall_exported": share(exported, weights > 0),
        "recall_exported_weighted": share(exported, weights),
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
        "plants": _plants(plants, own, found[-1], first_recalls(run, worth, own, met)),
        "cpu_seconds": float(run.cpu_seconds[-1]) if len(run.trials) else 0.0,
    }


def first_recalls(
    run: Run, worth: Mapping[int, Worth], plants: Sequence[Worth], met: Sequence[int]
) -> list[dict[str, Any]]:
    """What had been spent at the first proposal that met the thresholds and found each plant; None for never.

    Of those looked at (`met`): what was ever handed over, and what is likest each plant.
    """
    found = []
    for number, plant in enumerate(plants):
        of_it = (n for n in met if plant.oracle > 0 and recalls(plant, worth[n], number))
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
