"""Ranks inside small groups, which compare all with all, beside those of large ones, which sort."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alpha_pipeline.engine.kernels import KERNELS, group
from alpha_pipeline_tests.lanes.rows import row


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
