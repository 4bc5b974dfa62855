"""What the stages measure with: the evaluator, the pool, and what is made of the panel when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from alpha_pipeline.engine import Engine
from alpha_pipeline.evaluator import Evaluator, Trial
from alpha_pipeline.thresholds import Thresholds
from alpha_pipeline.validate.pool import Nearest
from alpha_pipeline.validate.price_level import PriceLevelTest
from alpha_pipeline.validate.verdict import Candidate

SAMPLE_INSTRUMENTS, SAMPLE_DAYS = 100, 500
SAMPLE_MEMORY = 128 << 20
"""Bytes for parts that candidates have in common: 640 matrices."""

PoolCorrelation = Callable[[Sequence[Trial]], dict[str, Nearest]]
"""Asks the ledger for the nearest accepted alpha of each trial, by alpha_id, on search-window days."""


@dataclass
class Bench:
    """What the stages measure with.

    Attributes:
        evaluator: the one door to figures.
        pool_correlation: the accepted pool, as pinned when the run began.
        thresholds: what figures are held against.
        profile: what texts are read as, and which operators they may use (see `expression.profiles`).
    """

    evaluator: Evaluator
    pool_correlation: PoolCorrelation
    thresholds: Thresholds = field(default_factory=Thresholds)
    profile: str = "all"

    @cached_property
    def sample(self) -> Engine:
        """An engine on `SAMPLE_INSTRUMENTS`, evenly spread, and the last `SAMPLE_DAYS` of the search window."""
        panel = self.evaluator.panel
        stop = self.evaluator.windows.search.stop
        instruments = panel.shape[1]
        spread = np.linspace(0, instruments - 1, min(SAMPLE_INSTRUMENTS, instruments)).round().astype(np.int64)
        sample = panel.columns(np.unique(spread)).rows(max(0, stop - SAMPLE_DAYS), stop)
        return self.evaluator.engine_on(sample, threads=1, memory=SAMPLE_MEMORY)

    @cached_property
    def price_level(self) -> PriceLevelTest:
        """The price-level test on this panel."""
        return PriceLevelTest(self.evaluator)

    def trial(self, candidate: Candidate) -> Trial:
        """The candidate's trial, evaluated now if it was not before."""
        if candidate.node is None:
            raise ValueError(f"{candidate.text!r} has not passed the syntax stage")
        if candidate.trial is None:
            candidate.trial = self.evaluator.evaluate(candidate.node)
        return candidate.trial
