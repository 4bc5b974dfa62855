"""Raw bars → Panel: clean in batches of instruments, adjust, choose the universe, lay out by group.

1. Count bars per instrument and per date (one streaming pass) → batches that fit the memory, the calendar.
2. Per batch: clean (cleaning.py); what stays is kept as flat float32 arrays of adjusted values.
3. Universe from traded value of the source's instruments (universe.py), handed down to the pieces of cut histories.
4. Columns sorted by group; each field scattered into its [T, N] matrix, events laid into their cells (events.py);
   Panel.assemble.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alpha_pipeline.errors import BadInput
from alpha_pipeline.market.cleaning import (
    CUTTING_RULES,
    RULES,
    CleaningSettings,
    Cut,
    clean,
    piece_name,
    trading_days,
)
from alpha_pipeline.market.events import Layout, lay_out
from alpha_pipeline.market.panel import FloatMatrix, Panel, PanelInfo
from alpha_pipeline.market.quality import QualityReport
from alpha_pipeline.market.sources.base import COLUMNS, LEVELS, OPTIONAL, EventTable, Source, SourceInfo
from alpha_pipeline.market.universe import UniverseSettings, members, universe_size
from alpha_pipeline.market.vectors import Vectors

BYTES_PER_ROW = 400  # measured peak of cleaning one row, its sorted copy and its masks included
BATCH_ROWS = (50_000, 1_500_000)  # fewer wastes time on re-reading, more wins nothing
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Built:
    """A panel with what was left out of it."""

    panel: Panel
    quarantine: pl.DataFrame
    report: QualityReport


def build_from(
    source: Source,
    *,
    universe: str = "TOP3000",
    cleaning: CleaningSettings | None = None,
    membership: UniverseSettings | None = None,
    memory: int = 2 << 30,
    start: date | None = None,
    end: date | None = None,
) -> Built:
    """`build_panel` on all that `source` has, or on start ≤ date ≤ end."""
    first, last = source.months()
    raw = source.read(start or first, end or last)
    return build_panel(
        raw,
        source.groups(),
        source.describe(),
        events=source.events(),
        universe=universe,
        cleaning=cleaning,
        membership=membership,
        memory=memory,
    )


def build_panel(
    raw: pl.LazyFrame,
    groups: pl.DataFrame | None,
    info: SourceInfo,
    *,
    events: EventTable | None = None,
    universe: str = "TOP3000",
    cleaning: CleaningSettings | None = None,
    membership: UniverseSettings | None = None,
    memory: int = 2 << 30,
) -> Built:
    """Clean `raw` and lay it out as a panel in memory.

    Args:
        raw: bars as `Source.read` gives them.
        groups: as `Source.groups` gives them.
        events: as `Source.events` gives them.
        universe: TOPn.
        memory: bytes that the work may take beside the finished panel; more bars are cleaned in more batches.

    Raises:
        BadInput: an unknown universe, no rows at all, none that survives cleaning, or events of unknown symbols only.
    """
    cleaning, membership = cleaning or CleaningSettings(), membership or UniverseSettings()
    top = universe_size(universe)
    bars, by_instrument = _cleaned(raw, info, cleaning, memory)
    symbols = np.concatenate(bars.symbols)
    traded = bars.matrix("traded", np.concatenate(bars.symbol_of), len(symbols))
    member_by_symbol = members(traded, bars.calendar, top, membership)
    del traded
    labels, missing_groups = _labels(groups, symbols)
    names, symbol_of_column, column_of_piece = _columns(bars, symbols, labels)

    column, row = column_of_piece[np.concatenate(bars.piece_of)], np.concatenate(bars.rows)
    first, last = _lives(row, column, len(names))
    days = np.arange(len(bars.calendar))[:, None]
    member = member_by_symbol[:, symbol_of_column]
    member &= (days >= first) & (days <= last)
    fields = {name: bars.matrix(name, column, len(names)) for name in bars.field_names}
    layout = Layout(bars.calendar, symbols, symbol_of_column, first, last)
    vectors, lost_events = _vectors(events, layout, by_instrument)
    panel = Panel.assemble(
        bars.calendar,
        names,
        fields,
        PanelInfo(
            market_id=info.market_id,
            market=info.market,
            source=info.source,
            synthetic=info.synthetic,
            universe=f"TOP{top}",
            adjusted_as_of=info.adjusted_as_of,
            survivors_only=info.survivors_only,
            vwap="given" if "vwap" in bars.optional else "(high+low+close)/3",
            warnings=(*info.warnings, *missing_groups, *lost_events),
            settings={"cleaning": dataclasses.asdict(cleaning), "universe": dataclasses.asdict(membership)},
        ),
        member=member,
        groups={level: _codes(values[symbol_of_column]) for level, values in labels.items()},
        vectors=vectors,
    )
    silent = tuple(f"{name} has no event of a member." for name, held in panel.vectors.items() if not len(held.values))
    panel = dataclasses.replace(panel, info=dataclasses.replace(panel.info, warnings=(*panel.info.warnings, *silent)))
    report = bars.report(
        by_instrument=by_instrument,
        columns=len(names),
        missing_bars=int((last - first + 1).sum() - len(row)),
        warnings=(*missing_groups, *lost_events, *silent),
    )
    quarantine = pl.concat(bars.quarantine).sort("instrument", "date", maintain_order=True)
    return Built(panel, quarantine, report)


@dataclass
class _Bars:
    """Cleaned bars of all batches so far, as flat arrays; pieces and symbols are numbered as they come."""

    calendar: NDArray[np.datetime64]
    optional: tuple[str, ...]
    volume_unadjusted: bool
    rows: list[NDArray[np.int32]] = field(default_factory=list)
    symbol_of: list[NDArray[np.int32]] = field(default_factory=list)
    piece_of: list[NDArray[np.int32]] = field(default_factory=list)
    values: dict[str, list[NDArray[np.float32]]] = field(default_factory=dict)
    symbols: list[NDArray[np.str_]] = field(default_factory=list)
    pieces: list[tuple[int, int]] = field(default_factory=list)  # (symbol number, piece number)
    quarantine: list[pl.DataFrame] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    zero_volume: int = 0

    @property
    def field_names(self) -> list[str]:
        names = ["open", "high", "low", "close", "volume", "vwap"]
        return [*names, "cap"] if "cap" in self.optional else names

    def add(self, raw: pl.DataFrame, settings: CleaningSettings) -> None:
        """Clean one batch and keep what stays."""
        cleaned = clean(raw, self.calendar, settings)
        self.quarantine.append(cleaned.quarantine)
        self.cuts.extend(cleaned.cuts)
        frame = cleaned.bars
        if frame.is_empty():
            return
        self.zero_volume += int((frame["volume"] == 0).sum())
        symbol = frame["instrument"].rle_id().to_numpy().astype(np.int32) + sum(map(len, self.symbols))
        piece = frame.select(pl.struct("instrument", "piece").rle_id()).to_series().to_numpy().astype(np.int32)
        begins = np.flatnonzero(np.diff(piece, prepend=-1))
        numbers = frame["piece"].to_numpy()[begins]
        piece += len(self.pieces)
        self.pieces.extend(zip(symbol[begins].tolist(), numbers.tolist(), strict=True))
        self.symbols.append(frame["instrument"].unique(maintain_order=True).to_numpy().astype(np.str_))
        self.rows.append(frame["row"].to_numpy())
        self.symbol_of.append(symbol)
        self.piece_of.append(piece)
        for name, values in frame.select(self._adjusted()).cast(pl.Float32).to_dict().items():
            self.values.setdefault(name, []).append(values.to_numpy())

    def _adjusted(self) -> list[pl.Expr]:
        """All prices times adj_close / close; volume in shares of the adjusted kind; traded value as quoted."""
        factor = pl.col("adj_close") / pl.col("close")
        typical = (pl.col("high") + pl.col("low") + pl.col("close")) / 3
        vwap = pl.col("vwap") if "vwap" in self.optional else typical
        volume = pl.col("volume") / factor if self.volume_unadjusted else pl.col("volume")
        expressions = [(pl.col(name) * factor).alias(name) for name in ("open", "high", "low")]
        expressions += [pl.col("adj_close").alias("close"), volume.alias("volume"), (vwap * factor).alias("vwap")]
        expressions += [pl.col("cap")] if "cap" in self.optional else []
        return [*expressions, (pl.col("close") * pl.col("volume")).alias("traded")]

    def matrix(self, name: str, column: NDArray[np.integer], columns: int) -> FloatMatrix:
        """float32 [T, columns] of one kept value, NaN where there is no bar. Its flat arrays are let go."""
        out = np.full((len(self.calendar), columns), np.nan, np.float32)
        parts, at = self.values.pop(name), 0
        for rows, part in zip(self.rows, parts, strict=True):
            out[rows, column[at : at + len(part)]] = part
            at += len(part)
        return out

    def report(
        self, *, by_instrument: pl.DataFrame, columns: int, missing_bars: int, warnings: tuple[str, ...]
    ) -> QualityReport:
        out = dict.fromkeys((rule for rule in RULES if rule not in CUTTING_RULES), 0)
        for frame in self.quarantine:
            out |= {rule: out[rule] + rows for rule, rows in frame.group_by("rule").len().iter_rows()}
        kept = {str(name) for part in self.symbols for name in part}
        named = by_instrument["instrument"].drop_nulls().to_list()
        return QualityReport(
            rows_in=int(by_instrument["bars"].sum()),
            rows_out=sum(map(len, self.rows)),
            quarantined=out,
            cuts=tuple(sorted(self.cuts, key=lambda cut: (cut.instrument, cut.date))),
            instruments_in=len(named),
            instruments_out=columns,
            dropped=tuple(sorted(set(named) - kept)),
            missing_bars=missing_bars,
            zero_volume_bars=self.zero_volume,
            warnings=warnings,
        )


def _cleaned(
    raw: pl.LazyFrame, info: SourceInfo, settings: CleaningSettings, memory: int
) -> tuple[_Bars, pl.DataFrame]:
    """All bars that stay, and the number of raw ones per instrument (instrument, bars)."""
    present = raw.collect_schema().names()
    optional = [name for name in OPTIONAL if name in present]
    values = [pl.col(name).cast(pl.Float64, strict=False) for name in (*COLUMNS[2:], *optional)]
    raw = raw.select("date", "instrument", *values)
    by_instrument, by_date = pl.collect_all(
        [
            raw.group_by("instrument").agg(bars=pl.len()),
            raw.filter(pl.col("date").is_not_null()).group_by("date").agg(bars=pl.len()),
        ],
        engine="streaming",
    )
    if by_date.is_empty():
        raise BadInput("there are no rows", info.market_id, "check the file, and the dates asked for")
    calendar = trading_days(by_date, settings)
    bars = _Bars(calendar=calendar, optional=tuple(optional), volume_unadjusted=info.volume_unadjusted)
    for part in _batches(raw, by_instrument, memory):
        bars.add(part, settings)
    if not bars.rows:
        raise BadInput("no row survives cleaning", info.market_id, "look at the quarantine's rules and at the file")
    return bars, by_instrument


def _batches(raw: pl.LazyFrame, by_instrument: pl.DataFrame, memory: int) -> Iterator[pl.DataFrame]:
    """`raw` in ranges of instrument names, whole histories each, so that cleaning one fits a third of `memory`."""
    limit = int(np.clip(memory / 3 / BYTES_PER_ROW, *BATCH_ROWS))
    counts = by_instrument.drop_nulls("instrument").sort("instrument")
    if by_instrument["bars"].sum() <= limit:
        yield raw.collect()
        return
    nameless = raw.filter(pl.col("instrument").is_null()).collect(engine="streaming")
    if not nameless.is_empty():
        yield nameless
    names, bars = counts["instrument"].to_list(), counts["bars"].to_list()
    begin = 0
    while begin < len(names):
        end, rows = begin, 0
        while end < len(names) and (end == begin or rows + bars[end] <= limit):
            rows += bars[end]
            end += 1
        yield raw.filter(pl.col("instrument").is_between(pl.lit(names[begin]), pl.lit(names[end - 1]))).collect(
            engine="streaming"
        )
        begin = end


def _columns(
    bars: _Bars, symbols: NDArray[np.str_], labels: dict[str, NDArray[np.str_]]
) -> tuple[NDArray[np.str_], NDArray[np.int64], NDArray[np.int64]]:
    """The panel's columns, one per piece, sorted by group and name: names, symbol of each, and column of each piece."""
    names = np.array([piece_name(str(symbols[symbol]), piece) for symbol, piece in bars.pieces])
    symbol_of_piece = np.array([symbol for symbol, _ in bars.pieces])
    order = np.lexsort([names, *(labels[level][symbol_of_piece] for level in reversed(labels))])
    column_of_piece = np.empty(len(order), np.int64)
    column_of_piece[order] = np.arange(len(order))
    return names[order], symbol_of_piece[order], column_of_piece


def _lives(
    row: NDArray[np.int32], column: NDArray[np.int64], columns: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last row of each column."""
    first, last = np.full(columns, np.iinfo(np.int32).max, np.int64), np.full(columns, -1, np.int64)
    np.minimum.at(first, column, row)
    np.maximum.at(last, column, row)
    return first, last


def _labels(
    groups: pl.DataFrame | None, symbols: NDArray[np.str_]
) -> tuple[dict[str, NDArray[np.str_]], tuple[str, ...]]:
    """Nested labels of each symbol per given level, coarsest first; and a warning when some are unknown."""
    if groups is None:
        return {}, ()
    given = [level for level in LEVELS if level in groups.columns]
    if not given:
        return {}, ()
    wanted = pl.DataFrame({"instrument": symbols.tolist()}, schema={"instrument": pl.String})
    joined = wanted.join(groups.unique("instrument", keep="first"), on="instrument", how="left", maintain_order="left")
    labels: dict[str, NDArray[np.str_]] = {}
    path = np.array([""] * len(symbols), dtype=object)
    for level in given:
        own = joined[level].cast(pl.String).str.strip_chars().replace("", None).fill_null(UNKNOWN).to_numpy()
        path = own if level == given[0] else path + "/" + own
        labels[level] = path.astype(np.str_)
    unknown = int((labels[given[0]] == UNKNOWN).sum())
    text = f"{unknown} of {len(symbols)} instruments have no {given[0]}: they form a group of their own."
    return labels, (text,) if unknown else ()


def _vectors(
    events: EventTable | None, layout: Layout, by_instrument: pl.DataFrame
) -> tuple[dict[str, Vectors], tuple[str, ...]]:
    """Vector fields, not yet pasteurized, and warnings about events left out."""
    if events is None:
        return {}, ()
    vectors, lost = lay_out(events, layout, by_instrument["instrument"].drop_nulls().to_list())
    return vectors, (*events.warnings, *lost)


def _codes(labels: NDArray[np.str_]) -> NDArray[np.int32]:
    """Codes 0..G-1 of sorted labels, in their order."""
    return np.unique(labels, return_inverse=True)[1].astype(np.int32)
