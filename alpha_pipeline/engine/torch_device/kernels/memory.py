"""What looks for a day or remembers one: last changes, filled gaps, values held until a condition, hump."""

from __future__ import annotations

import torch
from torch import Tensor

from alpha_pipeline.engine.torch_device.kernels.kernel import TorchKernel, finite, only, sign
from alpha_pipeline.engine.torch_device.kernels.windows import at, before, day_numbers, latest
from alpha_pipeline.expression.operators.texts import numbers_of


def _ignored(x: Tensor, text: str, always_missing: bool) -> Tensor:
    """Where x is one of the values of a text such as `NAN 0`; float32 values are compared as the CPU kernel does."""
    values = numbers_of(text, "ignore")
    listed = torch.isnan(x) if always_missing or any(v != v for v in values) else torch.zeros_like(x, dtype=torch.bool)
    for value in values:
        if value == value:
            listed = listed | (x == torch.tensor(value, dtype=torch.float32, device=x.device))
    return listed


def _recent(x: Tensor, taken: Tensor, window: int, k: int) -> Tensor:
    """The k-th most recent value among those taken, NaN where the window holds fewer."""
    rows = x.shape[-2]
    number = taken.cumsum(dim=-2)  # of those taken, from 1
    days = torch.full((*x.shape[:-2], rows + 1, x.shape[-1]), -1, dtype=torch.int64, device=x.device)
    # row n: the day of the n-th taken; those not taken go to the last row, where no n-th before it can be looked for
    place = torch.where(taken, number - 1, rows)
    days.scatter_(-2, place, day_numbers(x).expand_as(place).contiguous())
    wanted = number - k
    day = torch.where(wanted >= 0, days.gather(-2, wanted.clamp(min=0)), -1)
    return at(x, torch.where(day_numbers(x) - day < window, day, -1))


def _backfill(x: Tensor, window: int, needed: int, k: int, ignore: str) -> Tensor:
    missing = _ignored(x, ignore, True)
    filled = torch.where(missing, _recent(x, ~missing, window, k), x)
    return only(filled, day_numbers(x) + 1 >= needed)


def _kth_element(x: Tensor, window: int, needed: int, k: int, ignore: str) -> Tensor:
    return only(_recent(x, ~_ignored(x, ignore, False), window, k), day_numbers(x) + 1 >= needed)


def _changes(x: Tensor) -> tuple[Tensor, Tensor]:
    """The latest day on which x was another value than before, and the latest valid day before each day."""
    valid = ~torch.isnan(x)
    earlier = before(latest(valid), 1, -1)
    return latest(valid & ~(at(x, earlier) == x)), earlier


def _last_diff_value(x: Tensor, window: int, needed: int) -> Tensor:
    changed, earlier = _changes(x)
    other = torch.where(changed >= 0, earlier.gather(-2, changed.clamp(min=0)), -1)
    found = at(x, torch.where(day_numbers(x) - other < window, other, -1))
    return only(found, ~torch.isnan(x) & (day_numbers(x) + 1 >= needed))


def _days_from_last_change(x: Tensor, reading: str) -> Tensor:
    since = day_numbers(x) - _changes(x)[0] + (1 if reading == "one" else 0)
    return only(since.float(), ~torch.isnan(x))


def _trade_when(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    leaves = z > 0
    day = latest((x > 0) | leaves)
    return at(torch.where(leaves, torch.nan, y), day)


def _hump(x: Tensor, hump: float) -> Tensor:
    """Day after day, as each rests on the one before; what carries over is kept in float64."""
    values, valid = finite(x)
    limits = hump * values.abs().sum(dim=-1, keepdim=True)
    today = only(values, valid)
    out = torch.empty_like(values)
    held = torch.full_like(values[..., 0, :], torch.nan)
    for day in range(x.shape[-2]):
        now, limit = today[..., day, :], limits[..., day, :]
        change = now - held
        moved = torch.where(change.abs() <= limit, held, held + limit * sign(change))
        held = torch.where(torch.isnan(held) | torch.isnan(now), now, moved)
        out[..., day, :] = held
    return out


KERNELS: dict[str, TorchKernel] = {
    "ts_backfill": TorchKernel("columns", _backfill),
    "kth_element": TorchKernel("columns", _kth_element),
    "last_diff_value": TorchKernel("columns", _last_diff_value),
    "days_from_last_change": TorchKernel("columns", _days_from_last_change),
    "trade_when": TorchKernel("columns", _trade_when),
    "hump": TorchKernel("all", _hump),
}
