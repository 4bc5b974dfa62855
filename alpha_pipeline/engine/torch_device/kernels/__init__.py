"""Operators on a torch device, by name. The plain kernel of `alpha_pipeline.expression.operators` says what each is.

Every operator of an ordinary account is here, and those of the paper of 2015. The others run on the host, with the CPU
engine's kernels, their inputs copied there and the result back: see `host`.
"""

from __future__ import annotations

from alpha_pipeline.engine.torch_device.kernels import (
    cells,
    cross_section,
    group,
    memory,
    pairs,
    time_series,
    vector,
)
from alpha_pipeline.engine.torch_device.kernels.kernel import TorchKernel
from alpha_pipeline.expression import OPERATORS

TORCH_KERNELS: dict[str, TorchKernel] = {
    **cells.KERNELS,
    **cross_section.KERNELS,
    **group.KERNELS,
    **time_series.KERNELS,
    **pairs.KERNELS,
    **memory.KERNELS,
    **vector.KERNELS,
}


def on_host() -> list[str]:
    """Names of the operators that run here, but on the host."""
    return [name for name, operator in OPERATORS.items() if name not in TORCH_KERNELS and not operator.elsewhere]


__all__ = ["TORCH_KERNELS", "TorchKernel", "on_host"]
