"""Which instruments stand for all of them where a test need not see the whole panel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def evenly(count: int, wanted: int) -> npt.NDArray[np.int64]:
    """`wanted` positions spread evenly over 0..count-1, or all of them where there are fewer."""
    return np.unique(np.linspace(0, count - 1, min(wanted, count)).round().astype(np.int64))
