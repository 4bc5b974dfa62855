"""Event files: one row per event, with the symbol it is about and the day by whose close it was known.

Two layouts: columns `field` and `value` beside symbol and date, or one column per field. See docs/decisions/0007.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import time
from pathlib import Path

import polars as pl

from alpha_pipeline.errors import BadInput
from alpha_pipeline.market.panel import FIELD_UNITS
from alpha_pipeline.market.sources.base import LEVELS, EventTable
from alpha_pipeline.market.sources.layout import (
    DATE_FORMATS,
    EXTENSIONS,
    MISSING_TEXT,
    as_date,
    columns_of,
    extension,
    header,
)

MOSTLY_TEXT = 0.01  # share of values that are no numbers above which a column is refused, as in price files
NAME = re.compile(r"[a-z_][a-z0-9_]{0,99}")  # a field's; it also names files of the panel
WORDS = frozenset({"and", "or", "not", "true", "false", "in", "frac", "nan"})  # reserved in expressions
HELD = frozenset({*FIELD_UNITS, "market", *LEVELS})
AVERAGE_VOLUME = re.compile(r"adv[1-9][0-9]{0,3}")
DAY_FIRST, MONTH_FIRST = "%d/%m/%Y", "%m/%d/%Y"
CLOCK = r"[T ]\s*(.*)$"  # what follows the day in a text
MIDNIGHT = r"^0?0:00(:00(\.0*)?)?\s*(Z|UTC|[+-]\d\d:?\d\d)?$"
DAY_OF_CLOSE = "write the day by whose close the event was known"


def read_events(path: Path) -> EventTable:
    """The events of a file by field, in the order of its rows.

    Names of fields are folded to lower case. A missing value is no event. Values that are no finite numbers are left
    out with a warning, unless they are more than 1 % of their field's.

    Raises:
        BadInput: no such file, an unsupported extension, no symbol, date or value column, no rows, unreadable or
            ambiguous dates, times of day, names that cannot be those of new fields, too many values that are no
            numbers.
    """
    if not path.is_file():
        raise BadInput("there is no such events file", str(path), "give a CSV or Parquet file with symbol and date")
    if not extension(path):
        kinds = ", ".join(EXTENSIONS)
        raise BadInput(f"the extension {path.suffix!r} is not supported", str(path), f"use one of {kinds}")
    names = header(path)
    found = columns_of(names, path)
    for ours, word in (("instrument", "symbol"), ("date", "date")):
        if ours not in found:
            raise BadInput(
                f"there is no {word} column among {', '.join(names)}",
                str(path),
                f"add a column {word!r}, a row an event",
            )
    others = [name for name in names if name not in (found["instrument"], found["date"])]
    long = _long_columns(others, path)
    if not long:
        for name in others:
            check_name(name.strip().lower(), path)
    table = _table(path)
    if table.is_empty():
        raise BadInput("there is a header and no row", str(path), "give a file with rows, or leave --events out")
    keys = pl.DataFrame(
        {
            "date": _dates(table, found["date"], path),
            "instrument": table[found["instrument"]].cast(pl.String).str.strip_chars().replace("", None),
        }
    )
    warnings: list[str] = []
    if long:
        fields = _long(table, keys, *long, path, warnings)
        aside = [name for name in others if name not in long]
        if aside:
            warnings.append(f"Columns of {path.name} beside field and value, left aside: {', '.join(aside)}.")
    else:
        fields = {(ours := name.strip().lower()): _events(keys, table[name], ours, path, warnings) for name in others}
    if not any(frame.height for frame in fields.values()):
        raise BadInput("no row holds a value", str(path), "fill it, or leave --events out")
    return EventTable(fields, str(path), tuple(warnings))


def check_name(name: str, path: Path) -> None:
    """Refuse what cannot be the name of a new field."""
    if not NAME.fullmatch(name):
        mend = "use letters, digits and _, at most 100, not beginning with a digit"
        raise BadInput(f"{name!r} is no name of a field", str(path), mend)
    if name in WORDS:
        raise BadInput(f"{name!r} is a word of the expression language", str(path), "rename the field")
    if name in HELD or AVERAGE_VOLUME.fullmatch(name):
        raise BadInput(f"a field {name!r} is there already, made of the prices", str(path), "rename the field")


def _table(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path) if extension(path) == ".parquet" else pl.read_csv(path, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        what = f"the rows cannot be read ({str(error).splitlines()[0]})"
        raise BadInput(what, str(path), "mend or remove the broken lines") from error


def _long_columns(others: Sequence[str], path: Path) -> tuple[str, str] | None:
    """The columns `field` and `value` as the file spells them; None where each column is a field."""
    if not others:
        raise BadInput("there is no column of values", str(path), "add 'field' and 'value', or one column per field")
    plain = {name.strip().lower(): name for name in others}
    if "field" in plain and "value" in plain:
        return plain["field"], plain["value"]
    if "field" in plain:
        raise BadInput("there is a column 'field' and no column 'value'", str(path), "add it, or rename 'field'")
    return None


def _long(
    table: pl.DataFrame, keys: pl.DataFrame, field: str, value: str, path: Path, warnings: list[str]
) -> dict[str, pl.DataFrame]:
    """Events by field of a table with a column of field names."""
    named = table[field].cast(pl.String).fill_null("").str.strip_chars().str.to_lowercase().alias("field")
    for name in named.unique(maintain_order=True):
        check_name(name, path)
    rows = keys.with_columns(named, table[value].alias("value"))
    parts = rows.partition_by("field", maintain_order=True, as_dict=True)
    return {
        str(name): _events(part.select("date", "instrument"), part["value"], str(name), path, warnings)
        for (name,), part in parts.items()
    }


def _events(keys: pl.DataFrame, column: pl.Series, name: str, path: Path, warnings: list[str]) -> pl.DataFrame:
    """date, instrument, value (Float64) of one field's events, in the order of the rows."""
    given = column
    if column.dtype == pl.String:
        text = column.str.strip_chars()
        given = text.set(text.is_in(MISSING_TEXT), None)
    elif not column.dtype.is_numeric() and column.dtype != pl.Null:
        raise BadInput(f"{name} holds {column.dtype}, not numbers", str(path), "save it as numbers, or leave it out")
    numbers = given.cast(pl.Float64, strict=False)
    missing = given.is_null()
    if column.dtype.is_float():
        missing |= numbers.is_nan().fill_null(True)
    # Panels hold float32, in which larger numbers than its largest would become infinite.
    bad = ~missing & ~numbers.cast(pl.Float32, strict=False).is_finite().fill_null(False)
    count, present = int(bad.sum()), int((~missing).sum())
    if count > MOSTLY_TEXT * present:
        what = f"{count} of {present} values of {name} are no numbers, the first is {given.filter(bad)[0]!r}"
        raise BadInput(what, str(path), "write plain numbers, or leave the column out")
    if count:
        warnings.append(f"{count} of {present} values of {name} are no numbers; these events are left out.")
    return keys.with_columns(numbers.alias("value")).filter(~missing & ~bad)


def _dates(table: pl.DataFrame, name: str, path: Path) -> pl.Series:
    """The day of each event. Raises BadInput on one that is none, or that could be two."""
    column = table[name]
    dtype = column.dtype
    if not (dtype in (pl.Date, pl.String) or isinstance(dtype, pl.Datetime) or dtype.is_integer()):
        raise BadInput(f"the date column {name!r} holds {dtype}", str(path), "write dates like 2021-12-31")
    if dtype == pl.Date or isinstance(dtype, pl.Datetime):
        days = {DATE_FORMATS[0]: table.select(as_date(name, dtype, DATE_FORMATS[0])).to_series()}
    else:
        days = {form: table.select(as_date(name, dtype, form)).to_series() for form in DATE_FORMATS}
    best = min(days, key=lambda form: days[form].null_count())
    read, failures = days[best], days[best].null_count()
    if failures:
        what = f"{failures} dates cannot be read, the first is {column.filter(read.is_null())[0]!r}"
        raise BadInput(what, str(path), "write them like 2021-12-31")
    _refuse_clocks(column, path)
    other = days.get(DAY_FIRST if best == MONTH_FIRST else "")
    if other is not None and other.null_count() == 0 and (other != read).any():
        example = column.filter(other != read)[0]
        what = f"dates like {example!r} may begin with the month or with the day"
        raise BadInput(what, str(path), "write them like 2021-12-31")
    return read


def _refuse_clocks(column: pl.Series, path: Path) -> None:
    """An event of 16:30 was not known by the day's close: to cut the time off would let an alpha look ahead."""
    if isinstance(column.dtype, pl.Datetime):
        clocked = (column.dt.time() != time(0)).fill_null(False)
    elif column.dtype == pl.String:
        clock = column.str.strip_chars().str.extract(CLOCK)
        clocked = clock.is_not_null() & ~clock.str.contains(MIDNIGHT).fill_null(True)
    else:
        return
    if clocked.any():
        example = str(column.filter(clocked)[0])
        raise BadInput(f"{clocked.sum()} dates carry a time of day, the first is {example!r}", str(path), DAY_OF_CLOSE)
