"""What a torch kernel is, and the few steps that kernels of several categories are made of.

Every matrix is a float32 tensor [calls, dates, instruments]: calls of one operator that differ in their inputs only are
stacked and run as one. A kernel may give its result in float64; it is rounded once, when it is stored. Nothing here
adds up in an order that changes from run to run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Axis: TypeAlias = Literal["cells", "rows", "columns", "all"]

NAN = float("nan")
LAST_KEY = 2**31 - 1  # behind the key of +inf
MAGNITUDE = 0x7FFFFFFF


@dataclass(frozen=True, slots=True)
class TorchKernel:
    """An operator on a torch device.

    Attributes:
        axis: how it may be cut: "cells" and "rows" into blocks of dates, with the days of its window before them;
            "columns" into blocks of instruments; "all" not at all. Of "cells" a number in the place of a matrix is
            [calls, 1, 1], and the result may be as small as its inputs; of the others it is spread out.
        run: `run(*arguments)` gives [calls, dates, instruments]. Arguments are those of the operator: matrices; a
            window as an int, followed by the number of valid values it needs (int); a plain number as a float; a group
            as `Groups`; a vector field as `Events`; then all attributes and choices, in order.
        shaped: `run` is also handed `days`, a column [dates, 1] of the days' numbers from 1, as the last argument.
    """

    axis: Axis
    run: Callable[..., Tensor]
    shaped: bool = False


@dataclass(frozen=True, slots=True)
class Events:
    """A vector field: cell (t, j) holds as many of `values` (float32) as `lengths` [dates × instruments] says."""

    values: Tensor
    lengths: Tensor
    shape: tuple[int, int]


def only(x: Tensor, told: Tensor) -> Tensor:
    """x where it is told, NaN elsewhere."""
    return torch.where(told, x, NAN)


def finite(x: Tensor) -> tuple[Tensor, Tensor]:
    """float64 values with 0 in the place of what is not finite, and which are finite."""
    valid = torch.isfinite(x)
    return torch.where(valid, x, 0.0).double(), valid


def sign(x: Tensor) -> Tensor:
    """1, 0, −1, and NaN for NaN, which torch takes for 0."""
    return torch.where(torch.isnan(x), x, torch.sign(x))


def keys(x: Tensor) -> Tensor:
    """int32 keys in the order of the float32 values; zeros of both signs are one, NaN comes last."""
    bits = (x + 0.0).contiguous().view(torch.int32)
    return torch.where(torch.isnan(x), LAST_KEY, bits ^ ((bits >> 31) & MAGNITUDE))


def shared_ranks(smaller: Tensor, up_to: Tensor, count: Tensor) -> Tensor:
    """Ranks 0 to 1, float64: of the places from `smaller` to before `up_to`, among `count`; alone it is 0.5.

    Written as the CPU kernel has it, so that both round alike.
    """
    half_step = 0.5 * (1.0 / (count - 1).double())
    return torch.where(count > 1, (smaller + up_to - 1).double() * half_step, 0.5)
