"""Prices from Yahoo Finance through yfinance, so called that a refusal raises instead of leaving holes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import polars as pl

from alpha_pipeline.errors import BadInput
from alpha_pipeline.market.sources.base import EventTable, SourceInfo
from alpha_pipeline.market.sources.events import read_events
from alpha_pipeline.market.sources.groups import read_groups

DEFAULT_YEARS = 5
COLUMNS = {"Open": "open", "High": "high", "Low": "low", "Close": "close", "Adj Close": "adj_close", "Volume": "volume"}
TICKER = re.compile(r"[A-Z0-9^][A-Z0-9.^=-]{0,14}")


class YahooSource:
    """Daily bars of the named tickers.

    Args:
        tickers: "AAPL,MSFT", a list, or the path of a text or CSV file: one ticker a line, or a column `symbol` or
            `ticker`. There is no default list: today's index members are survivors.
        start, end: first and last day; by default the five years that end yesterday.
        groups: file of sectors.
        events: file of events.

    Raises:
        BadInput: no or malformed tickers; on download: too many requests, an unknown ticker, no network.
    """

    def __init__(
        self,
        tickers: str | Path | Sequence[str],
        *,
        start: date | None = None,
        end: date | None = None,
        groups: str | Path | None = None,
        events: str | Path | None = None,
        today: date | None = None,
    ) -> None:
        self.tickers = _tickers(tickers)
        self.end = end or (today or date.today()) - timedelta(days=1)
        self.start = start or self.end.replace(year=self.end.year - DEFAULT_YEARS, day=min(self.end.day, 28))
        if self.start > self.end:
            raise BadInput(f"the start {self.start} is after the end {self.end}", "yahoo source", "swap them")
        self._groups = read_groups(Path(groups)) if groups is not None else None
        self._events = read_events(Path(events)) if events is not None else None

    def describe(self) -> SourceInfo:
        key = hashlib.sha256(" ".join(self.tickers).encode()).hexdigest()[:6]
        market = f"yahoo-{len(self.tickers)}-{key}"
        return SourceInfo(
            market_id=f"{market}-{self.start}-{self.end}",
            market=market,
            source="yahoo",
            synthetic=False,
            adjusted_as_of="the day of download",
            survivors_only=True,
            warnings=(
                "SURVIVORS ONLY: Yahoo serves tickers that exist today; no Sharpe level from it is to be believed.",
                "Prices were adjusted with later knowledge (as of the day of download): price levels know the future, "
                "only expressions free of the price scale count.",
            ),
        )

    def months(self) -> tuple[date, date]:
        return self.start, self.end

    def read(self, start: date, end: date) -> pl.LazyFrame:
        return self._bars.lazy().filter(pl.col("date").is_between(pl.lit(start), pl.lit(end)))

    def groups(self) -> pl.DataFrame | None:
        return self._groups

    def events(self) -> EventTable | None:
        return self._events

    @cached_property
    def _bars(self) -> pl.DataFrame:
        """All bars, downloaded once per process."""
        with _raising():
            frames = [self._download(ticker, number) for number, ticker in enumerate(self.tickers, start=1)]
        return pl.concat(frames)

    def _download(self, ticker: str, number: int) -> pl.DataFrame:
        import yfinance
        from yfinance.exceptions import YFException, YFRateLimitError

        where = f"yahoo, {ticker} ({number} of {len(self.tickers)})"
        try:
            table = yfinance.Ticker(ticker).history(
                start=self.start.isoformat(),
                end=(self.end + timedelta(days=1)).isoformat(),  # Yahoo's end is exclusive
                interval="1d",
                auto_adjust=False,
                actions=False,
                keepna=True,  # holes go to quarantine, not away
            )
        except YFException as error:
            if isinstance(error, YFRateLimitError):
                raise _too_many(where) from error
            raise BadInput(f"Yahoo has no prices ({error})", where, "check the ticker and the dates") from error
        except Exception as error:  # yfinance hands on whatever its HTTP backend or JSON reader raises
            kind, status = type(error).__name__, getattr(getattr(error, "response", None), "status_code", None)
            if status == 404:
                raise BadInput("Yahoo knows no such ticker", where, "check the ticker") from error
            if status == 429:
                raise _too_many(where) from error
            raise BadInput(
                f"the download failed ({kind}: {error})", where, "check the network and try again"
            ) from error
        if table.empty or not set(COLUMNS) <= set(table.columns):
            raise BadInput("Yahoo sent no prices", where, "check the ticker and the dates")
        return pl.DataFrame(
            {
                "date": pl.Series([stamp.date() for stamp in table.index], dtype=pl.Date),
                "instrument": pl.Series([ticker] * len(table), dtype=pl.String),
                **{ours: pl.Series(table[theirs].to_numpy(dtype="float64")) for theirs, ours in COLUMNS.items()},
            }
        )


def _too_many(where: str) -> BadInput:
    return BadInput("Yahoo refuses: too many requests", where, "wait some minutes, or ask for fewer")


@contextmanager
def _raising() -> Iterator[None]:
    """yfinance logs most failures and returns an empty table; here it raises them."""
    import yfinance

    before = yfinance.config.debug.hide_exceptions
    yfinance.config.debug.hide_exceptions = False
    try:
        yield
    finally:
        yfinance.config.debug.hide_exceptions = before


def _tickers(given: str | Path | Sequence[str]) -> tuple[str, ...]:
    where = "yahoo tickers"
    if isinstance(given, Path) or (isinstance(given, str) and Path(given).is_file()):
        where = str(given)
        path = Path(given)
        if not path.is_file():
            raise BadInput("there is no such file of tickers", where, "write one ticker a line")
        lines = [line.split(",") for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        head = [cell.strip().lower() for cell in lines[0]] if lines else []
        column = next((head.index(name) for name in ("symbol", "ticker") if name in head), None)
        rows = lines if column is None else lines[1:]
        names = [cells[column or 0] for cells in rows if len(cells) > (column or 0)]
    else:
        names = given.split(",") if isinstance(given, str) else list(given)
    tickers = tuple(dict.fromkeys(name.strip().upper() for name in names if name.strip()))
    if not tickers:
        raise BadInput("there is no ticker", where, "name some, like AAPL,MSFT, or a file with one a line")
    for ticker in tickers:
        if not TICKER.fullmatch(ticker):
            raise BadInput(f"{ticker!r} is no ticker", where, "use Yahoo's symbols, like AAPL or BRK-B")
    return tickers
