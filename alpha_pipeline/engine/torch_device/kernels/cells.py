"""Cell by cell: arithmetic, comparisons, logic, choice, buckets.

What float32 gives rightly rounded (sums, products, quotients, roots) is worked out in it; logarithms and powers are
worked out in float64.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from alpha_pipeline.engine.kernels.transformational import bucket_labels
from alpha_pipeline.engine.torch_device.kernels.kernel import NAN, TorchKernel, only, sign
from alpha_pipeline.expression.operators.texts import edges_of


def _filled(x: Tensor, value: float) -> Tensor:
    return torch.where(torch.isnan(x), value, x)


def _filtered(function: Callable[[Tensor, Tensor], Tensor]) -> TorchKernel:
    def run(x: Tensor, y: Tensor, filtered: bool) -> Tensor:
        return function(_filled(x, 0.0), _filled(y, 0.0)) if filtered else function(x, y)

    return TorchKernel("cells", run)


def _multiply(x: Tensor, y: Tensor, filtered: bool, reading: str) -> Tensor:
    value = 1.0 if reading == "one" else 0.0
    return _filled(x, value) * _filled(y, value) if filtered else x * y


def _power(x: Tensor, y: Tensor) -> Tensor:
    fraction = torch.isfinite(y) & (torch.remainder(y, 1.0) != 0)
    missing = torch.isnan(x) | torch.isnan(y) | ((x < 0) & fraction)
    return torch.where(missing, NAN, torch.pow(x.double(), y.double()))


def _signed_power(x: Tensor, y: Tensor) -> Tensor:
    return sign(x) * _power(x.abs(), y).float()


def _log(x: Tensor) -> Tensor:
    return only(x.double().log(), x > 0)


def _larger(x: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(x, y) + 0.0  # of zeros of both signs: +0, whichever comes first


def _smaller(x: Tensor, y: Tensor) -> Tensor:
    return torch.minimum(x, y) + 0.0


def _compared(compare: Callable[[Tensor, Tensor], Tensor]) -> TorchKernel:
    def run(x: Tensor, y: Tensor) -> Tensor:
        return torch.where(torch.isnan(x) | torch.isnan(y), NAN, compare(x, y).float())

    return TorchKernel("cells", run)


def _not(x: Tensor) -> Tensor:
    return torch.where(torch.isnan(x), NAN, (x == 0).float())


def _if_else(condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return torch.where(torch.isnan(condition) | (condition == 0), y, x)


def _is_nan(x: Tensor) -> Tensor:
    return torch.isnan(x).float()


def _bucket(
    x: Tensor,
    range_text: str,
    edges_text: str,
    skip_begin: bool,
    skip_end: bool,
    skip_both: bool,
    nan_group: bool,
) -> Tensor:
    edges = edges_of(range_text, edges_text)
    labels = bucket_labels(len(edges), skip_begin, skip_end, skip_both, nan_group)
    places = torch.searchsorted(torch.from_numpy(edges).to(x.device), x.contiguous())
    places = torch.where(torch.isnan(x), len(edges) + 1, places)
    return torch.from_numpy(labels).to(x.device)[places]


def _cells(function: Callable[..., Tensor]) -> TorchKernel:
    return TorchKernel("cells", function)


KERNELS: dict[str, TorchKernel] = {
    "add": _filtered(torch.add),
    "subtract": _filtered(torch.sub),
    "multiply": _cells(_multiply),
    "divide": _cells(torch.div),
    "power": _cells(_power),
    "signed_power": _cells(_signed_power),
    "reverse": _cells(torch.neg),
    "inverse": _cells(torch.reciprocal),
    "abs": _cells(torch.abs),
    "log": _cells(_log),
    "sqrt": _cells(lambda x: x.double().sqrt()),
    "sign": _cells(sign),
    "max": _cells(_larger),
    "min": _cells(_smaller),
    "less": _compared(torch.lt),
    "less_equal": _compared(torch.le),
    "greater": _compared(torch.gt),
    "greater_equal": _compared(torch.ge),
    "equal": _compared(torch.eq),
    "not_equal": _compared(torch.ne),
    "and": _compared(torch.logical_and),
    "or": _compared(torch.logical_or),
    "not": _cells(_not),
    "if_else": _cells(_if_else),
    "is_nan": _cells(_is_nan),
    "bucket": _cells(_bucket),
}
