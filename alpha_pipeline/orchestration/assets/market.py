"""Raw prices by month, and the panel made of all of them."""

import hashlib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl

from alpha_pipeline import progress
from alpha_pipeline.errors import BadInput
from alpha_pipeline.home import code_version
from alpha_pipeline.market.build import build_panel
from alpha_pipeline.market.panel import Panel
from alpha_pipeline.market.sources.base import COLUMNS, OPTIONAL, Source
from alpha_pipeline.market.universe import UniverseSettings
from alpha_pipeline.orchestration.listings import table
from alpha_pipeline.orchestration.partitions import MONTHS
from alpha_pipeline.orchestration.reporting import reporting
from alpha_pipeline.orchestration.workbench import Workbench
from alpha_pipeline.settings import Settings

RAW_PRICES = "raw_prices"
QUARANTINE = "quarantine"
SYNTHETIC = "SYNTHETIC"
OWNERS = ["team:data"]


class MarketConfig(dg.Config):
    """Which prices; what is left out is taken from the settings."""

    source: str | None = None
    path: str | None = None
    groups: str | None = None
    events: str | None = None
    universe: str | None = None

    def open(self, workbench: Workbench) -> Source:
        """The price source."""
        settings = workbench.settings
        kind, path = self.source or settings.source, self.path or settings.path
        return workbench.source(kind, path, self.groups or settings.groups, self.events or settings.events)


def ingest_key(source: Source, groups: str | None, events: str | None, universe: str, settings: Settings) -> str:
    """A key over everything that decides a panel; equal keys need not be ingested twice."""
    files = [
        hashlib.sha256(Path(path).expanduser().read_bytes()).hexdigest() if path else None for path in (groups, events)
    ]
    months = [str(day) for day in source.months()]
    rules = [repr(settings.cleaning), repr(settings.membership), code_version()]
    parts = [source.describe().market_id, months, *files, universe, *rules]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _years(months: list[str]) -> Iterator[tuple[date, date]]:
    """First and last day of each calendar year's part of the wanted months (YYYY-MM-DD keys, ascending)."""
    for year in sorted({int(month[:4]) for month in months}):
        wanted = [int(month[5:7]) for month in months if int(month[:4]) == year]
        last = max(wanted)
        end = date(year, 12, 31) if last == 12 else date.fromordinal(date(year, last + 1, 1).toordinal() - 1)
        yield date(year, min(wanted), 1), end


@dg.asset(
    partitions_def=MONTHS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="market",
    kinds={"polars", "deltalake"},
    owners=OWNERS,
    code_version="1",
)
def raw_prices(
    context: dg.AssetExecutionContext, config: MarketConfig, workbench: dg.ResourceParam[Workbench]
) -> dg.MaterializeResult[None]:
    """Daily bars as the source gives them, uncleaned, one table partition per market and month."""
    source = config.open(workbench)
    info = source.describe()
    first, last = source.months()
    wanted = [key for key in context.partition_keys if f"{first:%Y-%m}" <= key[:7] <= f"{last:%Y-%m}"]
    if not wanted:
        asked = f"{context.partition_keys[0][:7]} to {context.partition_keys[-1][:7]}"
        raise BadInput(f"no prices from {asked}", info.market_id, f"ask for months of {first:%Y-%m} to {last:%Y-%m}")
    with reporting(context.log):
        by_month = _store(source, wanted, workbench)
    return dg.MaterializeResult(
        metadata={
            "market": SYNTHETIC if info.synthetic else "real prices",
            "market_id": info.market_id,
            "rows": sum(by_month.values()),
            "months": len(by_month),
            "rows_by_month": table({"month": "string", "rows": "int"}, sorted(by_month.items())),
            "source": info.source,
            "synthetic": info.synthetic,
            "warnings": dg.MetadataValue.json(list(info.warnings)),
        }
    )


def _store(source: Source, months: list[str], workbench: Workbench) -> dict[str, int]:
    """Put the bars of some months into the lake, a year at a time; how many, by month (YYYY-MM)."""
    market_id, listener = source.describe().market_id, progress.current()
    rows: dict[str, int] = {}
    listener.begin("reading prices", len(months))
    try:
        for start, end in _years(months):
            year = _as_stored(source.read(start, end).collect())
            for (name,), bars in year.group_by(pl.col("date").dt.strftime("%Y-%m")):
                if f"{name}-01" in months:
                    workbench.lake.replace(RAW_PRICES, bars, market_id=market_id, month=str(name))
                    rows[str(name)] = bars.height
                    listener.advance(1, f"{sum(rows.values()):,} rows")
    finally:
        listener.end()
    return rows


def _as_stored(bars: pl.DataFrame) -> pl.DataFrame:
    """Bars with all columns that some source has: the lake's table takes the bars of every market."""
    lacking = [pl.lit(None, pl.Float64).alias(name) for name in OPTIONAL if name not in bars.columns]
    return bars.with_columns(lacking).select(*COLUMNS, *OPTIONAL)


def _held_bars(source: Source, workbench: Workbench) -> pl.LazyFrame:
    """The bars of a source's market that the lake holds, without the columns that the source lacks."""
    columns = source.read(*source.months()).collect_schema().names()
    held = workbench.lake.scan(RAW_PRICES).filter(pl.col("market_id") == source.describe().market_id)
    return held.select(columns)


def _check_members(panel: Panel, membership: UniverseSettings) -> None:
    """Refuse a panel on which nothing could ever be traded."""
    if not panel.universe.any():
        mend = (
            f"it takes {membership.min_observations} days of bars before a month and {membership.floor:,.0f} traded a "
            "day (setting ALPHA_MEMBERSHIP__FLOOR)"
        )
        what = f"no instrument is ever in the universe {panel.info.universe}"
        raise BadInput(what, panel.info.market_id, mend)


def held_months(source: Source, workbench: Workbench) -> tuple[list[str], bool]:
    """The months (YYYY-MM) of a source's market that the lake holds, ascending, and whether they are all it has.

    Raises:
        BadInput: none, or a month between two of them that the source has bars of: days would be missing inside the
            panel, and its returns would jump over them.
    """
    market_id = source.describe().market_id
    mend = "materialize raw_prices for it, or run `alpha-pipeline ingest`"
    months: list[str] = []
    if workbench.lake.exists(RAW_PRICES):
        rows = workbench.lake.scan(RAW_PRICES).filter(pl.col("market_id") == market_id)
        months = rows.select(pl.col("month").unique().sort()).collect()["month"].to_list()
    if not months:
        raise BadInput("no month of raw prices is held", market_id, mend)
    first, last = source.months()
    for month in _months(first, last):
        name = f"{month:%Y-%m}"
        if name not in months and (months[0] < name < months[-1]) and _has_bars(source, month):
            raise BadInput(f"raw prices of {name} are missing between others", market_id, mend)
    return months, months[0] <= f"{first:%Y-%m}" and months[-1] >= f"{last:%Y-%m}"


def _months(first: date, last: date) -> Iterator[date]:
    """The first day of each month from the one of `first` to that of `last`."""
    for number in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        yield date(number // 12, number % 12 + 1, 1)


def _has_bars(source: Source, month: date) -> bool:
    after = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    return source.read(month, date.fromordinal(after.toordinal() - 1)).head(1).collect().height > 0


@dg.asset(
    deps=[raw_prices],
    backfill_policy=dg.BackfillPolicy.single_run(),  # lets one command take a range of months and the panel
    group_name="market",
    kinds={"polars", "numpy"},
    owners=OWNERS,
    code_version="1",
)
def cleaned_panel(
    context: dg.AssetExecutionContext, config: MarketConfig, workbench: dg.ResourceParam[Workbench]
) -> dg.MaterializeResult[None]:
    """The market as a panel of dates × instruments: cleaned by named rules, cut to a universe, memory-mapped.

    Made of the months of raw prices that are held. Bad rows go to the table `quarantine` with rule and reason. The new
    panel becomes the current one.
    """
    settings = workbench.settings
    source = config.open(workbench)
    info = source.describe()
    universe = config.universe or settings.universe
    months, whole = held_months(source, workbench)
    raw = _held_bars(source, workbench)
    with reporting(context.log):
        listener = progress.current()
        listener.begin("cleaning, building the panel", 1)
        built = build_panel(
            raw,
            source.groups(),
            info,
            events=source.events(),
            universe=universe,
            cleaning=settings.cleaning,
            membership=settings.membership,
            memory=settings.memory,
        )
        _check_members(built.panel, settings.membership)
        panel = built.panel.write(workbench.home.panel_folder(built.panel.version))
        listener.advance(1, "")
        listener.end()
    workbench.lake.replace(QUARANTINE, built.quarantine, market_id=info.market_id)
    workbench.home.make_current(panel.version)
    if whole:
        groups, events = config.groups or settings.groups, config.events or settings.events
        workbench.home.remember(ingest_key(source, groups, events, universe, settings), panel.version)
    report = built.report
    return dg.MaterializeResult(
        metadata={
            "market": panel.info.label or "real prices",
            "data_version": panel.version,
            "months": len(months),
            "whole": whole,
            "dates": panel.shape[0],
            "instruments": panel.shape[1],
            "first": str(panel.dates[0]),
            "last": str(panel.dates[-1]),
            "universe": universe,
            "quality": table({"rule": "string", "rows quarantined": "int"}, list(report.quarantined.items())),
            "report": dg.MetadataValue.json(report.to_dict()),
            "warnings": dg.MetadataValue.json(list(panel.info.warnings)),
        },
        data_version=dg.DataVersion(panel.version),
    )
