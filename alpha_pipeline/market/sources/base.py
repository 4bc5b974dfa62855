"""The one protocol of all price sources. Each source is a module beside this one; `open_source` finds it by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import polars as pl

PRICES = ("open", "high", "low", "close")
COLUMNS = ("date", "instrument", *PRICES, "adj_close", "volume")
OPTIONAL = ("vwap", "cap")
LEVELS = ("sector", "industry", "subindustry")


@dataclass(frozen=True)
class SourceInfo:
    """What a source knows about its prices before they are cleaned.

    Attributes:
        market_id: names the prices independently of where their files lie: other content, another id.
        market: names the market, whatever is added to its prices; pools of alphas are keyed by it.
        source: synthetic, files or yahoo.
        adjusted_as_of: the day whose knowledge is in the adjusted prices, or why that is unknown; None only where
            prices are as they were known on each day.
        survivors_only: every instrument still trades at the end, so the losers are missing.
        volume_unadjusted: volume counts the shares of its day (the panel then divides splits out); else it is
            split-adjusted already, as Yahoo's is.
        warnings: sentences to show wherever a figure is shown.
    """

    market_id: str
    market: str
    source: str
    synthetic: bool
    adjusted_as_of: str | None
    survivors_only: bool
    warnings: tuple[str, ...] = ()
    volume_unadjusted: bool = False


@dataclass(frozen=True)
class EventTable:
    """Events by field, as a source knows them.

    Attributes:
        fields: name (lower case) → date (Date: the day by whose close the event was known; any day of the week),
            instrument (String, may be null), value (Float64, finite). Rows of one day keep their order.
        where: the file, for messages.
        warnings: what was left out when reading.
    """

    fields: Mapping[str, pl.DataFrame]
    where: str
    warnings: tuple[str, ...] = ()


class Source(Protocol):
    """Daily bars of many instruments."""

    def describe(self) -> SourceInfo:
        """What these prices are."""
        ...

    def months(self) -> tuple[date, date]:
        """First and last date that have bars: monthly partitions run from the one's month to the other's."""
        ...

    def read(self, start: date, end: date) -> pl.LazyFrame:
        """Uncleaned bars of start ≤ date ≤ end, one row per instrument and day, in any order.

        Columns: date (Date), instrument (String), open, high, low, close, adj_close, volume (floats; missing = null
        or NaN) and, where the source has them, vwap and cap. Prices are as quoted; adj_close carries splits and
        dividends.
        """
        ...

    def groups(self) -> pl.DataFrame | None:
        """instrument and any of sector, industry, subindustry (String, empty = unknown); None if not known."""
        ...

    def events(self) -> EventTable | None:
        """Events that become the panel's vector fields; None if there are none."""
        ...
