"""How kernels of sixteen neighbouring columns (see `lanes`) are run on any number of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from alpha_pipeline.engine.kernels.kernel import Matrix
from alpha_pipeline.lanes import LANES

AHEAD = 2 * LANES  # columns to fetch before their turn: by the time a column is done, those have come


def run_on_columns(
    kernel: Callable[..., None],
    matrices: tuple[Matrix, ...],
    parameters: tuple[Any, ...],
    out: Matrix,
    lo: int,
    hi: int,
) -> None:
    """kernel(*matrices, *parameters, out, lo, hi), on copies where there are not sixteen columns."""
    if hi - lo >= LANES and all(each.strides[1] == each.itemsize for each in (*matrices, out)):
        kernel(*matrices, *parameters, out, lo, hi)
        return
    width = max(hi - lo, LANES)
    copies = [np.full((len(each), width), np.nan, np.float32) for each in matrices]
    for copy, each in zip(copies, matrices, strict=True):
        copy[:, : hi - lo] = each[:, lo:hi]
    result = np.empty((len(out), width), np.float32)
    kernel(*copies, *parameters, result, 0, width)
    out[:, lo:hi] = result[:, : hi - lo]
