"""The eight stages: each a function from candidates to findings. `funnel` holds their order and runs them.

A stage may assume what its `needs` promise, and leaves what it made on the candidate for later ones. Reasons are worded
alike for like cases, without the candidate's own figures, so that they can be counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from alpha_pipeline.engine import EvaluationTimeout
from alpha_pipeline.evaluator import Trial
from alpha_pipeline.expression import (
    ExpressionError,
    TypeProblem,
    canonical,
    depth,
    export_text,
    export_tree,
    parse,
    parse_text,
)
from alpha_pipeline.thresholds import Thresholds
from alpha_pipeline.validate.bench import Bench
from alpha_pipeline.validate.pool import Nearest
from alpha_pipeline.validate.price_level import GENERAL_TOLERANCE
from alpha_pipeline.validate.verdict import Candidate


class Needs(Enum):
    """What a candidate must have before a stage can say anything about it."""

    TEXT = "its text"
    TREE = "a text that parses"
    TYPED = "an expression that type-checks"
    RAN = "an expression that runs"

    def met_by(self, candidate: Candidate) -> bool:
        """Whether this candidate has it."""
        met = {
            Needs.TEXT: True,
            Needs.TREE: candidate.node is not None,
            Needs.TYPED: candidate.typed,
            Needs.RAN: candidate.ran,
        }
        return met[self]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a stage found: passed or not, the value, the threshold, the reason of a rejection."""

    passed: bool
    value: float | None = None
    threshold: float | None = None
    reason: str | None = None


Judge = Callable[[Sequence[Candidate], Bench], list[Finding]]


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of the funnel.

    Attributes:
        name: as in the contract; the Dagster asset is `stage_<number>_<name>`.
        question: what it asks, for pages and the Dagster UI.
        needs: when it can be asked.
        judge: the answer for a batch.
        repeatable: its values are the same in every run; measured seconds are not, and stay out of the tables.
    """

    name: str
    question: str
    needs: Needs
    judge: Judge
    repeatable: bool = True


def each(judge: Callable[[Candidate, Bench], Finding]) -> Judge:
    """A batch judge from one of single candidates."""
    return lambda candidates, bench: [judge(candidate, bench) for candidate in candidates]


def syntax(candidate: Candidate, bench: Bench) -> Finding:
    """Does the text parse?"""
    try:
        candidate.parsed = parse_text(candidate.text, bench.profile, bench.evaluator.settings.language)
    except ExpressionError as error:
        return Finding(False, reason=str(error))
    candidate.node = canonical(candidate.parsed.node)
    return Finding(True)


def types(candidate: Candidate, bench: Bench) -> Finding:
    """Do types and arity fit, and does the panel hold the data?"""
    assert candidate.parsed is not None
    try:
        bench.evaluator.check(candidate.parsed, bench.profile)
    except TypeProblem as error:
        return Finding(False, reason=str(error))
    candidate.typed = True
    return Finding(True)


def complexity(candidate: Candidate, bench: Bench) -> Finding:
    """Are there at most `depth` operators inside one another?"""
    assert candidate.node is not None
    found, limit = depth(candidate.node), bench.thresholds.depth
    return Finding(found <= limit, found, limit, None if found <= limit else f"deeper than {limit} operators")


def execution(candidate: Candidate, bench: Bench) -> Finding:
    """Does it run on a sample of the panel, in time and without a crash?"""
    assert candidate.node is not None
    limit = bench.thresholds.seconds
    begun = time.perf_counter()
    try:
        bench.sample.evaluate(candidate.node, deadline=time.monotonic() + limit)
    except EvaluationTimeout:
        return Finding(False, time.perf_counter() - begun, limit, f"ran longer than {limit:g} s on the sample")
    except Exception as error:  # any crash is this stage's finding, whatever its kind
        reason = f"failed on the sample: {type(error).__name__}: {error}"
        return Finding(False, time.perf_counter() - begun, limit, reason)
    candidate.ran = True
    return Finding(True, time.perf_counter() - begun, limit)


def finite(candidate: Candidate, bench: Bench) -> Finding:
    """Are few enough of the universe's cells NaN or infinite once the lookback is filled?"""
    share, limit = bench.trial(candidate).missing, bench.thresholds.missing
    if share <= limit:
        return Finding(True, share, limit)
    if bench.trial(candidate).metrics.days == 0:
        return Finding(False, share, limit, "lookback longer than the history")
    return Finding(False, share, limit, f"more than {limit:.0%} NaN or infinite")


def correlation(candidates: Sequence[Candidate], bench: Bench) -> list[Finding]:
    """Is its daily profit unlike every accepted alpha's, on enough common days?

    With fewer days of its own it is rejected from an empty pool too: once accepted it would shut the pool to others.
    """
    trials = [bench.trial(candidate) for candidate in candidates]
    nearest = bench.pool_correlation(trials)
    return [_unlike(trial, nearest[trial.alpha_id], bench.thresholds) for trial in trials]


def _unlike(trial: Trial, found: Nearest, limits: Thresholds) -> Finding:
    limit, days = limits.correlation, limits.common_days
    if trial.metrics.days < days:
        return Finding(False, found.correlation, limit, f"fewer than {days} days of profit to compare")
    if found.fewest_common_days is not None and found.fewest_common_days < days:
        return Finding(False, found.correlation, limit, f"fewer than {days} days in common with an accepted alpha")
    if found.correlation is not None and found.correlation > limit:
        return Finding(False, found.correlation, limit, f"correlated above {limit:g} with the pool")
    return Finding(True, found.correlation, limit)


def performance(candidate: Candidate, bench: Bench) -> Finding:
    """Are Sharpe, turnover and fitness of the search window good enough?"""
    metrics, limits = bench.trial(candidate).metrics, bench.thresholds
    failed = []
    if metrics.sharpe < limits.sharpe:
        failed.append((metrics.sharpe, limits.sharpe, f"Sharpe below {limits.sharpe:g}"))
    if metrics.turnover < limits.turnover_low:
        failed.append((metrics.turnover, limits.turnover_low, f"turnover below {limits.turnover_low:.0%}"))
    if metrics.turnover > limits.turnover_high:
        failed.append((metrics.turnover, limits.turnover_high, f"turnover above {limits.turnover_high:.0%}"))
    if metrics.fitness < limits.fitness:
        failed.append((metrics.fitness, limits.fitness, f"fitness below {limits.fitness:g}"))
    if not failed:
        return Finding(True, metrics.sharpe, limits.sharpe)
    value, threshold, _ = failed[0]
    return Finding(False, value, threshold, "; ".join(reason for _, _, reason in failed))


def export(candidates: Sequence[Candidate], bench: Bench) -> list[Finding]:
    """Can the platform's account run it, does its text mean the same there, and is it blind to the price level?"""
    nodes = [candidate.node for candidate in candidates if candidate.node is not None]
    assert len(nodes) == len(candidates)
    for candidate, found in zip(candidates, bench.price_level.many(nodes), strict=True):
        candidate.price_level = found
    return [_exportable(candidate, bench.thresholds.profile) for candidate in candidates]


def _exportable(candidate: Candidate, profile: str) -> Finding:
    assert candidate.node is not None
    assert candidate.price_level is not None
    moved, tolerance = candidate.price_level.measured
    if candidate.price_level.days == 0:
        return Finding(False, None, tolerance, "PRICE_LEVEL: no book to test")
    if candidate.price_level.result == "FAIL":
        rounding = tolerance == GENERAL_TOLERANCE
        cause = "rests on how prices round" if rounding else "depends on the level of back-adjusted prices"
        return Finding(False, moved, tolerance, f"PRICE_LEVEL: {cause}")
    try:
        candidate.export_text = export_text(candidate.node, profile)
    except TypeProblem as error:
        return Finding(False, reason=str(error))
    if parse(candidate.export_text) != export_tree(candidate.node, profile):
        return Finding(False, reason="the export text does not read back to the same expression")
    return Finding(True, moved, tolerance)
