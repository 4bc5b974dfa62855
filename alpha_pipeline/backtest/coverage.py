"""How much of a signal is missing: the question of stage 5."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alpha_pipeline.backtest.simulate import read_only
from alpha_pipeline.jit import njit


@njit
def _count(
    signal: npt.NDArray[np.float32],
    universe: npt.NDArray[np.bool_],
    age: npt.NDArray[np.int32],
    lookback: int,
    start: int,
    stop: int,
) -> tuple[int, int]:
    cells = missing = 0
    for day in range(start, stop):
        for column in range(signal.shape[1]):
            if universe[day, column] and age[day, column] >= lookback:
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
        signal, universe, age: [T, N]; age counts the days since the instrument's first bar.
        lookback: rows the expression needs before today; instruments younger than that are left out.
        days: rows to look at: those of the search window on which the lookback is filled, for anything that selects.

    Returns:
        A fraction; 1.0 where no cell is old enough, since then nothing speaks for the signal.
    """
    arrays = read_only(signal), read_only(universe), read_only(age)
    cells, missing = _count(*arrays, lookback, days.start, days.stop)
    return missing / cells if cells else 1.0
