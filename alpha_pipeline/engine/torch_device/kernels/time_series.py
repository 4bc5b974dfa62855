"""Along time, one input: days before, sums, spreads, extremes, ranks, decays."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from alpha_pipeline.engine.torch_device.kernels.cross_section import inverse_distribution
from alpha_pipeline.engine.torch_device.kernels.kernel import TorchKernel, finite, only
from alpha_pipeline.engine.torch_device.kernels.windows import (
    State,
    added,
    before,
    counted,
    day_numbers,
    largest,
    moments,
    over_window,
    pieced,
)


def _delay(x: Tensor, window: int, needed: int) -> Tensor:
    return before(x, window, torch.nan)


def _delta(x: Tensor, window: int, needed: int) -> Tensor:
    return x - before(x, window, torch.nan)


def _sum(x: Tensor, window: int, needed: int) -> Tensor:
    values, valid = finite(x)
    return only(added(values, window), counted(valid, window) >= needed)


def _mean(x: Tensor, window: int, needed: int) -> Tensor:
    values, valid = finite(x)
    count = counted(valid, window)
    return only(added(values, window) / count, count >= needed)


def _product(x: Tensor, window: int, needed: int) -> Tensor:
    valid = torch.isfinite(x)
    values = torch.where(valid, x, 1.0).double()
    return only(over_window(values, window, torch.mul, 1.0), counted(valid, window) >= needed)


def _std_dev(x: Tensor, window: int, needed: int) -> Tensor:
    count, _, squares = moments(*finite(x), window)
    return only(torch.sqrt(squares / count), count >= needed)


def _score(x: Tensor, window: int, needed: int) -> tuple[Tensor, Tensor]:
    """Today's x less the window's mean over its deviation, NaN where that is 0 or x missing; and the count."""
    values, valid = finite(x)
    count, mean, squares = moments(values, valid, window)
    deviation = torch.sqrt(squares / count)
    return only((values - mean) / deviation, valid & (deviation > 0) & (count >= needed)), count


def _zscore(x: Tensor, window: int, needed: int) -> Tensor:
    return _score(x, window, needed)[0]


def _av_diff(x: Tensor, window: int, needed: int) -> Tensor:
    values, valid = finite(x)
    count = counted(valid, window)
    return only(values - added(values, window) / count, valid & (count >= needed))


def _max(x: Tensor, window: int, needed: int) -> Tensor:
    valid = ~torch.isnan(x)
    return only(largest(torch.where(valid, x, -torch.inf), window), counted(valid, window) >= needed)


def _min(x: Tensor, window: int, needed: int) -> Tensor:
    return 0.0 - _max(-x, window, needed)


def _scale(x: Tensor, window: int, needed: int, constant: float) -> Tensor:
    values, valid = finite(x)
    top = largest(torch.where(valid, values, -torch.inf), window)
    bottom = -largest(torch.where(valid, -values, -torch.inf), window)
    told = valid & (top > bottom) & (counted(valid, window) >= needed)
    return only((values - bottom) / (top - bottom) + constant, told)


def _arg_max(x: Tensor, window: int, needed: int) -> Tensor:
    """Days since the largest value; of equal ones the latest. A missing day has the number −1."""
    valid = ~torch.isnan(x)
    day = torch.where(valid, day_numbers(x).int(), -1)

    def merge(newer: State, older: State, _: int) -> State:
        better = (older[1] >= 0) & ((newer[1] < 0) | (older[0] > newer[0]))
        return torch.where(better, older[0], newer[0]), torch.where(better, older[1], newer[1])

    _, found = pieced((torch.where(valid, x, -torch.inf), day), window, merge, (-torch.inf, -1))
    return only((day_numbers(x) - found).float(), counted(valid, window) >= needed)


def _arg_min(x: Tensor, window: int, needed: int) -> Tensor:
    return _arg_max(-x, window, needed)


def _placed(x: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Twice the window's smaller values plus the other equal ones, and how many it has: today against each day."""
    below = torch.zeros_like(x, dtype=torch.int16)  # the longest window, 9,999 days, fits
    for lag in range(1, min(window, x.shape[-2])):
        today, then = x[..., lag:, :], x[..., :-lag, :]
        below[..., lag:, :].add_(then < today).add_(then <= today)
    return below, counted(~torch.isnan(x), window)


def _rank(x: Tensor, window: int, needed: int, constant: float) -> Tensor:
    below, count = _placed(x, window)
    told = ~torch.isnan(x) & (count >= needed)
    return only(_halved(below, count) + constant, told)


def _halved(below: Tensor, count: Tensor) -> Tensor:
    """Ranks 0 to 1 of what `_placed` gives, float64; a value alone has 0.5."""
    return torch.where(count > 1, below.double() / (2 * (count - 1)).double(), 0.5)


def _distribution(driver: str, score: Tensor) -> Tensor:
    """The driver's distribution function; the uniform one has mean 0 and deviation 1."""
    if driver == "gaussian":
        share: Tensor = torch.special.ndtr(score)
        return share
    if driver == "uniform":
        return (0.5 + score / math.sqrt(12)).clamp(0.0, 1.0)
    return 0.5 + torch.atan(score) / math.pi


def _quantile(x: Tensor, window: int, needed: int, driver: str, reading: str) -> Tensor:
    if reading == "zscore":
        score, n = _score(x, window, max(needed, 2))
        return _distribution(driver, score * torch.sqrt((n - 1) / n))
    below, count = _placed(x, window)
    n = count.double()
    told = ~torch.isnan(x) & (count >= needed)
    return only(inverse_distribution(driver, 1 / n + _halved(below, count) * (1 - 2 / n)), told)


def _decay(x: Tensor, window: int, needed: int, dense: bool) -> Tensor:
    """Weights `window` (today) down to 1; inside a piece they count from 1, and rise by the days of what is older."""
    values, valid = finite(x)

    def weighted(each: Tensor) -> Tensor:
        def merge(newer: State, older: State, days: int) -> State:
            return newer[0] + older[0], newer[1] + days * newer[0] + older[1]

        return pieced((each, each), window, merge, (0.0, 0.0))[1]

    above = weighted(values)
    shared = above / weighted(valid.double()) if dense else above * (2.0 / (float(window) * (window + 1.0)))
    return only(shared, counted(valid, window) >= needed)


def _count_nans(x: Tensor, window: int, needed: int) -> Tensor:
    return only(counted(torch.isnan(x), window).float(), day_numbers(x) + 1 >= needed)


def _step(step: float, days: Tensor) -> Tensor:
    return (step * days.double())[None]


KERNELS: dict[str, TorchKernel] = {
    "ts_delay": TorchKernel("columns", _delay),
    "ts_delta": TorchKernel("columns", _delta),
    "ts_sum": TorchKernel("columns", _sum),
    "ts_mean": TorchKernel("columns", _mean),
    "ts_product": TorchKernel("columns", _product),
    "ts_std_dev": TorchKernel("columns", _std_dev),
    "ts_zscore": TorchKernel("columns", _zscore),
    "ts_av_diff": TorchKernel("columns", _av_diff),
    "ts_max": TorchKernel("columns", _max),
    "ts_min": TorchKernel("columns", _min),
    "ts_scale": TorchKernel("columns", _scale),
    "ts_arg_max": TorchKernel("columns", _arg_max),
    "ts_arg_min": TorchKernel("columns", _arg_min),
    "ts_rank": TorchKernel("columns", _rank),
    "ts_quantile": TorchKernel("columns", _quantile),
    "ts_decay_linear": TorchKernel("columns", _decay),
    "ts_count_nans": TorchKernel("columns", _count_nans),
    "ts_step": TorchKernel("columns", _step, shaped=True),
}
