"""Compile kernels once. The result is kept on disk, so that later processes only load it.

`warmup` runs every kernel asked for on a small panel: those of the operators that generators draw, or all of them.
`ensure_warm` does so only where it was not done before on this machine with this code; what is compiled is then loaded
when an expression first uses it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numba.core import event

from alpha_pipeline.engine import compiled
from alpha_pipeline.engine.arguments import setting_values
from alpha_pipeline.engine.kernels import KERNELS, Kernel
from alpha_pipeline.engine.plan import MASK
from alpha_pipeline.expression import DEFAULT_CHOICES, OPERATORS, Choices, Operator, Slot
from alpha_pipeline.expression.types import AttributeKind, AttributeType, AttributeValue

Settings = tuple[tuple[tuple[str, AttributeValue], ...], Choices]
OPTIONS = {each.name: each.metadata["options"] for each in fields(DEFAULT_CHOICES)}


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
    _run(kernel_steps(searched_kernels()), progress)
    return time.monotonic() - began


def ensure_warm(
    progress: Callable[[str], None] | None = None,
    *,
    everything: bool = False,
    further: Mapping[str, Callable[[], object]] = MappingProxyType({}),
    stopped: Callable[[], bool] = lambda: False,
) -> float:
    """Compile what is not known to be compiled on this machine. Returns the seconds it took.

    Args:
        progress: told of each operator that has to be compiled, before it is.
        everything: all kernels; else those of the operators that generators draw.
        further: what else has code to compile, by name, and how it is run.
        stopped: asked between two of them; what is compiled by then is kept.
    """
    began = time.monotonic()
    known = compiled.recorded()
    steps = {**kernel_steps(dict(KERNELS) if everything else searched_kernels()), **further}
    missing = {name: step for name, step in steps.items() if name not in known}
    if missing:
        compiled.record(_run(missing, progress, stopped))
    return time.monotonic() - began


def _run(
    steps: Mapping[str, Callable[[], object]],
    progress: Callable[[str], None] | None,
    stopped: Callable[[], bool] = lambda: False,
) -> list[str]:
    """The names of those that were run."""
    done: list[str] = []
    listener = _Compiling(progress or (lambda message: None))
    with event.install_listener("numba:compile", listener):
        for number, (name, step) in enumerate(steps.items(), 1):
            if stopped():
                break
            listener.doing = f"{name} ({number} of {len(steps)})"
            step()
            done.append(name)
    return done


def searched_kernels() -> dict[str, Kernel]:
    """The kernels of the operators that generators draw."""
    return {name: kernel for name, kernel in KERNELS.items() if OPERATORS[name].searched}


def kernel_steps(kernels: Mapping[str, Kernel]) -> dict[str, Callable[[], object]]:
    """By operator, a run of its kernel in all ways; and the universe mask."""
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

    def run(operator: Operator, kernel: Kernel) -> None:
        arguments = [value for slot in operator.slots for value in values[slot]]
        for attributes, choices in ways(operator):
            settings = setting_values(operator, attributes, choices)
            with np.errstate(all="ignore"):
                if kernel.axis == "vectors":
                    kernel.run(*arguments, *settings)
                else:
                    kernel.run(*arguments, *settings, out, 0, out.shape[1 if kernel.axis == "columns" else 0])

    steps: dict[str, Callable[[], object]] = {
        name: partial(run, OPERATORS[name], kernel) for name, kernel in kernels.items()
    }
    steps["universe mask"] = lambda: MASK.run(x, np.ones(x.shape, np.bool_), out, 0, len(out))
    return steps


def ways(operator: Operator) -> list[Settings]:
    """Attributes and choices under which a kernel may run different code: the usual, then one changed at a time."""
    usual = {
        each.name: sample(each.type)
        for each in operator.attributes
        if each.required or each.name == (operator.one_of or (None,))[0]
    }
    found: list[Settings] = [(tuple(usual.items()), DEFAULT_CHOICES)]
    for each in operator.attributes:
        others: tuple[AttributeValue, ...] = (sample(each.type),)
        if each.type.kind is AttributeKind.FLAG:
            others = (False, True)
        elif each.type.options:
            others = each.type.options
        changed = usual if each.name not in operator.one_of else {}
        found += [(tuple({**changed, each.name: other}.items()), DEFAULT_CHOICES) for other in others]
    for name in operator.choices:
        found += [(tuple(usual.items()), Choices(**{name: option})) for option in OPTIONS[name]]
    return found


def sample(kind: AttributeType) -> AttributeValue:
    """A value that an attribute of this type may have."""
    if kind.kind is AttributeKind.FLAG:
        return False
    if kind.kind is AttributeKind.TEXT:
        return kind.options[0] if kind.options else kind.samples[0]
    return min(max(1.0, kind.lowest), kind.highest)
