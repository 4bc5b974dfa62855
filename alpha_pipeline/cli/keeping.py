"""`export`, `universe` and `ui`: what is kept, and where to look at it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np
import polars as pl

import alpha_pipeline
from alpha_pipeline.cli.display import DONE, emit, say, show, show_table, warn
from alpha_pipeline.errors import BadInput
from alpha_pipeline.export import ManualExporter
from alpha_pipeline.home import Home
from alpha_pipeline.market.panel import Panel
from alpha_pipeline.orchestration.records import accepted_records, file_name
from alpha_pipeline.orchestration.workbench import Workbench
from alpha_pipeline.settings import load_settings

MONTHS_SHOWN = 12


def export(options: argparse.Namespace) -> int:
    """Write all accepted alphas of the panel's market to one file."""
    workbench = Workbench(load_settings(home=options.home))
    panel = workbench.home.panel(options.panel)
    records = accepted_records(workbench, panel)
    others = accepted_otherwise(workbench, panel)
    if not records and not others:
        raise BadInput(f"no alpha of {panel.info.market_id} was accepted yet", str(workbench.home.root), "run `mine`")
    if not records:
        what = f"no alpha of {panel.info.market_id} was accepted under these settings"
        raise BadInput(what, str(workbench.home.root), f"export with {' or '.join(others)}")
    for settings, count in others.items():
        say(f"note: not among them: {count} accepted under other settings (export with {settings})", style="yellow")
    folder = Path(options.out).expanduser() if options.out else workbench.home.exports
    path = ManualExporter(folder, file_name("alphas", panel.info)).export_to_file(records, options.format)
    if options.json:
        info = panel.info
        about = {"synthetic": info.synthetic, "warnings": list(info.warnings)}
        emit({"file": str(path), "format": options.format, "exported": len(records), **about})
        return DONE
    warn(panel.info.warnings)
    alphas = "1 alpha" if len(records) == 1 else f"{len(records)} alphas"
    show(f"{panel.info.label} {alphas}: {path}".strip())
    return DONE


def accepted_otherwise(workbench: Workbench, panel: Panel) -> dict[str, int]:
    """Alphas of a panel's market that were accepted under other settings: how to ask for those, and how many."""
    present = workbench.evaluator(panel).settings.to_dict()
    rows = workbench.lake.scan("accepted").filter(pl.col("market_id") == panel.info.market_id).select("settings")
    found: dict[str, int] = {}
    for text, count in rows.collect()["settings"].value_counts().sort("settings").iter_rows():
        changed = {name: value for name, value in json.loads(text).items() if value != present[name]}
        if changed:
            universe = [f"a --panel of {changed.pop('universe')}"] if "universe" in changed else []
            settings = [f"ALPHA_SIMULATION__{name.upper()}={value}" for name, value in changed.items()]
            found[" ".join([*settings, *universe])] = count
    return found


def universe(options: argparse.Namespace) -> int:
    """Show how many instruments the universe holds, month by month, and who is in it on the last day."""
    panel = Home(load_settings(home=options.home).home).panel(options.panel)
    months = panel.dates.astype("datetime64[M]")
    counts = panel.universe.sum(axis=1)
    by_month = [
        {
            "month": str(month),
            "days": int((months == month).sum()),
            "fewest": int(counts[months == month].min()),
            "most": int(counts[months == month].max()),
        }
        for month in np.unique(months)
    ]
    members = panel.instruments[panel.universe[-1]].tolist()
    if options.json:
        emit(
            {
                "data_version": panel.version,
                "universe": panel.info.universe,
                "synthetic": panel.info.synthetic,
                "instruments": len(panel.instruments),
                "date": str(panel.dates[-1]),
                "members": sorted(members),
                "months": by_month,
                "warnings": list(panel.info.warnings),
            }
        )
        return DONE
    warn(panel.info.warnings)
    rows = [[str(value) for value in month.values()] for month in by_month[-MONTHS_SHOWN:]]
    title = f"{panel.info.label} {panel.info.universe} of {len(panel.instruments):,} instruments".strip()
    show_table(f"{title}, last months", ["month", "days", "fewest", "most"], rows)
    show(f"{len(members):,} members on {panel.dates[-1]} (all of them with --json)")
    return DONE


def ui(options: argparse.Namespace) -> int:
    """Become `dagster dev` on this home; Ctrl-C ends it."""
    if not 0 < options.port < 1 << 16:
        raise BadInput(f"{options.port} is no port", "option --port", "use a number from 1 to 65535")
    home = Home(load_settings(home=options.home).home)
    home.check_writable()
    workspace = Path(alpha_pipeline.__file__).resolve().parents[1] / "workspace.yaml"
    what = ["-w", str(workspace)] if workspace.exists() else ["-m", "alpha_pipeline.definitions"]
    program = Path(sys.executable).with_name("dagster")
    if not program.exists():
        raise BadInput("the program `dagster` is missing", str(program), "install the package with its dependencies")
    os.environ.update(ALPHA_HOME=str(home.root), DAGSTER_HOME=str(home.dagster), DAGSTER_DISABLE_TELEMETRY="1")
    say(f"Dagster on http://{options.host}:{options.port}, state in {home.root}")
    os.execv(program, [str(program), "dev", *what, "-h", options.host, "-p", str(options.port)])
