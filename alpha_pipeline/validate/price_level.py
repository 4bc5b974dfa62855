"""PRICE_LEVEL: does an expression see the level of prices that were adjusted with later knowledge?

Back-adjusted prices know the future: every later split moves all earlier prices of its instrument, so 1/close "earns"
a Sharpe above 3 on real data. An honest expression does not change when one instrument is quoted in another unit.
The test does just that: every instrument's prices are multiplied by a random constant, its volume divided by it, and
the weights may not move.

The constants are powers of two, by which float32 scales without rounding: what moves then is dependence, not noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from alpha_pipeline.backtest import weights
from alpha_pipeline.engine import Engine
from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.expression import Node, lookback
from alpha_pipeline.market.panel import FloatMatrix
from alpha_pipeline.validate.sample import evenly

TOLERANCE = 1e-3
"""Mean |Δweight| per unit of book and day above which an expression depends on the price level.

Logarithms and differences of rescaled prices round differently, and a near tie in a rank may flip: observed below
1e-4. True dependence moves the book by tenths."""

INSTRUMENTS = 400
DAYS_AFTER_LOOKBACK = 250
LOOKBACK_STEP = 64
"""Lookbacks are rounded up to a multiple of it, so that expressions share a few slices of the panel, not one each."""

BATCH = 16
"""Books held at a time while the rescaled panel's are compared with them: about 0.6 MB each."""

MEMORY = 64 << 20
"""Bytes for an engine's matrices, twice: the sample is small, and matrices that are kept need not be made anew."""


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
        """Test one expression; see `many`."""
        return self.many([node])[0]

    def many(self, nodes: Sequence[Node]) -> list[PriceLevel]:
        """Test expressions on the last `DAYS_AFTER_LOOKBACK` days of the search window, one expression per thread.

        What one of them shows does not depend on the others.
        """
        needed = [lookback(node) for node in nodes]
        moved = [0.0] * len(nodes)
        rounded = [-(-days // LOOKBACK_STEP) * LOOKBACK_STEP for days in needed]
        for warm_up in sorted(set(rounded)):
            places = [place for place, days in enumerate(rounded) if days == warm_up]
            found = self._moved([nodes[place] for place in places], [needed[place] for place in places], warm_up)
            for place, value in zip(places, found, strict=True):
                moved[place] = value
        return [PriceLevel(value) for value in moved]

    def _moved(self, nodes: Sequence[Node], needed: Sequence[int], warm_up: int) -> Iterator[float]:
        stop = self.evaluator.windows.search.stop
        start = max(0, stop - warm_up - DAYS_AFTER_LOOKBACK)
        given, rescaled = (
            Engine(panel.rows(start, stop), threads=self.evaluator.threads, memory=MEMORY) for panel in self.panels
        )
        with given, rescaled:
            for begin in range(0, len(nodes), BATCH):
                part = slice(begin, begin + BATCH)
                yield from self._compare(nodes[part], needed[part], given, rescaled)

    def _compare(
        self, nodes: Sequence[Node], needed: Sequence[int], given: Engine, rescaled: Engine
    ) -> Iterator[float]:
        """Per expression, the mean over the last days of Σ|Δweight|."""

        def book(engine: Engine, place: int, signal: FloatMatrix) -> FloatMatrix:
            return weights(signal, engine.panel, self.evaluator.settings, min(needed[place], len(signal)))

        def change(place: int, signal: FloatMatrix) -> float:
            moved = np.abs(books[place] - book(rescaled, place, signal))
            moved = moved[max(needed[place], len(moved) - DAYS_AFTER_LOOKBACK) :]
            return float(moved.sum(axis=1, dtype=np.float64).mean()) if len(moved) else 0.0

        books = list(given.map(nodes, lambda place, signal: book(given, place, signal)))
        yield from rescaled.map(nodes, change)
