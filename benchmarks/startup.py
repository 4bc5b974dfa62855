"""How soon a new process works: from its start to the first alpha, and what the warm-up takes when it was done before.

    python -m benchmarks.startup [--rounds 5]

The panel is opened from its memory map; kernels and Python's own bytecode are on disk. The last line is one JSON
object.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from alpha_pipeline.engine.warmup import ensure_warm
from benchmarks.panels import random_panel

FIRST_ALPHA = """
import sys, time
began = time.perf_counter()
from pathlib import Path
from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.expression import parse
from alpha_pipeline.market.panel import Panel
imported = time.perf_counter()
evaluator = Evaluator(Panel.open(Path(sys.argv[1])))
opened = time.perf_counter()
evaluator.evaluate(parse("rank(ts_delta(close, 5))"))
first = time.perf_counter()
evaluator.evaluate(parse("rank(ts_delta(volume, 6))"))
print(imported - began, opened - imported, first - opened, time.perf_counter() - first)
"""
PARTS = ("imports", "panel", "first alpha", "second alpha")


def best_run(command: list[str], rounds: int) -> tuple[float, str]:
    """Seconds of the fastest of several runs, and its last line."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    runs = []
    for _ in range(rounds):
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        runs.append((time.perf_counter() - began, done.stdout.splitlines()[-1]))
    return min(runs)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    ensure_warm(print)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "panel"
        random_panel().write(place)
        command = [sys.executable, "-c", FIRST_ALPHA, str(place)]
        best_run(command, 1)
        seconds, told = best_run(command, rounds)
    program = [sys.executable, "-m", "alpha_pipeline.cli", "warmup", "--json"]
    best_run(program, 1)
    again, _ = best_run(program, rounds)
    parts = dict(zip(PARTS, map(float, told.split()), strict=True))
    print(f"process start to first alpha {seconds:.2f} s: " + ", ".join(f"{n} {s:.2f}" for n, s in parts.items()))
    print(f"warm-up that was done before {again:.2f} s")
    print(json.dumps({"first_alpha_seconds": seconds, "parts": parts, "warmup_again_seconds": again}))


if __name__ == "__main__":
    main()
