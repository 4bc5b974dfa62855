"""The eight stages as assets, made from `FUNNEL`: each judges what the one before let through.

An asset's table holds everything the stage judged, with its verdict; the next stage takes the rows that passed.
"""

import time
from collections.abc import Iterator

import dagster as dg
import polars as pl

from alpha_pipeline.orchestration.charts import as_markdown, cumulative_profit
from alpha_pipeline.orchestration.listings import alphas_table, table
from alpha_pipeline.orchestration.partitions import GENERATION_RUNS
from alpha_pipeline.orchestration.workbench import Run, Workbench, left_from_earlier
from alpha_pipeline.validate import FUNNEL, Candidate, StageCount, Verdict, count, judge
from alpha_pipeline.validate.stages import Needs, Stage

SHOWN = 5  # best alphas in the chart and the table
OWNERS = ["team:research"]
KINDS = {"execution": {"numba"}, "correlation": {"duckdb", "sql"}, "performance": {"numpy"}}
SCHEMA = {
    "position": pl.Int64,
    "alpha_id": pl.String,
    "expression": pl.String,
    "passed": pl.Boolean,
    "value": pl.Float64,
    "threshold": pl.Float64,
    "reason": pl.String,
    "pins": pl.String,
}


def asset_name(number: int, stage: Stage) -> str:
    """`stage_1_syntax` and so on."""
    return f"stage_{number}_{stage.name}"


def build_stage_asset(number: int, stage: Stage, upstream: str) -> dg.AssetsDefinition:
    """The asset of stage `number`, reading the table of `upstream`."""
    name = asset_name(number, stage)

    @dg.asset(
        name=name,
        description=_description(number, stage),
        partitions_def=GENERATION_RUNS,
        backfill_policy=dg.BackfillPolicy.multi_run(1),
        ins={"batch": dg.AssetIn(upstream)},
        group_name="validation",
        kinds=KINDS.get(stage.name, {"python"}),
        owners=OWNERS,
        code_version="1",
        check_specs=[
            dg.AssetCheckSpec(
                "contract",
                asset=name,
                blocking=True,
                description="every candidate judged once, with a reason where rejected",
            ),
            dg.AssetCheckSpec("survivors", asset=name, description="something is left for the next stage"),
        ],
    )
    def stage_asset(
        context: dg.AssetExecutionContext, batch: pl.DataFrame, workbench: dg.ResourceParam[Workbench]
    ) -> Iterator[dg.Output[pl.DataFrame] | dg.AssetCheckResult]:
        run = workbench.run(context.partition_key)
        entered = passed_on(batch, number - 1, run, workbench)
        candidates = [_candidate(stage, run, text) for text in entered["expression"]]
        begun = time.perf_counter()
        verdicts = judge(number, candidates, run.bench) if candidates else []
        seconds = time.perf_counter() - begun
        judged = _table(entered, verdicts)
        if not stage.repeatable:
            judged = judged.with_columns(pl.lit(None, pl.Float64).alias("value"))
        counted = count(verdicts) if verdicts else StageCount(number, stage.name, 0, 0, {})
        yield dg.Output(judged, metadata=_metadata(counted, candidates, verdicts, run, seconds))
        repeated = judged.height - judged["alpha_id"].n_unique()
        unexplained = judged.filter(~pl.col("passed") & pl.col("reason").is_null()).height
        yield dg.AssetCheckResult(
            check_name="contract",
            passed=len(verdicts) == entered.height and not repeated and not unexplained,
            metadata={
                "in": entered.height,
                "verdicts": len(verdicts),
                "repeated": repeated,
                "rejected_without_reason": unexplained,
            },
        )
        yield dg.AssetCheckResult(
            check_name="survivors",
            passed=counted.left > 0,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"left": counted.left, "reasons": dg.MetadataValue.json(counted.reasons)},
        )

    return stage_asset


def passed_on(batch: pl.DataFrame, number: int, run: Run, workbench: Workbench) -> pl.DataFrame:
    """What stage `number` (0: the candidate batch) lets through, given its table.

    Raises:
        BadInput: the table is left from an earlier start of the run. Where it is empty, that shows in the tables before
            it: a stage has no rows only if nothing passed the one before.
    """
    names = ["candidate_batch", *(asset_name(n, stage) for n, stage in enumerate(FUNNEL, start=1))]
    own = run.own(batch, names[number])
    if own.is_empty():
        for name in names[: number + 1]:
            rows = workbench.lake.scan(name).filter(pl.col("generation_run") == run.record.generation_run).collect()
            if rows.is_empty() and name != names[0]:
                raise left_from_earlier(name, run.record.generation_run)
            if rows.is_empty() or ("passed" in run.own(rows, name).columns and not rows["passed"].any()):
                break
    return own.filter(pl.col("passed")) if "passed" in own.columns else own


def _table(entered: pl.DataFrame, verdicts: list[Verdict]) -> pl.DataFrame:
    """What entered with its verdicts; as many rows as have one, which the check `contract` holds against all."""
    judged = entered.head(len(verdicts)).select("position", "alpha_id", "expression", "pins")
    verdicts = verdicts[: judged.height]
    return judged.with_columns(
        pl.Series("passed", [v.passed for v in verdicts], pl.Boolean),
        pl.Series("value", [v.value for v in verdicts], pl.Float64),
        pl.Series("threshold", [v.threshold for v in verdicts], pl.Float64),
        pl.Series("reason", [v.reason for v in verdicts], pl.String),
    ).select(list(SCHEMA))


def _candidate(stage: Stage, run: Run, text: str) -> Candidate:
    """A fresh candidate where the stage is to read the text itself, else one that has passed what came before."""
    if stage.needs is Needs.TEXT:
        return run.fresh(text)
    return run.revive(text)


def _description(number: int, stage: Stage) -> str:
    before = "the candidate batch" if number == 1 else f"what stage {number - 1} let through"
    return (
        f"{stage.question} Judges {before}. The table holds a row per candidate with passed, value, threshold and "
        "reason; the next stage takes those that passed."
    )


def _metadata(
    counted: StageCount, candidates: list[Candidate], verdicts: list[Verdict], run: Run, seconds: float
) -> dict[str, dg.MetadataValue | int | float | str]:
    """Counts, why candidates were rejected, and for the stages that look at profit what the best of them earned."""
    passed = [c for c, v in zip(candidates, verdicts, strict=False) if v.passed]
    metadata: dict[str, dg.MetadataValue | int | float | str] = {
        "market": run.record.label or "real prices",
        "in": counted.entered,
        "out": counted.left,
        "judging_seconds": seconds,
        "rejected": table({"reason": "string", "candidates": "int"}, list(counted.reasons.items())),
        "reasons": dg.MetadataValue.json(counted.reasons),
    }
    trials = [c.trial for c in passed if c.trial is not None]
    if counted.name == "performance" and trials:
        best = sorted(trials, key=lambda t: (-t.metrics.sharpe, t.alpha_id))[:SHOWN]
        days = run.panel.dates[run.evaluator.windows.search]
        title = f"{run.record.label} best {len(best)} of {len(trials)} by Sharpe, search window".strip()
        chart = cumulative_profit(days, {t.alpha_id: t.pnl for t in best}, title)
        metadata["profit_chart"] = dg.MetadataValue.md(as_markdown(chart, title))
        metadata["best_alphas"] = alphas_table([(t.expression, t.metrics) for t in best])
    return metadata


def build_stage_assets() -> list[dg.AssetsDefinition]:
    """All eight, chained."""
    assets, upstream = [], "candidate_batch"
    for number, stage in enumerate(FUNNEL, start=1):
        assets.append(build_stage_asset(number, stage, upstream))
        upstream = asset_name(number, stage)
    return assets
