"""Inside groups, day by day, and group_backfill, which looks at the group's window as well."""

from __future__ import annotations

import torch
from torch import Tensor

from alpha_pipeline.engine.torch_device.kernels.grouping import Groups
from alpha_pipeline.engine.torch_device.kernels.kernel import (
    LAST_KEY,
    NAN,
    TorchKernel,
    finite,
    keys,
    only,
    shared_ranks,
)
from alpha_pipeline.engine.torch_device.kernels.windows import before, largest, moments

WORD = 2**32


def _rank(x: Tensor, group: Groups) -> Tensor:
    valid = ~torch.isnan(x) & group.known
    start = group.labels * WORD
    key = torch.where(valid, start + (keys(x).long() + 2**31), start + (LAST_KEY + 2**31))
    ordered = key.sort(dim=-1).values
    first = torch.searchsorted(ordered, start.expand_as(key).contiguous())
    smaller, up_to = (torch.searchsorted(ordered, key, right=right) - first for right in (False, True))
    return only(shared_ranks(smaller, up_to, group.total(valid.long())), valid)


def _scale(x: Tensor, group: Groups) -> Tensor:
    values, valid = finite(x)
    top = group.largest(torch.where(valid, values, -torch.inf))
    bottom = -group.largest(torch.where(valid, -values, -torch.inf))
    share = torch.where(top > bottom, 1.0 / (top - bottom), NAN)
    return only((values - bottom) * share, valid & group.known)


def _from_mean(x: Tensor, group: Groups) -> tuple[Tensor, Tensor, Tensor]:
    """Values less their group's mean, 0 for what does not count; which count; how many."""
    values, valid = finite(x)
    count = group.total(valid.double())
    mean = group.total(values) / count
    return torch.where(valid, values - mean, 0.0), valid & group.known, count


def _neutralize(x: Tensor, group: Groups) -> Tensor:
    above, valid, _ = _from_mean(x, group)
    return only(above, valid)


def _zscore(x: Tensor, group: Groups) -> Tensor:
    above, valid, count = _from_mean(x, group)
    squares = group.total(above * above)
    share = torch.where(squares > 0, 1.0 / torch.sqrt(squares / count), NAN)
    return only(above * share, valid)


def _mean(x: Tensor, weight: Tensor, group: Groups, mean: str) -> Tensor:
    valid = torch.isfinite(x) & torch.isfinite(weight) & group.known
    values, weights = (torch.where(valid, each, 0.0).double() for each in (x, weight))
    mass = group.total(weights)
    if mean == "harmonic":
        return only(mass / group.total(torch.where(valid, weights / values, 0.0)), valid)
    return only(group.total(weights * values) / mass, valid)


def _backfill(x: Tensor, group: Groups, window: int, needed: int, std: float) -> Tensor:
    values, valid = finite(x)
    # of each column's window: count, mean, squares about it; put together, they are those of today's groups
    own_count, own_mean, own_squares = moments(values, valid, window)
    count = group.total(own_count)
    mean = group.total(own_count * own_mean) / count
    apart = torch.where(own_count > 0, own_mean - mean, 0.0)
    squares = group.total(own_squares + own_count * apart * apart)
    top = group.largest(largest(torch.where(valid, values, -torch.inf), window))
    bottom = -group.largest(largest(torch.where(valid, -values, -torch.inf), window))
    bound = std * torch.sqrt(squares / (count - 1))
    low, high = mean - bound, mean + bound
    found = torch.where(top > bottom, mean, top)
    beyond = (top > bottom) & ((bottom < low) | (top > high))
    if beyond.any():
        cut = torch.zeros_like(values)
        for lag in range(min(window, values.shape[-2])):
            held = torch.minimum(torch.maximum(before(values, lag, 0.0), low), high)
            cut += torch.where(before(valid, lag, False), held, 0.0)
        found = torch.where(beyond, group.total(cut) / count, found)
    filled = torch.where(torch.isnan(x) & (count >= needed) & (count > 0), found, x.double())
    return only(filled, group.known)


KERNELS: dict[str, TorchKernel] = {
    "group_rank": TorchKernel("rows", _rank),
    "group_scale": TorchKernel("rows", _scale),
    "group_neutralize": TorchKernel("rows", _neutralize),
    "group_zscore": TorchKernel("rows", _zscore),
    "group_mean": TorchKernel("rows", _mean),
    "group_backfill": TorchKernel("rows", _backfill),
}
