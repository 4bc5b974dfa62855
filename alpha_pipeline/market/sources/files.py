"""Prices from Parquet or CSV: one long file, or a folder of them, or one file per ticker. Read lazily with Polars."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from alpha_pipeline.errors import BadInput
from alpha_pipeline.market.sources.base import COLUMNS, OPTIONAL, PRICES, EventTable, SourceInfo
from alpha_pipeline.market.sources.events import read_events
from alpha_pipeline.market.sources.groups import read_groups
from alpha_pipeline.market.sources.layout import (
    DATE_FORMATS,
    EXTENSIONS,
    MISSING_TEXT,
    NEEDED,
    as_date,
    columns_of,
    extension,
    header,
    missing_columns,
    ticker,
)

FEWEST_ENDINGS = 0.01  # share of instruments a year; with fewer a set holds survivors (US listings end at 4 % and more)
LAST_WEEK = timedelta(days=7)
FILE = "__file__"  # column of a scan: the file a row comes from
MOSTLY_TEXT = 0.01  # share of unreadable values above which a column is no column of numbers


@dataclass(frozen=True)
class _Survey:
    """What one pass over the file tells."""

    first: date
    last: date
    instruments: int
    alive: int  # instruments with a bar in the last week
    unreadable: int  # values in number columns that are no numbers
    bare: list[str]  # files of one ticker that hold no row


class FilesSource:
    """Bars from files in Yahoo's layout or one like it (see `layout.ALIASES` for the accepted names).

    Args:
        path: a .parquet, .csv or .csv.gz file, or a folder searched for them. A file without a symbol column holds
            one instrument, named by the file. In a folder, files without any price column are left aside with a
            warning; one with some of the price columns is an error.
        groups: file of sectors, see `groups.read_groups`.
        events: file of events, see `events.read_events`.
        adjusted_as_of: day whose knowledge is in the prices; "never" for prices as they were known on each day.
            Unknown by default, which counts as later than the data: most files are back-adjusted.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        groups: str | Path | None = None,
        events: str | Path | None = None,
        adjusted_as_of: str | None = None,
    ) -> None:
        self.path = Path(path)
        self._adjusted_as_of = adjusted_as_of
        self._groups = read_groups(Path(groups)) if groups is not None else None
        self._events = read_events(Path(events)) if events is not None else None
        self._files, self._aside = self._choose()
        try:
            self._frame = self._scan()
            self._survey = self._look()
        except pl.exceptions.PolarsError as error:
            what = f"the rows cannot be read ({str(error).splitlines()[0]})"
            raise BadInput(what, str(self.path), "mend or remove the broken lines") from error

    def describe(self) -> SourceInfo:
        survey, warnings = self._survey, []
        place = hashlib.sha256(str(self.path.resolve()).encode()).hexdigest()[:6]
        years = max((survey.last - survey.first).days / 365.25, 1.0)
        survivors = survey.instruments - survey.alive < FEWEST_ENDINGS * years * survey.instruments
        if survivors:
            warnings.append(
                f"SURVIVORS ONLY: {survey.alive} of {survey.instruments} instruments still trade in the last week of "
                "the data; whatever failed on the way is missing, so no Sharpe level from it is to be believed as such."
            )
        as_of: str | None = self._adjusted_as_of
        if as_of == "never":
            as_of = None
        else:
            as_of = as_of or f"unknown, taken as later than {survey.last}"
            warnings.append(
                f"Prices were adjusted with later knowledge (as of: {as_of}): price levels know the future, "
                "only expressions free of the price scale count."
            )
        if not self._has("adj_close"):
            warnings.append("The files have no adjusted close: close is taken as it is, dividends are not in returns.")
        if survey.unreadable:
            warnings.append(f"{survey.unreadable} values are no numbers; their rows are quarantined (C01).")
        if self._aside:
            warnings.append(f"Files without price columns, left aside: {_some(path.name for path in self._aside)}.")
        if survey.bare:
            warnings.append(f"Files with a header and no row: {_some(survey.bare)}.")
        return SourceInfo(
            market_id=f"files-{_plain_name(self.path)}-{self._fingerprint}",
            market=f"files-{_plain_name(self.path)}-{place}",
            source="files",
            synthetic=False,
            adjusted_as_of=as_of,
            survivors_only=survivors,
            warnings=tuple(warnings),
        )

    def months(self) -> tuple[date, date]:
        return self._survey.first, self._survey.last

    def read(self, start: date, end: date) -> pl.LazyFrame:
        keep = [name for name in (*COLUMNS, *OPTIONAL) if name in self._frame.collect_schema()]
        return self._frame.select(keep).filter(pl.col("date").is_between(pl.lit(start), pl.lit(end)))

    def groups(self) -> pl.DataFrame | None:
        return self._groups

    def events(self) -> EventTable | None:
        return self._events

    @cached_property
    def _fingerprint(self) -> str:
        """12 hex digits over relative names and all bytes: the same wherever the files lie, another for any change."""
        digest = hashlib.sha256()
        for path, _ in self._files:
            name = path.name if self.path.is_file() else path.relative_to(self.path).as_posix()
            with path.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").hexdigest()
            digest.update(f"{name} {content}\n".encode())
        return digest.hexdigest()[:12]

    def _has(self, name: str) -> bool:
        return any(name in found for _, found in self._files)

    def _choose(self) -> tuple[list[tuple[Path, dict[str, str]]], list[Path]]:
        """Price files with their columns, and files left aside."""
        kinds = ", ".join(EXTENSIONS)
        if not self.path.exists():
            raise BadInput("there is no such file or folder", str(self.path), "check --path")
        if self.path.is_file():
            if not extension(self.path):
                suffix = self.path.suffix or self.path.name
                raise BadInput(f"the extension {suffix!r} is not supported", str(self.path), f"use one of {kinds}")
            paths = [self.path]
        else:
            inside = sorted(self.path.rglob("*"), key=lambda path: path.relative_to(self.path).as_posix())
            paths = [path for path in inside if path.is_file() and extension(path) and not path.name.startswith(".")]
            if not paths:
                raise BadInput(f"the folder holds none of {kinds}", str(self.path), "point --path at price files")
        files: list[tuple[Path, dict[str, str]]] = []
        aside: list[Path] = []
        for path in paths:
            names = header(path)
            found = columns_of(names, path)
            missing = missing_columns(found)
            prices = [name for name in PRICES if name in found]
            if not missing:
                files.append((path, found))
            elif self.path.is_file() or prices:
                what = f"the column {missing[0]!r} is missing" if len(missing) == 1 else f"columns missing: {missing}"
                raise BadInput(f"{what}; found {', '.join(names)}", str(path), "rename or add it (Yahoo's names work)")
            else:
                aside.append(path)
        if not files:
            mend = f"name them {', '.join(NEEDED)}, with commas between them"
            raise BadInput("no file in the folder has price columns", str(self.path), mend)
        return files, aside

    def _scan(self) -> pl.LazyFrame:
        """All files as one lazy long frame in our names and types. Files with the same header are scanned together."""
        alike: dict[tuple[Any, ...], list[Path]] = {}
        for path, found in self._files:
            alike.setdefault((extension(path), *found.items()), []).append(path)
        frames = []
        for (kind, *columns), paths in alike.items():
            frames.append(self._scan_alike(kind, dict(columns), paths))
        return pl.concat(frames, how="diagonal_relaxed") if len(frames) > 1 else frames[0]

    def _scan_alike(self, kind: str, found: dict[str, str], paths: Sequence[Path]) -> pl.LazyFrame:
        """Files of one header as date, instrument, our number columns, and FILE.

        A number column read from text brings `?name`, whether the text is no number, and `!name`, the text itself.
        """
        if kind == ".parquet":
            raw = pl.scan_parquet(list(paths), include_file_paths=FILE)
        else:
            raw = pl.scan_csv(list(paths), infer_schema=False, include_file_paths=FILE, null_values=MISSING_TEXT)
        schema = raw.collect_schema()
        form = self._date_format(raw, found["date"], schema[found["date"]], paths)
        names = {str(path): ticker(path) for path in paths}
        if "instrument" in found:
            instrument = pl.col(found["instrument"]).cast(pl.String).str.strip_chars()
        else:
            instrument = pl.col(FILE).replace_strict(names, return_dtype=pl.String)
        numbers = {ours: theirs for ours, theirs in found.items() if ours not in ("date", "instrument")}
        values = []
        for ours, theirs in numbers.items():
            column, dtype = pl.col(theirs), schema[theirs]
            if dtype == pl.String:
                column = column.str.strip_chars()
            elif not dtype.is_numeric():
                where, mend = str(paths[0]), "save it as numbers"
                raise BadInput(f"the column {theirs!r} holds {dtype}, not numbers", where, mend)
            values.append(column.cast(pl.Float64, strict=False).alias(ours))
            if dtype == pl.String:
                values.append(
                    (column.is_not_null() & column.cast(pl.Float64, strict=False).is_null()).alias(f"?{ours}")
                )
                values.append(column.alias(f"!{ours}"))
        when = as_date(found["date"], schema[found["date"]], form)
        frame = raw.select(when.alias("date"), instrument.alias("instrument"), *values, pl.col(FILE))
        if "adj_close" not in found:
            frame = frame.with_columns(adj_close=pl.col("close"))
        return frame

    def _date_format(self, raw: pl.LazyFrame, name: str, dtype: pl.DataType, paths: Sequence[Path]) -> str:
        """The date format that reads every value of a text column. Raises BadInput if none does."""
        if dtype == pl.Date or isinstance(dtype, pl.Datetime):
            return DATE_FORMATS[0]
        if dtype != pl.String and not dtype.is_integer():
            raise BadInput(f"the date column {name!r} holds {dtype}", str(paths[0]), "write dates like 2021-12-31")
        failures = raw.select(as_date(name, dtype, form).is_null().sum().alias(form) for form in DATE_FORMATS).collect(
            engine="streaming"
        )
        best = min(DATE_FORMATS, key=lambda form: failures[form][0])
        if failures[best][0]:
            bad = raw.filter(as_date(name, dtype, best).is_null()).select(name, FILE).head(1).collect()
            value, where = bad[name][0], bad[FILE][0]
            count = failures[best][0]
            raise BadInput(f"{count} dates cannot be read, the first is {value!r}", where, "write them like 2021-12-31")
        return best

    def _look(self) -> _Survey:
        """One streaming pass: extent, survivors, unreadable numbers, rows that cannot be told apart."""
        schema = self._frame.collect_schema().names()
        doubtful = [name[1:] for name in schema if name.startswith("?")]
        by_name = self._frame.group_by("instrument").agg(
            pl.len().alias("rows"),
            pl.col("date").min().alias("first"),
            pl.col("date").max().alias("last"),
            pl.col("date").n_unique().alias("days"),
            *(pl.col(f"?{name}").sum() for name in doubtful),
        )
        seen = by_name.collect(engine="streaming")
        rows = int(seen["rows"].sum())
        if rows == 0:
            raise BadInput("there is a header and no row", str(self.path), "give a file with rows")
        for name in doubtful:
            bad = int(seen[f"?{name}"].sum())
            if bad > MOSTLY_TEXT * rows:
                example = self._frame.filter(pl.col(f"?{name}")).select(f"!{name}", FILE).head(1).collect()
                value, where = example[f"!{name}"][0], example[FILE][0]
                raise BadInput(
                    f"{bad} of {rows} values of {name} are no numbers, the first is {value!r}",
                    where,
                    "write plain numbers",
                )
        nameless = any("instrument" not in found for _, found in self._files)
        confused = seen.filter(pl.col("rows") > 2 * pl.col("days"))
        if nameless and not confused.is_empty():
            what = "many rows share a date and there is no symbol column"
            raise BadInput(what, str(self.path), "add a column 'symbol', or give one file per ticker")
        last = seen["last"].max()
        first = seen["first"].min()
        named = set(seen["instrument"])
        if not (isinstance(first, date) and isinstance(last, date)):  # every date was read, so one exists
            raise TypeError(f"dates were read as {type(first)} and {type(last)}")
        return _Survey(
            first=first,
            last=last,
            instruments=seen["instrument"].drop_nulls().len(),
            alive=seen.filter(pl.col("instrument").is_not_null() & (pl.col("last") > last - LAST_WEEK)).height,
            unreadable=sum(int(seen[f"?{name}"].sum()) for name in doubtful),
            bare=[path.name for path, found in self._files if "instrument" not in found and ticker(path) not in named],
        )


def _some(names: Iterable[str]) -> str:
    """How many, and the first few by name."""
    listed = list(names)
    return f"{len(listed)} ({', '.join(listed[:5])}{', …' if len(listed) > 5 else ''})"


def _plain_name(path: Path) -> str:
    """The file's or folder's name in characters that suit an identifier, and a partition of the lake: a-z, 0-9, _."""
    name = path.name[: -len(extension(path))] if path.is_file() else path.resolve().name
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "prices"
