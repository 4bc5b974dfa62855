"""PRICE_LEVEL: does an expression see the level of prices that were adjusted with later knowledge?

Back-adjusted prices know the future: every later split moves all earlier prices of its instrument, so 1/close "earns"
on real data. An honest expression does not change when one instrument is quoted in another unit. The test does just
that, for every instrument and every day of the search window: prices times a random constant, volume over it, and the
weights may not move. Twice, since each pass is blind to something:

1. Powers of two, by which float32 scales without rounding. What moves is dependence, so the tolerance is tight.
2. Any positive constants. What only cancels in exact arithmetic (0.1 * close / close) shows as noise here; near ties in
   ranks flip as well, so the tolerance is wider.

An expression that never holds a book was not tested, and does not pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from alpha_pipeline.backtest import weights
from alpha_pipeline.engine import Engine
from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.expression import Node
from alpha_pipeline.market.panel import FloatMatrix

EXACT_TOLERANCE = 1e-3
"""Largest mean daily Σ|Δweight| of a book of 1 under powers of two. Honest logarithms were seen at 1e-4; one day of a
thousand on which the whole book turns is twice the tolerance."""

GENERAL_TOLERANCE = 0.05
"""The same under any constants. Honest expressions were seen at 0.02, by ties; true dependence moves tenths."""

OCTAVES = 10
"""Constants lie between 2⁻¹⁰ and 2¹⁰: far enough that a threshold on prices is crossed by somebody."""

BOOKS_AT_A_TIME = 128 << 20
"""Bytes of books held while the rescaled panels' are compared with them."""

MEMORY = 64 << 20
"""Bytes for each engine's matrices between expressions."""


@dataclass(frozen=True, slots=True)
class PriceLevel:
    """Outcome of the test.

    Attributes:
        exact, general: mean daily Σ|Δweight| of a book of 1 under powers of two, and under any constants.
        days: days on which there was a book to compare.
    """

    exact: float
    general: float
    days: int

    @property
    def result(self) -> str:
        """ "PASS" or "FAIL"."""
        within = self.exact <= EXACT_TOLERANCE and self.general <= GENERAL_TOLERANCE
        return "PASS" if self.days and within else "FAIL"

    @property
    def measured(self) -> tuple[float, float]:
        """(value, limit) of the pass that decided."""
        if self.exact > EXACT_TOLERANCE or self.general <= GENERAL_TOLERANCE:
            return self.exact, EXACT_TOLERANCE
        return self.general, GENERAL_TOLERANCE


class PriceLevelTest:
    """The test on one panel; the rescaled panels are made once and reused for all expressions."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.panel = evaluator.panel.rows(0, evaluator.windows.search.stop)
        generator = np.random.default_rng(0)
        instruments = self.panel.shape[1]
        exact = 2.0 ** generator.integers(-OCTAVES, OCTAVES + 1, instruments)
        general = 2.0 ** generator.uniform(-OCTAVES, OCTAVES, instruments)
        self.rescaled = (self.panel.rescaled(exact), self.panel.rescaled(general))

    def __call__(self, node: Node) -> PriceLevel:
        """Test one expression; see `many`."""
        return self.many([node])[0]

    def many(self, nodes: Sequence[Node]) -> list[PriceLevel]:
        """Test expressions on the whole search window, one expression per thread.

        What one of them shows does not depend on the others.
        """
        threads = self.evaluator.threads
        days, instruments = self.panel.shape
        batch = max(threads, BOOKS_AT_A_TIME // (4 * days * instruments))
        panels = (self.panel, *self.rescaled)
        engines = [self.evaluator.engine_on(panel, threads=threads, memory=MEMORY) for panel in panels]
        found: list[PriceLevel] = []
        try:
            for begin in range(0, len(nodes), batch):
                found += self._compare(nodes[begin : begin + batch], engines)
        finally:
            for engine in engines:
                engine.close()
        return found

    def _compare(self, nodes: Sequence[Node], engines: Sequence[Engine]) -> Iterator[PriceLevel]:
        given, *others = engines

        def book(engine: Engine, place: int, signal: FloatMatrix) -> FloatMatrix:
            return weights(signal, engine.panel, self.evaluator.settings, self.evaluator.first_row(nodes[place]))

        held_books = given.map(nodes, lambda place, signal: book(given, place, signal))
        books = [book for _, book in sorted(held_books, key=lambda each: each[0])]
        days = [int(held.any(axis=1).sum()) for held in books]

        def moved(engine: Engine) -> list[float]:
            def change(place: int, signal: FloatMatrix) -> float:
                other = book(engine, place, signal)
                held = max(days[place], int(other.any(axis=1).sum()))
                return float(np.abs(books[place] - other).sum(dtype=np.float64)) / max(held, 1)

            return [moved for _, moved in sorted(engine.map(nodes, change))]

        exact, general = (moved(engine) for engine in others)
        for place in range(len(nodes)):
            yield PriceLevel(exact[place], general[place], days[place])
