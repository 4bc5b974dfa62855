"""Sector files: symbol → sector, industry, subindustry."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from alpha_pipeline.errors import BadInput
from alpha_pipeline.market.sources.base import LEVELS
from alpha_pipeline.market.sources.layout import ALIASES, EXTENSIONS, extension, header


def read_groups(path: Path) -> pl.DataFrame:
    """instrument and those of sector, industry, subindustry that the file has; unknown = empty string.

    Raises:
        BadInput: no such file, an unsupported extension, no symbol column, none of the three levels, or a symbol
            with two different classifications.
    """
    if not path.is_file():
        raise BadInput("there is no such groups file", str(path), "give a CSV or Parquet file with a symbol column")
    if not extension(path):
        kinds = ", ".join(EXTENSIONS)
        raise BadInput(f"the extension {path.suffix!r} is not supported", str(path), f"use one of {kinds}")
    names = header(path)
    plain = {name.strip().lower().replace(" ", "_"): name for name in reversed(names)}
    symbol = next((plain[each] for each in ALIASES["instrument"] if each in plain), None)
    if symbol is None:
        raise BadInput(f"there is no symbol column among {', '.join(names)}", str(path), "add a column 'symbol'")
    levels = {level: plain[level] for level in LEVELS if level in plain}
    if not levels:
        found = ", ".join(names)
        raise BadInput(f"none of {', '.join(LEVELS)} is among {found}", str(path), "add at least a column 'sector'")
    try:
        table = pl.read_parquet(path) if extension(path) == ".parquet" else pl.read_csv(path, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        what = f"the rows cannot be read ({str(error).splitlines()[0]})"
        raise BadInput(what, str(path), "mend or remove the broken lines") from error
    chosen = table.select(
        pl.col(symbol).cast(pl.String).str.strip_chars().alias("instrument"),
        *(pl.col(name).cast(pl.String).fill_null("").str.strip_chars().alias(level) for level, name in levels.items()),
    )
    chosen = chosen.filter(pl.col("instrument").is_not_null() & (pl.col("instrument") != "")).unique()
    twice = chosen.filter(chosen["instrument"].is_duplicated())
    if not twice.is_empty():
        name = twice["instrument"].sort()[0]
        raise BadInput(f"{name} stands in several groups", str(path), "keep one row per symbol")
    if chosen.is_empty():
        raise BadInput("the file has no rows", str(path), "fill it, or leave --groups out")
    return chosen.sort("instrument")
