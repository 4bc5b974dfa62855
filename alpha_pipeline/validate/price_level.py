"""PRICE_LEVEL: does an expression see the level of prices that were adjusted with later knowledge?

Back-adjusted prices know the future: every later split moves all earlier prices of its instrument, so 1/close "earns"
a Sharpe above 3 on real data. An honest expression does not change when one instrument is quoted in another unit.
The test does just that: every instrument's prices are multiplied by a random constant, its volume divided by it, and
the weights may not move.

The constants are powers of two, by which float32 scales without rounding: what moves then is dependence, not noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alpha_pipeline.backtest import weights
from alpha_pipeline.engine import Engine
from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.expression import Node, lookback
from alpha_pipeline.validate.sample import evenly

TOLERANCE = 1e-3
"""Mean |Δweight| per unit of book and day above which an expression depends on the price level.

Logarithms and differences of rescaled prices round differently, and a near tie in a rank may flip: observed below
1e-4. True dependence moves the book by tenths."""

INSTRUMENTS = 400
DAYS_AFTER_LOOKBACK = 250


@dataclass(frozen=True, slots=True)
class PriceLevel:
    """Outcome of the test: `moved` is the mean daily Σ|Δweight| of a book of 1 after rescaling."""

    moved: float

    @property
    def result(self) -> str:
        """ "PASS" or "FAIL"."""
        return "PASS" if self.moved <= TOLERANCE else "FAIL"


class PriceLevelTest:
    """The test on one panel; the rescaled sample is made once and reused for all expressions."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        panel = evaluator.panel.columns(evenly(evaluator.panel.shape[1], INSTRUMENTS))
        factors = 2.0 ** np.random.default_rng(0).integers(-6, 7, panel.shape[1])
        self.panels = (panel, panel.rescaled(factors))

    def __call__(self, node: Node) -> PriceLevel:
        """Test an expression on the days of the search window.

        Days are the last of the search window, as many as the lookback needs and `DAYS_AFTER_LOOKBACK` more.
        """
        needed = lookback(node)
        stop = self.evaluator.windows.search.stop
        start = max(0, stop - needed - DAYS_AFTER_LOOKBACK)
        books = []
        for panel in self.panels:
            part = panel.rows(start, stop)
            signal = Engine(part, threads=self.evaluator.threads, memory=0).evaluate(node)
            books.append(weights(signal, part, self.evaluator.settings, min(needed, stop - start)))
        moved = np.abs(books[0].astype(np.float64) - books[1]).sum(axis=1)
        return PriceLevel(float(moved[needed:].mean()) if len(moved) > needed else 0.0)
