"""`evaluate` and `validate`: what one expression is worth."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any

from alpha_pipeline.backtest import Metrics
from alpha_pipeline.cli.display import DONE, REJECTED, emit, figure, show, show_table, warn
from alpha_pipeline.cli.language import profile_of, read_programs
from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import parse_text
from alpha_pipeline.ledger import METRICS
from alpha_pipeline.orchestration.workbench import Workbench
from alpha_pipeline.settings import load_settings
from alpha_pipeline.validate import FUNNEL, Bench, checks, judge_fully


def metrics_json(metrics: Metrics) -> dict[str, Any]:
    """The figures of the contract, in its order."""
    values = metrics.to_dict()
    return {name: values[name] for name in METRICS}


def evaluate(options: argparse.Namespace) -> int:
    """Simulate one expression."""
    workbench = Workbench(load_settings(home=options.home))
    panel = workbench.home.panel(options.panel)
    bench = workbench.bench(panel)
    days = bench.evaluator.windows.named(options.window)
    if days.start == days.stop:
        mend = "let ALPHA_GATE_FROM and ALPHA_VAULT_FROM leave some"
        raise BadInput(f"the {options.window} window holds no day of the panel", "option --window", mend)
    profile = profile_of(options)
    parsed = parse_text(options.expression, profile, bench.evaluator.settings.language)
    bench.evaluator.check(parsed, profile)
    begun = time.perf_counter()
    trial = bench.evaluator.evaluate(parsed.node)
    seconds = time.perf_counter() - begun
    metrics = trial.sealed.metrics[options.window]
    late = trial.sealed.sharpe_one_day_later[options.window]
    if options.json:
        emit(
            {
                "expression": options.expression,
                "canonical": trial.expression,
                "alpha_id": trial.alpha_id,
                "settings": bench.evaluator.settings.to_dict(),
                "window": options.window,
                "metrics": metrics_json(metrics),
                "sharpe_one_day_later": late,
                "missing": trial.missing,
                "days": metrics.days,
                "data_version": panel.version,
                "synthetic": panel.info.synthetic,
                "warnings": list(panel.info.warnings),
                "seconds": seconds,
            }
        )
        return DONE
    warn(panel.info.warnings)
    if metrics.long_count == metrics.short_count == 0:
        warn(["it holds no position on any day of the window: the figures say nothing"])
    rows = [[name, figure(value)] for name, value in metrics_json(metrics).items()]
    rows += [["sharpe one day later", figure(late)], ["days", str(metrics.days)]]
    title = f"{panel.info.label} {trial.expression}  ({options.window} window)".strip()
    show_table(title, ["figure", "value"], rows)
    return DONE


def validate(options: argparse.Namespace) -> int:
    """Put one expression, or a file of them, through all eight stages."""
    if (options.expression is None) == (options.file is None):
        raise BadInput("there must be one expression or --file, and not both", "validate", "give one of them")
    texts = [options.expression] if options.file is None else [text for _, text in read_programs(options.file)]
    workbench = Workbench(load_settings(home=options.home))
    panel = workbench.home.panel(options.panel)
    bench = replace(workbench.bench(panel), profile=profile_of(options))
    results = [judged(text, bench) for text in texts]
    rejected = sum(result["status"] == "rejected" for result in results)
    if options.json:
        info = panel.info
        about = {"data_version": panel.version, "synthetic": info.synthetic, "warnings": list(info.warnings)}
        if options.file is None:
            emit({**results[0], **about})
        else:
            emit({"results": results, "accepted": len(results) - rejected, "rejected": rejected, **about})
    else:
        warn(panel.info.warnings)
        for result in results:
            show_verdicts(result, panel.info.label)
        if options.file is not None:
            show(f"{panel.info.label} {len(results) - rejected} accepted, {rejected} rejected".strip())
    return REJECTED if rejected else DONE


def judged(text: str, bench: Bench) -> dict[str, Any]:
    """The verdicts on one expression as JSON."""
    candidate, verdicts = judge_fully(text, bench)
    passed = len(verdicts) == len(FUNNEL) and all(verdict.passed for verdict in verdicts)
    return {
        "expression": text,
        "status": "accepted" if passed else "rejected",
        "stages": [verdict.to_dict() for verdict in verdicts],
        "checks": [check.to_dict() for check in checks(candidate, verdicts, bench)],
        "export": candidate.export_text if passed else None,
    }


def show_verdicts(result: dict[str, Any], label: str) -> None:
    """The verdicts on one expression for people."""
    rows = [
        [
            f"{stage['stage']} {stage['name']}",
            "pass" if stage["passed"] else "reject",
            figure(stage["value"]),
            figure(stage["threshold"]),
            stage["reason"] or "",
        ]
        for stage in result["stages"]
    ]
    title = f"{label} {result['expression']}: {result['status']}".strip()
    show_table(title, ["stage", "verdict", "value", "threshold", "reason"], rows, wide="reason")
