"""What was tried, how it was judged, and what was accepted: Delta tables, and DuckDB in memory over them.

lake.py stores tables, tables.py says which, sql_models.py runs the SELECTs of `dbt_like_sql/`, correlation.py compares
daily profit, ledger.py is what the rest of the house talks to.
"""

from alpha_pipeline.ledger.correlation import MINIMUM_DAYS, pool_correlation, worst
from alpha_pipeline.ledger.lake import Lake, check_key
from alpha_pipeline.ledger.ledger import Commit, Ledger, pool_key_of
from alpha_pipeline.ledger.sql_models import BrokenModel, Check, Model, load_models, read_model, run_model, sql_folder
from alpha_pipeline.ledger.tables import METRICS, TABLES, Table, conform

__all__ = [
    "METRICS",
    "MINIMUM_DAYS",
    "TABLES",
    "BrokenModel",
    "Check",
    "Commit",
    "Lake",
    "Ledger",
    "Model",
    "Table",
    "check_key",
    "conform",
    "load_models",
    "pool_correlation",
    "pool_key_of",
    "read_model",
    "run_model",
    "sql_folder",
    "worst",
]
