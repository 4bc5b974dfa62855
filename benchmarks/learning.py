"""What training is worth: the export rate of 500 proposals from an empty pool, random → trained.

    python -m benchmarks.learning                                           # the embedded market (SYNTHETIC)
    python -m benchmarks.learning --real                                    # the real prices, where they are

A learner is trained in runs whose proposals count nowhere, and after each of them proposes 500 expressions from what it
has learned, in a home of its own. Figures are of the search window; beside them stands the gate window's Sharpe ratio
of the same exports, which nothing has selected by.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alpha_pipeline import progress
from alpha_pipeline.cli.display import Listener
from alpha_pipeline.orchestration.charts import Values, line_chart
from alpha_pipeline.orchestration.launch import Launcher
from alpha_pipeline.orchestration.learning import LEARNED
from alpha_pipeline.orchestration.workbench import Workbench
from alpha_pipeline.settings import load_settings
from benchmarks.mining import REAL, real_data
from benchmarks.page_parts import table

PROPOSALS = 500
STEPS = (1_000, 1_000, 2_000)
GENERATORS = ("genetic", "reinforce", "ppo", "auto")


@dataclass(frozen=True)
class Point:
    """One measured run.

    Attributes:
        generator: who proposed.
        seed: of the run.
        trained: evaluations that were learned from before.
        exported, passed, proposed: export set, out of stage 8, proposals.
        export_rate, stage_pass_rate: of the proposals.
        export_per_evaluation: training included.
        sharpe_search, sharpe_gate: mean over the exports; None where there is none.
        positive_on_gate: share of the exports that earned on the gate window.
    """

    generator: str
    seed: int
    trained: int
    exported: int
    passed: int
    proposed: int
    export_rate: float
    stage_pass_rate: float
    export_per_evaluation: float
    sharpe_search: float | None
    sharpe_gate: float | None
    positive_on_gate: float | None


class Ground:
    """One market, and homes beside it that share its panel."""

    def __init__(self, folder: Path, prices: dict[str, Any]) -> None:
        self.folder, self.prices, self._runs = folder, prices, 0
        self.base = self._launcher(folder / "base", {})
        self.version, _ = self.base.ensure_panel()
        info = self.base.workbench.home.panel(self.version).info
        self.label = info.label or "real prices"
        self.warnings = list(info.warnings)

    def _launcher(self, home: Path, settings: dict[str, Any]) -> Launcher:
        return Launcher(Workbench(load_settings(home=home, **self.prices, **settings)))

    def run(self, generator: str, candidates: int, seed: int, learned: Path | None) -> tuple[Point, Path]:
        """A run from an empty pool, and the folder of what its learners know afterwards."""
        self._runs += 1
        home = self.folder / f"home-{self._runs}"
        home.mkdir()
        (home / "panels").symlink_to(self.folder / "base" / "panels")
        start = {"start_from": str(learned)} if learned else {}
        launcher = self._launcher(home, {"generator": generator, "candidates": candidates, "seed": seed, **start})
        key = launcher.new_run()
        found = launcher.generate(key, self.version).metadata
        batch, export = found["candidate_batch"], found["export_set"]
        evaluator = launcher.workbench.run(key).evaluator
        rows = json.loads(Path(export["json"]).read_text())
        sealed = [trial.sealed.metrics for trial in evaluator.known(row["alpha_id"] for row in rows)]
        gate = np.array([metrics["gate"].sharpe for metrics in sealed])
        passed = found["stage_8_export"]["out"]
        point = Point(
            generator=generator,
            seed=seed,
            trained=batch["evaluations_trained"],
            exported=export["exported"],
            passed=passed,
            proposed=batch["proposed"],
            export_rate=export["exported"] / batch["proposed"],
            stage_pass_rate=passed / batch["proposed"],
            export_per_evaluation=export["exported"] / batch["evaluations"],
            sharpe_search=float(np.mean([metrics["search"].sharpe for metrics in sealed])) if sealed else None,
            sharpe_gate=float(gate.mean()) if sealed else None,
            positive_on_gate=float((gate > 0).mean()) if sealed else None,
        )
        evaluator.close()
        return point, home / "runs" / key / LEARNED


def measure(ground: Ground, generators: Sequence[str], steps: Sequence[int], seed: int) -> list[Point]:
    """All points, told as they are made."""
    points: list[Point] = []

    def add(point: Point) -> None:
        points.append(point)
        print(" ".join(row(point)), flush=True)

    for number in range(3):
        add(ground.run("random", PROPOSALS, seed + number, None)[0])
    for generator in generators:
        learned: Path | None = None
        add(ground.run(generator, PROPOSALS, seed + 100, None)[0])
        for number, step in enumerate(steps):
            learned = ground.run(generator, step, seed + number, learned)[1]
            add(ground.run(generator, PROPOSALS, seed + 100, learned)[0])
    return points


HEADER = ["generator", "seed", "trained on", "exported", "rate", "passed", "per trial", "search", "gate", "positive"]


def row(point: Point) -> list[str]:
    """A point as the page shows it; Sharpe ratios on the search and the gate window."""

    def shown(value: float | None, form: str) -> str:
        return "–" if value is None else format(value, form)

    return [
        point.generator,
        str(point.seed),
        f"{point.trained:,}",
        f"{point.exported} of {point.proposed}",
        f"{point.export_rate:.1%}",
        str(point.passed),
        f"{point.export_per_evaluation:.2%}",
        shown(point.sharpe_search, ".2f"),
        shown(point.sharpe_gate, ".2f"),
        shown(point.positive_on_gate, ".0%"),
    ]


def chart(points: Sequence[Point], label: str) -> str:
    """Export rate over evaluations of training."""
    lines: dict[str, tuple[Values, Values]] = {}
    last = max(point.trained for point in points)
    for name in dict.fromkeys(point.generator for point in points):
        own = [point for point in points if point.generator == name]
        rates = np.array([100 * point.export_rate for point in own])
        at = np.array([point.trained for point in own], dtype=np.float64)
        if name == "random":  # it does not learn: the mean of its runs, all along
            at, rates = np.array([0.0, last]), np.repeat(rates.mean(), 2)
        lines[name] = (at, rates)
    return line_chart(f"{label}: exports in % of {PROPOSALS} proposals", lines, "evaluations of training")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", action="store_true", help="on the real prices that benchmarks.mining uses")
    parser.add_argument("--generators", default=",".join(GENERATORS))
    parser.add_argument("--steps", default=",".join(map(str, STEPS)), help="proposals of the training runs, in turn")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("build"), help="folder for learning.json, .md and .svg")
    given = parser.parse_args()
    prices: dict[str, Any] = {}
    if given.real:
        real = real_data()
        if real is None:
            parser.error("the real prices are not on this machine; see ALPHA_REAL_DATA")
        prices = {"source": "files", "path": str(real / f"{REAL}.parquet"), "groups": str(real / "sectors.csv")}
    folder = Path(tempfile.mkdtemp(prefix="learning-"))
    try:
        with Listener() as listener, progress.listening(listener):
            ground = Ground(folder, prices)
            points = measure(ground, given.generators.split(","), [int(n) for n in given.steps.split(",")], given.seed)
        given.out.mkdir(parents=True, exist_ok=True)
        told = {"market": ground.label, "warnings": ground.warnings, "points": [asdict(point) for point in points]}
        (given.out / "learning.json").write_text(json.dumps(told, indent=1, allow_nan=False) + "\n")
        (given.out / "learning.md").write_text(table(HEADER, [row(point) for point in points]) + "\n")
        (given.out / "learning.svg").write_text(chart(points, ground.label) + "\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
