"""The export set of a run: the best of what passed all stages, no two of them alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alpha_pipeline.evaluator import Trial


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which trials to export, best first, and for each other one the chosen alpha it is too much like."""

    chosen: list[Trial]
    refused: dict[str, str]


def choose(trials: Sequence[Trial], limit: float) -> Chosen:
    """Take trials by falling Sharpe, leaving out each whose daily profit is correlated above `limit` with one taken.

    Profit of the search window only, on the days on which both alphas have one. Ties go by `alpha_id`, so that the
    result does not depend on the order of `trials`.
    """
    chosen: list[Trial] = []
    refused: dict[str, str] = {}
    for trial in sorted(trials, key=lambda t: (-t.metrics.sharpe, t.alpha_id)):
        rival = next((other for other in chosen if abs(correlation(trial, other)) > limit), None)
        if rival is None:
            chosen.append(trial)
        else:
            refused[trial.alpha_id] = rival.alpha_id
    return Chosen(chosen, refused)


def correlation(one: Trial, other: Trial) -> float:
    """Pearson correlation of two trials' daily profit on their common search-window days; 0 where either is flat."""
    first = max(one.first_day, other.first_day)
    a, b = one.pnl[first:], other.pnl[first:]
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
