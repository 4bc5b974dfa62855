"""The twelve classic expressions with backtest, beside bottleneck and NumPy in the same run; and every operator alone.

    python -m benchmarks.engine [--days 1260] [--instruments 3000] [--threads 2] [--repeats 7] [--no-operators]

Ours is evaluation and simulation, each expression as if never seen before; theirs is the signal alone, on one thread.
Best of several, in milliseconds, and in multiples of M: one copy of a float32 panel, measured in the same run. The
panel is random with missing cells. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bottleneck as bn
import numpy as np
import numpy.typing as npt

from alpha_pipeline.backtest.settings import SimulationSettings
from alpha_pipeline.backtest.simulate import simulate
from alpha_pipeline.engine import Engine, warmup
from alpha_pipeline.expression import OPERATORS, Call, Constant, Field, Slot, depth, lookback, parse
from alpha_pipeline.market.panel import Panel, PanelInfo

BAR = 40.0  # milliseconds, mean of the twelve with backtest on two threads
Matrix = npt.NDArray[np.float32]
Fields = dict[str, Matrix]


# -- bottleneck and NumPy ----------------------------------------------------------------------------------------------


def b_rank(x: Matrix) -> Any:
    valid = np.isfinite(x).sum(axis=1, keepdims=True)
    return ((bn.nanrankdata(x, axis=1) - 1) / (valid - 1)).astype(np.float32)


def b_delta(x: Matrix, days: int) -> Any:
    out = np.full_like(x, np.nan)
    out[days:] = x[days:] - x[:-days]
    return out


def b_corr(x: Matrix, y: Matrix, days: int) -> Any:
    missing = np.isnan(x) | np.isnan(y)
    a, b = np.where(missing, np.nan, x).astype(np.float64), np.where(missing, np.nan, y).astype(np.float64)
    a, b = a - bn.nanmean(a, axis=0), b - bn.nanmean(b, axis=0)

    def mean(values: Any) -> Any:
        return bn.move_mean(values, days, min_count=2, axis=0)

    both = mean(a * b) - mean(a) * mean(b)
    return (both / (move_std(a, days) * move_std(b, days))).astype(np.float32)


def move_std(x: Any, days: int) -> Any:
    return bn.move_std(x, days, min_count=2, axis=0)


def b_decay(x: Matrix, days: int) -> Any:
    filled = np.nan_to_num(x)
    out = filled * np.float32(days)
    for age in range(1, days):
        out[age:] += filled[:-age] * np.float32(days - age)
    return out / np.float32(days * (days + 1) / 2)


def b_mean(x: Matrix, days: int) -> Any:
    return bn.move_mean(x, days, min_count=1, axis=0)


def b_scale(x: Matrix) -> Any:
    return x / np.nansum(np.abs(x), axis=1, keepdims=True)


def b_nested(f: Fields) -> Any:
    corr = b_corr(b_rank(b_delta(f["vwap"], 3)), b_rank(f["volume"] / b_mean(f["volume"], 20)), 15)
    return -b_rank(bn.move_rank(b_decay(corr, 8), 20, min_count=1, axis=0))


TWELVE: dict[str, tuple[str, Callable[[Fields], Any]]] = {
    "e01": ("rank(close)", lambda f: b_rank(f["close"])),
    "e02": (
        "rank(ts_sum(close, 20) / ts_std_dev(close, 20))",
        lambda f: b_rank(bn.move_sum(f["close"], 20, min_count=1, axis=0) / move_std(f["close"], 20)),
    ),
    "e03": (
        "ts_corr(rank(close), rank(volume), 10)",
        lambda f: b_corr(b_rank(f["close"]), b_rank(f["volume"]), 10),
    ),
    "e04": ("ts_rank(close, 60)", lambda f: bn.move_rank(f["close"], 60, min_count=1, axis=0)),
    "e05": (
        "ts_decay_linear(rank(ts_delta(close, 5)), 10)",
        lambda f: b_decay(b_rank(b_delta(f["close"], 5)), 10),
    ),
    "e06": ("ts_arg_max(close, 30)", lambda f: bn.move_argmax(f["close"], 30, min_count=1, axis=0)),
    "e07": ("-1 * ts_corr(open, volume, 10)", lambda f: -1 * b_corr(f["open"], f["volume"], 10)),
    "e08": (
        "rank(close - vwap) / rank(close + vwap)",
        lambda f: b_rank(f["close"] - f["vwap"]) / b_rank(f["close"] + f["vwap"]),
    ),
    "e09": (
        "ts_max(high, 20) - ts_min(low, 20)",
        lambda f: bn.move_max(f["high"], 20, min_count=1, axis=0) - bn.move_min(f["low"], 20, min_count=1, axis=0),
    ),
    "e10": ("scale(ts_delta(close, 5) * volume)", lambda f: b_scale(b_delta(f["close"], 5) * f["volume"])),
    "e11": (
        "if_else(close > ts_mean(close, 20), -1, 1) * rank(volume)",
        lambda f: np.where(f["close"] > b_mean(f["close"], 20), np.float32(-1), np.float32(1)) * b_rank(f["volume"]),
    ),
    "e12": (
        "-rank(ts_rank(ts_decay_linear(ts_corr(rank(ts_delta(vwap, 3)), rank(volume / adv20), 15), 8), 20))",
        b_nested,
    ),
}


# -- measuring ---------------------------------------------------------------------------------------------------------


def best_of(function: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Milliseconds (wall, processor time of all threads), each the least of so many runs after one not counted."""
    function()
    walls, processors = [], []
    for _ in range(repeats):
        began, began_processor = time.perf_counter(), time.process_time()
        function()
        walls.append(time.perf_counter() - began)
        processors.append(time.process_time() - began_processor)
    return 1e3 * min(walls), 1e3 * min(processors)


def best(function: Callable[[], object], repeats: int) -> float:
    return best_of(function, repeats)[0]


def random_panel(days: int, instruments: int) -> Panel:
    """Log-normal random walks; 3 % of the cells are missing, a tenth of the instruments list late."""
    random = np.random.default_rng(7)
    shape = (days, instruments)
    close = random.lognormal(3.5, 1, instruments) * np.exp(np.cumsum(random.normal(0, 0.02, shape), axis=0))
    open_ = close * np.exp(random.normal(0, 0.01, shape))
    high = np.maximum(open_, close) * (1 + random.exponential(0.005, shape))
    low = np.minimum(open_, close) / (1 + random.exponential(0.005, shape))
    fields = {"open": open_, "high": high, "low": low, "close": close, "vwap": (high + low + close) / 3}
    fields["volume"] = random.lognormal(13, 1, shape)
    late = np.arange(days)[:, None] < np.where(random.random(instruments) < 0.1, random.random(instruments) * days, 0)
    missing = late | (random.random(shape) < 0.03)
    for values in fields.values():
        values[missing] = np.nan
    return Panel.assemble(
        np.datetime64("2019-01-01") + np.arange(days),
        [f"S{i:05}" for i in range(instruments)],
        {name: values.astype(np.float32) for name, values in fields.items()},
        PanelInfo(
            market_id="benchmark", market="benchmark", source="synthetic", synthetic=True, universe=f"TOP{instruments}"
        ),
        groups={
            "sector": (np.arange(instruments) * 11 // instruments).astype(np.int32),
            "industry": (np.arange(instruments) * 70 // instruments).astype(np.int32),
        },
    )


def operator_calls(window: int) -> dict[str, Call]:
    """Each operator that generators draw, on plain fields (not on adv{N}, so that nothing else is run)."""
    fields = [Field("close"), Field("volume"), Field("vwap")]
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
                arguments.append(fields[len(arguments)])
        calls[name] = Call(name, tuple(arguments))
    return calls


def machine() -> str:
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{model}, {os.cpu_count()} processors, {platform.system()}, Python {platform.python_version()}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--days", type=int, default=1260)
    options.add_argument("--instruments", type=int, default=3000)
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--repeats", type=int, default=7)
    options.add_argument("--no-operators", action="store_true")
    chosen = options.parse_args()

    compile_seconds = warmup(print)
    panel = random_panel(chosen.days, chosen.instruments)
    fields = dict(panel.fields)
    source, target = np.array(fields["close"]), np.array(fields["close"])
    settings = SimulationSettings()

    def copy_ms() -> float:
        return best(lambda: np.copyto(target, source), 20)

    copies = [copy_ms()]
    rows: list[dict[str, Any]] = []
    print(f"\n{machine()}; kernels ready after {compile_seconds:.1f} s")
    print(f"{chosen.days} × {chosen.instruments}, {chosen.threads} threads, milliseconds")
    print(f"{'':4} {'signal':>8} {'+ test':>8} {'cpu':>8} {'bottleneck':>10} {'ratio':>6}  expression")
    with Engine(panel, threads=chosen.threads) as engine:
        for name, (text, theirs) in TWELVE.items():
            node = parse(text)
            first_row = lookback(node)
            signal = best(lambda: engine.evaluate(node), chosen.repeats)  # noqa: B023
            whole, processor = best_of(
                lambda: simulate(engine.evaluate(node), panel, settings, first_row, chosen.threads),  # noqa: B023
                chosen.repeats,
            )
            with np.errstate(all="ignore"):
                peer = best(lambda: theirs(fields), 2)  # noqa: B023
            copies.append(copy_ms())
            rows.append(
                {
                    "name": name,
                    "expression": text,
                    "signal_ms": signal,
                    "ms": whole,
                    "cpu_ms": processor,
                    "bottleneck_ms": peer,
                }
            )
            print(
                f"{name:4} {signal:8.1f} {whole:8.1f} {processor:8.1f} {peer:10.1f} {peer / whole:6.1f}  {text}",
                flush=True,
            )
        mean = float(np.mean([row["ms"] for row in rows]))
        peer_mean = float(np.mean([row["bottleneck_ms"] for row in rows]))
        cpu_mean = float(np.mean([row["cpu_ms"] for row in rows]))
        verdict = "pass" if mean <= BAR else "MISS"
        print(
            f"mean {'':8} {mean:8.1f} {cpu_mean:8.1f} {peer_mean:10.1f} {peer_mean / mean:6.1f}  "
            f"bar {BAR:.0f} ms: {verdict}"
        )

    panel_copy = min(copies)
    operators: dict[str, dict[str, float]] = {}
    if not chosen.no_operators:
        print(f"\none operator, one thread, in copies of a panel (M = {panel_copy:.2f} ms)")
        with Engine(panel, threads=1) as engine:
            for window in (20, 252):
                for name, call in operator_calls(window).items():
                    if window == 20 or OPERATORS[name].window_position is not None:
                        spent = best(lambda: engine.evaluate(call), 5)  # noqa: B023
                        operators.setdefault(name, {})[str(window)] = spent / panel_copy
        for name, spent_by_window in operators.items():
            print(f"{name:16} " + "  ".join(f"{copies_:6.1f} M" for copies_ in spent_by_window.values()))
    for row in rows:
        row |= {
            "ratio": row["bottleneck_ms"] / row["ms"],
            "copies": row["ms"] / panel_copy,
            "depth": depth(parse(row["expression"])),
        }
    print(
        json.dumps(
            {
                "machine": machine(),
                "shape": [chosen.days, chosen.instruments],
                "threads": chosen.threads,
                "copy_ms": panel_copy,
                "kernels_seconds": compile_seconds,
                "mean_ms": mean,
                "cpu_mean_ms": cpu_mean,
                "bar_ms": BAR,
                "passed": mean <= BAR,
                "bottleneck_mean_ms": peer_mean,
                "ratio": peer_mean / mean,
                "rows": rows,
                "operators": operators,
            }
        )
    )


if __name__ == "__main__":
    main()
