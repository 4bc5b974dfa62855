"""Operators that have no kernel on the device: run by the CPU engine, on values copied to the host.

The call is written over a panel of its own, in which the values of its inputs are fields. They come masked already, as
fields are taken to be; a group's codes are read through `densify`, which changes no group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine import Engine
from alpha_pipeline.engine.kernels.kernel import Matrix
from alpha_pipeline.expression import OPERATORS, Call, Choices, Field, Node, Slot
from alpha_pipeline.market.panel import Panel


@dataclass(frozen=True)
class _Inputs:
    """What an engine reads of a panel."""

    fields: dict[str, Matrix]
    universe: NDArray[np.bool_]
    groups: Any
    vectors: Any
    shape: tuple[int, int]


def run_on_host(
    call: Call,
    values: dict[int, Matrix],
    panel: Panel,
    windows: Literal["partial", "strict"],
    choices: Choices,
) -> Matrix:
    """The call's value.

    Args:
        values: by position, those arguments that are matrices; of groups that are no panel's own the codes.
    """
    arguments: list[Node] = list(call.arguments)
    fields: dict[str, Matrix] = {}
    slots = OPERATORS[call.operator].slots_of(len(arguments))
    for position, value in values.items():
        name = f"input {position}"
        fields[name] = value
        arguments[position] = Call("densify", (Field(name),)) if slots[position] is Slot.GROUP else Field(name)
    inputs = _Inputs(fields, panel.universe, panel.groups, panel.vectors, panel.shape)
    with Engine(cast(Panel, inputs), threads=1, memory=0, windows=windows, choices=choices) as engine:
        return engine.evaluate(call.over(arguments))
