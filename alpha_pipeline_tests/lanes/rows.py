"""Rows of numbers and of what is none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

AWKWARD = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-42, 3e38, 1.5, 1.5], np.float32)


def row(seed: int, columns: int) -> npt.NDArray[np.float32]:
    """float32 [columns], a third of them awkward."""
    random = np.random.default_rng(seed)
    values = random.normal(size=columns).astype(np.float32)
    odd = random.random(columns) < 0.3
    values[odd] = random.choice(AWKWARD, int(odd.sum()))
    return values
