"""Partitions: raw prices by month, everything that mines by generation run."""

import dagster as dg

FIRST_MONTH = "1960-01-01"  # daily bars of US stocks are freely had from 1962 on
MONTHS = dg.MonthlyPartitionsDefinition(start_date=FIRST_MONTH, end_offset=1)
"""One partition a month, this month included; a source fills those it has."""

GENERATION_RUNS = dg.DynamicPartitionsDefinition(name="generation_run")
"""One partition a generation run, added when it is started. Keys: lower-case letters, digits, `-` and `_`."""
