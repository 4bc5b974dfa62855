"""Operators across the instruments of one group (sector, industry, …), day by day; rules as in `cross_sectional`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from alpha_pipeline.expression.operator import operator
from alpha_pipeline.expression.operators.cross_sectional import finite_only, ranked
from alpha_pipeline.expression.scale import Pure
from alpha_pipeline.expression.types import Array, Group, Matrix


def _by_group(function: Callable[[Array], Array], x: Array, group: Array) -> Array:
    """`function` of each day's values of each group, put back in place; `group` holds a code per instrument."""
    out = np.full(x.shape, np.nan)
    for code in np.unique(group):
        members = group == code
        for day in range(len(x)):
            out[day, members] = function(x[day, members])
    return out


@operator("group", scale=Pure())
def group_rank(x: Matrix, group: Group) -> Array:
    """Rank inside the group, 0 (lowest) to 1; ties share the average, alone it is 0.5."""
    return _by_group(ranked, x, group)


@operator("group", scale=Pure())
def group_scale(x: Matrix, group: Group) -> Array:
    """(x − smallest) / (largest − smallest) inside the group; NaN where all are equal."""

    def scaled(row: Array) -> Array:
        values = finite_only(row)
        held = values[~np.isnan(values)]
        if not len(held) or held.max() == held.min():
            return np.full(len(row), np.nan)
        return (values - held.min()) / (held.max() - held.min())

    return _by_group(scaled, x, group)


@operator("group", scale=Pure())
def group_neutralize(x: Matrix, group: Group) -> Array:
    """x less the mean of its group."""

    def neutralized(row: Array) -> Array:
        values = finite_only(row)
        held = values[~np.isnan(values)]
        return values - held.mean() if len(held) else values

    return _by_group(neutralized, x, group)
