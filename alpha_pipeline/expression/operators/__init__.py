"""The operators of the language, one declaration each. Importing this package registers them all."""

from alpha_pipeline.expression.operators import cross_section, elementwise, group, logical, time_series

__all__ = ["cross_section", "elementwise", "group", "logical", "time_series"]
