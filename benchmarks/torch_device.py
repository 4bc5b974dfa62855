"""A small population by the torch engine, and by the CPU engine beside it: milliseconds an expression, and how equal.

    python -m benchmarks.torch_device [--device cuda] [--count 64] [--memory 2GiB] [--days 1260] [--instruments 3000]
                                      [--threads 2] [--rounds 3] [--operators]

The population is the one of `benchmarks.population`: generation 3 of a genetic search, related as in a real one. First
signals alone, then signals with backtest, both engines in turn, the best of several rounds after one that is not
counted. A round takes whole batches, as mining does. `--threads` are the CPU engine's, and those of torch's CPU device;
backtests run on one thread beside the torch engine. `--operators` also times every operator that generators draw, on
matrices of the whole panel. A figure holds for the device that is printed with it, and for no other. The last line is
one JSON object.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch

from alpha_pipeline.backtest import Metrics, SimulationSettings, measure, simulate
from alpha_pipeline.engine import Engine, warmup
from alpha_pipeline.engine.kernels.kernel import Matrix
from alpha_pipeline.engine.torch_device import TorchEngine
from alpha_pipeline.engine.torch_device.kernels import TORCH_KERNELS
from alpha_pipeline.expression import OPERATORS, Call, Constant, Field, Node, Slot, lookback
from alpha_pipeline.market.panel import Panel
from alpha_pipeline.settings import parse_memory
from benchmarks.panels import DAYS, INSTRUMENTS, random_panel
from benchmarks.population import population


class AnyEngine(Protocol):
    """What both engines have."""

    def map(self, nodes: Sequence[Node], consume: Any) -> Iterator[tuple[int, Any]]: ...

    def evaluate(self, node: Node) -> Matrix: ...


def device_name(device: str) -> str:
    """What the figures were measured on."""
    if torch.device(device).type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, CUDA {torch.version.cuda}"
    return f"torch's CPU device, {torch.get_num_threads()} threads"


def seconds(engine: AnyEngine, nodes: Sequence[Node], panel: Panel, backtest: bool) -> tuple[float, dict[int, Any]]:
    """Of the whole batch; and what was made of each signal."""
    settings = SimulationSettings()

    def consume(index: int, signal: Matrix) -> Metrics | None:
        if not backtest:
            return None
        simulation = simulate(signal, panel, settings, lookback(nodes[index]), threads=1)
        return measure(simulation, 0, len(panel.dates))

    began = time.perf_counter()
    found = dict(engine.map(nodes, consume))
    return time.perf_counter() - began, found


def apart(one: Metrics, other: Metrics) -> float:
    """The largest relative difference of sharpe, turnover and fitness."""
    pairs = [(getattr(one, name), getattr(other, name)) for name in ("sharpe", "turnover", "fitness")]
    return float(max(abs(a - b) / max(abs(b), 1e-12) for a, b in pairs))


def operators(engine: TorchEngine, rounds: int) -> dict[str, float]:
    """Milliseconds of each operator that generators draw, at window 20, the copy to the host included."""
    values: dict[Slot, Node] = {
        **dict.fromkeys((Slot.MATRIX, Slot.NUMERIC, Slot.CONDITION), Field("close")),
        Slot.GROUP: Field("industry"),
        Slot.WINDOW: Constant(20.0),
    }
    calls: dict[str, Node] = {}
    for name in TORCH_KERNELS:
        operator = OPERATORS[name]
        if operator.searched and all(slot in values for slot in operator.slots):
            calls[name] = Call(name, tuple(values[slot] for slot in operator.slots))
    spent: dict[str, float] = {}
    for name, call in calls.items():
        engine.evaluate(call)
        times = []
        for _ in range(rounds):
            began = time.perf_counter()
            engine.evaluate(call)
            times.append(1e3 * (time.perf_counter() - began))
        spent[name] = min(times)
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--memory", default="2GiB")
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--instruments", type=int, default=INSTRUMENTS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--operators", action="store_true")
    given = parser.parse_args()
    panel = random_panel(given.days, given.instruments)
    memory = parse_memory(given.memory)
    torch.set_num_threads(given.threads)
    on_device = TorchEngine(panel, device=given.device, memory=memory)
    nodes = population(panel, given.count)
    warmup()
    name = device_name(given.device)
    print(f"{given.count} expressions, {given.days} × {given.instruments:,}, {given.memory}; on {name}", flush=True)

    taken: dict[tuple[str, bool], list[float]] = {}
    made: dict[tuple[str, bool], dict[int, Any]] = {}
    for turn in range(given.rounds + 1):
        for backtest in (False, True):
            for who in ("torch", "CPU engine"):
                # a new CPU engine each time: it would find the batch before in its cache
                engine: AnyEngine = on_device if who == "torch" else Engine(panel, threads=given.threads, memory=memory)
                spent, made[who, backtest] = seconds(engine, nodes, panel, backtest)
                if turn:
                    taken.setdefault((who, backtest), []).append(1e3 * spent / given.count)
    best = {key: min(times) for key, times in taken.items()}
    for (who, backtest), milliseconds in best.items():
        print(f"{who:10} {'with backtest' if backtest else 'signal alone':14} {milliseconds:8.2f} ms an expression")
    worst = max(apart(made["torch", True][i], made["CPU engine", True][i]) for i in range(given.count))
    with Engine(panel, threads=given.threads) as engine_here:
        unlike = [_unlike(signal, engine_here.evaluate(nodes[index])) for index, signal in _signals(on_device, nodes)]
    print(
        f"metrics at most {worst:.1e} apart; {np.mean(unlike):.1e} of the cells are other float32 numbers", flush=True
    )
    peak = torch.cuda.max_memory_allocated(given.device) if torch.device(given.device).type == "cuda" else None
    spent_by = operators(on_device, given.rounds) if given.operators else {}
    for operator, milliseconds in sorted(spent_by.items(), key=lambda each: -each[1]):
        print(f"{operator:20} {milliseconds:8.2f} ms")
    result = {
        "device": name,
        "torch": torch.__version__,
        "shape": panel.shape,
        "count": given.count,
        "memory": memory,
        "ms": {f"{who}, {'with backtest' if b else 'signal alone'}": found for (who, b), found in best.items()},
        "metrics_apart": worst,
        "other_cells": float(np.mean(unlike)),
        "device_bytes": peak,
        "operators": spent_by,
    }
    print(json.dumps(result))


def _signals(engine: TorchEngine, nodes: Sequence[Node]) -> Iterator[tuple[int, Matrix]]:
    """Each signal, good until the next is taken."""
    yield from engine.map(nodes, lambda index, signal: signal)


def _unlike(one: Matrix, other: Matrix) -> float:
    """The share of cells that are neither equal nor both missing."""
    return float(np.mean((one != other) & ~(np.isnan(one) & np.isnan(other))))


if __name__ == "__main__":
    main()
