"""Along time, two inputs: correlation, covariance, the least-squares line. Only days with both count."""

from __future__ import annotations

import torch
from torch import Tensor

from alpha_pipeline.engine.torch_device.kernels.kernel import NAN, TorchKernel, only
from alpha_pipeline.engine.torch_device.kernels.windows import before, pair_moments


def _both(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """float64 values with 0 where either is not finite, and where both are."""
    valid = torch.isfinite(x) & torch.isfinite(y)
    return torch.where(valid, x, 0.0).double(), torch.where(valid, y, 0.0).double(), valid


def _corr(x: Tensor, y: Tensor, window: int, needed: int) -> Tensor:
    count, _, _, xx, yy, xy = pair_moments(*_both(x, y), window)
    told = (count >= needed) & (xx > 0) & (yy > 0)
    return only((xy / torch.sqrt(xx * yy)).clamp(-1.0, 1.0), told)


def _covariance(x: Tensor, y: Tensor, window: int, needed: int) -> Tensor:
    count, *_, xy = pair_moments(*_both(x, y), window)
    return only(xy / count, count >= needed)


def _regression(y: Tensor, x: Tensor, window: int, needed: int, lag: int, rettype: int) -> Tensor:
    x = before(x, lag, NAN)
    a, b, valid = _both(x, y)
    count, mean_x, mean_y, xx, yy, xy = pair_moments(a, b, valid, window)
    slope = xy / xx
    told = (count >= needed) & (xx > 0)
    if rettype == 0:
        error = torch.where(count > 2, (b - mean_y) - slope * (a - mean_x), 0.0)  # two points lie on the line
        return only(error, told & valid)
    if rettype == 3:
        return only(mean_y + slope * (x.double() - mean_x), told & torch.isfinite(x))
    if rettype in (1, 2):
        return only(mean_y - slope * mean_x if rettype == 1 else slope, told)
    if rettype == 5:
        return only(yy, told)
    # one by one, as a difference of what they are taken from leaves no digits of small errors
    errors = torch.zeros_like(a)
    for day in range(min(window, a.shape[-2])):
        error = (before(b, day, 0.0) - mean_y) - slope * (before(a, day, 0.0) - mean_x)
        errors += torch.where(before(valid, day, False) & (count > 2), error * error, 0.0)
    if rettype == 4:
        return only(errors, told)
    if rettype == 6:
        return only(1.0 - errors / yy, told & (yy > 0))
    mean_error = only(errors / (count - 2), count > 2)
    if rettype == 7:
        return only(mean_error, told)
    if rettype == 8:
        return only(torch.sqrt(mean_error / xx), told)
    return only(torch.sqrt(mean_error * (1 / count + mean_x * mean_x / xx)), told)


KERNELS: dict[str, TorchKernel] = {
    "ts_corr": TorchKernel("columns", _corr),
    "ts_covariance": TorchKernel("columns", _covariance),
    "ts_regression": TorchKernel("columns", _regression),
}
