"""BRAIN's named checks, as far as this funnel decides them: the platform's view of the same figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alpha_pipeline.validate.bench import Bench
from alpha_pipeline.validate.verdict import Candidate, Verdict


@dataclass(frozen=True, slots=True)
class Check:
    """A named check: PASS or FAIL, what was measured, and the limit."""

    name: str
    result: str
    value: float | None
    limit: float | None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with the names of the contract."""
        return {"name": self.name, "result": self.result, "value": self.value, "limit": self.limit}


def checks(candidate: Candidate, verdicts: Sequence[Verdict], bench: Bench) -> list[Check]:
    """The checks of a candidate that has been through `judge_fully`; empty where no figure could be had."""
    if not candidate.ran:
        return []
    metrics, limits = bench.trial(candidate).metrics, bench.thresholds

    def made(name: str, passed: bool, value: float | None, limit: float) -> Check:
        return Check(name, "PASS" if passed else "FAIL", value, limit)

    pool = next(v for v in verdicts if v.name == "correlation")
    found = [
        made("LOW_SHARPE", metrics.sharpe >= limits.sharpe, metrics.sharpe, limits.sharpe),
        made("LOW_FITNESS", metrics.fitness >= limits.fitness, metrics.fitness, limits.fitness),
        made("LOW_TURNOVER", metrics.turnover >= limits.turnover_low, metrics.turnover, limits.turnover_low),
        made("HIGH_TURNOVER", metrics.turnover <= limits.turnover_high, metrics.turnover, limits.turnover_high),
        made("SELF_CORRELATION", pool.passed, pool.value, limits.correlation),
    ]
    if candidate.price_level is not None:
        found.append(Check("PRICE_LEVEL", candidate.price_level.result, *candidate.price_level.measured))
    return found
