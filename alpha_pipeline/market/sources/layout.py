"""How files name things: header aliases, date formats, tickers from file names."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from alpha_pipeline.errors import BadInput
from alpha_pipeline.market.sources.base import PRICES

# Ours → accepted spellings, the most telling one first: where a file has both `symbol` and `name`, `symbol` counts.
ALIASES: dict[str, tuple[str, ...]] = {
    "date": ("date", "datetime", "timestamp", "day"),
    "instrument": ("instrument", "symbol", "ticker", "tic", "name"),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close",),
    "adj_close": ("adj_close", "adjclose", "adjusted_close", "close_adj"),
    "volume": ("volume", "vol"),
    "vwap": ("vwap",),
    "cap": ("cap", "market_cap", "marketcap"),
}
NEEDED = ("date", *PRICES, "volume")
MISSING_TEXT = ["", "null", "NULL", "NaN", "nan", "NA", "N/A", "None", "-"]
DATE_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y")
EXTENSIONS = (".parquet", ".csv", ".csv.gz")


def extension(path: Path) -> str:
    """The supported extension that `path` ends with, or empty."""
    return next((each for each in EXTENSIONS if path.name.lower().endswith(each)), "")


def header(path: Path) -> list[str]:
    """Column names as they stand in the file. Raises BadInput on an empty, unreadable or doubly named one."""
    try:
        if extension(path) == ".parquet":
            return pl.scan_parquet(path).collect_schema().names()
        opener = gzip.open if path.name.lower().endswith(".gz") else open
        with opener(path, "rt", encoding="utf-8-sig", newline="") as lines:
            names = next(csv.reader(lines), [])
    except OSError as error:
        raise BadInput(f"the file cannot be read ({error.strerror or error})", str(path), "check the file") from error
    except (UnicodeDecodeError, csv.Error, EOFError) as error:
        raise BadInput(f"the file is no text in CSV ({error})", str(path), "save it as UTF-8 CSV") from error
    except pl.exceptions.PolarsError as error:
        what = str(error).splitlines()[0]
        raise BadInput(f"the file is no readable Parquet ({what})", str(path), "write the file again") from error
    if not names:
        raise BadInput("the file is empty", str(path), "give a file with a header line and rows")
    return names


def columns_of(names: Sequence[str], where: Path) -> dict[str, str]:
    """Our name → the file's name. Raises BadInput when two columns would be the same one of ours."""
    plain = [name.strip().lower().replace(" ", "_").replace("*", "") for name in names]
    doubled = [name for name, count in Counter(plain).items() if count > 1 and name]
    if doubled:
        raise BadInput(f"the column {doubled[0]!r} stands twice in the header", str(where), "remove or rename one")
    found: dict[str, str] = {}
    for ours, spellings in ALIASES.items():
        for spelling in spellings:
            if spelling in plain:
                found[ours] = names[plain.index(spelling)]
                break
    return found


def missing_columns(found: dict[str, str]) -> list[str]:
    """Names of the needed columns that a file lacks."""
    return [name for name in NEEDED if name not in found]


def ticker(path: Path) -> str:
    """The instrument that a one-per-ticker file is about: AAPL.csv, AAPL_data.csv, BRK.B.parquet."""
    return path.name[: -len(extension(path))].removesuffix("_data")


def as_date(name: str, dtype: pl.DataType, form: str) -> pl.Expr:
    """The column as Date; text is read by `form` after cutting off a time of day; unreadable = null."""
    column = pl.col(name)
    if dtype == pl.Date:
        return column
    if isinstance(dtype, pl.Datetime):
        return column.dt.date()
    text = column.cast(pl.String).str.strip_chars().str.split("T").list.first().str.split(" ").list.first()
    return text.str.to_date(form, strict=False)
