"""`race`: generators against each other on simulated markets whose alphas are known."""

from __future__ import annotations

import argparse
import os
import shlex
import tempfile
from pathlib import Path
from typing import Any

from alpha_pipeline import progress
from alpha_pipeline.cli.display import DONE, INTERRUPTED, Listener, emit, figure, say, show, show_table
from alpha_pipeline.cli.interrupt import interruptible
from alpha_pipeline.cli.warming import backtest
from alpha_pipeline.engine.warmup import ensure_warm
from alpha_pipeline.errors import BadInput
from alpha_pipeline.home import Home, code_version
from alpha_pipeline.race.contest import hold_race
from alpha_pipeline.race.drawing import plants_by_name
from alpha_pipeline.race.settings import NO_PLANTS, RaceSettings
from alpha_pipeline.race.summary import summarise
from alpha_pipeline.settings import load_settings

OPTIONS = ("markets", "evaluations", "cpu_seconds", "seed", "instruments", "days")


def race(options: argparse.Namespace) -> int:
    """Hold a race, or go on with it."""
    home = Home(load_settings(home=options.home).home)
    home.check_writable()
    given = {name: value for name in OPTIONS if (value := getattr(options, name)) is not None}
    if options.arms is not None:
        given["arms"] = tuple(name.strip() for name in options.arms.split(",") if name.strip())
    settings = RaceSettings(**given, null=options.null)
    if options.null and options.plants is not None:
        raise BadInput("null markets have no plants", "--null", "leave out --plants or --null")
    plants = NO_PLANTS if options.null else plants_by_name(options.plants or "tuning", settings.seed)
    workers = options.workers if options.workers is not None else os.cpu_count() or 1
    if workers < 1:
        raise BadInput(f"{workers} processes cannot run anything", "--workers", "give 1 or more")
    version = code_version()
    name = settings.name(plants, version)
    folder = home.root / "races" / name
    out = Path(options.out) if options.out else folder
    make_folder(out)
    ensure_warm(say, further={"backtest": backtest})
    with Listener("finished runs are kept, those at hand are not") as listener, progress.listening(listener):
        outcome = interruptible(lambda: hold_race(settings, plants, folder, workers), listener.stop)
    summary = summarise(settings, plants.name, outcome, name, version, command(options, settings))
    if summary["arms"]:
        from alpha_pipeline.race.report import write_report  # matplotlib takes a second

        write_report(summary, out)
    if options.json:
        emit({**summary, "out": str(out)})
    elif summary["arms"]:
        show_race(summary)
        show(f"report: {out / 'race.html'}")
    if outcome.stopped:
        jobs = settings.markets * len(settings.arms)
        say(f"stopped: {len(outcome.results)} of {jobs} runs are done and kept; the same command goes on")
        return INTERRUPTED
    return DONE


def make_folder(folder: Path) -> None:
    """Make a folder to write to, and see now rather than after hours that it can be written to.

    Raises:
        BadInput: it cannot be made, or nothing can be written there.
    """
    doing = "made"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        doing = "written to"
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BadInput(f"it cannot be {doing} ({error.strerror})", f"--out {folder}", "name another folder") from error


def command(options: argparse.Namespace, settings: RaceSettings) -> str:
    """The command that repeats a race, all that decides it spelt out."""
    words = ["alpha-pipeline", "race"]
    for name in OPTIONS:
        value = getattr(settings, name)
        if value is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    words += ["--arms", ",".join(settings.arms)]
    words += ["--null"] if settings.null else ["--plants", str(options.plants or "tuning")]
    return shlex.join(words)


def show_race(summary: dict[str, Any]) -> None:
    """The figures of a race, for people."""
    rows = [
        [
            arm["arm"],
            figure(arm["recall_weighted"]),
            figure(arm["recall"]),
            figure(arm["anytime"]),
            figure(arm["optimism_gap"]),
            figure(arm["false_finds"]),
            figure(arm["accepted"]),
            f"{arm['evaluations']:,.0f}",
            f"{arm['cpu_seconds']:,.1f}",
            str(len(arm["markets"])),
        ]
        for arm in summary["arms"]
    ]
    settings = summary["settings"]
    kind = "null markets" if settings["null"] else f"markets with the plants of {settings['plants']}"
    header = ["arm", "weighted recall", "recall", "anytime", "optimism", "false finds", "accepted"]
    show_table(
        f"SYNTHETIC {kind}: interquartile means over markets; false finds and costs: means",
        [*header, "evaluations", "CPU s", "markets"],
        rows,
    )
    rows = [
        [
            f"{each['arm']} > {each['reference']}",
            each["figure"],
            figure(each["difference"]),
            f"{each['wins']}:{each['losses']}",
            figure(each["p"]),
            figure(each["p_holm"]),
        ]
        for each in summary["comparisons"]
    ]
    if rows:
        header = ["comparison", "by", "difference", "wins", "p", "p (Holm)"]
        show_table("paired by market, one-sided Wilcoxon", header, rows)
