"""The twelve expressions with backtest, each as if never seen before, beside other engines in the same run.

    python -m benchmarks.expressions [--threads 2] [--rounds 7] [--peer-rounds 1] [--no-peers]

Ours is evaluation and simulation; theirs the signal alone. Best of several rounds, in wall milliseconds; ours also in
processor time. Our rounds are spread between the peers, so that all see the same machine. The last line is one JSON
object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from alpha_pipeline.backtest.settings import SimulationSettings
from alpha_pipeline.backtest.simulate import simulate
from alpha_pipeline.engine import Engine, warmup
from alpha_pipeline.engine.kernels.kernel import Matrix
from alpha_pipeline.expression import Node, lookback, parse
from alpha_pipeline.market.panel import Panel
from benchmarks.panels import DAYS, INSTRUMENTS, random_panel
from benchmarks.peers import PEERS, run_peer
from benchmarks.timing import PROCESSOR, WALL, never_seen, timed
from benchmarks.twelve import FIELDS, TWELVE

SAMPLE = 100
"""Instruments whose values are compared with the peers'."""


class Ours:
    """Our twelve, and the best time of each so far."""

    def __init__(self, panel: Panel, threads: int) -> None:
        self.panel, self.threads = panel, threads
        self.engine = Engine(panel, threads=threads)
        self.nodes: dict[str, Node] = {name: parse(text) for name, (text, _) in TWELVE.items()}
        self.best: dict[str, dict[str, float]] = {}

    def signal(self, node: Node) -> Matrix:
        return never_seen(self.engine, node)

    def run(self, node: Node) -> None:
        simulate(self.signal(node), self.panel, SimulationSettings(), lookback(node), self.threads)

    def round(self, rounds: int) -> None:
        for name, node in self.nodes.items():
            for measure, task, clock in (
                ("signal_ms", self.signal, WALL),
                ("ms", self.run, WALL),
                ("cpu_ms", self.run, PROCESSOR),
            ):
                for _ in range(rounds):
                    spent = timed(lambda: task(node), clock)  # noqa: B023
                    best = self.best.setdefault(name, {})
                    best[measure] = min(spent, best.get(measure, np.inf))


def write_inputs(folder: Path, ours: Ours) -> None:
    """What peers read: the fields, and our values of some instruments."""
    columns = np.linspace(0, ours.panel.shape[1] - 1, min(SAMPLE, ours.panel.shape[1])).astype(np.int64)
    np.save(folder / "columns.npy", columns)
    for name in FIELDS:
        np.save(folder / f"{name}.npy", ours.panel.fields[name])
    (folder / "ours").mkdir()
    for name, node in ours.nodes.items():
        np.save(folder / "ours" / f"{name}.npy", ours.engine.evaluate(node)[:, columns])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--days", type=int, default=DAYS)
    options.add_argument("--instruments", type=int, default=INSTRUMENTS)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--peer-rounds", type=int, default=1)
    options.add_argument("--no-peers", action="store_true")
    chosen = options.parse_args()
    warmup(print)
    panel = random_panel(chosen.days, chosen.instruments)
    ours = Ours(panel, chosen.threads)
    ours.round(chosen.rounds)
    peers: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as made:
        if not chosen.no_peers:
            write_inputs(Path(made), ours)
        for name in () if chosen.no_peers else PEERS:
            peers.append(run_peer(name, Path(made), chosen.threads, chosen.peer_rounds))
            print(
                f"{name}: {peers[-1].get('absent') or format(peers[-1]['mean_ms'], '.0f') + ' ms on average'}",
                flush=True,
            )
            ours.round(2)
    present = [peer for peer in peers if "absent" not in peer]
    print(f"{'':4} {'signal':>8} {'+ test':>8} {'cpu':>8} " + " ".join(f"{peer['name']:>12}" for peer in present))
    for name, best in ours.best.items():
        theirs = " ".join(f"{peer['rows'][name]['ms']:12.1f}" for peer in present)
        print(f"{name:4} {best['signal_ms']:8.1f} {best['ms']:8.1f} {best['cpu_ms']:8.1f} {theirs}  {TWELVE[name][0]}")
        for peer in present:
            row = peer["rows"][name]
            if row["likeness"] < 0.999 or row["filled"] < 0.95:
                print(f"       {peer['name']}: {row['filled']:.0%} of our cells filled, likeness {row['likeness']:.3f}")
    means = {key: float(np.mean([best[key] for best in ours.best.values()])) for key in ("signal_ms", "ms", "cpu_ms")}
    fastest = min((peer["mean_ms"] for peer in present), default=None)
    print(
        f"mean {means['signal_ms']:7.1f} {means['ms']:8.1f} {means['cpu_ms']:8.1f} "
        + " ".join(f"{peer['mean_ms']:12.1f}" for peer in present)
    )
    print(
        json.dumps(
            {
                "shape": list(panel.shape),
                "threads": chosen.threads,
                "rows": [{"name": name, "expression": TWELVE[name][0], **best} for name, best in ours.best.items()],
                "mean": means,
                "peers": peers,
                "times_faster": None if fastest is None else fastest / means["ms"],
            }
        )
    )


if __name__ == "__main__":
    main()
