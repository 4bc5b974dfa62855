"""What a stage says of a candidate, and the candidate itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from alpha_pipeline.evaluator import Trial
from alpha_pipeline.expression import Node, Parsed
from alpha_pipeline.validate.price_level import PriceLevel


@dataclass(frozen=True, slots=True)
class Verdict:
    """One stage's judgement of one candidate.

    Attributes:
        stage: 1 to 8.
        name: the stage's name.
        passed: whether the candidate goes on.
        value: what was measured; None where there is nothing to measure.
        threshold: what it was held against.
        reason: why it was rejected, worded alike for like cases so that reasons can be counted; None if it passed.
    """

    stage: int
    name: str
    passed: bool
    value: float | None = None
    threshold: float | None = None
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The verdict as JSON-ready values."""
        return asdict(self)


@dataclass(slots=True)
class Candidate:
    """An expression on its way through the funnel; each stage may rely on what earlier ones filled in.

    Attributes:
        text: as proposed.
        parsed: text, tree and positions, once it parsed.
        node: canonical tree, once it parsed.
        typed: it type-checks on this panel.
        ran: it ran on the execution sample.
        trial: its figures, once somebody asked for them.
        price_level: outcome of the price-level test, once it was made.
        export_text: the platform's text, once it was written.
    """

    text: str
    parsed: Parsed | None = None
    node: Node | None = None
    typed: bool = False
    ran: bool = False
    trial: Trial | None = None
    price_level: PriceLevel | None = None
    export_text: str | None = None
