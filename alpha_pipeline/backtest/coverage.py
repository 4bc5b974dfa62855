"""How much of a signal is missing: the question of stage 5."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from alpha_pipeline.jit import njit


@njit
def _count(signal: Any, age: Any, lookback: int, start: int, stop: int) -> tuple[int, int]:
    cells = missing = 0
    for day in range(start, stop):
        for column in range(signal.shape[1]):
            if age[day, column] >= lookback:
                cells += 1
                missing += not np.isfinite(signal[day, column])
    return cells, missing


def missing_share(
    signal: npt.NDArray[np.float32],
    universe: npt.NDArray[np.bool_],
    age: npt.NDArray[np.int32],
    lookback: int,
    days: slice,
) -> float:
    """Share of NaN and infinite cells of a signal among the universe cells that could have a value.

    Args:
        signal, universe, age: [T, N]; age counts the days since the instrument joined the universe (see Panel).
        lookback: rows the expression needs before today. Rows before it, and instruments younger than it, are left out.
        days: rows to look at; the search window, for anything that selects.

    Returns:
        A fraction; 1.0 where no cell is old enough, since then nothing speaks for the signal.
    """
    old_enough = np.where(universe, age, np.int32(-1))
    cells, missing = _count(np.ascontiguousarray(signal), old_enough, lookback, max(days.start, lookback), days.stop)
    return missing / cells if cells else 1.0
