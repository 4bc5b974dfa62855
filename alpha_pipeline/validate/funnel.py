"""The funnel: eight stages in order, run over a batch (mining) or to the end for one expression (validating)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from alpha_pipeline.validate import stages
from alpha_pipeline.validate.bench import Bench
from alpha_pipeline.validate.stages import Needs, Stage, each
from alpha_pipeline.validate.verdict import Candidate, Verdict

# Cheap questions first: text, then types, then a tiny sample; the whole panel only for what survived. The pool is asked
# before performance so that a crowded idea is called crowded, whatever it earns. Export last: it is the dearest per
# expression (two more evaluations) and few get there.
FUNNEL: tuple[Stage, ...] = (
    Stage("syntax", "Does the text parse?", Needs.TEXT, each(stages.syntax)),
    Stage("types", "Do types fit, and does the panel hold the data?", Needs.TREE, each(stages.types)),
    Stage("complexity", "Is it at most 10 operators deep?", Needs.TREE, each(stages.complexity)),
    Stage("execution", "Does it run on 100 instruments × 500 days in 5 s?", Needs.TYPED, each(stages.execution), False),
    Stage("finite", "Is at most 5 % of the universe's cells missing?", Needs.RAN, each(stages.finite)),
    Stage("correlation", "Is it at most 0.7 correlated with the accepted pool?", Needs.RAN, stages.correlation),
    Stage("performance", "Sharpe ≥ 1.25, turnover 1–70 %, fitness ≥ 1?", Needs.RAN, each(stages.performance)),
    Stage("export", "Can the platform run it, and is it blind to the price level?", Needs.RAN, stages.export),
)


def judge(number: int, candidates: Sequence[Candidate], bench: Bench) -> list[Verdict]:
    """The verdicts of stage `number` (1 to 8) on candidates that meet its needs, in their order."""
    stage = FUNNEL[number - 1]
    findings = stage.judge(candidates, bench)
    return [Verdict(number, stage.name, f.passed, f.value, f.threshold, f.reason) for f in findings]


def judge_fully(text: str, bench: Bench) -> tuple[Candidate, list[Verdict]]:
    """All verdicts on one expression that can be reached, also after a rejection."""
    candidate = Candidate(text)
    verdicts = []
    for number, stage in enumerate(FUNNEL, start=1):
        if stage.needs.met_by(candidate):
            verdicts += judge(number, [candidate], bench)
    return candidate, verdicts


@dataclass(frozen=True, slots=True)
class StageCount:
    """How many went in and out of a stage, and why the others did not."""

    stage: int
    name: str
    entered: int
    left: int
    reasons: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """With the names of the contract: in, out."""
        return {"stage": self.stage, "name": self.name, "in": self.entered, "out": self.left, "reasons": self.reasons}


def count(verdicts: Iterable[Verdict]) -> StageCount:
    """The count of one stage's verdicts, commonest reason first."""
    held = list(verdicts)
    reasons = Counter(v.reason or "" for v in held if not v.passed)
    ordered = dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))
    return StageCount(held[0].stage, held[0].name, len(held), sum(v.passed for v in held), ordered)
