"""`mine` and `ingest`: Dagster's jobs run in this process, with live progress, and what came of them."""

from __future__ import annotations

import argparse
import time
from typing import Any

from alpha_pipeline import progress
from alpha_pipeline.cli.display import DONE, INTERRUPTED, Listener, emit, say, show, show_table, warn
from alpha_pipeline.cli.interrupt import interruptible
from alpha_pipeline.cli.warming import backtest
from alpha_pipeline.engine.warmup import ensure_warm
from alpha_pipeline.errors import BadInput
from alpha_pipeline.home import Home
from alpha_pipeline.market.cleaning import RULES
from alpha_pipeline.orchestration.assets.validation import asset_name
from alpha_pipeline.orchestration.launch import Finished, Launcher
from alpha_pipeline.orchestration.learning import learned_folder
from alpha_pipeline.orchestration.workbench import Workbench
from alpha_pipeline.settings import Settings, load_settings
from alpha_pipeline.validate import FUNNEL
from alpha_pipeline.workers import peak_memory

BEST_SHOWN = 10
BEST_FIGURES = {"sharpe": ".2f", "fitness": ".2f", "turnover": ".1%", "returns": ".1%"}


def _settings(options: argparse.Namespace) -> Settings:
    prices = ("source", "path", "groups", "events", "universe")
    run = ("generator", "candidates", "seed", "start_from", "critic")
    names = ("home", *prices, *run, "memory", "workers", "device", "store")
    return load_settings(**{name: getattr(options, name, None) for name in names})


def _launcher(options: argparse.Namespace) -> Launcher:
    workbench = Workbench(_settings(options))
    workbench.home.check_writable()
    return Launcher(workbench)


def ingest(options: argparse.Namespace) -> int:
    """Read prices and make the panel current."""
    launcher = _launcher(options)
    begun = time.perf_counter()
    with Listener() as listener, progress.listening(listener):
        finished = interruptible(launcher.ingest, listener.stop)
    panel = finished.metadata["cleaned_panel"]
    report = panel["report"]
    if options.json:
        emit(
            {
                "data_version": panel["data_version"],
                "source": launcher.workbench.settings.source,
                "synthetic": launcher.workbench.home.panel().info.synthetic,
                "dates": panel["dates"],
                "instruments": panel["instruments"],
                "first": panel["first"],
                "last": panel["last"],
                "universe": panel["universe"],
                "quality": report,
                "warnings": panel["warnings"],
                "seconds": time.perf_counter() - begun,
                "peak_memory": peak_memory(),
            }
        )
        return DONE
    show_panel(finished)
    return DONE


def show_panel(finished: Finished) -> None:
    """A fresh panel and its quality, for people."""
    panel = finished.metadata["cleaned_panel"]
    report = panel["report"]
    warn(panel["warnings"])
    size = f"{panel['instruments']} instruments × {panel['dates']} days, {panel['first']} to {panel['last']}"
    rows = [[f"{rule}: {RULES[rule]}", f"{count:,}"] for rule, count in report["quarantined"].items() if count]
    rows += [["histories cut in two", f"{len(report['cuts']):,}"], ["rows kept", f"{report['rows_out']:,}"]]
    show_table(f"{panel['market']}: {size} (panel {panel['data_version']})", ["taken out by rule", "rows"], rows)


def current_market(home: Home) -> str | None:
    """Market and universe of the current panel, in words; None where there is none."""
    try:
        info = home.panel().info
    except BadInput:
        return None
    return f"{info.market} {info.universe}"


DECIDED = ("source", "path", "groups", "events", "universe", "generator", "candidates", "seed", "start_from", "critic")
"""Options that a run is pinned by."""


def mine(options: argparse.Namespace) -> int:
    """Run the pipeline for a new generation run, or go on with one."""
    if options.resume is not None:
        return resume(options)
    launcher = _launcher(options)
    if launcher.workbench.settings.start_from:
        learned_folder(launcher.workbench.home, launcher.workbench.settings.start_from)  # told before prices are read
    with Listener() as listener, progress.listening(listener):
        before = current_market(launcher.workbench.home)
        version, ingested = interruptible(launcher.ensure_panel, listener.stop)
        now = current_market(launcher.workbench.home)
        if before not in (None, now):
            say(f"note: the current panel was {before}, and is {now} from now on (--source, --path and so on choose)")
        if listener.stopped:
            say("stopped after the ingest; the panel is kept")
            return INTERRUPTED
        panel = launcher.workbench.home.panel(version)
        launcher.workbench.evaluator(panel)  # settings that do not fit this panel are told before a run is made
        ensure_warm(say, further={"backtest": backtest})
        begun = time.perf_counter()
        key = launcher.new_run()
        finished = interruptible(lambda: launcher.generate(key, version), listener.stop)
        seconds = time.perf_counter() - begun
    return tell(options, launcher, key, finished, seconds, ingested)


def resume(options: argparse.Namespace) -> int:
    """Go on with a run that was interrupted: as it was pinned, whatever the settings say now."""
    given = [name for name in DECIDED if getattr(options, name) is not None]
    if given:
        what = f"--{given[0].replace('start_from', 'from')} cannot be given with --resume"
        raise BadInput(what, f"option --resume {options.resume}", "leave it out: the run goes on as it began")
    launcher, key = _launcher(options), options.resume
    with Listener() as listener, progress.listening(listener):
        launcher.workbench.resume(key)
        ensure_warm(say, further={"backtest": backtest})
        begun = time.perf_counter()
        finished = interruptible(lambda: launcher.resume(key), listener.stop)
        seconds = time.perf_counter() - begun
    return tell(options, launcher, key, finished, seconds, None)


def tell(
    options: argparse.Namespace,
    launcher: Launcher,
    key: str,
    finished: Finished,
    seconds: float,
    ingested: Finished | None,
) -> int:
    """Say what came of a run; returns the exit code."""
    summary = summarise(launcher, key, finished, seconds)
    if options.json:
        emit(summary)
    else:
        if ingested is not None:
            show_panel(ingested)
        else:
            warn(summary["warnings"])
        show_run(summary, finished)
    if not summary["interrupted"]:
        return DONE
    say("interrupted: what was mined is kept, judged and exported")
    home = f" --home {options.home}" if options.home else ""
    say(f"to go on with it: alpha-pipeline mine --resume {key}{home}")
    return INTERRUPTED


def summarise(launcher: Launcher, key: str, finished: Finished, seconds: float) -> dict[str, Any]:
    """The JSON object of a mining run."""
    batch, export = finished.metadata["candidate_batch"], finished.metadata["export_set"]
    evaluator = launcher.workbench.run(key).evaluator
    panel = evaluator.panel
    judged = {(n, stage.name): finished.metadata[asset_name(n, stage)] for n, stage in enumerate(FUNNEL, start=1)}
    stages = [
        {"stage": number, "name": name, **{key: found[key] for key in ("in", "out", "reasons")}}
        for (number, name), found in judged.items()
    ]
    proposed = batch["proposed"]
    refused = sum(number for reason, number in stages[-1]["reasons"].items() if reason.startswith("PRICE_LEVEL"))
    return {
        "generation_run": key,
        "data_version": panel.version,
        "source": panel.info.source,
        "synthetic": panel.info.synthetic,
        "generator": batch["generator"],
        "seed": batch["seed"],
        "proposed": proposed,
        "evaluations": batch["evaluations"],
        "evaluations_trained": batch["evaluations_trained"],
        "stages": stages,
        "price_level": {"tested": stages[-1]["in"], "refused": refused},
        "exported": export["exported"],
        "stage_pass_rate": stages[-1]["out"] / proposed if proposed else 0.0,
        "export_rate": export["exported"] / proposed if proposed else 0.0,
        "export_per_evaluation": export["exported"] / batch["evaluations"] if batch["evaluations"] else 0.0,
        "seconds": seconds,
        "mining_seconds": batch["mining_seconds"],
        "judging_seconds": sum(found["judging_seconds"] for found in judged.values()),
        "candidates_per_hour": 3600 * proposed / seconds,
        "peak_memory": peak_memory() + evaluator.workers.peak_memory,
        "interrupted": batch["stopped"],
        "warnings": list(panel.info.warnings),
        "curves": batch["curves"],
        "export": {"json": export["json"], "csv": export["csv"]},
    }


def show_run(summary: dict[str, Any], finished: Finished) -> None:
    """The funnel and the best alphas, for people."""
    label = "SYNTHETIC " if summary["synthetic"] else ""
    rows = []
    for stage in summary["stages"]:
        reasons = [f"{count} {reason}" for reason, count in list(stage["reasons"].items())[:3]]
        rows.append([f"{stage['stage']} {stage['name']}", f"{stage['in']:,}", f"{stage['out']:,}", "\n".join(reasons)])
    export = finished.metadata["export_set"]
    refused = [f"{count} {reason}" for reason, count in export["refused"].items()]
    rows.append(["export set", f"{summary['stages'][-1]['out']:,}", f"{summary['exported']:,}", "\n".join(refused)])
    title = f"{label}{summary['generation_run']}: {summary['proposed']:,} {summary['generator']} proposals"
    show_table(title, ["stage", "in", "out", "rejected because"], rows, wide="rejected because")
    level = summary["price_level"]
    show(f"price-level check: {level['tested']:,} tested, {level['refused']:,} refused")
    best = export["best"][:BEST_SHOWN]
    if best:
        show(f"{label}best alphas exported (search window)", style="bold")
    for row in best:
        figures = "  ".join(f"{name} {row[name]:{form}}" for name, form in BEST_FIGURES.items())
        show(f"{figures}  (alpha_id {row['alpha_id']})")
        show(f"    {row['expression']}")  # on one line: to be copied
    rate = f"{summary['candidates_per_hour']:,.0f} candidates an hour"
    show(f"{summary['seconds']:.1f} s, {rate}, peak memory {summary['peak_memory'] / (1 << 30):.2f} GiB")
    show(f"export: {summary['export']['json']}")
    show(f"        {summary['export']['csv']}")
    show(f"curves: {summary['curves']}")
