"""How everything is timed: tasks take turns with a copy of a float32 panel, whose time is the unit M.

The machine is shared and its clock changes, so one figure in milliseconds says little. Each round runs the copy and
every task once; the least of the rounds counts, and so does that of the copy, measured in the same seconds.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np

from alpha_pipeline.engine import Engine
from alpha_pipeline.engine.kernels.kernel import Matrix
from alpha_pipeline.expression import Node
from benchmarks.panels import DAYS, INSTRUMENTS

Clock = Callable[[], float]
CPU: Clock = time.thread_time
"""Of the calling thread: what runs on one thread is charged nothing for the work of others."""
WALL: Clock = time.perf_counter
PROCESSOR: Clock = time.process_time
"""Of all threads of the process."""


@dataclass(frozen=True)
class Timed:
    """The best of several rounds: milliseconds of the task and of the copy beside it."""

    ms: float
    copy_ms: float

    @property
    def copies(self) -> float:
        """In multiples of M."""
        return self.ms / self.copy_ms


class Copier:
    """One copy of a float32 panel of the standard size, from memory to memory.

    Several panels take turns: one pair of 30 MB would stay in a large cache from one round to the next, as no matrix of
    a run does.
    """

    PAIRS = 4

    def __init__(self, shape: tuple[int, int] = (DAYS, INSTRUMENTS)) -> None:
        source = np.random.default_rng(0).random(shape, dtype=np.float32)
        self._pairs = cycle([(source.copy(), np.zeros_like(source)) for _ in range(self.PAIRS)])

    def __call__(self) -> None:
        source, target = next(self._pairs)
        np.copyto(target, source)


def take_turns(tasks: Mapping[str, Callable[[], object]], rounds: int, clock: Clock = CPU) -> dict[str, Timed]:
    """The best of so many rounds of each task, after one that is not counted."""
    copier = Copier()
    copies, times = np.empty((rounds, len(tasks))), np.empty((rounds, len(tasks)))
    for task in tasks.values():
        task()
    for turn in range(rounds):
        for number, task in enumerate(tasks.values()):
            copies[turn, number] = timed(copier, clock)
            times[turn, number] = timed(task, clock)
    copy = float(copies.min())
    return {name: Timed(float(best), copy) for name, best in zip(tasks, times.min(axis=0), strict=True)}


def cached_copy_ms() -> float:
    """The best of many copies of one panel over and over, which a large cache holds: not M, but to compare with."""
    source = np.ones((DAYS, INSTRUMENTS), np.float32)
    target = np.zeros_like(source)
    return best(lambda: np.copyto(target, source), 30, CPU)


def timed(task: Callable[[], object], clock: Clock = WALL) -> float:
    """Milliseconds of one run."""
    began = clock()
    task()
    return 1e3 * (clock() - began)


def best(task: Callable[[], object], rounds: int, clock: Clock = WALL) -> float:
    """Milliseconds, the best of so many runs after one that is not counted."""
    task()
    return min(timed(task, clock) for _ in range(rounds))


def never_seen(engine: Engine, node: Node) -> Matrix:
    """The value of an expression of which nothing is kept from before, but for the fields' own tiles."""
    engine.cache.clear()
    return engine.evaluate(node)


def machine() -> str:
    """The machine in words, without its name."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{model}, {os.cpu_count()} processors, {platform.system()}, Python {platform.python_version()}"
