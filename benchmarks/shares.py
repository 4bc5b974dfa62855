"""Where processor time goes: CPU seconds inside each operator's kernel and each step around it, over all threads.

Every kernel is put behind a clock, however the engine comes to call it; the clocks add about 1 µs to a call.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import alpha_pipeline.evaluator as evaluator
from alpha_pipeline.engine.kernels import KERNELS
from alpha_pipeline.engine.plan import MASK

STEPS = ("simulate", "measure", "sharpe_one_day_later", "missing_share", "check", "canonical")
"""What the evaluator does besides the signal, by its name in that module."""


@dataclass
class Shares:
    """CPU seconds and calls by name: `by_thread` holds [seconds, calls] of each thread, so that none waits."""

    by_thread: list[dict[str, list[float]]] = field(default_factory=list)
    own: threading.local = field(default_factory=threading.local)

    def clocked(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            began = time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                entry = self._mine().setdefault(name, [0.0, 0.0])
                entry[0] += time.thread_time() - began
                entry[1] += 1

        return run

    def totals(self) -> list[tuple[str, float, int]]:
        """(name, seconds, calls), dearest first."""
        found: dict[str, list[float]] = {}
        for times in self.by_thread:
            for name, (seconds, calls) in times.items():
                entry = found.setdefault(name, [0.0, 0.0])
                entry[0], entry[1] = entry[0] + seconds, entry[1] + calls
        return sorted(((name, s, int(calls)) for name, (s, calls) in found.items()), key=lambda row: -row[1])

    def _mine(self) -> dict[str, list[float]]:
        if not hasattr(self.own, "times"):
            self.own.times = {}
            self.by_thread.append(self.own.times)
        found: dict[str, list[float]] = self.own.times
        return found


@contextmanager
def measured() -> Iterator[Shares]:
    """Clocks on all kernels and steps while the block runs."""
    shares = Shares()
    kernels = {**KERNELS, "universe mask": MASK}
    runs = {name: kernel.run for name, kernel in kernels.items()}
    steps = {name: getattr(evaluator, name) for name in STEPS if hasattr(evaluator, name)}
    for name, kernel in kernels.items():  # in place, as plans hold the kernels themselves
        object.__setattr__(kernel, "run", shares.clocked(name, kernel.run))
    for name, function in steps.items():
        setattr(evaluator, name, shares.clocked(f"({name})", function))
    try:
        yield shares
    finally:
        for name, kernel in kernels.items():
            object.__setattr__(kernel, "run", runs[name])
        for name, function in steps.items():
            setattr(evaluator, name, function)
