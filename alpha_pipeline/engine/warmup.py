"""Compile every kernel once. The result is kept on disk, so that later processes only load it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core import event

from alpha_pipeline.engine.evaluation import MASK
from alpha_pipeline.engine.kernels import KERNELS
from alpha_pipeline.expression import OPERATORS, Slot


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
    """Run every kernel on a tiny panel, so that it is compiled or loaded; returns the seconds it took.

    Args:
        progress: told of each operator that has to be compiled, before it is.
    """
    began = time.monotonic()
    listener = _Compiling(progress or (lambda message: None))
    with event.install_listener("numba:compile", listener):
        _run_all(listener)
    return time.monotonic() - began


def _run_all(listener: _Compiling) -> None:
    x = np.arange(48, dtype=np.float32).reshape(8, 6)
    out = np.empty_like(x)
    values: dict[Slot, list[Any]] = {
        Slot.MATRIX: [x],
        Slot.NUMERIC: [x],
        Slot.CONDITION: [x],
        Slot.WINDOW: [3, 1],
        Slot.GROUP: [np.array([0, 2, 6], np.int32)],
    }
    for number, (name, kernel) in enumerate(KERNELS.items(), 1):
        listener.doing = f"{name} ({number} of {len(KERNELS)})"
        arguments = [value for slot in OPERATORS[name].slots for value in values[slot]]
        kernel.run(*arguments, out, 0, out.shape[0 if kernel.axis == "rows" else 1])
    listener.doing = "universe mask"
    MASK.run(x, np.ones(x.shape, np.bool_), out, 0, len(out))
