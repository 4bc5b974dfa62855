"""Compile every kernel once. The result is kept on disk, so that later processes only load it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from alpha_pipeline.engine.engine import MASK
from alpha_pipeline.engine.kernels import KERNELS
from alpha_pipeline.expression import OPERATORS, Slot

QUIET = 1.0  # seconds; loading from disk stays below, compiling does not


def warmup(progress: Callable[[str], None] | None = None) -> float:
    """Run every kernel on a tiny panel; returns the seconds it took.

    Args:
        progress: told what is going on once it takes longer than loading would.
    """
    began = time.monotonic()
    x = np.arange(48, dtype=np.float32).reshape(8, 6)
    out = np.empty_like(x)
    values: dict[Slot, list[Any]] = {
        Slot.MATRIX: [x],
        Slot.NUMERIC: [x],
        Slot.CONDITION: [x],
        Slot.WINDOW: [3, 1],
        Slot.GROUP: [np.array([0, 2, 6], np.int32)],
        Slot.NUMBER: [1.0],
    }
    for number, (name, kernel) in enumerate(KERNELS.items(), 1):
        if progress is not None and time.monotonic() - began > QUIET:
            progress(f"compiling kernels for this machine, once: {name} ({number} of {len(KERNELS)})")
        arguments = [value for slot in OPERATORS[name].slots for value in values[slot]]
        kernel.run(*arguments, out, 0, out.shape[0 if kernel.axis == "rows" else 1])
    MASK.run(x, np.ones(x.shape, np.bool_), out, 0, len(out))
    return time.monotonic() - began
