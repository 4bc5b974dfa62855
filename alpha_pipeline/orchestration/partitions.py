"""Partitions: raw prices by month, everything that mines by generation run."""

import dagster as dg

MONTHS = dg.MonthlyPartitionsDefinition(start_date="2000-01-01", end_offset=1)
"""One partition a month, this month included; a source fills those it has."""

GENERATION_RUNS = dg.DynamicPartitionsDefinition(name="generation_run")
"""One partition a generation run, added when it is started. Keys: lower-case letters, digits, `-` and `_`."""
