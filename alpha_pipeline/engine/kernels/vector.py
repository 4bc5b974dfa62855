"""Vector fields to matrices: one number per cell of the events that it holds."""

from __future__ import annotations

from alpha_pipeline.engine.kernels.kernel import Kernel

KERNELS: dict[str, Kernel] = {}
