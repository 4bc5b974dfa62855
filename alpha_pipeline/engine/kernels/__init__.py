"""The fast form of every operator, by operator name; the slow one is `alpha_pipeline.expression.OPERATORS[name].plain`.

A test holds the two together: same names, same values, no look ahead.
"""

from __future__ import annotations

from alpha_pipeline.engine.kernels import cross_section, elementwise, group, time_series
from alpha_pipeline.engine.kernels.kernel import Kernel

KERNELS: dict[str, Kernel] = {
    **elementwise.KERNELS,
    **time_series.KERNELS,
    **cross_section.KERNELS,
    **group.KERNELS,
}

__all__ = ["KERNELS", "Kernel"]
