"""The operators of the language, one declaration each. Importing this package registers them all."""

from alpha_pipeline.expression.operators import arithmetic, cross_sectional, group, logical, time_series

__all__ = ["arithmetic", "cross_sectional", "group", "logical", "time_series"]
