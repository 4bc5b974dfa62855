"""All time-series kernels: each kind told in its own module."""

from __future__ import annotations

from alpha_pipeline.engine.kernels import (
    extremes,
    gathered,
    memory,
    moments,
    pairs,
    quantile,
    running,
    shifts,
    time_rank,
)
from alpha_pipeline.engine.kernels.kernel import Kernel

KERNELS: dict[str, Kernel] = {
    **shifts.KERNELS,
    **time_rank.KERNELS,
    **running.KERNELS,
    **moments.KERNELS,
    **pairs.KERNELS,
    **extremes.KERNELS,
    **gathered.KERNELS,
    **quantile.KERNELS,
    **memory.KERNELS,
}
