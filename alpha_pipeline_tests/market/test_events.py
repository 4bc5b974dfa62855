"""Event files and where their events land: no look-ahead over days without trading, pieces of cut histories."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import FIELDS
from alpha_pipeline.expression.parser import RESERVED
from alpha_pipeline.market.build import Built, build_from, build_panel
from alpha_pipeline.market.events import Layout, lay_out
from alpha_pipeline.market.panel import Panel
from alpha_pipeline.market.sources import open_source
from alpha_pipeline.market.sources.base import EventTable
from alpha_pipeline.market.sources.events import HELD, WORDS, check_name, read_events
from alpha_pipeline.market.sources.simulation import simulate
from alpha_pipeline.market.sources.synthetic import SyntheticSource
from alpha_pipeline_tests.market.test_build import DAYS, INFO, MEMBERS, bars, market
from alpha_pipeline_tests.market.test_vectors import cells

LONG = "symbol,date,field,value\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def table(*events: tuple[str, date, float], name: str = "tone") -> EventTable:
    rows = list(events)
    frame = pl.DataFrame(
        {
            "date": [day for _, day, _ in rows],
            "instrument": [who for who, _, _ in rows],
            "value": [v for *_, v in rows],
        },
        schema={"date": pl.Date, "instrument": pl.String, "value": pl.Float64},
    )
    return EventTable({name: frame}, "events.csv")


def built(events: EventTable, raw: pl.DataFrame | None = None) -> Built:
    return build_panel((market() if raw is None else raw).lazy(), None, INFO, membership=MEMBERS, events=events)


def by_day(panel: Panel, name: str = "tone") -> Mapping[tuple[str, str], list[float]]:
    found = cells(panel.vectors[name], panel.shape)
    return {
        (str(panel.instruments[column]), str(panel.dates[row])): [round(value, 4) for value in values]
        for (row, column), values in found.items()
    }


def test_a_long_file(tmp_path: Path) -> None:
    path = write(
        tmp_path / "e.csv",
        "Ticker,Date,Field,Value,headline\nAA,2020-01-02,Tone,0.5,up\nBB,2020-01-02,shares, 100 ,\n"
        "AA,2020-01-01,tone,-1,down\nAA,2020-01-02,TONE,,none\n",
    )
    events = read_events(path)
    assert list(events.fields) == ["tone", "shares"]
    assert events.fields["tone"].rows() == [(date(2020, 1, 2), "AA", 0.5), (date(2020, 1, 1), "AA", -1.0)]
    assert events.fields["shares"].rows() == [(date(2020, 1, 2), "BB", 100.0)]
    assert events.warnings == ("Columns of e.csv beside field and value, left aside: headline.",)


def test_a_wide_file(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "symbol": ["AA", "AA", "BB"],
            "date": [date(2020, 1, 3), date(2020, 1, 2), date(2020, 1, 2)],
            "Tone": [0.5, None, float("nan")],
            "shares": [1, 2, None],
        }
    )
    frame.write_parquet(tmp_path / "e.parquet")
    frame.write_csv(tmp_path / "e.csv")
    (tmp_path / "bom.csv").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "e.csv").read_bytes())
    for name in ("e.parquet", "e.csv", "bom.csv"):
        events = read_events(tmp_path / name)
        assert events.fields["tone"].rows() == [(date(2020, 1, 3), "AA", 0.5)], name
        assert [row[2] for row in events.fields["shares"].rows()] == [1.0, 2.0], name
        assert events.warnings == ()


@pytest.mark.parametrize("text", ["2020-01-13", "20200113", "2020-01-13 00:00:00", "01/13/2020", "13.01.2020"])
def test_dates(tmp_path: Path, text: str) -> None:
    events = read_events(write(tmp_path / "e.csv", f"{LONG}AA,{text},tone,1\n"))
    assert events.fields["tone"]["date"].to_list() == [date(2020, 1, 13)]


def test_days_and_months_that_could_be_swapped(tmp_path: Path) -> None:
    """Three weeks' events of early May, read as of January to December, would be known before they happened."""
    with pytest.raises(BadInput, match="dates like '05/01/2020' may begin with the month or with the day"):
        read_events(write(tmp_path / "e.csv", f"{LONG}AA,05/05/2020,tone,1\nAA,05/01/2020,tone,1\n"))
    same = read_events(write(tmp_path / "e.csv", f"{LONG}AA,05/05/2020,tone,1\n"))
    assert same.fields["tone"]["date"].to_list() == [date(2020, 5, 5)]
    clear = read_events(write(tmp_path / "e.csv", f"{LONG}AA,05/01/2020,tone,1\nAA,13/01/2020,tone,1\n"))
    assert clear.fields["tone"]["date"].to_list() == [date(2020, 1, 5), date(2020, 1, 13)]


MALFORMED: dict[str, tuple[str, str, str]] = {
    "empty": ("e.csv", "", "the file is empty"),
    "header only": ("e.csv", LONG, "there is a header and no row"),
    "extension": ("e.xlsx", "x", "the extension '.xlsx' is not supported"),
    "no Parquet inside": ("e.parquet", "hello", "is no readable Parquet"),
    "no symbol": ("e.csv", "company,date,tone\nAA,2020-01-02,1\n", "there is no symbol column among company, date"),
    "no date": ("e.csv", "symbol,when,tone\nAA,2020-01-02,1\n", "there is no date column among symbol, when"),
    "no values": ("e.csv", "symbol,date\nAA,2020-01-02\n", "there is no column of values"),
    "no value": ("e.csv", "symbol,date,field\nAA,2020-01-02,tone\n", "a column 'field' and no column 'value'"),
    "nothing given": ("e.csv", "symbol,date,tone\nAA,2020-01-02,\n", "no row holds a value"),
    "doubled": ("e.csv", "symbol,date,tone,Tone\nAA,2020-01-02,1,2\n", "the column 'tone' stands twice"),
    "bad date": ("e.csv", f"{LONG}AA,someday,tone,1\n", "1 dates cannot be read, the first is 'someday'"),
    "named day": ("e.csv", f"{LONG}AA,Thu 2 Jan,tone,1\n", "1 dates cannot be read, the first is 'Thu 2 Jan'"),
    "no day": ("e.csv", f"{LONG}AA,,tone,1\n", "1 dates cannot be read, the first is None"),
    "time": ("e.csv", f"{LONG}AA,2020-01-02 16:30,tone,1\n", "1 dates carry a time of day"),
    "time in ISO": ("e.csv", f"{LONG}AA,2020-01-02T16:30:00Z,tone,1\n", "write the day by whose close"),
    "text": ("e.csv", f"{LONG}AA,2020-01-02,tone,good\n", "1 of 1 values of tone are no numbers, the first is 'good'"),
    "infinite": ("e.csv", f"{LONG}AA,2020-01-02,tone,inf\n", "1 of 1 values of tone are no numbers"),
    "too large": ("e.csv", f"{LONG}AA,2020-01-02,tone,1e39\n", "1 of 1 values of tone are no numbers"),
    "no name": ("e.csv", f"{LONG}AA,2020-01-02,,1\n", "'' is no name of a field"),
    "bad name": ("e.csv", "symbol,date,News Score\nAA,2020-01-02,1\n", "'news score' is no name of a field"),
    "long name": ("e.csv", f"symbol,date,{'x' * 101}\nAA,2020-01-02,1\n", "is no name of a field"),
    "unnamed column": ("e.csv", ",symbol,date,tone\n0,AA,2020-01-02,1\n", "'' is no name of a field"),
    "word": ("e.csv", "symbol,date,True\nAA,2020-01-02,1\n", "'true' is a word of the expression language"),
    "field of prices": ("e.csv", "symbol,date,Close\nAA,2020-01-02,1\n", "a field 'close' is there already"),
    "group": ("e.csv", f"{LONG}AA,2020-01-02,sector,1\n", "a field 'sector' is there already"),
    "average volume": ("e.csv", f"{LONG}AA,2020-01-02,adv20,1\n", "a field 'adv20' is there already"),
    "too many cells": ("e.csv", f"{LONG}AA,2020-01-02,tone,1,2,3\n", "the rows cannot be read"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_files(tmp_path: Path, case: str) -> None:
    name, content, message = MALFORMED[case]
    path = write(tmp_path / name, content)
    with pytest.raises(BadInput) as caught:
        read_events(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_malformed_parquet_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no such events file"):
        read_events(tmp_path / "no.csv")
    frame = pl.DataFrame({"symbol": ["AA"], "date": [datetime(2020, 1, 2, 9, 30)], "tone": [1.0]})
    frame.write_parquet(tmp_path / "e.parquet")
    with pytest.raises(BadInput, match="1 dates carry a time of day, the first is '2020-01-02 09:30:00'"):
        read_events(tmp_path / "e.parquet")
    frame.with_columns(date=pl.lit(1.5)).write_parquet(tmp_path / "e.parquet")
    with pytest.raises(BadInput, match="the date column 'date' holds Float64"):
        read_events(tmp_path / "e.parquet")
    frame.with_columns(date=date(2020, 1, 2), tone=pl.lit(True)).write_parquet(tmp_path / "e.parquet")
    with pytest.raises(BadInput, match="tone holds Boolean, not numbers"):
        read_events(tmp_path / "e.parquet")


def test_a_few_unreadable_values_are_left_out_and_told(tmp_path: Path) -> None:
    rows = "".join(f"AA,2020-01-02,tone,{number}\n" for number in range(199))
    events = read_events(write(tmp_path / "e.csv", f"{LONG}{rows}AA,2020-01-02,tone,oops\n"))
    assert events.fields["tone"].height == 199
    assert events.warnings == ("1 of 200 values of tone are no numbers; these events are left out.",)


def test_names_that_mean_something_else_already() -> None:
    """What expressions reserve and what prices give, written twice as the market knows nothing of the language."""
    assert frozenset(FIELDS) == HELD
    assert WORDS == RESERVED
    check_name("nws12_prez_4l", Path("e.csv"))


def test_events_of_days_without_trading_wait_for_the_next_day() -> None:
    """Planted: an event of a Saturday that lands on the Friday before would be known a day early."""
    weekdays = market().filter(pl.col("date").dt.weekday() <= 5)
    friday, saturday, sunday, monday = date(2020, 3, 6), date(2020, 3, 7), date(2020, 3, 8), date(2020, 3, 9)
    events = table(("A", sunday, 3), ("A", saturday, 2), ("A", friday, 1), ("A", monday, 4), ("B", saturday, 5))
    assert by_day(built(events, weekdays).panel) == {
        ("A", "2020-03-06"): [1],
        ("A", "2020-03-09"): [3, 2, 4],  # in the order of the table
        ("B", "2020-03-09"): [5],
    }


@given(st.lists(st.tuples(st.sampled_from("ABCDE"), st.integers(-3, 123)), min_size=1, max_size=60))
def test_no_event_is_known_before_its_day(drawn: list[tuple[str, int]]) -> None:
    """Every event on the first trading day from its own on, or nowhere; against a loop over days."""
    raw = market().filter(~pl.col("date").dt.day().is_in([3, 4, 17, 31]))
    trading = sorted(raw["date"].unique())
    events = [(who, date.fromordinal(DAYS[0].toordinal() + day), float(n)) for n, (who, day) in enumerate(drawn)]
    panel = built(table(*events), raw).panel
    column = {str(name): number for number, name in enumerate(panel.instruments)}
    expected: dict[tuple[int, int], list[float]] = {}
    for who, day, value in events:
        after = [row for row, traded in enumerate(trading) if traded >= day]
        if day >= trading[0] and after and panel.universe[after[0], column[who]]:
            expected.setdefault((after[0], column[who]), []).append(value)
    assert cells(panel.vectors["tone"], panel.shape) == expected


def test_events_outside_the_days_and_of_strangers_are_counted() -> None:
    after = date(2021, 1, 1)
    result = built(
        table(("A", date(2019, 12, 31), 1), ("A", after, 2), ("B", after, 3), ("Z", DAYS[90], 4), ("A", DAYS[90], 5))
    )
    assert by_day(result.panel) == {("A", str(DAYS[90])): [5]}
    told = (
        "1 of 5 events are of 1 symbols that the prices do not name, as Z; they are left out.",
        f"1 events before {DAYS[0]} and 2 after {DAYS[-1]} are left out.",
    )
    assert result.panel.info.warnings[1:] == told
    assert result.report.warnings == told
    with pytest.raises(BadInput, match=r"none of the 2 symbols is among the prices, as Y; write symbols as the prices"):
        built(table(("Z", DAYS[90], 4), ("Y", DAYS[90], 4)))


def test_nothing_is_moved_into_the_first_or_last_day() -> None:
    """Nobody is a member on the first day, so a panel would not show it."""
    days = np.array(["2020-01-02", "2020-01-06"], "datetime64[D]")
    layout = Layout(days, np.array(["A"]), np.array([0]), first=np.array([0]), last=np.array([1]))
    events = table(*(("A", date(2020, 1, day), float(day)) for day in (1, 2, 3, 6, 7)))
    fields, told = lay_out(events, layout, ["A"])
    assert cells(fields["tone"], layout.shape) == {(0, 0): [2.0], (1, 0): [3.0, 6.0]}
    assert told == ("1 events before 2020-01-02 and 1 after 2020-01-06 are left out.",)


def test_events_outside_the_universe_are_none() -> None:
    result = built(table(("A", DAYS[2], 1)))  # nobody is a member in the first month
    assert len(result.panel.vectors["tone"].values) == 0
    assert result.panel.info.warnings[-1] == "tone has no event of a member."


def test_pieces_of_a_cut_history_get_the_events_of_their_own_life() -> None:
    jump = np.concatenate([np.full(70, 10.0), np.full(50, 40.0)])
    raw = pl.concat([market("AB"), bars("J", jump)])
    events = table(*(("J", DAYS[day], float(day)) for day in (75, 69, 70, 69)))
    assert by_day(built(events, raw).panel) == {
        ("J", str(DAYS[69])): [69, 69],
        ("J#2", str(DAYS[70])): [70],
        ("J#2", str(DAYS[75])): [75],
    }
    hole = pl.concat([market("AB"), bars("H", np.full(30, 10.0)), bars("H", np.full(20, 10.0), first=100)])
    between = built(table(("H", DAYS[60], 1), ("H", DAYS[100], 2)), hole).panel
    assert between.instruments.tolist()[-2:] == ["H", "H#2"]
    assert set(by_day(between)) <= {("H#2", str(DAYS[100]))}


def test_the_version_follows_the_events() -> None:
    plain = build_panel(market().lazy(), None, INFO, membership=MEMBERS).panel
    one, same = (built(table(("A", DAYS[90], 1.0))).panel for _ in range(2))
    other = built(table(("A", DAYS[90], 2.0))).panel
    renamed = built(table(("A", DAYS[90], 1.0), name="mood")).panel
    assert one.version == same.version
    assert len({plain.version, one.version, other.version, renamed.version}) == 4
    assert one.info.market_id == plain.info.market_id  # as with groups: the prices are the same


def test_files_with_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    market().rename({"instrument": "symbol"}).with_columns(volume=1e7).write_csv(tmp_path / "prices.csv")
    write(tmp_path / "events.csv", f"{LONG}A,{DAYS[90]},tone,0.5\nB,{DAYS[90]},tone,1\nA,{DAYS[90]},tone,-1\n")
    source = open_source("files", tmp_path / "prices.csv", events="~/events.csv")
    panel = build_from(source).panel
    assert by_day(panel) == {("A", str(DAYS[90])): [0.5, -1], ("B", str(DAYS[90])): [1]}
    assert panel.field_types()["tone"] == "VECTOR"
    with pytest.raises(BadInput, match="takes no path, no groups and no events"):
        open_source("synthetic", events=tmp_path / "events.csv")
    yahoo = open_source("yahoo", "AA", events=tmp_path / "events.csv").events()
    assert yahoo is not None
    assert yahoo.fields["tone"].height == 3


def test_the_embedded_market_has_noise_for_news() -> None:
    source = SyntheticSource(seed=5, instruments=60, days=300)
    panel = build_from(source).panel
    news = panel.vectors["news_score"]
    members = int(panel.universe.sum())
    assert news.counts.sum() / members == pytest.approx(0.21, rel=0.05)
    assert 0 < news.counts.max() <= 3
    assert np.abs(news.values).max() <= 1
    assert abs(news.values.mean()) < 0.05
    tone = np.full(news.counts.shape, np.nan)
    tone[news.counts > 0] = (
        np.add.reduceat(news.values, news.offsets[:-1][news.counts > 0]) / news.counts[news.counts > 0]
    )
    tomorrow = panel.pnl_returns[1:].ravel()
    both = np.isfinite(tone[: len(tomorrow)]) & np.isfinite(tomorrow)
    assert abs(np.corrcoef(tone[: len(tomorrow)][both], tomorrow[both])[0, 1]) < 0.06
    assert "news_score pure noise" in panel.info.warnings[0]
    other = build_from(SyntheticSource(seed=6, instruments=60, days=300)).panel
    assert not np.array_equal(other.vectors["news_score"].values, news.values)

    # The prices do not know it: those of the source are the simulation's, made without a word of news.
    source.events()
    alone = simulate(5, instruments=60, days=300)
    for name, values in source.market.fields.items():
        np.testing.assert_array_equal(values, alone.fields[name], err_msg=name)
