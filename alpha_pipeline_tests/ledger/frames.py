"""Frames as runs commit them, for the ledger's tests."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from alpha_pipeline.ledger import METRICS
from alpha_pipeline.ledger.correlation import daily_pnl

POOL = "pool-0123456789ab"


def days_of(count: int, start: str = "2018-01-01") -> npt.NDArray[np.datetime64]:
    return np.datetime64(start) + np.arange(count)


def profits(seed: int, names: list[str], days: int = 300, start: str = "2018-01-01") -> pl.DataFrame:
    """Independent daily profit of each name, (alpha_id, date, pnl)."""
    random = np.random.default_rng(seed)
    dates = days_of(days, start)
    return pl.concat([daily_pnl(name, dates, random.normal(0.0001, 0.01, days)) for name in names])


def accepted(names: list[str], data_version: str = "data-1") -> pl.DataFrame:
    """Rows of `accepted` less its partition."""
    return pl.DataFrame(
        {
            "alpha_id": names,
            "expression": [f"rank({name})" for name in names],
            "settings": ["{}"] * len(names),
            "market_id": ["synthetic-s7"] * len(names),
            "data_version": [data_version] * len(names),
            **{metric: [1.5] * len(names) for metric in METRICS},
            "accepted_at": ["2026-01-01T00:00:00Z"] * len(names),
        },
        schema_overrides={"alpha_id": pl.String, "expression": pl.String, "data_version": pl.String},
    )


def searched(pnl: pl.DataFrame, until: int | None = None) -> pl.DataFrame:
    """Rows of `accepted_pnl` less its partition: the first `until` days of each alpha are its search window."""
    order = pl.int_range(pl.len()).over("alpha_id")
    return pnl.with_columns((order < (until if until is not None else 1_000_000)).alias("search"))


def trials(names: list[str], sharpe: float = 1.0) -> pl.DataFrame:
    """Rows of `trials` less its partition."""
    return pl.DataFrame(
        {
            "alpha_id": names,
            "expression": names,
            "market_id": ["synthetic-s7"] * len(names),
            "data_version": ["data-1"] * len(names),
            "generator": ["random"] * len(names),
            "sharpe": [sharpe] * len(names),
        }
    )
