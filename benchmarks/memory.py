"""Peak memory of evaluating a population on a synthetic market of real size: where the real prices are not at hand.

    python -m benchmarks.memory [--count 300]

TOP3000 of 1,511 days, from its memory map, in a process of its own for each budget. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.market.panel import Panel
from alpha_pipeline.settings import parse_memory
from alpha_pipeline.workers import peak_memory
from benchmarks.panels import random_panel
from benchmarks.population import population

DAYS, INSTRUMENTS = 1511, 3000
BUDGETS = ("2GiB", "1.5GiB")


def evaluate(folder: Path, budget: str, count: int) -> None:
    """What the process of its own does: prints its peak."""
    panel = Panel.open(folder)
    Evaluator(panel, memory=parse_memory(budget)).evaluate_many(population(panel, count))
    print(peak_memory())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--count", type=int, default=300)
    options.add_argument("--panel", type=Path, help="a folder, and then one budget: measure in this process")
    options.add_argument("--budget")
    chosen = options.parse_args()
    if chosen.panel is not None:
        evaluate(chosen.panel, chosen.budget, chosen.count)
        return
    peaks = {}
    with tempfile.TemporaryDirectory() as made:
        place = Path(made) / "panel"
        random_panel(DAYS, INSTRUMENTS).write(place)
        for budget in BUDGETS:
            command = [sys.executable, "-m", "benchmarks.memory", "--panel", str(place), "--budget", budget]
            command += ["--count", str(chosen.count)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            peaks[budget] = int(done.stdout.splitlines()[-1])
            print(f"{budget}: peak {peaks[budget] / 2**30:.2f} GiB", flush=True)
    print(json.dumps({"shape": [DAYS, INSTRUMENTS], "of": f"{chosen.count} expressions, random panel", **peaks}))


if __name__ == "__main__":
    main()
