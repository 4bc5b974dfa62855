"""Exact rank beside the plain sort and one panel copy M, per kind of signal, on one thread and on two.

CPU milliseconds on one thread, wall milliseconds on two; best of several rounds, in which all take turns.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.kernels import rank
from alpha_pipeline.engine.kernels.kernel import Matrix
from alpha_pipeline.lanes.avx512 import AVAILABLE
from benchmarks.timing import Copier

BAR_CONTINUOUS, BAR_ANY = 14.0, 24.0  # multiples of M on one thread
CONTINUOUS = ("close", "volume", "returns", "mean of returns", "correlation", "normal")


def signals(days: int, instruments: int) -> dict[str, Matrix]:
    random = np.random.default_rng(1)
    shape = (days, instruments)
    moves = random.standard_t(4, shape) * 0.02 * np.exp(random.normal(0, 0.4, instruments))
    moves += random.normal(0, 0.01, (days, 1))
    paths = np.cumsum(0.5 * moves, axis=0).clip(-5, 5)
    price = np.round(30 * np.exp(random.normal(0, 1, instruments) + paths), 2).clip(0.5, 50_000).astype(np.float32)
    volume = np.exp(random.normal(12, 1.5, instruments) + random.normal(0, 0.6, shape)).round()
    returns = np.vstack([moves[:1].astype(np.float32), price[1:] / price[:-1] - 1])
    sums = np.cumsum(returns, axis=0, dtype=float)
    mean = np.vstack([returns[:20], (sums[20:] - sums[:-20]) / 20])
    normal, some = random.normal(0, 1, shape), random.random(shape)
    ticks = np.round(0.2 * normal, 2).astype(np.float32)
    found: dict[str, NDArray[np.floating]] = {
        "close": price,
        "volume": volume,
        "returns": returns,
        "mean of returns": mean,
        "correlation": np.tanh(0.6 * normal),
        "normal": normal,
        "delta(close, 5)": np.vstack([normal[:5], price[5:] - price[:-5]]),
        "cent ticks": (price + ticks).astype(np.float32) - price,
        "rounded to cents": np.round(normal, 2),
        "two levels": np.where(some < 0.9, -1, 1),
        "five levels": np.floor(5 * some),
        "40 levels": np.floor(40 * some),
        "70 group values": np.take_along_axis(normal[:, :70], random.integers(0, 70, shape), axis=1),
        "clipped": normal.clip(-1, 1),
        "6 % zeros": np.where(some < 0.06, 0, normal),
        "30 % zeros": np.where(some < 0.3, 0, normal),
        "90 % zeros": np.where(some < 0.9, 0, normal),
        "Cauchy": random.standard_cauchy(shape),
        "bimodal": np.where(some < 0.5, -100, 100) + 0.01 * normal,
        "wild scales": np.exp(12 * normal) * np.where(some < 0.5, -1, 1),
        "±inf": np.where(some < 0.02, np.inf, np.where(some > 0.98, -np.inf, normal)),
        "40 % missing": np.where(some < 0.4, np.nan, normal),
        "any bits": random.integers(-(2**31), 2**31, shape).astype(np.int32).view(np.float32),
    }
    missing = random.random(shape) < 0.03
    return {name: np.where(missing, np.nan, values).astype(np.float32) for name, values in found.items()}


def best(rounds: int, clock: Callable[[], float], *tasks: Callable[[], object]) -> list[float]:
    """Milliseconds of each task, which take turns."""
    times = np.empty((rounds, len(tasks)))
    for i in range(rounds):
        for j, task in enumerate(tasks):
            began = clock()
            task()
            times[i, j] = 1000 * (clock() - began)
    found: list[float] = times.min(axis=0).tolist()
    return found


def measure(name: str, x: Matrix, rounds: int, pool: ThreadPoolExecutor, copy: Copier) -> dict[str, Any]:
    days, instruments = x.shape
    out, plain = np.empty_like(x), np.empty_like(x)

    def sort(lo: int = 0, hi: int = days) -> None:
        rank.sort_columns(x, plain, lo, hi, 0, instruments)

    def ours(lo: int = 0, hi: int = days) -> None:
        rank.rank_columns(x, out, lo, hi, 0, instruments)

    def halves(task: Callable[[int, int], None]) -> Callable[[], object]:
        return lambda: list(pool.map(task, (0, days // 2), (days // 2, days)))

    copying, sorting, ranking = best(rounds, time.thread_time, copy, sort, ours)
    sorting2, ranking2 = best(rounds, time.perf_counter, halves(sort), halves(ours))
    assert np.array_equal(out, plain, equal_nan=True), name
    bar = BAR_CONTINUOUS if name in CONTINUOUS else BAR_ANY
    return {
        "name": name,
        "continuous": name in CONTINUOUS,
        "copy_ms": copying,
        "sort_ms": sorting,
        "ms": ranking,
        "copies": ranking / copying,
        "bar": bar,
        "passed": ranking / copying <= bar,
        "sort_two_threads_ms": sorting2,
        "two_threads_ms": ranking2,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=1260)
    parser.add_argument("--instruments", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    days, instruments = chosen.days, chosen.instruments
    began = time.monotonic()
    some = np.random.default_rng(0).normal(size=(4, max(instruments, 1000))).astype(np.float32)
    rank.rank_columns(some, np.empty_like(some), 0, 4, 0, some.shape[1])
    rank.sort_columns(some, np.empty_like(some), 0, 4, 0, some.shape[1])
    compiled = time.monotonic() - began
    print(f"AVX-512: {AVAILABLE}; kernels compiled or loaded in {compiled:.1f} s")
    print(f"{'':18}    M ms  sort ms        M  rank ms        M  sort/rank  on two threads: sort, rank ms")
    rows = []
    with ThreadPoolExecutor(2) as pool:
        copier = Copier((days, instruments))
        for name, x in signals(days, instruments).items():
            row = measure(name, x, chosen.rounds, pool, copier)
            rows.append(row)
            copy, sorting, ranking = row["copy_ms"], row["sort_ms"], row["ms"]
            print(
                f"{name:18} {copy:7.2f} {sorting:8.1f} {sorting / copy:6.1f} M {ranking:8.1f} {ranking / copy:6.1f} M "
                f"{sorting / ranking:9.2f}  {row['sort_two_threads_ms']:6.1f} {row['two_threads_ms']:6.1f}"
                f"  {'pass' if row['passed'] else 'MISS'}",
                flush=True,
            )
    print(json.dumps({"shape": [days, instruments], "compile_seconds": compiled, "rows": rows}))


if __name__ == "__main__":
    main()
