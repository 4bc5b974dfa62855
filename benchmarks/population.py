"""A population of genetic programming, evaluated as a whole with backtest: milliseconds for each expression.

    python -m benchmarks.population [--count 1000] [--threads 2] [--memory 2GiB] [--most-operators 16] [--no-shares]

The population is generation 3 of our own genetic search under random fitness: as related as in a real search, and the
same on every machine. First it is timed; then it runs once more with clocks on every kernel (`--no-shares`: not), for
the table of where processor time goes. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np

from alpha_pipeline.engine import warmup
from alpha_pipeline.evaluator import Evaluator, held_data
from alpha_pipeline.expression import Call, Node, depth, operator_count, walk
from alpha_pipeline.generate import Scored, SearchSettings, make_generator
from alpha_pipeline.market.panel import Panel
from alpha_pipeline.settings import parse_memory
from benchmarks import shares
from benchmarks.panels import DAYS, INSTRUMENTS, random_panel

GENERATION = 3
SEARCH_DAYS = 250  # of the random profits that the search is told
CPU_BAR, WALL_BAR = 14.0, 8.0


def population(panel: Panel, count: int, most_operators: int = 16, seed: int = 11) -> list[Node]:
    """Generation 3, `count` distinct expressions; nothing is evaluated for it."""
    random = np.random.default_rng(seed)
    settings = SearchSettings(budget=count * (GENERATION + 1), most_operators=most_operators)
    generator = make_generator("genetic", seed, sorted(held_data(panel)), "user", settings)
    for generation in range(GENERATION + 1):
        asked = generator.ask(count)
        if generation < GENERATION:
            generator.tell([_invented(random, node, number) for number, node in enumerate(asked)])
    return asked


def _invented(random: np.random.Generator, node: Node, number: int) -> Scored:
    sharpe = float(random.normal())
    pnl = random.normal(sharpe / 250**0.5, 1, SEARCH_DAYS) * 0.005
    turnover = float(random.uniform(0.05, 0.7))
    return Scored(
        node=node,
        alpha_id=str(number),
        sharpe=sharpe,
        pnl=pnl,
        turnover=turnover,
        fitness=sharpe,
        returns=sharpe * 0.04,
        finite_share=1.0,
    )


def describe(nodes: list[Node]) -> dict[str, Any]:
    """How large the expressions are and how much they have in common."""
    calls = [[part for part in walk(node) if isinstance(part, Call)] for node in nodes]
    distinct = {call for each in calls for call in each}
    return {
        "expressions": len(nodes),
        "distinct": len(set(nodes)),
        "mean_operators": float(np.mean([operator_count(node) for node in nodes])),
        "mean_depth": float(np.mean([depth(node) for node in nodes])),
        "calls": sum(map(len, calls)),
        "distinct_calls": len(distinct),
    }


def evaluate(panel: Panel, nodes: list[Node], threads: int, memory: int) -> dict[str, float]:
    """Wall and CPU milliseconds an expression, all of them asked for at once from a new evaluator."""
    evaluator = Evaluator(panel, threads=threads, memory=memory)
    began, began_processor = time.perf_counter(), time.process_time()
    trials = evaluator.evaluate_many(nodes)
    wall, processor = time.perf_counter() - began, time.process_time() - began_processor
    evaluator.engine.close()
    assert len(trials) == len(nodes)
    return {"ms": 1e3 * wall / len(nodes), "cpu_ms": 1e3 * processor / len(nodes)}


def share_rows(found: shares.Shares, count: int, cpu_ms: float) -> list[dict[str, Any]]:
    """Rows of the table: CPU ms an expression and a call, and the share of all; the rest is what no clock saw."""
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "calls": calls,
            "ms_a_call": 1e3 * seconds / calls,
            "cpu_ms": 1e3 * seconds / count,
            "share": 1e3 * seconds / count / cpu_ms,
        }
        for name, seconds, calls in found.totals()
    ]
    rest = cpu_ms - sum(row["cpu_ms"] for row in rows)
    rows.append({"name": "(the rest)", "calls": 0, "ms_a_call": 0.0, "cpu_ms": rest, "share": rest / cpu_ms})
    return rows


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--days", type=int, default=DAYS)
    options.add_argument("--instruments", type=int, default=INSTRUMENTS)
    options.add_argument("--count", type=int, default=1000)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--memory", default="2GiB")
    options.add_argument("--most-operators", type=int, default=16, help="of one expression; the search's own is 16")
    options.add_argument("--no-shares", action="store_true")
    chosen = options.parse_args()
    warmup(print)
    panel = random_panel(chosen.days, chosen.instruments)
    memory = parse_memory(chosen.memory)
    nodes = population(panel, chosen.count, chosen.most_operators)
    found: dict[str, Any] = {"shape": list(panel.shape), "threads": chosen.threads, "memory": memory, **describe(nodes)}
    print(
        f"{found['distinct']} distinct expressions of {found['mean_operators']:.1f} operators, depth "
        f"{found['mean_depth']:.1f}; {found['calls']:,} calls, {found['distinct_calls']:,} of them distinct"
    )
    Evaluator(panel, threads=chosen.threads, memory=memory).evaluate_many(nodes[:8])  # what is read is in memory now
    found |= evaluate(panel, nodes, chosen.threads, memory)
    found |= {"cpu_bar": CPU_BAR, "wall_bar": WALL_BAR}
    print(
        f"{chosen.threads} threads, {chosen.memory}: {found['cpu_ms']:.2f} ms CPU each (bar {CPU_BAR:.0f}), "
        f"{found['ms']:.2f} ms wall (bar {WALL_BAR:.0f})",
        flush=True,
    )
    if not chosen.no_shares:
        with shares.measured() as clocks:
            again = evaluate(panel, nodes, chosen.threads, memory)
        found["shares"] = share_rows(clocks, len(nodes), again["cpu_ms"])
        print(f"\nwith clocks: {again['cpu_ms']:.2f} ms CPU each\n{'':22} {'calls':>9} {'ms/call':>8} {'ms':>6} share")
        for row in found["shares"]:
            print(
                f"{row['name']:22} {row['calls']:9,} {row['ms_a_call']:8.3f} {row['cpu_ms']:6.2f} {row['share']:6.1%}"
            )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
