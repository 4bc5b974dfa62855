"""The embedded market as a source: `simulation.simulate` in the shape of a file of quotes, labelled SYNTHETIC."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from functools import cached_property

import numpy as np
import polars as pl

from alpha_pipeline.errors import BadInput
from alpha_pipeline.market.sources.base import EventTable, SourceInfo
from alpha_pipeline.market.sources.plants import DEFAULT_PLANTS, Plant
from alpha_pipeline.market.sources.simulation import DEFAULT_START, Market, simulate

SMALLEST = (20, 130)  # instruments, days
NEWS = "news_score"
NEWS_SLOTS, NEWS_CHANCE = 3, 0.07  # per instrument and day: 4.4 events in a month of 21 days, at most 3 a day


class SyntheticSource:
    """Seeded simulated prices. Every figure from them says something about the pipeline, nothing about markets.

    Args:
        seed: same seed, same market.
        instruments, days: size; 500 × 1,260 by default.
        plants: alphas put into the prices; none = the null market, in which nothing can be found.
    """

    def __init__(
        self,
        *,
        seed: int = 7,
        instruments: int = 500,
        days: int = 1260,
        plants: Sequence[Plant] = DEFAULT_PLANTS,
        start: date = DEFAULT_START,
    ) -> None:
        if seed < 0:
            raise BadInput(f"the seed {seed} is negative", "seed", "use 0 or more")
        if instruments < SMALLEST[0] or days < SMALLEST[1]:
            what = f"{instruments} instruments × {days} days are too few for a market"
            raise BadInput(what, "synthetic source", f"use at least {SMALLEST[0]} × {SMALLEST[1]}")
        self.seed, self.instruments, self.days, self.plants, self.start = seed, instruments, days, tuple(plants), start

    @cached_property
    def market(self) -> Market:
        """The simulated market, with the true alpha for oracle scores."""
        return simulate(self.seed, instruments=self.instruments, days=self.days, plants=self.plants, start=self.start)

    def describe(self) -> SourceInfo:
        label = (
            "SYNTHETIC market: simulated prices with planted alphas, news_score pure noise; no figure from it speaks "
            "about real markets."
        )
        if not self.plants:
            label = "SYNTHETIC null market: simulated prices without any alpha; whatever is found here is chance."
        name = f"synthetic{self._variant()}-s{self.seed}-{self.instruments}x{self.days}"
        return SourceInfo(
            market_id=name,
            market=name,
            source="synthetic",
            synthetic=True,
            adjusted_as_of=str(self.months()[1]),
            survivors_only=False,
            warnings=(label,),
            volume_unadjusted=True,
        )

    def months(self) -> tuple[date, date]:
        last = np.busday_offset(np.datetime64(self.start, "D"), [0, self.days - 1], roll="forward")
        return last[0].item(), last[1].item()

    def read(self, start: date, end: date) -> pl.LazyFrame:
        market = self.market
        rows = (market.dates >= np.datetime64(start)) & (market.dates <= np.datetime64(end))
        bars = np.isfinite(market.fields["close"]) & rows[:, None]
        day, column = np.nonzero(bars)
        frame = pl.DataFrame(
            {
                "date": pl.Series(market.dates[day]),
                "instrument": pl.Series(market.instruments.tolist(), dtype=pl.String).gather(column),
                **{name: values[bars] for name, values in market.fields.items()},
            }
        )
        return frame.lazy()

    def groups(self) -> pl.DataFrame | None:
        market = self.market
        names = {"instrument": market.instruments, "sector": market.sector}
        names |= {"industry": market.industry, "subindustry": market.subindustry}
        return pl.DataFrame({name: values.tolist() for name, values in names.items()})

    def events(self) -> EventTable | None:
        """`news_score`, tones from -1 to 1 in thousandths: pure noise, which knows nothing of the prices.

        It has a random stream of its own, so that prices are the same with it and without it, and draws no more than
        uniform numbers, so that it is the same on every machine.
        """
        market = self.market
        random = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(1,)))
        happens = random.random((*market.listed.shape, NEWS_SLOTS)) < NEWS_CHANCE
        day, column, _ = np.nonzero(happens & market.listed[:, :, None])
        frame = pl.DataFrame(
            {
                "date": pl.Series(market.dates[day]),
                "instrument": pl.Series(market.instruments.tolist(), dtype=pl.String).gather(column),
                "value": random.integers(-1000, 1001, len(day)) / 1000,
            }
        )
        return EventTable({NEWS: frame}, self.describe().market_id)

    def _variant(self) -> str:
        """Empty for the default plants, else what tells this market from the default of the same size and seed."""
        if not self.plants:
            return "-null"
        told = "\n".join(f"{plant.expression} {plant.sharpe!r}" for plant in self.plants)
        default = "\n".join(f"{plant.expression} {plant.sharpe!r}" for plant in DEFAULT_PLANTS)
        if told == default and self.start == DEFAULT_START:
            return ""
        return "-" + hashlib.sha256(f"{told} {self.start}".encode()).hexdigest()[:6]
