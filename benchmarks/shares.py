"""Where processor time goes: CPU seconds inside each operator's kernel and each step around it, over all threads.

Every kernel is put behind a clock, however the engine comes to call it, and so are the named steps. Time is exclusive:
what a clocked function spends in another clocked one is the other's. A clock adds about 1 µs to a call.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import alpha_pipeline.engine.engine as engine
import alpha_pipeline.evaluator as evaluator
from alpha_pipeline.engine.buffers import Buffers
from alpha_pipeline.engine.kernels import KERNELS
from alpha_pipeline.engine.plan import MASK

STEPS: tuple[tuple[Any, str, str], ...] = (
    (evaluator, "simulate", "(backtest)"),
    (evaluator, "measure", "(figures of windows)"),
    (evaluator, "sharpe_one_day_later", "(Sharpe ratio a day later)"),
    (evaluator, "missing_share", "(missing cells)"),
    (evaluator, "check", "(type check)"),
    (evaluator, "canonical", "(canonical form)"),
    (engine, "plan", "(plan)"),
    (engine, "tiled", "(fields into tiles)"),
    (engine, "run_piece", "(copies of tiles)"),
    (Buffers, "take", "(arrays from the pool)"),
)
"""Where a step is looked up, its name there, and what the table calls it; those that are not there are left out."""


@dataclass
class _Own:
    """What one thread spent: [seconds, calls] by name; and of each clock that runs in it, the seconds of inner ones."""

    times: dict[str, list[float]] = field(default_factory=dict)
    inner: list[float] = field(default_factory=lambda: [0.0])


class Shares:
    """CPU seconds and calls by name; each thread has its own account, so that none waits."""

    def __init__(self) -> None:
        self._all: list[_Own] = []
        self._here = threading.local()

    def clocked(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **named: Any) -> Any:
            own = self._own()
            own.inner.append(0.0)
            began = time.thread_time()
            try:
                return function(*arguments, **named)
            finally:
                spent = time.thread_time() - began
                entry = own.times.setdefault(name, [0.0, 0.0])
                entry[0] += spent - own.inner.pop()
                entry[1] += 1
                own.inner[-1] += spent

        return run

    def totals(self) -> list[tuple[str, float, int]]:
        """(name, seconds, calls), dearest first."""
        found: dict[str, list[float]] = {}
        for own in self._all:
            for name, (seconds, calls) in own.times.items():
                entry = found.setdefault(name, [0.0, 0.0])
                entry[0], entry[1] = entry[0] + seconds, entry[1] + calls
        return sorted(((name, s, int(calls)) for name, (s, calls) in found.items()), key=lambda row: -row[1])

    def _own(self) -> _Own:
        if not hasattr(self._here, "own"):
            self._here.own = _Own()
            self._all.append(self._here.own)
        own: _Own = self._here.own
        return own


@contextmanager
def measured() -> Iterator[Shares]:
    """Clocks on all kernels and steps while the block runs."""
    shares = Shares()
    kernels = {**KERNELS, "universe mask": MASK}
    runs = {name: kernel.run for name, kernel in kernels.items()}
    steps = [(place, name, label, getattr(place, name)) for place, name, label in STEPS if hasattr(place, name)]
    for name, kernel in kernels.items():  # in place, as plans hold the kernels themselves
        object.__setattr__(kernel, "run", shares.clocked(name, kernel.run))
    for place, name, label, function in steps:
        setattr(place, name, shares.clocked(label, function))
    try:
        yield shares
    finally:
        for name, kernel in kernels.items():
            object.__setattr__(kernel, "run", runs[name])
        for place, name, _, function in steps:
            setattr(place, name, function)
