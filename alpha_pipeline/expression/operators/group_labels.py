"""Groups made of groups. Labels are numbered from 0 on each day, so that they are never more than the instruments."""

from __future__ import annotations

import numpy as np

from alpha_pipeline.expression.operator import operator
from alpha_pipeline.expression.scale import Pure
from alpha_pipeline.expression.types import Array, Group, ValueType
from alpha_pipeline.expression.units import Grouped


def _numbered(pairs: Array) -> Array:
    """Labels [days, instruments] from 0 for pairs [days, instruments, 2], in their order; NaN where one has a NaN."""
    out = np.full(pairs.shape[:2], np.nan)
    for day, row in enumerate(pairs):
        if day and np.array_equal(row, pairs[day - 1], equal_nan=True):
            out[day] = out[day - 1]
            continue
        known = ~np.isnan(row).any(axis=1)
        first, second = (np.unique(each, return_inverse=True)[1].reshape(-1) for each in row[known].T)
        out[day, known] = np.unique(first * len(row) + second, return_inverse=True)[1].reshape(-1)
    return out


@operator(
    "group",
    unit=Grouped(),
    scale=Pure(),
    result=ValueType.GROUP,
    profiles=("consultant",),
    searched=False,
)
def group_cartesian_product(g1: Group, g2: Group) -> Array:
    """Groups of those who share both groups.

    Formula: a label for each pair (g1, g2) that occurs on the day
    NaN: in no group where either has none.

    >>> group_cartesian_product([1, 1, 2, 2], [1, 2, 1, 1])
    [0, 1, 2, 2]
    """
    return _numbered(np.stack([g1, g2], axis=-1))


@operator(
    "group",
    unit=Grouped(),
    scale=Pure(),
    result=ValueType.GROUP,
    profiles=("consultant",),
    keeps_missing=False,
    searched=False,
)
def group_coalesce(g1: Group, *more: Group) -> Array:
    """The first of several groups that an instrument has.

    Labels of different sources stay apart: a group is shared by those who have it from the same source.

    Formula: a label for each pair (source, its label) that occurs on the day
    NaN: in no group where all have none.

    >>> group_coalesce([1, nan, 2, nan], [1, 1, 2, 2])
    [0, 2, 1, 3]
    """
    sources = np.stack([g1, *more])
    first = np.argmax(~np.isnan(sources), axis=0)
    label = np.take_along_axis(sources, first[None], axis=0)[0]
    return _numbered(np.stack([first.astype(np.float64), label], axis=-1))
