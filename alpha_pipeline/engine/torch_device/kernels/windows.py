"""What the kernels along time are made of: days before, and windows put together from pieces.

A window is made of pieces of 1, 2, 4 … days, the pieces it is made of lying side by side: about twice log2(window)
steps, nothing is ever taken away again, and so nothing that has left a window is felt in it. Days before the first are
as missing ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

State = tuple[Tensor, ...]


def before(x: Tensor, days: int, nothing: float | bool | int) -> Tensor:
    """x of `days` days ago; `nothing` before the first day."""
    if days == 0:
        return x
    rows = x.shape[-2]
    days = min(days, rows)
    head = torch.full((*x.shape[:-2], days, x.shape[-1]), nothing, dtype=x.dtype, device=x.device)
    return torch.cat((head, x[..., : rows - days, :]), dim=-2)


def pieced(
    single: State, window: int, merge: Callable[[State, State, int], State], nothing: Sequence[float | int]
) -> State:
    """The state of every day's window. How it is put together rests on the window alone, not on the number of days.

    Args:
        single: state of one day, each part [calls, dates, instruments].
        merge: state of two pieces that lie side by side: the newer one, the older one, and the days of the older one.
        nothing: state of a missing day.
    """

    def ago(state: State, days: int) -> State:
        return tuple(before(part, days, fill) for part, fill in zip(state, nothing, strict=True))

    piece, size = single, 1
    whole: State | None = None
    covered = 0
    while True:
        if window & size:
            whole = piece if whole is None else merge(whole, ago(piece, covered), size)
            covered += size
        if covered == window:
            assert whole is not None
            return whole
        piece = merge(piece, ago(piece, size), size)
        size *= 2


def over_window(x: Tensor, window: int, combine: Callable[[Tensor, Tensor], Tensor], nothing: float) -> Tensor:
    """x of the window's days combined; `nothing` stands for a missing day."""
    return pieced((x,), window, lambda newer, older, _: (combine(newer[0], older[0]),), (nothing,))[0]


def added(values: Tensor, window: int) -> Tensor:
    """The sum of each window."""
    return over_window(values, window, torch.add, 0.0)


def largest(values: Tensor, window: int) -> Tensor:
    """The largest value of each window, −inf standing for missing ones; zeros are +0, as neither is the larger."""
    return over_window(values + 0.0, window, torch.maximum, -torch.inf)


def counted(valid: Tensor, window: int) -> Tensor:
    """How many days of each window are valid: int32."""
    total = valid.cumsum(dim=-2, dtype=torch.int32)
    return total - before(total, window, 0)


def moments(values: Tensor, valid: Tensor, window: int) -> State:
    """(count, mean, Σ(x − mean)²) of each window, float64; equal values have exactly no spread.

    Two pieces are put together by the difference of their means, so that a high level costs no digits.
    """

    def merge(newer: State, older: State, _: int) -> State:
        n, mean, squares = newer
        share = older[0] / (n + older[0]).clamp(min=1.0)
        apart = older[1] - mean
        return n + older[0], mean + apart * share, squares + older[2] + apart * apart * (n * share)

    return pieced((valid.double(), values, torch.zeros_like(values)), window, merge, (0.0, 0.0, 0.0))


def pair_moments(x: Tensor, y: Tensor, valid: Tensor, window: int) -> State:
    """(count, mean x, mean y, Σ(x − x̄)², Σ(y − ȳ)², Σ(x − x̄)(y − ȳ)) of each window, float64."""

    def merge(newer: State, older: State, _: int) -> State:
        n, mean_x, mean_y, xx, yy, xy = newer
        share = older[0] / (n + older[0]).clamp(min=1.0)
        apart_x, apart_y = older[1] - mean_x, older[2] - mean_y
        weight = n * share
        return (
            n + older[0],
            mean_x + apart_x * share,
            mean_y + apart_y * share,
            xx + older[3] + apart_x * apart_x * weight,
            yy + older[4] + apart_y * apart_y * weight,
            xy + older[5] + apart_x * apart_y * weight,
        )

    none = torch.zeros_like(x)
    return pieced((valid.double(), x, y, none, none, none), window, merge, (0.0,) * 6)


def day_numbers(x: Tensor) -> Tensor:
    """The number of each day, from 0: int64 [dates, 1]."""
    return torch.arange(x.shape[-2], device=x.device)[:, None]


def latest(marked: Tensor) -> Tensor:
    """The latest marked day up to each day, −1 where there is none: int64."""
    return torch.where(marked, day_numbers(marked), -1).cummax(dim=-2).values


def at(x: Tensor, day: Tensor) -> Tensor:
    """x of the day given for each cell; NaN where that is below 0."""
    return torch.where(day >= 0, x.gather(-2, day.clamp(min=0)), torch.nan)
