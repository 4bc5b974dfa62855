"""Across the instruments of a day: ranks, sums, spreads. Sums are float64."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from alpha_pipeline.engine.torch_device.kernels.kernel import (
    NAN,
    TorchKernel,
    finite,
    keys,
    only,
    shared_ranks,
)


def _ranked(x: Tensor) -> tuple[Tensor, Tensor]:
    """Exact ranks, float64, and how many values [calls, dates, 1] each row has."""
    valid = ~torch.isnan(x)
    key = keys(x)
    ordered = key.sort(dim=-1).values
    smaller = torch.searchsorted(ordered, key, out_int32=True)
    up_to = torch.searchsorted(ordered, key, right=True, out_int32=True)
    count = valid.sum(dim=-1, keepdim=True)
    return only(shared_ranks(smaller, up_to, count), valid), count


def _rank(x: Tensor, rate: float) -> Tensor:
    return _ranked(x)[0]


def inverse_distribution(driver: str, share: Tensor) -> Tensor:
    """The driver's inverse distribution function of float64 shares; the uniform one lies about 0."""
    if driver == "gaussian":
        inverse: Tensor = torch.special.ndtri(share)
        return inverse
    return share - 0.5 if driver == "uniform" else torch.tan(math.pi * (share - 0.5))


def _quantile(x: Tensor, driver: str, sigma: float) -> Tensor:
    ranks, count = _ranked(x)
    n = count.double()
    return sigma * inverse_distribution(driver, 1 / n + ranks * (1 - 2 / n))


def _added(values: Tensor) -> Tensor:
    return values.sum(dim=-1, keepdim=True)


def _from_mean(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Mean [calls, dates, 1]; values less the mean, 0 for what is not finite; which are; their number."""
    values, valid = finite(x)
    count = _added(valid.double())
    mean = _added(values) / count
    # exactly 0 where all are equal: equal float32 add up without rounding in float64
    return mean, torch.where(valid, values - mean, 0.0), valid, count


def _zscore(x: Tensor) -> Tensor:
    _, above, valid, count = _from_mean(x)
    squares = _added(above * above)
    share = torch.where(squares > 0, 1.0 / torch.sqrt(squares / count), NAN)
    return only(above * share, valid)


def _scale(x: Tensor, scale: float, longscale: float | None, shortscale: float | None) -> Tensor:
    values, valid = finite(x)
    if longscale is None and shortscale is None:
        total = _added(values.abs())
        return only(values * torch.where(total > 0, scale / total, NAN), valid)
    long, short = (1.0 if each is None else each for each in (longscale, shortscale))
    above, below = _added(values.clamp(min=0.0)), _added((-values).clamp(min=0.0))
    sides = torch.where(values > 0, values / above * long, torch.where(values < 0, values / below * short, values))
    return only(sides, valid & (above + below > 0))


def _normalize(x: Tensor, use_std: bool, limit: float) -> Tensor:
    _, above, valid, count = _from_mean(x)
    if use_std:
        deviation = torch.sqrt(_added(above * above) / (count - 1))
        above = only(above / deviation, deviation > 0)
    return only(above.clamp(-limit, limit) if limit else above, valid)


def _winsorize(x: Tensor, std: float) -> Tensor:
    mean, above, valid, count = _from_mean(x)
    bound = std * torch.sqrt(_added(above * above) / count)
    return only(torch.minimum(torch.maximum(x.double(), mean - bound), mean + bound), valid)


def _densify(labels: Tensor) -> Tensor:
    key = keys(labels)
    ordered = key.sort(dim=-1).values
    new = torch.zeros_like(ordered)
    new[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    numbers = new.cumsum(dim=-1)
    return only(numbers.gather(-1, torch.searchsorted(ordered, key)).float(), ~torch.isnan(labels))


KERNELS: dict[str, TorchKernel] = {
    "rank": TorchKernel("rows", _rank),
    "quantile": TorchKernel("rows", _quantile),
    "zscore": TorchKernel("rows", _zscore),
    "scale": TorchKernel("rows", _scale),
    "normalize": TorchKernel("rows", _normalize),
    "winsorize": TorchKernel("rows", _winsorize),
    "densify": TorchKernel("rows", _densify),
}
