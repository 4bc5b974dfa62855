"""The candidate batch of a generation run: every distinct expression it proposed."""

import hashlib

import dagster as dg
import polars as pl

from alpha_pipeline.generate import SearchSettings, make_generator
from alpha_pipeline.generate.propose import propose
from alpha_pipeline.orchestration.assets.market import cleaned_panel
from alpha_pipeline.orchestration.partitions import GENERATION_RUNS
from alpha_pipeline.orchestration.plots import alphas_table
from alpha_pipeline.orchestration.records import trials_frame
from alpha_pipeline.orchestration.reporting import reporting
from alpha_pipeline.orchestration.workbench import Workbench


class GenerationConfig(dg.Config):
    """What to mine; what is left out is taken from the settings, the seed from the partition's key."""

    generator: str | None = None
    candidates: int | None = None
    seed: int | None = None
    panel: str | None = None


def seed_of(key: str) -> int:
    """The seed of a run that names none: a number from its key, so that every run searches elsewhere."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big")


@dg.asset(
    partitions_def=GENERATION_RUNS,
    backfill_policy=dg.BackfillPolicy.multi_run(1),
    deps=[cleaned_panel],
    group_name="generation",
    kinds={"numba", "deltalake"},
    owners=["team:research"],
    code_version="1",
)
def candidate_batch(
    context: dg.AssetExecutionContext, config: GenerationConfig, workbench: dg.ResourceParam[Workbench]
) -> dg.Output[pl.DataFrame]:
    """All distinct expressions the generator proposed in this run, good or bad; nothing is pre-selected.

    Configure generator, candidates, seed and panel in the launchpad; what is left out comes from the settings, the
    seed from the partition's key. What decides the result is pinned in the table `generation_runs`.
    """
    settings = workbench.settings
    key = context.partition_key
    seed = config.seed if config.seed is not None else settings.seed
    run = workbench.start(
        key,
        config.generator or settings.generator,
        seed_of(key) if seed is None else seed,
        config.candidates or settings.candidates,
        workbench.home.panel(config.panel),
    )
    record, evaluator, limits = run.record, run.evaluator, run.bench.thresholds
    generator = make_generator(
        record.generator,
        record.seed,
        evaluator.available,
        limits.profile,
        SearchSettings(budget=record.candidates, deepest=max(1, min(SearchSettings.deepest, limits.depth))),
        run.pool.matrix() if run.pool.alpha_ids else None,
        limits,
    )
    with reporting(context.log):
        proposals = propose(generator, evaluator, record.candidates)
    evaluator.rest()  # judging wants memory of its own
    trials = proposals.trials
    workbench.ledger.commit_trials(key, trials_frame(trials, run))
    frame = pl.DataFrame(
        {
            "position": range(len(trials)),
            "round": proposals.rounds,
            "alpha_id": [trial.alpha_id for trial in trials],
            "expression": [trial.expression for trial in trials],
        },
        schema={"position": pl.Int64, "round": pl.Int64, "alpha_id": pl.String, "expression": pl.String},
    ).with_columns(pl.lit(record.pins).alias("pins"))
    best = sorted(trials, key=lambda t: -t.metrics.fitness)[:10]
    return dg.Output(
        frame,
        metadata={
            "market": record.label or "real prices",
            "best_alphas": alphas_table([(t.expression, t.metrics) for t in best]),
            "proposed": len(trials),
            "evaluations": evaluator.evaluations,
            "mining_seconds": proposals.seconds,
            "candidates_per_hour": 3600 * len(trials) / max(proposals.seconds, 1e-9),
            "stopped": proposals.stopped,
            "exhausted": proposals.exhausted,
            "generator": record.generator,
            "seed": record.seed,
            "data_version": record.data_version,
            "warnings": dg.MetadataValue.json(list(run.panel.info.warnings)),
        },
    )
