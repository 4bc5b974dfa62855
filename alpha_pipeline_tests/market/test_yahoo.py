"""Yahoo through yfinance, against a stand-in for Yahoo's chart service on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
import yfinance

from alpha_pipeline.errors import BadInput
from alpha_pipeline.market.build import build_from
from alpha_pipeline.market.sources import open_source
from alpha_pipeline.market.sources.yahoo import YahooSource

DAYS = [date(2020, 1, day) for day in (2, 3, 6, 7, 8)]


@dataclass
class StandIn:
    """What the server answers: per ticker a status, or closes."""

    answers: dict[str, int | list[float | None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


def chart(ticker: str, closes: list[float | None]) -> dict[str, Any]:
    """Yahoo's v8 chart JSON."""
    stamps = [int(datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC).timestamp()) for day in DAYS]
    quote = {
        "open": closes,
        "high": [None if close is None else close * 1.01 for close in closes],
        "low": [None if close is None else close * 0.99 for close in closes],
        "close": closes,
        "volume": [None if close is None else 1_000_000 for close in closes],
    }
    adjusted = [None if close is None else close * 0.5 for close in closes]
    meta = {
        "symbol": ticker,
        "currency": "USD",
        "exchangeName": "NMS",
        "instrumentType": "EQUITY",
        "exchangeTimezoneName": "America/New_York",
        "timezone": "EST",
        "gmtoffset": -18000,
        "dataGranularity": "1d",
        "range": "",
        "priceHint": 2,
        "regularMarketPrice": 10.0,
        "regularMarketTime": stamps[-1],
        "validRanges": ["1d", "5d", "max"],
        "currentTradingPeriod": {
            name: {"timezone": "EST", "start": stamps[-1], "end": stamps[-1] + 23400, "gmtoffset": -18000}
            for name in ("pre", "regular", "post")
        },
    }
    result = {"meta": meta, "timestamp": stamps, "indicators": {"quote": [quote], "adjclose": [{"adjclose": adjusted}]}}
    return {"chart": {"result": [result], "error": None}}


@pytest.fixture
def yahoo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StandIn]:
    """yfinance pointed at a local server; no cookie or crumb is fetched."""
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            ticker = urlparse(self.path).path.rsplit("/", 1)[-1]
            stand_in.asked.append(ticker)
            answer = stand_in.answers.get(ticker, 404)
            if isinstance(answer, list):
                status, body = 200, chart(ticker, answer)
            else:
                status = answer
                reason = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
                body = {"chart": {"result": None, "error": reason}}
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("yfinance.base._BASE_URL_", base)
    monkeypatch.setattr("yfinance.scrapers.history._BASE_URL_", base)
    monkeypatch.setattr("yfinance.scrapers.quote._QUOTE_SUMMARY_URL_", f"{base}/v10/finance/quoteSummary")
    monkeypatch.setattr("yfinance.data.YfData._get_cookie_and_crumb", lambda self, timeout=30: (None, "basic"))
    yfinance.set_tz_cache_location(str(tmp_path / "cache"))
    yfinance.data.YfData().cache_get.cache_clear()
    yield stand_in
    server.shutdown()
    server.server_close()
    thread.join()


def source(tickers: str) -> YahooSource:
    return YahooSource(tickers, start=DAYS[0], end=DAYS[-1])


def test_bars_as_quoted(yahoo: StandIn) -> None:
    yahoo.answers = {"AAA": [10.0, 11.0, 12.0, 13.0, 14.0], "BBB": [20.0, 21.0, None, 23.0, 24.0]}
    frame = source("AAA,bbb").read(DAYS[0], DAYS[-1]).collect()
    aaa = frame.filter(instrument="AAA")
    assert aaa["date"].to_list() == DAYS
    assert aaa["close"].to_list() == [10.0, 11.0, 12.0, 13.0, 14.0]
    assert aaa["adj_close"].to_list() == pytest.approx([5.0, 5.5, 6.0, 6.5, 7.0])
    assert frame.filter(instrument="BBB").height == 5  # the hole is kept, for quarantine


def test_a_hole_goes_to_quarantine(yahoo: StandIn) -> None:
    yahoo.answers = {"AAA": [10.0, 11.0, 12.0, 13.0, 14.0], "BBB": [20.0, 21.0, None, 23.0, 24.0]}
    built = build_from(source("AAA,BBB"), universe="TOP10")
    assert built.quarantine.select("date", "instrument", "rule").rows() == [(DAYS[2], "BBB", "C01")]
    assert built.panel.shape == (5, 2)
    assert any(text.startswith("SURVIVORS ONLY") for text in built.panel.info.warnings)


def test_a_rate_limit_raises(yahoo: StandIn) -> None:
    yahoo.answers = {"AAA": [10.0, 11.0, 12.0, 13.0, 14.0], "BBB": 429}
    with pytest.raises(BadInput, match=r"yahoo, BBB \(2 of 2\): Yahoo refuses: too many requests; wait"):
        source("AAA,BBB").read(DAYS[0], DAYS[-1])
    assert yfinance.config.debug.hide_exceptions  # the library's own setting is put back


def test_an_unknown_ticker_raises(yahoo: StandIn) -> None:
    with pytest.raises(BadInput, match=r"NOPE .*Yahoo knows no such ticker; check the ticker"):
        source("NOPE").read(DAYS[0], DAYS[-1])


def test_a_broken_server_raises(yahoo: StandIn) -> None:
    yahoo.answers = {"AAA": 500}
    with pytest.raises(BadInput, match="yahoo, AAA"):
        source("AAA").read(DAYS[0], DAYS[-1])


def test_the_download_happens_once(yahoo: StandIn) -> None:
    yahoo.answers = {"AAA": [10.0, 11.0, 12.0, 13.0, 14.0]}
    one = source("AAA")
    one.read(DAYS[0], DAYS[1])
    asked = len(yahoo.asked)
    assert one.read(DAYS[2], DAYS[3]).collect().height == 2
    assert len(yahoo.asked) == asked


def test_tickers_from_a_file(tmp_path: Path) -> None:
    plain = tmp_path / "tickers.txt"
    plain.write_text("AAA\nbrk-b\n\nAAA\n")
    assert YahooSource(plain).tickers == ("AAA", "BRK-B")
    table = tmp_path / "members.csv"
    table.write_text("name,symbol\nAcme,AAA\nBolt,BBB\n")
    assert YahooSource(str(table)).tickers == ("AAA", "BBB")


def test_default_dates_are_the_five_years_to_yesterday() -> None:
    one = YahooSource("AAA", today=date(2024, 3, 1))
    assert one.months() == (date(2019, 2, 28), date(2024, 2, 29))


@pytest.mark.parametrize(
    ("tickers", "message"),
    [("", "there is no ticker"), ("AAA,not a ticker", "'NOT A TICKER' is no ticker"), (",,", "there is no ticker")],
)
def test_bad_tickers(tickers: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        YahooSource(tickers)


def test_bad_dates_and_missing_path() -> None:
    with pytest.raises(BadInput, match="is after the end"):
        YahooSource("AAA", start=date(2021, 1, 1), end=date(2020, 1, 1))
    with pytest.raises(BadInput, match="yahoo needs tickers"):
        open_source("yahoo")
