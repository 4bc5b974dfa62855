"""PRICE_LEVEL: does an expression see the level of prices that were adjusted with later knowledge?

Back-adjusted prices know the future: every later split moves all earlier prices of its instrument, so 1/close "earns"
on real data. An honest expression does not change when one instrument is quoted in another unit. The test does just
that, for every instrument: prices times a random constant, volume over it, and the weights may not move. On every day
of the search window, twice, since each pass is blind to something:

1. Powers of two, by which float32 scales without rounding. What moves is dependence, so the tolerance is tight.
2. Any positive constants. What only cancels in exact arithmetic (0.1 * close / close) shows as noise here; near ties in
   ranks flip as well, so the tolerance is wider.

Where the scale rules prove that nothing but rounding can move, `STRETCHES` of days under any constants are looked at
first. Only what keeps to the tight tolerance there passes; everything else goes through the whole test.

An expression that never holds a book was not tested, and does not pass.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.backtest import weights
from alpha_pipeline.engine import Engine
from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.expression import Node, lookback, scale_exponent
from alpha_pipeline.market.panel import FloatMatrix, Panel

EXACT_TOLERANCE = 1e-3
"""Largest mean daily Σ|Δweight| of a book of 1 under powers of two. Honest logarithms were seen at 1e-4; one day of a
thousand on which the whole book turns is twice the tolerance."""

GENERAL_TOLERANCE = 0.05
"""The same under any constants. Honest expressions were seen at 0.02, by ties; true dependence moves tenths."""

OCTAVES = 10
"""Constants lie between 2⁻¹⁰ and 2¹⁰: far enough that a threshold on prices is crossed by somebody."""

STRETCHES = 2
"""Begin and end of the search window."""

STRETCH_DAYS = 120
"""Days of a stretch on which there is a book, at least; the lookback comes before them."""

LOOKBACK_STEP = 64
"""Expressions of about the same lookback share their stretches."""

BOOKS_AT_A_TIME = 128 << 20
"""Bytes of books held while the rescaled panels' are compared with them."""

MEMORY = 64 << 20
"""Bytes for each engine's matrices between expressions."""


@dataclass(frozen=True, slots=True)
class PriceLevel:
    """Outcome of the test.

    Attributes:
        exact, general: mean daily Σ|Δweight| of a book of 1 under powers of two, and under any constants. Any constants
            stand for both where the rules leave only rounding to move.
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


@dataclass(slots=True)
class _Moved:
    """Σ|Δweight| of a book of 1 over the days that were compared, and their number in each of the two panels."""

    change: float = 0.0
    days: int = 0
    days_of_other: int = 0

    @property
    def daily(self) -> float:
        return self.change / max(self.days, self.days_of_other, 1)


class PriceLevelTest:
    """The test on one panel; the rescaled panels are made once and reused for all expressions."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.panel = evaluator.panel.rows(0, evaluator.windows.search.stop)
        generator = np.random.default_rng(0)
        instruments = self.panel.shape[1]
        self._exact = 2.0 ** generator.integers(-OCTAVES, OCTAVES + 1, instruments)
        self._general = 2.0 ** generator.uniform(-OCTAVES, OCTAVES, instruments)
        members = self.panel.universe.any(axis=1)
        self._first_row = int(members.argmax()) if members.any() else self.panel.shape[0]

    @cached_property
    def exact(self) -> Panel:
        """The search window under powers of two."""
        return self.panel.rescaled(self._exact)

    @cached_property
    def general(self) -> Panel:
        """The search window under any constants."""
        return self.panel.rescaled(self._general)

    def __call__(self, node: Node) -> PriceLevel:
        """Test one expression; see `many`."""
        return self.many([node])[0]

    def many(self, nodes: Sequence[Node]) -> list[PriceLevel]:
        """Test expressions, one per thread. What one of them shows does not depend on the others."""
        found: list[PriceLevel | None] = [None] * len(nodes)
        alike: dict[int, list[int]] = defaultdict(list)
        for place, node in enumerate(nodes):
            if scale_exponent(node, self.evaluator.catalogue) == 0:
                alike[-(-lookback(node, self.evaluator.catalogue) // LOOKBACK_STEP) * LOOKBACK_STEP].append(place)
        for days, places in sorted(alike.items()):
            for place, moved in zip(places, self._looked_at([nodes[i] for i in places], days), strict=True):
                if moved.days and moved.daily <= EXACT_TOLERANCE:
                    found[place] = PriceLevel(moved.daily, moved.daily, moved.days)
        rest = [place for place, level in enumerate(found) if level is None]
        here = [nodes[place] for place in rest]
        if here:
            exact, general = (self._moved(here, 0, self.panel, other) for other in (self.exact, self.general))
            for place, tight, wide in zip(rest, exact, general, strict=True):
                found[place] = PriceLevel(tight.daily, wide.daily, tight.days)
        return [level for level in found if level is not None]

    def _looked_at(self, nodes: Sequence[Node], days: int) -> list[_Moved]:
        """What any constants move on the stretches, for expressions of at most so many days of lookback."""
        totals = [_Moved() for _ in nodes]
        length = days + self.evaluator.settings.ramp + STRETCH_DAYS
        stop = self.panel.shape[0]
        starts = np.linspace(self._first_row, stop - length, STRETCHES).astype(int).tolist()
        if STRETCHES * length >= stop - self._first_row:
            starts, length = [0], stop
        for start in starts:
            given, other = (panel.rows(start, start + length) for panel in (self.panel, self.general))
            for total, moved in zip(totals, self._moved(nodes, start, given, other), strict=True):
                total.change += moved.change
                total.days += moved.days
                total.days_of_other += moved.days_of_other
        return totals

    def _moved(self, nodes: Sequence[Node], start: int, given: Panel, other: Panel) -> list[_Moved]:
        """How far the books of two panels that begin on row `start` are from each other."""
        threads = self.evaluator.threads
        days, instruments = given.shape
        batch = max(threads, BOOKS_AT_A_TIME // (4 * days * instruments))
        engines = [self.evaluator.engine_on(panel, threads=threads, memory=MEMORY) for panel in (given, other)]
        found: list[_Moved] = []
        try:
            for begin in range(0, len(nodes), batch):
                found += self._compare(nodes[begin : begin + batch], start, engines)
        finally:
            for engine in engines:
                engine.close()
        return found

    def _compare(self, nodes: Sequence[Node], start: int, engines: Sequence[Engine]) -> Iterator[_Moved]:
        books: dict[int, FloatMatrix] = {}
        found = [_Moved() for _ in nodes]

        def book(engine: Engine, place: int, signal: FloatMatrix) -> FloatMatrix:
            days = lookback(nodes[place], self.evaluator.catalogue)
            first_row = min(max(self._first_row - start, 0) + days, len(signal))
            return weights(signal, engine.panel, self.evaluator.settings, first_row)

        def keep(place: int, signal: FloatMatrix) -> None:
            books[place] = book(engines[0], place, signal)
            found[place].days = _held(books[place])

        def compare(place: int, signal: FloatMatrix) -> None:
            other = book(engines[1], place, signal)
            found[place].days_of_other = _held(other)
            np.subtract(other, books.pop(place), out=other)
            found[place].change = float(np.abs(other, out=other).sum(dtype=np.float64))

        for engine, consume in zip(engines, (keep, compare), strict=True):
            for _ in engine.map(nodes, consume):
                pass
        return iter(found)


def _held(books: NDArray[np.float32]) -> int:
    """Days with a book: Σ|weight| is 1 on them, and 0 on the others."""
    return int((np.einsum("ij,ij->i", books, books) > 0).sum())
