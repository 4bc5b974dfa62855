"""Stage 4, the screen of bad candidates: milliseconds for each expression of the population on its small sample.

    python -m benchmarks.screen [--count 1000] [--rounds 3]

What runs is the stage as the funnel runs it. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json

from alpha_pipeline.engine import warmup
from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.expression import to_text
from alpha_pipeline.validate import FUNNEL, Bench, Candidate
from benchmarks.panels import random_panel
from benchmarks.population import population
from benchmarks.timing import PROCESSOR, WALL, best


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--count", type=int, default=1000)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    warmup(print)
    panel = random_panel()
    nodes = population(panel, chosen.count)
    bench = Bench(Evaluator(panel, threads=1), pool_correlation=lambda trials: {})
    stage = next(stage for stage in FUNNEL if stage.name == "execution")

    def judge() -> None:
        bench.sample.cache.clear()
        findings = stage.judge([Candidate(to_text(node), node=node, typed=True) for node in nodes], bench)
        assert all(finding.passed for finding in findings)

    found = {
        "shape": list(bench.sample.panel.shape),
        "expressions": len(nodes),
        "ms": best(judge, chosen.rounds, WALL) / len(nodes),
        "cpu_ms": best(judge, chosen.rounds, PROCESSOR) / len(nodes),
    }
    print(f"screen on {found['shape']}: {found['ms']:.3f} ms each, {found['cpu_ms']:.3f} ms CPU")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
