"""All time-series kernels: running sums, spreads, extremes, shifts and rank, each told in its own module."""

from __future__ import annotations

from alpha_pipeline.engine.kernels import extremes, moments, running, shifts
from alpha_pipeline.engine.kernels.kernel import Kernel

KERNELS: dict[str, Kernel] = {**shifts.KERNELS, **running.KERNELS, **moments.KERNELS, **extremes.KERNELS}
