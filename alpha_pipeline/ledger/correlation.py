"""How the daily profit of candidates correlates with that of the pool: the question of stage 6, put to DuckDB.

The SELECT is dbt_like_sql/marts/pool_correlation.sql. Only search-window days belong into either frame.
"""

from __future__ import annotations

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl

from alpha_pipeline.ledger.sql_models import read_model, run_model, sql_folder

MINIMUM_DAYS = 250  # fewer common days say nothing about two alphas


def daily_pnl(alpha_id: str, dates: npt.NDArray[np.datetime64], pnl: npt.NDArray[np.float64]) -> pl.DataFrame:
    """One alpha's rows (alpha_id, date, pnl) for the models and the ledger: one per day of `dates` [D]."""
    days = pl.Series("date", dates.astype("datetime64[D]"), dtype=pl.Date)
    return pl.DataFrame({"date": days, "pnl": pl.Series(pnl, dtype=pl.Float64)}).select(
        pl.lit(alpha_id).alias("alpha_id"), "date", "pnl"
    )


def pool_correlation(
    candidate_pnl: pl.DataFrame, pool_pnl: pl.DataFrame, minimum_days: int = MINIMUM_DAYS
) -> pl.DataFrame:
    """Every candidate against every accepted alpha.

    Args:
        candidate_pnl, pool_pnl: (alpha_id, date, pnl), a row per alpha and day; days that are not finite do not count.

    Returns:
        A row per pair, sorted: alpha_id, pool_alpha_id, correlation (Pearson on common days, rounded to 10 decimals;
        null where there is none), common_days, enough_days (at least `minimum_days`), max_absolute_correlation and
        most_correlated (the candidate's worst case). No row where either frame is empty.
    """
    model = read_model(sql_folder() / "marts" / "pool_correlation.sql")
    with duckdb.connect() as connection:
        return run_model(
            connection,
            model,
            {"candidate_pnl": candidate_pnl, "pool_pnl": pool_pnl},
            minimum_days=minimum_days,
        )


def worst(pairs: pl.DataFrame) -> pl.DataFrame:
    """One row per candidate of `pool_correlation`, sorted by alpha_id: its worst case, and its least common days.

    Returns:
        alpha_id, max_absolute_correlation (null where no pair has a correlation), most_correlated, fewest_common_days.
    """
    return (
        pairs.group_by("alpha_id")
        .agg(
            pl.col("max_absolute_correlation").first(),
            pl.col("most_correlated").first(),
            pl.col("common_days").min().alias("fewest_common_days"),
        )
        .sort("alpha_id")
    )
