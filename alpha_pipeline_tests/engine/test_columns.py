"""Steps over runs of columns of every width, beside what NumPy says of the same cells."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alpha_pipeline.columns import ends_of_run, sizes_of_run, squares_of_run, sum_of_run
from alpha_pipeline.engine.kernels import KERNELS, group
from alpha_pipeline.jit import njit

AWKWARD = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-42, 3e38, 1.5, 1.5], np.float32)


def row(seed: int, columns: int) -> npt.NDArray[np.float32]:
    random = np.random.default_rng(seed)
    values = random.normal(size=columns).astype(np.float32)
    odd = random.random(columns) < 0.3
    values[odd] = random.choice(AWKWARD, int(odd.sum()))
    return values


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


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 90))
def test_small_groups_rank_as_large_ones_do(seed: int, groups: int) -> None:
    """To the bit: which way is taken depends on a group's width, and nothing else may."""
    random = np.random.default_rng(seed)
    edges = np.unique(np.concatenate([[0, 240], random.integers(0, 240, groups)])).astype(np.int32)
    values = np.array([row(seed + day, 240) for day in range(5)])
    compared, ordered = np.empty_like(values), np.empty_like(values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group, "MOST_COMPARED", 0)
        KERNELS["group_rank"].run(values, edges, ordered, 0, 5)
    for left, right in pairwise(edges.tolist()):
        if right - left <= group.MOST_COMPARED:
            KERNELS["group_rank"].run(values, np.array([left, right], np.int32), compared, 0, 5)
            np.testing.assert_array_equal(compared[:, left:right].view(np.int32), ordered[:, left:right].view(np.int32))
