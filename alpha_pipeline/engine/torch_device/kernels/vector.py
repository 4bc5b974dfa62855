"""A panel's vector fields to matrices. Those that vec_filter makes are made on the host."""

from __future__ import annotations

import torch
from torch import Tensor

from alpha_pipeline.engine.torch_device.kernels.kernel import Events, TorchKernel, finite, only


def _totals(events: Events) -> tuple[Tensor, Tensor]:
    """Sum and number of each cell's finite events, float64 [1, dates, instruments]."""
    values, valid = finite(events.values)

    def added(each: Tensor) -> Tensor:
        return torch.segment_reduce(each, "sum", lengths=events.lengths, axis=0).reshape(1, *events.shape)

    return added(values), added(valid.double())


def _avg(events: Events) -> Tensor:
    total, count = _totals(events)
    return only(total / count, count > 0)


def _sum(events: Events) -> Tensor:
    total, count = _totals(events)
    return only(total, count > 0)


KERNELS: dict[str, TorchKernel] = {"vec_avg": TorchKernel("all", _avg), "vec_sum": TorchKernel("all", _sum)}
