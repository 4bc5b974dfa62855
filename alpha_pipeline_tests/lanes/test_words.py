"""Words beside what NumPy makes of the same sixteen numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from alpha_pipeline.jit import njit
from alpha_pipeline.lanes import (
    LANES,
    all_of,
    finite,
    greatest_of,
    how_many,
    least_of,
    load_run,
    select,
    store_run,
    sum_of,
    whole_double,
)
from alpha_pipeline_tests.lanes.rows import row


@njit
def _copied(values: npt.NDArray[Any], start: int, stop: int, result: npt.NDArray[Any]) -> None:
    store_run(result, start, stop, load_run(values, start, stop))


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int32, np.int64])
@pytest.mark.parametrize("width", [0, 1, 15, 16, 17])
def test_what_is_left_of_a_run_is_copied_and_nothing_else(kind: Any, width: int) -> None:
    values, result = np.arange(1, 41).astype(kind), np.zeros(40, kind)
    _copied(values, 3, 3 + width, result)
    expected = np.zeros(40, kind)
    expected[3 : 3 + min(width, LANES)] = values[3 : 3 + min(width, LANES)]
    np.testing.assert_array_equal(result, expected)


@njit
def _beyond(values: npt.NDArray[np.float32], whole: npt.NDArray[np.int32], flags: npt.NDArray[np.bool_]) -> Any:
    some = load_run(values, 0, 5)
    return (
        how_many(some == some),
        how_many(load_run(whole, 0, 5) == all_of(np.int32(0))),
        how_many(load_run(flags, 0, 5)),
        how_many(load_run(flags, 0, 16)),
    )


def test_beyond_a_run_is_nothing() -> None:
    found = _beyond(np.ones(16, np.float32), np.ones(16, np.int32), np.ones(16, np.bool_))
    assert found == (5, 11, 5, 16)


@njit
def _folded(values: npt.NDArray[Any]) -> Any:
    lanes = load_run(values, 0, LANES)
    return sum_of(lanes), least_of(lanes), greatest_of(lanes)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int32])
def test_sixteen_become_one_in_a_fixed_order(kind: Any) -> None:
    """Halves are joined: to the bit, whatever the processor."""
    values = (np.random.default_rng(0).normal(size=LANES) * 1e6).astype(kind)
    total = values
    while len(total) > 1:
        total = total[: len(total) // 2] + total[len(total) // 2 :]
    assert _folded(values) == (total[0], values.min(), values.max())


@njit
def _counted(values: npt.NDArray[np.float32]) -> tuple[int, float]:
    known = finite(load_run(values, 0, LANES))
    ones = select(known, all_of(np.int32(1)), all_of(np.int32(0)))
    return how_many(known), sum_of(whole_double(ones))


@pytest.mark.parametrize("seed", range(20))
def test_finite_lanes_are_counted(seed: int) -> None:
    values = row(seed, LANES)
    count = int(np.isfinite(values).sum())
    assert _counted(values) == (count, float(count))
