"""The export set of a generation run: mutually different, new to the pool, in files and in the ledger."""

from collections.abc import Mapping, Sequence

import dagster as dg
import polars as pl

from alpha_pipeline.evaluator import Trial
from alpha_pipeline.export import ManualExporter
from alpha_pipeline.export.select import choose
from alpha_pipeline.ledger import METRICS
from alpha_pipeline.orchestration.assets.validation import SCHEMA, asset_name, passed_on
from alpha_pipeline.orchestration.charts import as_markdown, cumulative_profit
from alpha_pipeline.orchestration.listings import alphas_table
from alpha_pipeline.orchestration.partitions import GENERATION_RUNS
from alpha_pipeline.orchestration.records import accepted_frame, accepted_pnl_frame, file_name, now, record_of
from alpha_pipeline.orchestration.workbench import Workbench
from alpha_pipeline.validate import FUNNEL

LAST = len(FUNNEL)
SHOWN = 5  # lines of the chart
LISTED = 10  # rows of the table; the files hold all
EXPORT_SCHEMA: dict[str, type[pl.DataType]] = {
    "alpha_id": pl.String,
    "expression": pl.String,
    **METRICS,
    "days": pl.Int64,
    "sharpe_one_day_later": pl.Float64,
}


@dg.asset(
    partitions_def=GENERATION_RUNS,
    backfill_policy=dg.BackfillPolicy.multi_run(1),
    ins={"batch": dg.AssetIn(asset_name(LAST, FUNNEL[-1]))},
    group_name="export",
    kinds={"deltalake", "json"},
    owners=["team:research"],
    code_version="1",
)
def export_set(
    context: dg.AssetExecutionContext, batch: pl.DataFrame, workbench: dg.ResourceParam[Workbench]
) -> dg.Output[pl.DataFrame]:
    """What the run hands over: best Sharpe first, no two correlated above 0.7, none too close to the pool.

    The pool is asked once more under its lock, since others may have joined it while this run was at work. Verdicts of
    the run and its accepted alphas are entered in the ledger, and the export files are written.
    """
    key = context.partition_key
    run = workbench.run(key)
    limits = run.bench.thresholds
    passed = passed_on(batch, LAST, run, workbench)
    trials = run.evaluator.evaluate_many([node for text in passed["expression"] if (node := run.revive(text).node)])
    selection = choose(trials, limits.correlation)
    timestamp = now()
    records = {trial.alpha_id: record_of(trial, run, timestamp) for trial in selection.chosen}
    commit = workbench.ledger.commit_accepted(
        key,
        run.record.pool_key,
        accepted_frame(selection.chosen, list(records.values()), run),
        accepted_pnl_frame(selection.chosen, run),
        limits.correlation,
        limits.common_days,
    )
    lost = dict(zip(commit.losers["alpha_id"], commit.losers["reason"], strict=True))
    exported = [trial for trial in selection.chosen if trial.alpha_id not in lost]
    kept = [records[trial.alpha_id] for trial in exported]
    exporter = ManualExporter(workbench.home.exports, file_name(key, run.panel.info))
    files = {name: str(exporter.export_to_file(kept, name)) for name in ("json", "csv")}
    above = f"correlated above {limits.correlation:g} with"
    reasons = {alpha: f"{above} {rival}" for alpha, rival in selection.refused.items()}
    choice = choice_verdicts(trials, reasons | lost)
    workbench.ledger.commit_verdicts(key, pl.concat([run_verdicts(workbench, key), choice]))

    refused = {
        f"{above} a better one of this run": len(selection.refused),
        "too close to an alpha that joined the pool meanwhile": len(lost),
    }
    rows = [
        {
            "alpha_id": trial.alpha_id,
            "expression": records[trial.alpha_id].expression,
            **trial.metrics.to_dict(),
            "sharpe_one_day_later": trial.sharpe_one_day_later,
        }
        for trial in exported
    ]
    label = run.record.label
    title = f"{label} export set, best {min(SHOWN, len(exported))} of {len(exported)}, search window".strip()
    days = run.panel.dates[run.evaluator.windows.search]
    profits = {trial.alpha_id: trial.pnl for trial in exported[:SHOWN]}
    frame = pl.DataFrame(rows, infer_schema_length=None) if rows else pl.DataFrame(schema=EXPORT_SCHEMA)
    return dg.Output(
        frame,
        metadata={
            "market": label or "real prices",
            "exported": len(exported),
            "profit_chart": dg.MetadataValue.md(as_markdown(cumulative_profit(days, profits, title), title)),
            "best_alphas": alphas_table([(t.expression, t.metrics) for t in exported[:LISTED]]),
            "json": dg.MetadataValue.path(files["json"]),
            "csv": dg.MetadataValue.path(files["csv"]),
            "refused": dg.MetadataValue.json({reason: count for reason, count in refused.items() if count}),
            "best": dg.MetadataValue.json(rows[:25]),
            "warnings": dg.MetadataValue.json(list(run.panel.info.warnings)),
        },
    )


def run_verdicts(workbench: Workbench, key: str) -> pl.DataFrame:
    """The verdicts of all stages of a run, from the stages' own tables."""
    frames = []
    for number, stage in enumerate(FUNNEL, start=1):
        rows = workbench.lake.scan(asset_name(number, stage)).filter(pl.col("generation_run") == key).collect()
        columns = [name for name in SCHEMA if name not in ("position", "expression", "pins")]
        frames.append(
            rows.select(columns).with_columns(pl.lit(number, pl.Int64).alias("stage"), pl.lit(stage.name).alias("name"))
        )
    return pl.concat(frames)


def choice_verdicts(trials: Sequence[Trial], reasons: Mapping[str, str]) -> pl.DataFrame:
    """Rows after the eight stages, named `export_set`: who was exported, and why the others were not."""
    rows = [
        {
            "alpha_id": trial.alpha_id,
            "passed": trial.alpha_id not in reasons,
            "value": None,
            "threshold": None,
            "reason": reasons.get(trial.alpha_id),
            "stage": LAST + 1,
            "name": "export_set",
        }
        for trial in trials
    ]
    kinds = {name: SCHEMA[name] for name in ("alpha_id", "passed", "value", "threshold", "reason")}
    return pl.DataFrame(rows, schema={**kinds, "stage": pl.Int64, "name": pl.String})
