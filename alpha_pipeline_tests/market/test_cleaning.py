"""Every cleaning rule on a tiny history written by hand, and that cleaning clean data changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpha_pipeline.errors import BadInput
from alpha_pipeline.market.cleaning import RULES, Cleaned, CleaningSettings, clean, piece_name, trading_days

DAYS = [date(2020, 1, 1) + timedelta(days=number) for number in range(200)]
CALENDAR = np.array(DAYS, dtype="datetime64[D]")


def history(closes: list[float], name: str = "A", first: int = 0, **columns: list[Any]) -> pl.DataFrame:
    """Bars on consecutive days with the given closes; other columns follow from them unless given."""
    close = np.array(closes, dtype=float)
    values: dict[str, Any] = {
        "date": DAYS[first : first + len(closes)],
        "instrument": [name] * len(closes),
        "open": close,
        "high": close * 1.01,
        "low": close * 0.99,
        "close": close,
        "adj_close": close,
        "volume": [1000.0] * len(closes),
    }
    return pl.DataFrame({**values, **columns})


def cleaned(frame: pl.DataFrame, **settings: Any) -> Cleaned:
    return clean(frame, CALENDAR, CleaningSettings(**settings))


def taken(result: Cleaned) -> list[tuple[int, str, str]]:
    """(day number, instrument, rule) of every quarantined row."""
    rows = result.quarantine.select("date", "instrument", "rule").rows()
    return [(DAYS.index(day), name, rule) for day, name, rule in rows]


def spoiled(column: str, value: float | None) -> pl.DataFrame:
    """Ten good days of A and B; on day 4, A's `column` is `value`."""
    frame = history([10.0] * 10)
    bad = pl.when(pl.col("date") == DAYS[4]).then(pl.lit(value, pl.Float64)).otherwise(pl.col(column)).alias(column)
    return pl.concat([frame.with_columns(bad), history([20.0] * 10, "B")])


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("close", None, "C01"),
        ("open", float("nan"), "C01"),
        ("high", float("inf"), "C01"),
        ("adj_close", None, "C01"),
        ("volume", float("nan"), "C01"),
        ("open", 0.0, "C02"),
        ("low", -1.0, "C02"),
        ("adj_close", 0.0, "C03"),
        ("adj_close", -2.0, "C03"),
        ("high", 9.0, "C04"),
        ("open", 10.5, "C05"),
        ("open", 9.5, "C05"),
        ("volume", -1.0, "C06"),
    ],
)
def test_rules_on_one_row(column: str, value: float | None, rule: str) -> None:
    result = cleaned(spoiled(column, value))
    assert taken(result) == [(4, "A", rule)]
    assert result.quarantine["reason"].to_list() == [RULES[rule]]
    kept = result.quarantine[column][0]
    assert kept == value or (value is not None and np.isnan(value) and np.isnan(kept))
    assert result.bars.height == 19


def test_c01_rows_without_date_or_name() -> None:
    frame = history([10.0] * 3).with_columns(instrument=pl.Series(["A", None, "A"]))
    assert cleaned(frame).quarantine["rule"].to_list() == ["C01"]
    frame = history([10.0] * 3).with_columns(date=pl.Series([DAYS[0], None, DAYS[2]]))
    assert cleaned(frame).quarantine["rule"].to_list() == ["C01"]


def test_c05_allows_for_rounding_and_knows_vwap() -> None:
    assert taken(cleaned(spoiled("open", 10.1 * 1.00005))) == []
    frame = history([10.0] * 3, vwap=[10.0, 11.0, None])
    assert taken(cleaned(frame)) == [(1, "A", "C05")]  # a missing vwap is no fault


def test_c07_equal_rows_leave_one_contradicting_ones_none() -> None:
    good = history([10.0, 10.1, 10.2, 10.3])
    twin = good[1:2]
    liar = good[2:3].with_columns(volume=pl.lit(7.0))
    result = cleaned(pl.concat([good, twin, liar]))
    assert taken(result) == [(1, "A", "C07"), (2, "A", "C07"), (2, "A", "C07")]
    assert result.bars["row"].to_list() == [0, 1, 3]


def test_c08_takes_the_whole_instrument() -> None:
    frame = pl.concat([history([10.0, 900_000, 1_000_001]), history([20.0] * 3, "B")])
    assert taken(cleaned(frame)) == [(0, "A", "C08"), (1, "A", "C08"), (2, "A", "C08")]
    assert taken(cleaned(frame, absurd_price=2e6)) == []


@pytest.mark.parametrize(
    ("closes", "spikes"),
    [
        ([10, 10, 25, 10, 10], [2]),  # up, back the next day
        ([10, 10, 1, 10, 10], [2]),  # down and back
        ([10, 10, 25, 26, 24, 25, 25, 10], [2, 3, 4, 5, 6]),  # back on the fifth day
        ([10, 10, 1000, 30, 11, 11], [2, 3]),  # back in two steps
        ([10, 25, 10, 25, 10, 10], [1, 3]),  # two spikes
    ],
)
def test_c09_reversing_jumps_go_to_quarantine(closes: list[float], spikes: list[int]) -> None:
    result = cleaned(history(closes))
    assert taken(result) == [(day, "A", "C09") for day in spikes]
    assert result.cuts == ()


@pytest.mark.parametrize(
    ("closes", "cuts"),
    [
        ([10, 10, 25, 25, 25, 25, 25, 25, 25], [2]),
        ([10, 10, 1.9, 2, 2, 2, 2], [2]),
        ([10, 10, 25, 25, 25, 25, 25, 25, 10], [2]),  # back only on the sixth day; -60 % is no jump
        ([10, 10, 25, 18, 18, 18, 18, 18], [2]),  # half way back is not back
        ([10, 10, 25, 60, 60, 60, 60, 60, 60], [2, 3]),
    ],
)
def test_c10_other_jumps_cut_the_history(closes: list[float], cuts: list[int]) -> None:
    result = cleaned(history(closes))
    assert taken(result) == []
    assert [DAYS.index(cut.date) for cut in result.cuts] == cuts
    assert [cut.continues_as for cut in result.cuts] == [f"A#{number}" for number in range(2, 2 + len(cuts))]
    expected = np.ones(len(closes), int)
    for cut in cuts:
        expected[cut:] += 1
    assert result.bars["piece"].to_list() == expected.tolist()
    assert result.cuts[0].move == pytest.approx(closes[2] / closes[1] - 1)


def test_moves_at_the_threshold_are_no_jumps() -> None:
    result = cleaned(history([10, 20, 4.01, 4.01, 8.01, 8.01]))
    assert (taken(result), len(result.cuts)) == ([], 0)


def test_jumps_are_measured_on_adjusted_prices() -> None:
    split = history([100, 100, 10, 10, 10, 10], adj_close=[10.0] * 6)
    assert cleaned(split).cuts == ()
    paid = history([10.0] * 6, adj_close=[4.0, 4.0, 10.0, 10.0, 10.0, 10.0])
    assert len(cleaned(paid).cuts) == 1


def test_jumps_stay_within_one_instrument() -> None:
    frame = pl.concat([history([10.0] * 3), history([1000.0] * 3, "B")])
    assert cleaned(frame).cuts == ()


def test_c11_long_stale_runs() -> None:
    volume = [1000.0] + [0.0] * 5 + [1000.0] * 2 + [0.0] * 4
    result = cleaned(history([10.0] * 12, volume=volume))
    assert taken(result) == [(day, "A", "C11") for day in range(1, 6)]  # four in a row are kept
    assert taken(cleaned(history([10.0] * 8))) == []  # unchanged closes with volume are prices


def test_c12_long_gaps_cut() -> None:
    frame = pl.concat([history([10.0] * 3), history([10.0] * 3, first=3 + 63)])
    assert cleaned(frame).cuts == ()
    (cut,) = cleaned(pl.concat([history([10.0] * 3), history([10.0] * 3, first=3 + 64)])).cuts
    assert (cut.rule, DAYS.index(cut.date), cut.continues_as) == ("C12", 67, "A#2")


def test_c13_days_on_which_hardly_anyone_trades() -> None:
    names = [f"N{number}" for number in range(30)]
    frame = pl.concat([history([10.0] * 40, name) for name in names])
    frame = frame.filter((pl.col("date") != DAYS[20]) | (pl.col("instrument") == "N7"))
    counts = frame.group_by("date").agg(bars=pl.len())
    calendar = trading_days(counts, CleaningSettings())
    assert DAYS[20] not in calendar.tolist()
    assert len(calendar) == 39
    result = clean(frame, calendar, CleaningSettings())
    assert taken(result) == [(20, "N7", "C13")]


def test_the_first_fault_names_the_row() -> None:
    frame = history([10.0] * 2, high=[-1.0, 10.1], volume=[-5.0, 1.0])
    assert taken(cleaned(frame)) == [(0, "A", "C02")]


def test_nothing_is_lost() -> None:
    frame = pl.concat([spoiled("open", -1.0), history([5.0, 50.0, 5.0], "C")])
    result = cleaned(frame)
    assert result.bars.height + result.quarantine.height == frame.height


def test_settings_are_checked() -> None:
    for wrong in ({"jump_up": -1.0}, {"stale_run": 0}, {"reversal_share": 2.0}, {"jump_down": -1.5}):
        with pytest.raises(BadInput, match="cleaning settings"):
            CleaningSettings(**wrong)  # type: ignore[arg-type]


@st.composite
def dirty(draw: st.DrawFn) -> pl.DataFrame:
    """Up to three instruments with faults of every kind in them."""
    frames = []
    for name in "ABC"[: draw(st.integers(1, 3))]:
        count = draw(st.integers(1, 40))
        price = st.sampled_from([10.0, 10.0, 10.0, 11.0, 25.0, 1.0, 300.0, 0.0, -1.0, float("nan"), 2e6])
        closes = draw(st.lists(price, min_size=count, max_size=count))
        volume = draw(st.lists(st.sampled_from([0.0, 0.0, 5.0, -1.0]), min_size=count, max_size=count))
        days = draw(st.lists(st.integers(0, 150), min_size=count, max_size=count))
        frame = history(closes, name, volume=volume)
        frames.append(frame.with_columns(date=pl.Series([DAYS[day] for day in days])))
    return pl.concat(frames)


@given(dirty())
def test_cleaning_clean_data_changes_nothing(frame: pl.DataFrame) -> None:
    settings = CleaningSettings(stale_run=2, longest_gap=10)
    first = clean(frame, CALENDAR, settings)
    assert first.bars.height + first.quarantine.height == frame.height
    name = pl.struct("instrument", "piece").map_elements(
        lambda row: piece_name(row["instrument"], row["piece"]), return_dtype=pl.String
    )
    once = first.bars.with_columns(instrument=name).drop("piece", "row")
    second = clean(once, CALENDAR, settings)
    assert second.quarantine.is_empty()
    assert second.cuts == ()
    assert second.bars.drop("piece", "row").sort("instrument", "date").equals(once.sort("instrument", "date"))


@given(dirty(), st.randoms())
def test_the_order_of_rows_does_not_matter(frame: pl.DataFrame, random: Any) -> None:
    order = list(range(frame.height))
    random.shuffle(order)
    keep: Callable[[Cleaned], pl.DataFrame] = lambda result: result.bars.sort("instrument", "date")  # noqa: E731
    one, other = cleaned(frame), cleaned(frame[order])
    assert keep(one).equals(keep(other))
    assert one.cuts == other.cuts
