"""What the ledger keeps: the columns of its tables, with their units.

Ratios are fractions. A column may be null only where told. `generation_run` is the run that wrote the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

METRICS: Mapping[str, type[pl.DataType]] = {
    "sharpe": pl.Float64,
    "turnover": pl.Float64,
    "fitness": pl.Float64,
    "returns": pl.Float64,
    "drawdown": pl.Float64,
    "margin": pl.Float64,
    "long_count": pl.Float64,
    "short_count": pl.Float64,
}


@dataclass(frozen=True)
class Table:
    """A table of the ledger.

    Attributes:
        description: one line on what a row is.
        schema: its columns in order.
        nullable: columns that may be null, and may be left out of a frame.
        partition: columns by which rows are replaced together.
    """

    description: str
    schema: pl.Schema
    nullable: frozenset[str]
    partition: tuple[str, ...] = ("generation_run",)

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """The columns that a writer gives, in order: the schema less the partition columns."""
        return {name: kind for name, kind in self.schema.items() if name not in self.partition}


def conform(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with exactly the columns of table `name`, in order and type, less its partition columns.

    Raises:
        ValueError: a column too many, one missing, a null where none may be, or a value of another type. These are
            defects of the caller, not of a user.
    """
    table = TABLES[name]
    wanted = table.columns
    if unknown := set(frame.columns) - set(wanted):
        raise ValueError(f"table '{name}' has no column {sorted(unknown)}")
    if missing := set(wanted) - set(frame.columns) - table.nullable:
        raise ValueError(f"table '{name}' needs the column {sorted(missing)}")
    absent = [pl.lit(None, kind).alias(column) for column, kind in wanted.items() if column not in frame.columns]
    try:
        whole = frame.with_columns(absent).select(pl.col(column).cast(kind) for column, kind in wanted.items())
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"table '{name}': {error}") from error
    for column in whole.columns:
        if column not in table.nullable and whole[column].null_count():
            raise ValueError(f"table '{name}': column '{column}' holds null")
    return whole


def _schema(columns: Mapping[str, type[pl.DataType]]) -> pl.Schema:
    return pl.Schema(columns)


TABLES: Mapping[str, Table] = {
    "trials": Table(
        "One evaluated expression of one run, on the search window",
        _schema(
            {
                "generation_run": pl.String,
                "market_id": pl.String,
                "data_version": pl.String,
                "alpha_id": pl.String,
                "expression": pl.String,  # canonical text
                "generator": pl.String,
                "settings": pl.String,  # JSON
                **METRICS,  # null where the evaluation failed
                "days": pl.Int64,
                "sharpe_one_day_later": pl.Float64,
                "finite_share": pl.Float64,
                "error": pl.String,  # null where it succeeded
            }
        ),
        frozenset({*METRICS, "settings", "days", "sharpe_one_day_later", "finite_share", "error"}),
    ),
    "verdicts": Table(
        "One stage's judgement of one alpha of one run",
        _schema(
            {
                "generation_run": pl.String,
                "alpha_id": pl.String,
                "stage": pl.Int64,  # 1..8
                "name": pl.String,
                "passed": pl.Boolean,
                "value": pl.Float64,  # what was measured
                "threshold": pl.Float64,
                "reason": pl.String,
            }
        ),
        frozenset({"value", "threshold", "reason"}),
    ),
    "accepted": Table(
        "One alpha of the pool that later alphas must differ from",
        _schema(
            {
                "pool_key": pl.String,
                "generation_run": pl.String,
                "alpha_id": pl.String,
                "expression": pl.String,
                "settings": pl.String,  # JSON
                "market_id": pl.String,
                "data_version": pl.String,
                **METRICS,
                "provenance": pl.String,  # JSON
                "accepted_at": pl.String,  # ISO 8601, UTC
            }
        ),
        frozenset({"provenance"}),
        ("pool_key", "generation_run"),
    ),
    "accepted_pnl": Table(
        "The profit of one accepted alpha on one day, per unit of book",
        _schema(
            {
                "pool_key": pl.String,
                "generation_run": pl.String,
                "alpha_id": pl.String,
                "date": pl.Date,
                "pnl": pl.Float64,
                "search": pl.Boolean,  # the day lay in that run's search window
            }
        ),
        frozenset(),
        ("pool_key", "generation_run"),
    ),
}
