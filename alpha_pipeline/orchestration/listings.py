"""Tables for the Dagster UI."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import dagster as dg

from alpha_pipeline.backtest import Metrics


def table(columns: Mapping[str, str], rows: Sequence[Sequence[object]]) -> dg.TableMetadataValue:
    """A table for the Dagster UI.

    Args:
        columns: name → type ("string", "int", "float"), in order.
        rows: values in that order; floats are shown with four significant digits.
    """
    records = [dg.TableRecord({name: _shown(value) for name, value in zip(columns, row, strict=True)}) for row in rows]
    schema = dg.TableSchema([dg.TableColumn(name, kind) for name, kind in columns.items()])
    return dg.MetadataValue.table(records, schema)


def alphas_table(alphas: Sequence[tuple[str, Metrics]]) -> dg.TableMetadataValue:
    """Expressions with their figures, ratios as fractions."""
    figures = ("sharpe", "fitness", "turnover", "returns", "drawdown")
    rows = [[expression, *(metrics.to_dict()[name] for name in figures)] for expression, metrics in alphas]
    return table({"expression": "string", **dict.fromkeys(figures, "float")}, rows)


def _shown(value: object) -> str | int | float | bool | None:
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, str | int) else str(value)
