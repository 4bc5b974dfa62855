"""How the time of an expression grows with days, instruments, the size of a batch, and threads.

    python -m benchmarks.scaling [--count 48]

Expressions of the population with backtest, from a new evaluator each time: wall and CPU milliseconds each. Arrays
may take 512 MiB, so that touching new memory is a small part of so few expressions. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import Any

import numpy as np

from alpha_pipeline.engine import warmup
from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.expression import Node
from alpha_pipeline.market.panel import Panel
from benchmarks.panels import DAYS, INSTRUMENTS, random_panel
from benchmarks.population import population

DATES = (315, 630, 1260, 2520)
WIDTHS = (750, 1500, 3000, 6000)
BATCHES = (1, 4, 12, 48)


def evaluate(panel: Panel, nodes: list[Node], batch: int, threads: int, memory: int = 1 << 29) -> dict[str, float]:
    """Milliseconds an expression, asked for in batches."""
    evaluator = Evaluator(panel, threads=threads, memory=memory)
    began, began_processor = time.perf_counter(), time.process_time()
    for start in range(0, len(nodes), batch):
        evaluator.evaluate_many(nodes[start : start + batch])
    wall, processor = time.perf_counter() - began, time.process_time() - began_processor
    evaluator.engine.close()
    return {"ms": 1e3 * wall / len(nodes), "cpu_ms": 1e3 * processor / len(nodes)}


def thread_counts() -> list[int]:
    """1, 2, 4 … and the number of processors."""
    most = os.cpu_count() or 1
    return sorted({*(2**power for power in range(most.bit_length()) if 2**power <= most), most})


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--count", type=int, default=48)
    chosen = options.parse_args()
    warmup(print)
    found: dict[str, list[dict[str, Any]]] = {"dates": [], "instruments": [], "batch": [], "threads": []}

    def row(series: str, at: int, panel: Panel, batch: int, threads: int) -> None:
        found[series].append({"at": at, **evaluate(panel, nodes, batch, threads)})
        last = found[series][-1]
        print(f"{series:12} {at:5} {last['ms']:7.2f} ms {last['cpu_ms']:7.2f} ms CPU", flush=True)

    long = random_panel(max(DATES), INSTRUMENTS)
    nodes = population(long, 1000)[: chosen.count]
    evaluate(long.rows(0, DATES[0]), nodes, chosen.count, 2)  # loads the kernels
    for dates in DATES:
        row("dates", dates, long.rows(0, dates), chosen.count, 2)
    panel = long.rows(0, DAYS)
    for batch in BATCHES:
        row("batch", batch, panel, batch, 2)
    for threads in thread_counts():
        row("threads", threads, panel, chosen.count, threads)
    del long, panel
    wide = random_panel(DAYS, max(WIDTHS))
    for width in WIDTHS:
        columns = np.linspace(0, max(WIDTHS) - 1, width).round().astype(np.int64)
        row("instruments", width, wide.columns(columns), chosen.count, 2)
    print(json.dumps({"expressions": chosen.count, **found}))


if __name__ == "__main__":
    main()
