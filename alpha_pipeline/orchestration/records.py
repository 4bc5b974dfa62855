"""From a run's trials to export records and the ledger's rows, and back from the accepted pool."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from alpha_pipeline.evaluator import Trial
from alpha_pipeline.export import ExportRecord, Provenance
from alpha_pipeline.expression import export_text
from alpha_pipeline.ledger import METRICS, TABLES
from alpha_pipeline.market.panel import Panel, PanelInfo
from alpha_pipeline.orchestration.workbench import Run, Workbench


def now() -> str:
    """This moment as records write it: UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def file_name(name: str, info: PanelInfo) -> str:
    """The name of an export file: a simulated market's says so, since a CSV has no column to say it in."""
    return f"{info.label}-{name}" if info.label else name


def record_of(trial: Trial, run: Run, timestamp: str) -> ExportRecord:
    """The export record of a trial that passed all eight stages, PRICE_LEVEL among them."""
    pinned = run.record
    return ExportRecord(
        alpha_id=trial.alpha_id,
        expression=export_text(trial.node, run.bench.thresholds.profile),
        metrics=trial.metrics.to_dict(),
        settings=run.evaluator.settings,
        validation_status="PASSED",
        timestamp=timestamp,
        provenance=Provenance(
            generation_run=pinned.generation_run,
            generator=pinned.generator,
            seed=pinned.seed,
            data_version=pinned.data_version,
            code_version=pinned.code_version,
            pool_version=pinned.pool_version,
            source=pinned.source,
            synthetic=pinned.synthetic,
            label=pinned.label,
            price_level="PASS",
            metrics_full=trial.sealed.metrics["full"].to_dict(),
            sharpe_one_day_later=trial.sharpe_one_day_later,
            warnings=run.panel.info.warnings,
        ),
    )


def trials_frame(trials: Sequence[Trial], run: Run) -> pl.DataFrame:
    """The ledger's rows of a run's trials."""
    record = run.record
    rows = [
        {
            "market_id": record.market_id,
            "data_version": record.data_version,
            "alpha_id": trial.alpha_id,
            "expression": trial.expression,
            "generator": record.generator,
            "settings": record.settings,
            **trial.metrics.to_dict(),
            "sharpe_one_day_later": trial.sharpe_one_day_later,
            "finite_share": 1.0 - trial.missing,
            "error": None,
        }
        for trial in trials
    ]
    return pl.DataFrame(rows, schema=TABLES["trials"].columns)


def accepted_frame(trials: Sequence[Trial], records: Sequence[ExportRecord], run: Run) -> pl.DataFrame:
    """The ledger's rows of accepted alphas; `provenance` holds the whole export record."""
    rows = [
        {
            "alpha_id": trial.alpha_id,
            "expression": trial.expression,
            "settings": run.record.settings,
            "market_id": run.record.market_id,
            "data_version": run.record.data_version,
            **{name: trial.metrics.to_dict()[name] for name in METRICS},
            "provenance": json.dumps(record.to_dict(), sort_keys=True),
            "accepted_at": record.timestamp,
        }
        for trial, record in zip(trials, records, strict=True)
    ]
    return pl.DataFrame(rows, infer_schema_length=None) if rows else pl.DataFrame(schema=TABLES["accepted"].columns)


def accepted_pnl_frame(trials: Sequence[Trial], run: Run) -> pl.DataFrame:
    """Daily profit of accepted alphas on search and gate days, from the first that each has profit on."""
    days = run.evaluator.windows.named("full")
    search = run.evaluator.windows.search.stop
    frames = []
    for trial in trials:
        rows = range(max(days.start, trial.first_day), days.stop)
        frames.append(
            pl.DataFrame(
                {
                    "alpha_id": [trial.alpha_id] * len(rows),
                    "date": pl.Series(run.panel.dates[rows.start : rows.stop]).cast(pl.Date),
                    "pnl": trial.sealed.pnl[rows.start : rows.stop],
                    "search": [row < search for row in rows],
                }
            )
        )
    return pl.concat(frames) if frames else pl.DataFrame(schema=TABLES["accepted_pnl"].columns)


def accepted_records(workbench: Workbench, panel: Panel) -> list[ExportRecord]:
    """The export records of all alphas accepted on a panel's market under the present settings, best Sharpe first."""
    key = workbench.pool(workbench.evaluator(panel)).key
    rows = workbench.ledger.pool(key).sort(["sharpe", "alpha_id"], descending=[True, False])
    where = f"accepted alphas of {panel.info.market_id}"
    return [ExportRecord.from_dict(json.loads(text), where) for text in rows["provenance"]]
