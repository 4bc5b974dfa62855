"""Sums and ends of runs of columns of every width, beside what NumPy says of the same cells."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alpha_pipeline.jit import njit
from alpha_pipeline.lanes.runs import ends_of_run, put_run, sizes_of_run, squares_of_run, sum_of_run
from alpha_pipeline_tests.lanes.rows import row


@njit
def _found(values: npt.NDArray[np.float32], left: int, right: int) -> tuple[float, ...]:
    total, count = sum_of_run(values, left, right)
    smallest, largest = ends_of_run(values, left, right)
    return (
        total,
        count,
        sizes_of_run(values, left, right),
        squares_of_run(values, left, right, 0.25),
        np.float64(smallest),
        np.float64(largest),
    )


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 70), st.integers(0, 70))
def test_sums_and_ends_of_any_run(seed: int, left: int, width: int) -> None:
    values = row(seed, 150)
    part = values[left : left + width].astype(np.float64)
    part = part[np.isfinite(part)]
    expected = (
        part.sum(),
        len(part),
        np.abs(part).sum(),
        ((part - 0.25) ** 2).sum(),
        part.min(initial=np.inf),
        part.max(initial=-np.inf),
    )
    found = _found(values, left, left + width)
    assert found[0] == pytest.approx(expected[0], rel=1e-12, abs=1e-14 * np.abs(part).sum())  # parts may cancel
    np.testing.assert_allclose(found[1:], expected[1:], rtol=1e-12)


@njit
def _put(values: npt.NDArray[np.float64], left: int, right: int, result: npt.NDArray[np.float32]) -> None:
    put_run(values, left, right, 0.25, 3.0, result)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 70), st.integers(0, 70))
def test_a_run_is_put_and_nothing_beside_it(seed: int, left: int, width: int) -> None:
    values, result = row(seed, 150).astype(np.float64), np.full(150, 7, np.float32)
    expected = result.copy()
    part = values[left : left + width]
    with np.errstate(over="ignore"):
        expected[left : left + width] = np.where(np.isfinite(part), (part - 0.25) * 3, np.nan).astype(np.float32)
    _put(values, left, left + width, result)
    np.testing.assert_array_equal(result, expected)
