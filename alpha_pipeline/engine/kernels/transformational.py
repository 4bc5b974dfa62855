"""Transformational operators: buckets, tails, holding a value until a condition."""

from __future__ import annotations

from alpha_pipeline.engine.kernels.kernel import Kernel

KERNELS: dict[str, Kernel] = {}
