"""Which bars are believed. Every rule has a number; what a rule takes out goes to quarantine with that number.

Rules on a row alone (C01-C06), on rows of the same day (C07), on an instrument's history (C08-C12), on the calendar
(C13). C10 and C12 take nothing out: they cut a history in two, `CHRD` and `CHRD#2`, so that no window spans the break
and no profit is earned across it. Cleaning what was cleaned changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alpha_pipeline.errors import BadInput
from alpha_pipeline.market.sources.base import PRICES

QUARANTINE_VALUES = (*PRICES, "adj_close", "volume")

RULES: Mapping[str, str] = {
    "C01": "a price, adjusted price or volume is missing or not finite",
    "C02": "a price is zero or negative",
    "C03": "the adjusted close is zero or negative",
    "C04": "high is below low",
    "C05": "open, close or vwap lies outside the day's range",
    "C06": "the volume is negative",
    "C07": "several rows for the same instrument and day",
    "C08": "the instrument's adjusted close reaches an absurd price: all of its rows",
    "C09": "a jump that reverses within days",
    "C10": "a jump that stays: the history is cut in two there",
    "C11": "a long run of unchanged closes without volume",
    "C12": "a long gap: the history is cut in two there",
    "C13": "a day on which hardly any instrument traded",
}
CUTTING_RULES = ("C10", "C12")


@dataclass(frozen=True)
class CleaningSettings:
    """The rules' numbers.

    Attributes:
        range_tolerance: C05, fraction of the price by which open, close or vwap may leave [low, high] (rounding).
        absurd_price: C08, adjusted close above which an instrument is quarantined whole: later reverse splits have
            multiplied its history.
        jump_up, jump_down: C09 and C10, close-to-close moves (fractions) beyond these are jumps.
        reversal_days: C09, trading days within which a jump counts as reversed.
        reversal_share: C09, share of the jump (in logarithms) that must be undone; what is left must be no jump.
        stale_run: C11, days in a row with an unchanged close and no volume from which on they are no prices.
        longest_gap: C12, missing days beyond which what follows is another history (a reused ticker, a relisting).
        thin_day: C13, share of the surrounding days' number of bars under which a day is none of the calendar.
    """

    range_tolerance: float = 1e-4
    absurd_price: float = 1_000_000.0
    jump_up: float = 1.0
    jump_down: float = -0.8
    reversal_days: int = 5
    reversal_share: float = 0.75
    stale_run: int = 5
    longest_gap: int = 63
    thin_day: float = 0.1

    def __post_init__(self) -> None:
        if not (self.jump_up > 0 > self.jump_down > -1):
            raise BadInput(
                "jump_up must be above 0 and jump_down between -1 and 0", "cleaning settings", "correct them"
            )
        if min(self.stale_run, self.longest_gap) < 1 or self.reversal_days < 0 or self.absurd_price <= 0:
            raise BadInput("a length or price is not positive", "cleaning settings", "correct it")
        if not (0 <= self.thin_day < 1 and 0 < self.reversal_share <= 1 and self.range_tolerance >= 0):
            raise BadInput("a share or tolerance is outside its range", "cleaning settings", "correct it")


@dataclass(frozen=True)
class Cut:
    """A history cut in two: from `date` on, `instrument` continues as `continues_as`."""

    rule: str
    date: date
    instrument: str
    continues_as: str
    move: float  # close-to-close move across the cut, a fraction


@dataclass(frozen=True)
class Cleaned:
    """One batch after cleaning.

    Attributes:
        bars: the rows that stay, sorted by instrument and date, with `instrument` (as the source names it), `piece`
            (UInt32, 1 for the first part of a history) and `row` (Int32, number of the date in the calendar).
        quarantine: date, instrument, rule, reason and the values of every row taken out.
    """

    bars: pl.DataFrame
    quarantine: pl.DataFrame
    cuts: tuple[Cut, ...]


def clean(raw: pl.DataFrame, calendar: NDArray[np.datetime64], settings: CleaningSettings) -> Cleaned:
    """Clean the whole histories of some instruments.

    Args:
        raw: date, instrument, open, high, low, close, adj_close, volume and any of vwap, cap; any order.
        calendar: the market's trading days, ascending (see `trading_days`); other dates are C13.
    """
    frame = raw.sort("instrument", "date", maintain_order=True)
    taken: list[pl.DataFrame] = []

    rule = _row_rules(frame, settings)
    known = np.isin(frame["date"].to_numpy().astype("datetime64[D]"), calendar)
    rule = pl.select(pl.when(rule.is_null() & ~pl.Series(known)).then(pl.lit("C13")).otherwise(rule)).to_series()
    frame = _split(frame, rule, taken)
    frame = _split(frame, _duplicates(frame), taken)
    absurd = frame.select((pl.col("adj_close").max().over("instrument") > settings.absurd_price).alias("_"))["_"]
    frame = _split(frame, pl.select(pl.when(absurd).then(pl.lit("C08"))).to_series(), taken)

    days = np.searchsorted(calendar, frame["date"].to_numpy().astype("datetime64[D]")).astype(np.int32)
    history = _History(
        code=frame["instrument"].rle_id().to_numpy(),
        row=days,
        close=frame["close"].to_numpy().astype(np.float64),
        adjusted=frame["adj_close"].to_numpy().astype(np.float64),
        volume=frame["volume"].to_numpy().astype(np.float64),
    )
    removed, cut_rules = _walk(history, settings)
    frame = frame.with_columns(row=pl.Series(days))
    pieces, cuts = _pieces(frame, history, removed, cut_rules)
    frame = _split(frame.with_columns(piece=pieces), pl.Series(removed, dtype=pl.String), taken)
    return Cleaned(frame, _quarantine(taken), cuts)


def trading_days(counts: pl.DataFrame, settings: CleaningSettings) -> NDArray[np.datetime64]:
    """The market's calendar from the number of bars per date: thin days (C13) are left out.

    Args:
        counts: date, bars. A day is thin when it holds less than `thin_day` of the median of the 21 days around it.
    """
    counts = counts.sort("date")
    around = counts["bars"].cast(pl.Float64).rolling_median(21, min_samples=1, center=True)
    days = counts.filter(counts["bars"] >= around * settings.thin_day)["date"]
    return days.to_numpy().astype("datetime64[D]")


def _row_rules(frame: pl.DataFrame, settings: CleaningSettings) -> pl.Series:
    """The first rule that each row breaks by itself, or null."""
    has_vwap = "vwap" in frame.columns
    needed = [pl.col(name) for name in QUARANTINE_VALUES]
    low, high = pl.col("low") * (1 - settings.range_tolerance), pl.col("high") * (1 + settings.range_tolerance)
    inside = ("open", "close", "vwap") if has_vwap else ("open", "close")
    missing = pl.any_horizontal(
        pl.col("date").is_null(),
        pl.col("instrument").is_null(),
        *((~each.is_finite()).fill_null(True) for each in needed),
    )
    # A vwap that the source leaves out (null or NaN) is no fault: comparisons with NaN are made false here.
    outside = [(pl.col(name) < low) | (pl.col(name) > high) & ~pl.col(name).is_nan() for name in inside]
    rules = (
        pl.when(missing)
        .then(pl.lit("C01"))
        .when(pl.any_horizontal(pl.col(name) <= 0 for name in PRICES))
        .then(pl.lit("C02"))
        .when(pl.col("adj_close") <= 0)
        .then(pl.lit("C03"))
        .when(pl.col("high") < pl.col("low"))
        .then(pl.lit("C04"))
        .when(pl.any_horizontal(each.fill_null(False) for each in outside))
        .then(pl.lit("C05"))
        .when(pl.col("volume") < 0)
        .then(pl.lit("C06"))
    )
    return frame.select(rules.alias("rule"))["rule"]


def _duplicates(frame: pl.DataFrame) -> pl.Series:
    """C07: of equal rows one stays; rows that contradict each other all go, since none is known to be right."""
    key = pl.struct("instrument", "date")
    same_day = frame.select(
        (key == key.shift(1)).fill_null(False) | (key == key.shift(-1)).fill_null(False)
    ).to_series()
    rule: list[str | None] = [None] * len(frame)
    if same_day.any():
        doubled = frame.with_row_index("at").filter(same_day)
        values = [name for name in frame.columns if name not in ("instrument", "date")]
        agree = (pl.struct(values).n_unique().over("instrument", "date") == 1).alias("agree")
        first = pl.col("at").min().over("instrument", "date")
        out = doubled.filter(~(doubled.select(agree & (pl.col("at") == first)).to_series()))
        for at in out["at"]:
            rule[at] = "C07"
    return pl.Series(rule, dtype=pl.String)


@dataclass(frozen=True)
class _History:
    """Sorted bars of several instruments as arrays [rows]; `code` changes where the instrument does."""

    code: NDArray[np.uint32]
    row: NDArray[np.int32]
    close: NDArray[np.float64]
    adjusted: NDArray[np.float64]
    volume: NDArray[np.float64]

    def take(self, index: NDArray[np.intp]) -> _History:
        return _History(self.code[index], self.row[index], self.close[index], self.adjusted[index], self.volume[index])


def _walk(history: _History, settings: CleaningSettings) -> tuple[list[str | None], dict[int, str]]:
    """Stale runs (C11) and reversing jumps (C09) out, until none is left; then where to cut (C10, C12).

    Returns:
        The rule that removes each bar (None = it stays), and bar number → cutting rule.
    """
    removed: list[str | None] = [None] * len(history.row)
    kept = np.arange(len(history.row))
    while True:  # taking out a spike can join two stale runs, and a stale run may hide one half of a spike
        now = history.take(kept)
        bad: dict[int, str] = dict.fromkeys(_stale_runs(now, settings).tolist(), "C11")
        cuts: dict[int, str] = {}
        if not bad:
            spikes, jumps = _jumps(now, settings)
            bad = dict.fromkeys(spikes, "C09")
            cuts = dict.fromkeys(jumps, "C10")
        if not bad:
            break
        for at, rule in bad.items():
            removed[int(kept[at])] = rule
        kept = np.delete(kept, list(bad))
    gaps = np.flatnonzero((np.diff(now.code) == 0) & (np.diff(now.row) - 1 > settings.longest_gap)) + 1
    return removed, {int(kept[at]): rule for at, rule in {**dict.fromkeys(gaps.tolist(), "C12"), **cuts}.items()}


def _stale_runs(history: _History, settings: CleaningSettings) -> NDArray[np.intp]:
    same = np.zeros(len(history.row), bool)
    same[1:] = (np.diff(history.code) == 0) & (np.diff(history.close) == 0) & (np.diff(history.adjusted) == 0)
    stale = same & (history.volume == 0)
    edges = np.diff(np.concatenate(([0], stale.astype(np.int8), [0])))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    long = ends - begins >= settings.stale_run
    return np.concatenate([np.arange(b, e) for b, e in zip(begins[long], ends[long], strict=True)] or [np.arange(0)])


def _jumps(history: _History, settings: CleaningSettings) -> tuple[list[int], list[int]]:
    """Bars of jumps that reverse within days, and first bars after jumps that stay."""
    code, row, price = history.code, history.row, history.adjusted
    up, down = 1 + settings.jump_up, 1 + settings.jump_down
    ratio = price[1:] / price[:-1]
    candidates = np.flatnonzero((code[1:] == code[:-1]) & ((ratio > up) | (ratio < down))) + 1
    spikes: list[int] = []
    stays: list[int] = []
    done = 0  # bars before this one are settled
    for at in candidates.tolist():
        if at < done:
            continue
        before, jump = price[at - 1], abs(np.log(price[at] / price[at - 1]))
        back = at + 1
        while back < len(price) and code[back] == code[at] and row[back] - row[at] <= settings.reversal_days:
            left = price[back] / before
            if down <= left <= up and abs(np.log(left)) <= (1 - settings.reversal_share) * jump:
                spikes.extend(range(at, back))
                done = back + 1
                break
            back += 1
        else:
            stays.append(at)
    return spikes, stays


def _pieces(
    frame: pl.DataFrame, history: _History, removed: Sequence[str | None], cut_rules: Mapping[int, str]
) -> tuple[pl.Series, tuple[Cut, ...]]:
    """Number of the piece of history that each bar belongs to, and the cuts in words."""
    number = np.zeros(len(frame), np.uint32)
    number[list(cut_rules)] = 1
    number = np.cumsum(number, dtype=np.uint32)
    begins = np.flatnonzero(np.diff(history.code, prepend=-1) != 0)
    before = np.repeat(number[begins], np.diff(np.append(begins, len(frame)))) if len(frame) else number
    piece = number - before + 1
    cuts = []
    for at in sorted(cut_rules):
        earlier = at - 1
        while removed[earlier] is not None:
            earlier -= 1
        name = str(frame["instrument"][at])
        move = float(history.adjusted[at] / history.adjusted[earlier] - 1)
        cuts.append(Cut(cut_rules[at], frame["date"][at], name, piece_name(name, int(piece[at])), move))
    return pl.Series(piece), tuple(cuts)


def piece_name(instrument: str, piece: int) -> str:
    """Column name of the n-th piece of an instrument's history: CHRD, CHRD#2, CHRD#3."""
    return instrument if piece == 1 else f"{instrument}#{piece}"


def _split(frame: pl.DataFrame, rule: pl.Series, taken: list[pl.DataFrame]) -> pl.DataFrame:
    """The rows without a rule; the others go to `taken` with theirs."""
    bad = rule.is_not_null()
    if not bad.any():
        return frame
    values = [pl.col(name).cast(pl.Float64) for name in QUARANTINE_VALUES]
    rows = frame.with_columns(rule=rule).filter(bad)
    reason = pl.col("rule").replace_strict(RULES, return_dtype=pl.String).alias("reason")
    taken.append(rows.select("date", "instrument", "rule", reason, *values))
    return frame.filter(~bad)


def _quarantine(taken: Sequence[pl.DataFrame]) -> pl.DataFrame:
    if taken:
        return pl.concat(taken).sort("instrument", "date", maintain_order=True)
    schema: dict[str, Any] = {"date": pl.Date, "instrument": pl.String, "rule": pl.String, "reason": pl.String}
    return pl.DataFrame(schema={**schema, **dict.fromkeys(QUARANTINE_VALUES, pl.Float64)})
