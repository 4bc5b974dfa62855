"""The candidate batch of a generation run: every distinct expression it proposed."""

import hashlib
import json
from dataclasses import asdict

import dagster as dg
import polars as pl

from alpha_pipeline.errors import BadInput
from alpha_pipeline.generate import RewardWeights, SearchSettings, make_generator
from alpha_pipeline.generate.memory.front import pareto_front
from alpha_pipeline.generate.memory.styles import style_profits
from alpha_pipeline.generate.propose import propose
from alpha_pipeline.home import write_atomically
from alpha_pipeline.journal import Journal
from alpha_pipeline.orchestration.assets.market import cleaned_panel
from alpha_pipeline.orchestration.charts import as_markdown
from alpha_pipeline.orchestration.learning import (
    CURVES,
    FRONT,
    JOURNAL,
    LEARNED,
    SIFTED,
    digest,
    front_chart,
    front_table,
    learned_folder,
    learning_chart,
    leave_behind,
    take_up,
    write_curves,
    write_verdicts,
)
from alpha_pipeline.orchestration.listings import alphas_table
from alpha_pipeline.orchestration.partitions import GENERATION_RUNS
from alpha_pipeline.orchestration.records import trials_frame
from alpha_pipeline.orchestration.reporting import reporting
from alpha_pipeline.orchestration.workbench import Run, Workbench


class GenerationConfig(dg.Config):
    """What to mine; what is left out is taken from the settings, the seed from the partition's key.

    `start_from` names a run, or a folder, whose learners this run goes on from. `resume` goes on with the run itself,
    as it was pinned when it was interrupted; everything else is left out then.
    """

    generator: str | None = None
    candidates: int | None = None
    seed: int | None = None
    panel: str | None = None
    start_from: str | None = None
    critic: bool | None = None
    resume: bool = False


def seed_of(key: str) -> int:
    """The seed of a run that names none: a number from its key, so that every run searches elsewhere."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big")


def _start(key: str, config: GenerationConfig, workbench: Workbench) -> Run:
    """A fresh run, pinned."""
    settings, home = workbench.settings, workbench.home
    seed = config.seed if config.seed is not None else settings.seed
    start_from = config.start_from or settings.start_from
    search = {
        "deepest": max(1, min(SearchSettings.deepest, settings.thresholds.depth)),
        "reward": asdict(settings.reward),
        "start_from": start_from,
        "critic": settings.critic if config.critic is None else config.critic,
        "learned": digest(learned_folder(home, start_from)) if start_from else None,
    }
    return workbench.start(
        key,
        config.generator or settings.generator,
        seed_of(key) if seed is None else seed,
        config.candidates or settings.candidates,
        home.panel(config.panel),
        search,
    )


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
    key, home = context.partition_key, workbench.home
    run = workbench.resume(key) if config.resume else _start(key, config, workbench)
    record, evaluator, limits = run.record, run.evaluator, run.bench.thresholds
    search = json.loads(record.search)
    folder = home.run_folder(key)
    generator = make_generator(
        record.generator,
        record.seed,
        evaluator.available,
        limits.profile,
        SearchSettings(budget=record.candidates, deepest=search["deepest"]),
        run.pool.matrix() if run.pool.alpha_ids else None,
        limits,
        style_profits(evaluator),
        RewardWeights(**search["reward"]),
        search["critic"],
    )
    trained = 0
    if search["start_from"] is not None:
        learned = learned_folder(home, search["start_from"])
        if digest(learned) != search["learned"]:
            what = f"what is learned in {learned} is not what it began with"
            raise BadInput(what, f"generation run {key}", "put that back, or start a new run")
        trained = take_up(generator, learned)
    journal = Journal(folder / JOURNAL / record.pins)
    if not config.resume:
        journal.clear()
    with reporting(context.log):
        proposals = propose(generator, evaluator, record.candidates, journal)
    if not proposals.stopped:
        journal.clear()
    leave_behind(generator, folder / LEARNED)
    write_curves(generator.history, folder / CURVES)
    if search["critic"]:
        write_verdicts(generator.verdicts, folder / SIFTED)
    label = f"{record.label} {record.generator}".strip()
    learning = learning_chart(generator.history, f"{label}: rewards, search window")
    front = pareto_front(generator.memory.archive)
    pareto = front_chart(front, f"{label}: Pareto front, search window")
    write_atomically(folder / FRONT, pareto)
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
            "evaluations": evaluator.evaluations + trained,
            "evaluations_trained": trained,
            "learning_chart": dg.MetadataValue.md(as_markdown(learning, "rewards")),
            "pareto_chart": dg.MetadataValue.md(as_markdown(pareto, "Pareto front")),
            "pareto_front": front_table(front),
            "curves": dg.MetadataValue.path(str(folder / CURVES)),
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
