"""Export files: JSON with everything, CSV with the columns people sort by. Written whole or not at all.

Equal records give equal bytes: keys keep their order, numbers their platform rounding, lines end in "\n".
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from alpha_pipeline.backtest import SimulationSettings
from alpha_pipeline.errors import BadInput
from alpha_pipeline.export.record import SETTINGS, STATUSES, ExportRecord

CSV_COLUMNS = (
    "alpha_id",
    "expression",
    "region",
    "universe",
    "delay",
    "decay",
    "neutralization",
    "truncation",
    "sharpe",
    "turnover",
    "fitness",
    "returns",
    "drawdown",
    "margin",
    "validation_status",
    "timestamp",
)
_FIGURES = ("sharpe", "turnover", "fitness", "returns", "drawdown", "margin")
_AGAIN = "export the file again"


def to_json(records: Sequence[ExportRecord]) -> str:
    """A JSON array of rows, two spaces deep, in the order given."""
    return json.dumps([record.to_dict() for record in records], indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(records: Sequence[ExportRecord]) -> str:
    """The header of the contracts and a row for each record, in the order given."""
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for record in records:
        row = record.to_dict()
        writer.writerow(row | row["metrics"] | row["settings"])
    return text.getvalue()


FORMATS: Mapping[str, Callable[[Sequence[ExportRecord]], str]] = {"json": to_json, "csv": to_csv}


def write_export(records: Sequence[ExportRecord], path: str | Path, format: str = "json") -> Path:
    """Write a file under its final name only once it is complete.

    Raises:
        BadInput: an unknown format, an alpha that stands twice, or a folder that cannot be written to.
    """
    if format not in FORMATS:
        raise BadInput(f"{format!r} is not an export format", "option 'format'", f"use {' or '.join(FORMATS)}")
    names = [record.alpha_id for record in records]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadInput(f"{twice[0]} stands twice", "the export", "give each alpha once")
    content, path = FORMATS[format](records), Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(content)
            Path(temporary).chmod(0o644)  # mkstemp makes files that only their owner may read
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BadInput(f"cannot write: {error.strerror}", str(path), "choose another folder") from error
    return path


def read_export(path: str | Path) -> list[dict[str, Any]]:
    """The rows of an export, checked against its schema: those of a .csv flat, with numbers as numbers.

    `ExportRecord.from_dict` makes a record of a row of a .json.

    Raises:
        BadInput: naming the file, the row and what is wrong with it.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise BadInput(f"cannot read: {error.strerror}", str(path), "see whether the file is there") from error
    except UnicodeDecodeError as error:
        raise BadInput("the text is not UTF-8", str(path), _AGAIN) from error
    if path.suffix == ".json":
        return _read_json(text, path)
    if path.suffix == ".csv":
        return _read_csv(text, path)
    raise BadInput(f"the ending {path.suffix!r} is not that of an export", str(path), "use .json or .csv")


def _read_json(text: str, path: Path) -> list[dict[str, Any]]:
    try:
        rows = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadInput(f"the text is not JSON: {error}", str(path), _AGAIN) from error
    if not isinstance(rows, list):
        raise BadInput("the file does not hold an array", str(path), _AGAIN)
    for number, row in enumerate(rows, 1):
        ExportRecord.from_dict(row, f"{path}, row {number}")
    return rows


def _read_csv(text: str, path: Path) -> list[dict[str, Any]]:
    lines = list(csv.reader(io.StringIO(text, newline=""), strict=False))
    if not lines or tuple(lines[0]) != CSV_COLUMNS:
        raise BadInput("the header is not that of an export", str(path), f"it must be {','.join(CSV_COLUMNS)}")
    rows: list[dict[str, Any]] = []
    for number, values in enumerate(lines[1:], 1):
        where = f"{path}, row {number}"
        if len(values) != len(CSV_COLUMNS):
            raise BadInput(f"{len(values)} values for {len(CSV_COLUMNS)} columns", where, _AGAIN)
        row: dict[str, Any] = dict(zip(CSV_COLUMNS, values, strict=True))
        try:
            row |= {name: int(row[name]) for name in ("delay", "decay")}
            row |= {name: float(row[name]) for name in (*_FIGURES, "truncation")}
        except ValueError as error:
            raise BadInput(f"a number does not parse: {error}", where, _AGAIN) from error
        if not all(math.isfinite(row[name]) for name in _FIGURES):
            raise BadInput("a figure is not finite", where, _AGAIN)
        if row["validation_status"] not in STATUSES:
            raise BadInput(
                f"validation_status {row['validation_status']!r}", where, f"use one of {', '.join(STATUSES)}"
            )
        SimulationSettings.from_dict({name: row[name] for name in SETTINGS})
        rows.append(row)
    return rows
