"""Raw prices by month, and the panel made of all of them."""

import hashlib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl

from alpha_pipeline import progress
from alpha_pipeline.market.build import build_panel
from alpha_pipeline.market.cleaning import CleaningSettings
from alpha_pipeline.market.sources.base import Source
from alpha_pipeline.orchestration.partitions import MONTHS
from alpha_pipeline.orchestration.plots import markdown_table
from alpha_pipeline.orchestration.workbench import Workbench

RAW_PRICES = "raw_prices"
QUARANTINE = "quarantine"


class MarketConfig(dg.Config):
    """Which prices; what is left out is taken from the settings."""

    source: str | None = None
    path: str | None = None
    groups: str | None = None
    universe: str | None = None

    def open(self, workbench: Workbench) -> Source:
        """The price source."""
        settings = workbench.settings
        kind = self.source or settings.source
        return workbench.source(kind, self.path or settings.path, self.groups or settings.groups)


def ingest_key(source: Source, groups: str | None, universe: str) -> str:
    """A key over everything that decides a panel; equal keys need not be ingested twice."""
    grouped = hashlib.sha256(Path(groups).read_bytes()).hexdigest() if groups else None
    months = [str(day) for day in source.months()]
    parts = [source.describe().market_id, months, grouped, universe, repr(CleaningSettings())]
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
    code_version="1",
)
def raw_prices(
    context: dg.AssetExecutionContext, config: MarketConfig, workbench: dg.ResourceParam[Workbench]
) -> dg.MaterializeResult[None]:
    """Daily bars as the source gives them, uncleaned, one table partition per market and month."""
    source = config.open(workbench)
    info = source.describe()
    first, last = source.months()
    held = [key for key in context.partition_keys if f"{first:%Y-%m}" <= key[:7] <= f"{last:%Y-%m}"]
    listener = progress.current()
    listener.begin("reading prices", len(held))
    rows = 0
    try:
        for start, end in _years(held):
            year = source.read(start, end).collect()
            for (name,), bars in year.group_by(pl.col("date").dt.strftime("%Y-%m")):
                if f"{name}-01" in held:
                    workbench.lake.replace(RAW_PRICES, bars, market_id=info.market_id, month=str(name))
                    rows += bars.height
                    listener.advance(1, f"{rows:,} rows")
    finally:
        listener.end()
    return dg.MaterializeResult(
        metadata={
            "market_id": info.market_id,
            "rows": rows,
            "months": len(held),
            "source": info.source,
            "synthetic": info.synthetic,
            "warnings": dg.MetadataValue.json(list(info.warnings)),
        }
    )


@dg.asset(deps=[raw_prices], group_name="market", kinds={"polars", "numpy"}, code_version="1")
def cleaned_panel(
    context: dg.AssetExecutionContext, config: MarketConfig, workbench: dg.ResourceParam[Workbench]
) -> dg.MaterializeResult[None]:
    """The market as a panel of dates × instruments: cleaned by named rules, cut to a universe, memory-mapped.

    Bad rows go to the table `quarantine` with rule and reason. The new panel becomes the current one.
    """
    settings = workbench.settings
    source = config.open(workbench)
    info = source.describe()
    universe = config.universe or settings.universe
    raw = workbench.lake.scan(RAW_PRICES).filter(pl.col("market_id") == info.market_id).drop("market_id", "month")
    listener = progress.current()
    listener.begin("cleaning, building the panel", 1)
    built = build_panel(raw, source.groups(), info, universe=universe, memory=settings.memory)
    panel = built.panel.write(workbench.home.panel_folder(built.panel.version))
    workbench.lake.replace(QUARANTINE, built.quarantine, market_id=info.market_id)
    workbench.home.make_current(panel.version)
    workbench.home.remember(ingest_key(source, config.groups or settings.groups, universe), panel.version)
    listener.advance(1, "")
    listener.end()
    report = built.report
    rules = [[rule, count] for rule, count in report.quarantined.items()]
    return dg.MaterializeResult(
        metadata={
            "data_version": panel.version,
            "label": panel.info.label or "real prices",
            "dates": panel.shape[0],
            "instruments": panel.shape[1],
            "first": str(panel.dates[0]),
            "last": str(panel.dates[-1]),
            "universe": universe,
            "quality": dg.MetadataValue.md(markdown_table(["rule", "rows quarantined"], rules)),
            "report": dg.MetadataValue.json(report.to_dict()),
            "warnings": dg.MetadataValue.json(list(panel.info.warnings)),
        },
        data_version=dg.DataVersion(panel.version),
    )
