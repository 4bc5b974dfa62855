"""From the judged runs to the race's one JSON object: figures of each arm over markets, and who beat whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alpha_pipeline.race.arms import BASELINES, MATCHED, is_matched, matched_to
from alpha_pipeline.race.contest import Outcome
from alpha_pipeline.race.jobs import Result
from alpha_pipeline.race.settings import RaceSettings
from alpha_pipeline.race.statistics import beats, holm, interquartile_mean, interval, median_time

PRIMARY = "recall_weighted"
COMPARED = (PRIMARY, "recall_exported_weighted", "anytime")
"""Figures that arms are compared by; the first was fixed beforehand. Holm's correction is within each."""
ROBUST = (
    "recall",
    "recall_weighted",
    "recall_exported",
    "recall_exported_weighted",
    "anytime",
    "anytime_portfolio",
    "optimism_gap",
    "portfolio",
    "clusters",
    "qd_score",
    "accepted",
    "export_rate",
)
"""Figures given as interquartile mean over markets with an interval."""
MEANS = (
    "false_finds",
    "false_share",
    "false_per_1000",
    "evaluations",
    "proposals",
    "repeats_share",
    "cpu_seconds",
    "operators",
    "passing_share",
    "in_sample",
    "oracle",
)
"""Figures given as means over markets."""


def summarise(
    settings: RaceSettings, plants: str, outcome: Outcome, name: str, code_version: str, command: str
) -> dict[str, Any]:
    """The JSON object of a race; of what is finished, where it was stopped."""
    held = {
        arm: [outcome.results[number, arm] for number in range(settings.markets) if (number, arm) in outcome.results]
        for arm in settings.arms
    }
    return {
        "race": name,
        "synthetic": True,
        "arms": [arm_figures(arm, results) for arm, results in held.items() if results],
        "comparisons": comparisons(held),
        "settings": {
            "markets": settings.markets,
            "evaluations": settings.evaluations,
            "cpu_seconds_budget": settings.cpu_seconds,
            "seed": settings.seed,
            "arms": list(settings.arms),
            "plants": "none" if settings.null else plants,
            "null": settings.null,
            "instruments": settings.instruments,
            "days": settings.days,
            "code_version": code_version,
            "command": command,
        },
        "markets": outcome.markets,
        "interrupted": outcome.stopped,
    }


def arm_figures(arm: str, results: Sequence[Result]) -> dict[str, Any]:
    """Figures of one arm over its markets; None where a null market has none."""
    figures: dict[str, Any] = {"arm": arm}
    intervals: dict[str, tuple[float, float] | None] = {}
    for name in ROBUST:
        values = known(results, name)
        figures[name] = interquartile_mean(values) if values else None
        intervals[name] = interval(values) if values else None
    for name in MEANS:
        figures[name] = float(np.mean([result[name] for result in results]))
    figures["runs_with_false_finds"] = float(np.mean([result["false_finds"] > 0 for result in results]))
    figures["by_tier"] = grouped(results, "tier")
    figures["by_strength"] = grouped(results, "sharpe")
    figures["curve"] = curve(results)
    return {**figures, "intervals": intervals, "markets": list(results)}


def grouped(results: Sequence[Result], key: str) -> list[dict[str, Any]]:
    """Recall, and what was spent until the first recall, of plants alike in `key`; worthless plants are left out."""
    planted = [(plant, result) for result in results for plant in result["plants"] if plant["oracle"] > 0]
    found = []
    for value in sorted({plant[key] for plant, _ in planted}):
        alike = [(plant, result) for plant, result in planted if plant[key] == value]
        medians = {
            f"median_{axis}": median_time(
                [plant[f"first_{axis}"] for plant, _ in alike], [float(result[axis]) for _, result in alike]
            )
            for axis in ("evaluations", "cpu_seconds")
        }
        recall = float(np.mean([plant["found"] for plant, _ in alike]))
        found.append({key: value, "plants": len(alike), "recall": recall, **medians})
    return found


def curve(results: Sequence[Result]) -> list[dict[str, Any]]:
    """The anytime curves over markets: interquartile means with intervals, each over its market's best plant.

    In null markets, where there is none, the values are oracle Sharpe ratios as they are.
    """
    points = []
    for place, at in enumerate(point["at"] for point in results[0]["curve"]):
        point: dict[str, Any] = {"at": at}
        for name in ("best", "portfolio"):
            values = [float(result["curve"][place][name]) / scale_of(result) for result in results]
            point[name], point[f"{name}_interval"] = interquartile_mean(values), interval(values)
        values = known([result["curve"][place] for result in results], PRIMARY)
        if values:
            point[PRIMARY], point[f"{PRIMARY}_interval"] = interquartile_mean(values), interval(values)
        points.append(point)
    return points


def scale_of(result: Result) -> float:
    """Oracle ratio of a market's best plant; 1 where there is none."""
    best = max((float(plant["oracle"]) for plant in result["plants"]), default=0.0)
    return best if best > 0 else 1.0


def comparisons(held: Mapping[str, Sequence[Result]]) -> list[dict[str, Any]]:
    """Each arm against its references, on the markets that both finished, by the figures of `COMPARED`."""
    found: list[dict[str, Any]] = []
    for figure in COMPARED:
        family: list[dict[str, Any]] = []
        for arm in held:
            for reference in references(arm, list(held)):
                ours, theirs = paired(held[arm], held[reference], figure)
                if not ours:
                    continue
                differences = [a - b for a, b in zip(ours, theirs, strict=True)]
                family.append(
                    {
                        "figure": figure,
                        "arm": arm,
                        "reference": reference,
                        "markets": len(ours),
                        "difference": interquartile_mean(differences),
                        "interval": interval(differences),
                        "wins": sum(each > 0 for each in differences),
                        "losses": sum(each < 0 for each in differences),
                        "p": beats(ours, theirs),
                    }
                )
        adjusted = holm([each["p"] for each in family])
        found += [{**each, "p_holm": p} for each, p in zip(family, adjusted, strict=True)]
    return found


def references(arm: str, racing: Sequence[str]) -> list[str]:
    """Whom an arm is held against: random search; and where it learns, random search of the learners' lengths."""
    if arm == "random" or is_matched(arm):
        return []
    own = {"random"} if arm in BASELINES else {"random", MATCHED}
    return [other for other in racing if other in own or matched_to(other) == arm]


def paired(ours: Sequence[Result], theirs: Sequence[Result], figure: str) -> tuple[list[float], list[float]]:
    """A figure of two arms on the markets where both have it."""
    other = {result["market"]: result[figure] for result in theirs if result[figure] is not None}
    both = [result for result in ours if result[figure] is not None and result["market"] in other]
    return [float(result[figure]) for result in both], [float(other[result["market"]]) for result in both]


def known(results: Sequence[Result], name: str) -> list[float]:
    """Values of a figure, without None."""
    return [float(result[name]) for result in results if result[name] is not None]
