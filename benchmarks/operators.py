"""Every operator that generators draw, the backtest, and two whole alphas, in multiples of M.

    python -m benchmarks.operators [--rounds 9]

An operator is measured twice on one thread: its kernel alone, into memory that was written before, and as an expression
through the engine. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from alpha_pipeline.backtest.settings import SimulationSettings
from alpha_pipeline.backtest.simulate import simulate
from alpha_pipeline.engine import Engine, warmup
from alpha_pipeline.engine.arguments import setting_values
from alpha_pipeline.engine.kernels import KERNELS
from alpha_pipeline.expression import DEFAULT_CHOICES, OPERATORS, Call, Constant, Field, Node, Slot, lookback, parse
from alpha_pipeline.market.panel import Panel
from benchmarks.panels import DAYS, INSTRUMENTS, random_panel
from benchmarks.timing import CPU, WALL, Timed, cached_copy_ms, never_seen, take_turns

FIELDS = ("close", "volume", "vwap")
WINDOWS: dict[str, tuple[int, ...]] = {"ts_arg_max": (20, 30, 252), "ts_rank": (20, 60, 252)}
"""Windows measured, for operators whose bars name others than 20 and 252."""
ALPHAS = {
    "zscore": "(close - ts_mean(close, 20)) / ts_std_dev(close, 20)",
    "ts_zscore": "ts_zscore(close, 20)",
    "rank of delta": "rank(ts_delta(close, 5))",
}


def operator_calls(window: int) -> dict[str, Call]:
    """Each operator that generators draw, on plain fields (not on adv{N}, so that nothing else is run)."""
    calls = {}
    for name, operator in OPERATORS.items():
        if not operator.searched:
            continue
        arguments: list[Any] = []
        for slot in operator.slots:
            if slot is Slot.WINDOW:
                arguments.append(Constant(float(window)))
            elif slot is Slot.GROUP:
                arguments.append(Field("industry"))
            elif name in ("power", "signed_power") and arguments:
                arguments.append(Constant(2.0))
            else:
                arguments.append(Field(FIELDS[len(arguments)]))
        calls[name] = Call(name, tuple(arguments))
    return calls


def kernel_task(call: Call, panel: Panel, engine: Engine) -> Callable[[], object] | None:
    """A run of the call's kernel alone; None where it has none."""
    operator, kernel = OPERATORS[call.operator], KERNELS.get(call.operator)
    if kernel is None:
        return None
    arguments: list[Any] = []
    for slot, argument in zip(operator.slots, call.arguments, strict=True):
        if isinstance(argument, Field):
            arguments.append((engine.groups if slot is Slot.GROUP else panel.fields)[argument.name])
        elif isinstance(argument, Constant) and slot is Slot.WINDOW:
            arguments += [int(argument.value), operator.minimum]
        elif isinstance(argument, Constant):
            matrix = slot is not Slot.NUMBER
            number = argument.value
            arguments.append(np.full((1, panel.shape[1]), number, np.float32) if matrix else number)
    arguments += setting_values(operator, (), DEFAULT_CHOICES)
    out = np.zeros(panel.shape, np.float32)
    length = panel.shape[1 if kernel.axis == "columns" else 0]
    return lambda: kernel.run(*arguments, out, 0, length)


def measure_operators(panel: Panel, rounds: int) -> list[dict[str, Any]]:
    rows = []
    with Engine(panel, threads=1) as engine:
        for window in sorted({20, 252, *(each for several in WINDOWS.values() for each in several)}):
            for name, call in operator_calls(window).items():
                windowed = OPERATORS[name].window_position is not None
                if window not in (WINDOWS.get(name, (20, 252)) if windowed else (20,)):
                    continue
                tasks: dict[str, Callable[[], object]] = {"engine": lambda: never_seen(engine, call)}  # noqa: B023
                kernel = kernel_task(call, panel, engine)
                if kernel is not None:
                    tasks["kernel"] = kernel
                found = take_turns(tasks, rounds, CPU)
                rows.append(
                    {"name": name, "window": window if windowed else None, "copy_ms": found["engine"].copy_ms}
                    | {task: each.copies for task, each in found.items()}
                )
    return rows


def measure_backtest(panel: Panel, rounds: int) -> dict[str, Timed]:
    """The simulation alone, on one thread."""
    signal = np.random.default_rng(3).normal(size=panel.shape).astype(np.float32)
    heavy = np.random.default_rng(4).standard_t(2, panel.shape).astype(np.float32)
    signal[~panel.universe] = heavy[~panel.universe] = np.nan
    kinds = {
        "market": (signal, SimulationSettings()),
        "70 groups": (signal, SimulationSettings(neutralization="INDUSTRY")),
        "truncation binding": (heavy, SimulationSettings(truncation=0.001)),
    }

    def task(given: tuple[Any, SimulationSettings]) -> Callable[[], object]:
        return lambda: simulate(given[0], panel, given[1], 20, 1)

    return take_turns({name: task(given) for name, given in kinds.items()}, rounds, CPU)


def alpha_task(engine: Engine, panel: Panel, node: Node, threads: int) -> Callable[[], object]:
    """Signal and backtest of one expression."""
    first = lookback(node)
    return lambda: simulate(never_seen(engine, node), panel, SimulationSettings(), first, threads)


def measure_alphas(panel: Panel, rounds: int) -> dict[str, dict[str, float]]:
    """Whole alphas, signal and backtest: on one thread in CPU time, on two in wall time."""
    found: dict[str, dict[str, float]] = {}
    for threads, clock in ((1, CPU), (2, WALL)):
        with Engine(panel, threads=threads) as engine:
            tasks = {name: alpha_task(engine, panel, parse(text), threads) for name, text in ALPHAS.items()}
            for name, timed in take_turns(tasks, rounds, clock).items():
                found.setdefault(name, {})[str(threads)] = timed.ms
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--days", type=int, default=DAYS)
    options.add_argument("--instruments", type=int, default=INSTRUMENTS)
    options.add_argument("--rounds", type=int, default=9)
    chosen = options.parse_args()
    seconds = warmup(print)
    panel = random_panel(chosen.days, chosen.instruments)
    rows = measure_operators(panel, chosen.rounds)
    print(f"one thread, in copies of a panel{'':5} window  kernel  engine")
    for row in rows:
        print(
            f"{row['name']:38} {row['window'] or '':5}  {row.get('kernel', float('nan')):6.1f}  {row['engine']:6.1f} M"
        )
    tests = measure_backtest(panel, 3 * chosen.rounds)
    for name, each in tests.items():
        print(f"backtest, {name:28} {each.copies:6.1f} M ({each.ms:.2f} ms)")
    alphas = measure_alphas(panel, 2 * chosen.rounds)
    for name, each_of in alphas.items():
        print(f"alpha {name:20} one thread {each_of['1']:6.1f} ms CPU, two threads {each_of['2']:6.1f} ms")
    print(
        json.dumps(
            {
                "shape": list(panel.shape),
                "kernels_seconds": seconds,
                "copy_ms": min(row["copy_ms"] for row in rows),
                "cached_copy_ms": cached_copy_ms(),
                "operators": rows,
                "backtest": {name: {"ms": each.ms, "copies": each.copies} for name, each in tests.items()},
                "alphas": alphas,
                "texts": ALPHAS,
            }
        )
    )


if __name__ == "__main__":
    main()
