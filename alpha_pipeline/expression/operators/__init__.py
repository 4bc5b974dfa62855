"""The operators of the language, one declaration each. Importing this package registers them all."""

from alpha_pipeline.expression.operators import (
    arithmetic,
    arithmetic_functions,
    arithmetic_values,
    cross_sectional,
    cross_sectional_pairs,
    group,
    group_labels,
    group_totals,
    logical,
    special,
    time_series,
    transformational,
    vector,
)

__all__ = [
    "arithmetic",
    "arithmetic_functions",
    "arithmetic_values",
    "cross_sectional",
    "cross_sectional_pairs",
    "group",
    "group_labels",
    "group_totals",
    "logical",
    "special",
    "time_series",
    "transformational",
    "vector",
]
