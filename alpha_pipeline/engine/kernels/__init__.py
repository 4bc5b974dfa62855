"""The fast forms of operators, by operator name; the slow one is `alpha_pipeline.expression.OPERATORS[name].plain`.

An operator that is not here runs its plain kernel (see `engine.plain`). A test holds the two together: same values, no
look ahead.
"""

from __future__ import annotations

from alpha_pipeline.engine.kernels import (
    composed,
    cross_section,
    elementwise,
    group,
    time_series,
    transformational,
    vector,
)
from alpha_pipeline.engine.kernels.kernel import Kernel

KERNELS: dict[str, Kernel] = {
    **elementwise.KERNELS,
    **time_series.KERNELS,
    **cross_section.KERNELS,
    **group.KERNELS,
    **vector.KERNELS,
    **transformational.KERNELS,
    **composed.KERNELS,
}

__all__ = ["KERNELS", "Kernel"]
