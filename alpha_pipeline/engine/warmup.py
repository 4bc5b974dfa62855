"""Compile what mining runs, once. The result is kept on disk, so that later processes only load it.

That is the kernels of the operators that generators draw, and the universe mask. Others compile on their first use.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core import event

from alpha_pipeline.engine.kernels import KERNELS, Kernel
from alpha_pipeline.engine.plan import MASK, setting_values
from alpha_pipeline.expression import DEFAULT_CHOICES, OPERATORS, Slot


class _Compiling(event.Listener):
    """Tells that numba compiles, which loading from disk does not count as."""

    def __init__(self, progress: Callable[[str], None]) -> None:
        self.progress = progress
        self.doing = ""
        self.told = ""

    def on_start(self, event: Any) -> None:
        if self.doing != self.told:
            self.told = self.doing
            self.progress(f"compiling kernels for this machine, once: {self.doing}")

    def on_end(self, event: Any) -> None:
        pass


def warmup(progress: Callable[[str], None] | None = None) -> float:
    """Run each kernel that generators use on a small panel: compiled or loaded. Returns the seconds it took.

    Args:
        progress: told of each operator that has to be compiled, before it is.
    """
    began = time.monotonic()
    listener = _Compiling(progress or (lambda message: None))
    with event.install_listener("numba:compile", listener):
        _run_all(listener)
    return time.monotonic() - began


def searched_kernels() -> dict[str, Kernel]:
    """The kernels of the operators that generators draw."""
    return {name: kernel for name, kernel in KERNELS.items() if OPERATORS[name].searched}


def _run_all(listener: _Compiling) -> None:
    days, instruments = 8, 1_000  # wide enough for the rank of wide rows, with a group for that of narrow ones
    x = np.arange(days * instruments, dtype=np.float32).reshape(days, instruments)
    out = np.empty_like(x)
    values: dict[Slot, list[Any]] = {
        Slot.MATRIX: [x],
        Slot.NUMERIC: [x],
        Slot.CONDITION: [x],
        Slot.LABELS: [x],
        Slot.NUMBER: [1.0],
        Slot.WINDOW: [3, 1],
        Slot.GROUP: [np.array([0, 2, instruments], np.int32)],
        Slot.VECTOR: [x.ravel(), np.arange(x.size + 1, dtype=np.int64)],
    }
    kernels = searched_kernels()
    for number, (name, kernel) in enumerate(kernels.items(), 1):
        operator = OPERATORS[name]
        listener.doing = f"{name} ({number} of {len(kernels)})"
        arguments = [value for slot in operator.slots for value in values[slot]]
        arguments += setting_values(operator, (), DEFAULT_CHOICES)
        if kernel.axis == "vectors":
            kernel.run(*arguments)
        else:
            kernel.run(*arguments, out, 0, out.shape[1 if kernel.axis == "columns" else 0])
    listener.doing = "universe mask"
    MASK.run(x, np.ones(x.shape, np.bool_), out, 0, len(out))
