"""SQL models in the manner of dbt: one SELECT per file of `dbt_like_sql/`, run by DuckDB in memory.

The file's name is the model's name. Its dependencies are the tables its parsed text reads. Comments at its head say
the rest, each on one line:

    -- description: what a row is
    -- input: candidate_pnl(alpha_id, date, pnl)     a frame the caller passes
    -- param: minimum_days = 250                     a named parameter ($minimum_days) and its default, a number
    -- check: unique(alpha_id, pool_alpha_id)        or not_null(…); what must hold of the result
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

import alpha_pipeline
from alpha_pipeline.errors import BadInput

FOLDER = "dbt_like_sql"
CHECKS = ("unique", "not_null")
_HEADER = re.compile(r"--\s*(description|input|param|check)\s*:\s*(.+?)\s*")
_CALL = re.compile(r"(\w+)\s*\(\s*(\w+(?:\s*,\s*\w+)*)\s*\)")
_ASSIGNMENT = re.compile(r"(\w+)\s*=\s*(-?\d+(?:\.\d+)?)")


class BrokenModel(RuntimeError):
    """A model's result breaks one of its own checks: a defect of the model or of what wrote its inputs."""


@dataclass(frozen=True)
class Check:
    """A statement about a model's result: `kind` is one of CHECKS."""

    kind: str
    columns: tuple[str, ...]

    def broken(self, frame: pl.DataFrame) -> int:
        """How many rows break it."""
        chosen = frame.select(self.columns)
        if self.kind == "unique":
            return int(chosen.is_duplicated().sum())
        return int(chosen.select(pl.any_horizontal(pl.all().is_null()).sum()).item())


@dataclass(frozen=True)
class Model:
    """One SELECT: its text, what it reads and what it promises.

    Attributes:
        inputs: frames the caller passes, with the columns they must have.
        parameters: named parameters with their defaults.
        reads: every table in the text that is not defined in it: inputs, other models, tables of the lake.
        version: hash of the parsed text; comments and layout do not change it.
    """

    name: str
    path: Path
    sql: str
    description: str
    inputs: Mapping[str, tuple[str, ...]]
    parameters: Mapping[str, float]
    checks: tuple[Check, ...]
    reads: tuple[str, ...]
    version: str


def sql_folder(folder: str | Path | None = None) -> Path:
    """Where the models are: `folder`, else ALPHA_SQL, else `dbt_like_sql` beside the package or the working folder's.

    Raises:
        BadInput: none of them is there, as after an install without the repository.
    """
    chosen = folder or os.environ.get("ALPHA_SQL")
    if chosen:
        candidates = [Path(chosen)]
    else:
        candidates = [Path(alpha_pipeline.__file__).resolve().parents[1] / FOLDER, Path.cwd() / FOLDER]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise BadInput(
        "the folder of SQL models is missing",
        " or ".join(map(str, candidates)),
        f"set ALPHA_SQL to the folder {FOLDER} of the repository",
    )


def load_models(folder: str | Path | None = None, tables: Collection[str] = ()) -> dict[str, Model]:
    """All models below a folder by name, each after those it reads.

    Args:
        tables: names that exist outside, such as those of the lake.

    Raises:
        BadInput: naming the file; text that does not parse, a name used twice, a table nobody knows, a circle.
    """
    models: dict[str, Model] = {}
    for path in sorted(sql_folder(folder).rglob("*.sql")):
        model = read_model(path)
        if model.name in models:
            raise BadInput(f"model '{model.name}' is also {models[model.name].path}", str(path), "rename one of them")
        models[model.name] = model
    for model in models.values():
        for table in model.reads:
            if table not in models and table not in tables and table not in model.inputs:
                raise BadInput(
                    f"model '{model.name}' reads the unknown table '{table}'",
                    str(model.path),
                    "name a model, a table of the lake, or declare it with -- input:",
                )
    ordered: dict[str, Model] = {}
    while len(ordered) < len(models):
        ready = [
            m for m in models.values() if m.name not in ordered and all(r in ordered for r in m.reads if r in models)
        ]
        if not ready:
            left = [name for name in models if name not in ordered]
            raise BadInput(f"models {', '.join(left)} read each other", str(sql_folder(folder)), "break the circle")
        ordered |= {model.name: model for model in ready}
    return ordered


def read_model(path: Path) -> Model:
    """One model from its file. Raises BadInput naming the file and what is wrong in it."""
    text = path.read_text(encoding="utf-8")
    description, inputs, parameters, checks = "", {}, {}, []
    for line in text.splitlines():
        match = _HEADER.fullmatch(line.strip())
        if match is None:
            continue
        kind, value = match.groups()
        call, assignment = _CALL.fullmatch(value), _ASSIGNMENT.fullmatch(value)
        if kind == "description":
            description = value
        elif kind == "input" and call:
            inputs[call[1]] = _names(call[2])
        elif kind == "check" and call and call[1] in CHECKS:
            checks.append(Check(call[1], _names(call[2])))
        elif kind == "param" and assignment:
            parameters[assignment[1]] = float(assignment[2]) if "." in assignment[2] else int(assignment[2])
        else:
            raise BadInput(f"cannot read the comment '{line.strip()}'", str(path), f"see {__name__} for its form")
    try:
        statements = [tree for tree in sqlglot.parse(text, dialect="duckdb") if tree is not None]
    except SqlglotError as error:
        message = str(error).splitlines()[0]
        raise BadInput(f"the SQL does not parse: {message}", str(path), "mend the text") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise BadInput("a model is exactly one SELECT", str(path), "keep one SELECT in the file")
    tree = statements[0]
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    used = {parameter.name for parameter in tree.find_all(exp.Parameter, exp.Placeholder)}
    if used != set(parameters):
        odd = ", ".join(sorted(used ^ set(parameters)))
        raise BadInput(f"parameter {odd} is not both declared and used", str(path), "declare it with -- param:")
    return Model(
        name=path.stem,
        path=path,
        sql=text,
        description=description,
        inputs=inputs,
        parameters=parameters,
        checks=tuple(checks),
        reads=tuple(sorted({table.name for table in tree.find_all(exp.Table)} - own)),
        version=hashlib.sha256(tree.sql(dialect="duckdb", comments=False).encode()).hexdigest()[:16],
    )


def run_model(
    connection: duckdb.DuckDBPyConnection,
    model: Model,
    inputs: Mapping[str, pl.DataFrame],
    **parameters: float,
) -> pl.DataFrame:
    """The model's result, its checks held.

    Args:
        connection: a DuckDB that already has the tables and models it reads (Lake.connect).
        inputs: a frame for each declared input.
        parameters: named parameters other than their defaults.

    Raises:
        ValueError: an input or a parameter is missing, unknown or lacks a column.
        BrokenModel: a check does not hold.
    """
    if set(inputs) != set(model.inputs):
        raise ValueError(f"model '{model.name}' takes {sorted(model.inputs)}, got {sorted(inputs)}")
    if unknown := set(parameters) - set(model.parameters):
        raise ValueError(f"model '{model.name}' has no parameter {sorted(unknown)}")
    for name, frame in inputs.items():
        if missing := set(model.inputs[name]) - set(frame.columns):
            raise ValueError(f"input '{name}' of model '{model.name}' lacks {sorted(missing)}")
        connection.register(name, frame.select(model.inputs[name]))
    try:
        values = {**model.parameters, **parameters}
        result: pl.DataFrame = connection.sql(model.sql, params=values).pl()
    finally:
        for name in inputs:
            connection.unregister(name)
    for check in model.checks:
        if rows := check.broken(result):
            columns = ", ".join(check.columns)
            raise BrokenModel(f"model '{model.name}': {rows} rows break {check.kind}({columns})")
    return result


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))
