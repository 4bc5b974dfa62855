"""One exported alpha: what it is, how it was simulated, how it did, and where it came from.

The record is versioned: `RECORD_VERSION` rises when a field changes its meaning or goes away. Figures are rounded as
the platform shows them, so that files are equal where the alphas are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from alpha_pipeline.backtest import Metrics, SimulationSettings
from alpha_pipeline.errors import BadInput

RECORD_VERSION = 1
STATUSES = ("PASSED", "REJECTED")
PRICE_LEVELS = ("PASS", "FAIL")
DECIMALS: Mapping[str, int] = {
    "sharpe": 2,
    "turnover": 4,
    "fitness": 2,
    "returns": 4,
    "drawdown": 4,
    "margin": 6,
    "long_count": 0,
    "short_count": 0,
}
OUR_SETTINGS: dict[str, Any] = {"extra_lag": int, "strict_windows": bool, "language": dict}  # unknown to the platform
SETTINGS = ("region", "universe", "delay", "decay", "neutralization", "truncation")
_ID = re.compile(r"alpha_[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def rounded(metrics: Metrics | Mapping[str, Any]) -> dict[str, float | int]:
    """The figures by name as the platform rounds them: sharpe and fitness 2 decimals, turnover, returns and drawdown 4,
    margin 6, counts whole."""
    values = metrics.to_dict() if isinstance(metrics, Metrics) else metrics
    result: dict[str, float | int] = {}
    for name, decimals in DECIMALS.items():
        number = round(float(values[name]), decimals) + 0.0  # + 0.0 makes −0.0 a plain 0.0
        result[name] = int(number) if decimals == 0 else number
    return result


@dataclass(frozen=True)
class Provenance:
    """Where an alpha came from: enough to run it again, and to know what its figures are worth.

    Attributes:
        label: "SYNTHETIC" for a simulated market, else empty.
        price_level: PASS where the weights do not depend on the scale of each instrument's prices.
        metrics_full: figures over search and gate together; `metrics_gate` over the gate, once it was looked at.
        sharpe_one_day_later: of the search window, with one more day between decision and return.
        warnings: what must be known when reading the figures, such as survivorship.
    """

    generation_run: str
    generator: str
    seed: int
    data_version: str
    code_version: str
    pool_version: str
    source: str
    synthetic: bool
    label: str
    price_level: str
    metrics_full: Mapping[str, float | int]
    sharpe_one_day_later: float
    warnings: tuple[str, ...] = ()
    metrics_gate: Mapping[str, float | int] | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values, figures rounded; metrics_gate only where there is one."""
        values = asdict(self) | {
            "metrics_full": rounded(self.metrics_full),
            "sharpe_one_day_later": round(self.sharpe_one_day_later, DECIMALS["sharpe"]) + 0.0,
            "warnings": list(self.warnings),
        }
        gate = values.pop("metrics_gate")
        return values if gate is None else values | {"metrics_gate": rounded(gate)}


@dataclass(frozen=True)
class ExportRecord:
    """One row of an export.

    Attributes:
        expression: text in the platform's dialect.
        metrics: figures of the search window, by the names of Metrics.
        timestamp: when it was exported, UTC as 2026-01-31T12:00:00Z: the only field two equal runs differ in.

    Raises:
        BadInput: when made with a value that no export may hold.
    """

    alpha_id: str
    expression: str
    metrics: Mapping[str, float | int]
    settings: SimulationSettings
    validation_status: str
    timestamp: str
    provenance: Provenance

    def __post_init__(self) -> None:
        where = f"export record '{self.alpha_id}'"
        if not _ID.fullmatch(self.alpha_id):
            raise BadInput("alpha_id is not 'alpha_' and 12 hex digits", where, "export the file again")
        if not self.expression.strip():
            raise BadInput("the expression is empty", where, "export the file again")
        if self.validation_status not in STATUSES:
            raise BadInput(f"validation_status {self.validation_status!r}", where, f"use one of {', '.join(STATUSES)}")
        if self.provenance.price_level not in PRICE_LEVELS:
            raise BadInput(f"price_level {self.provenance.price_level!r}", where, f"use {' or '.join(PRICE_LEVELS)}")
        if not _TIME.fullmatch(self.timestamp):
            raise BadInput(f"timestamp {self.timestamp!r}", where, "write it as 2026-01-31T12:00:00Z")

    def to_dict(self) -> dict[str, Any]:
        """The JSON row."""
        return {
            "alpha_id": self.alpha_id,
            "expression": self.expression,
            "metrics": rounded(self.metrics),
            "settings": {name: self.settings.to_dict()[name] for name in SETTINGS},
            "validation_status": self.validation_status,
            "timestamp": self.timestamp,
            "provenance": {
                "record_version": RECORD_VERSION,
                **self.provenance.to_dict(),
                **{name: value for name, value in self.settings.to_dict().items() if name in OUR_SETTINGS},
            },
        }

    @classmethod
    def from_dict(cls, row: Any, where: str) -> ExportRecord:
        """The record of a JSON row. Raises BadInput naming `where` and the field that is missing, odd or unknown."""
        _shape(row, where, {field.name: None for field in fields(cls)})
        for name in ("alpha_id", "expression", "validation_status", "timestamp"):
            _typed(row[name], str, f"{where}, {name}")
        _figures(row["metrics"], f"{where}, metrics")
        _shape(row["settings"], f"{where}, settings", dict.fromkeys(SETTINGS))
        origin = dict(row["provenance"]) if isinstance(row["provenance"], dict) else row["provenance"]
        kinds: dict[str, Any] = {field.name: _KINDS.get(str(field.type)) for field in fields(Provenance)}
        if isinstance(origin, dict):
            origin.setdefault("metrics_gate", None)
            origin.setdefault("language", {})  # written only where a reading is not the default
        _shape(origin, f"{where}, provenance", kinds | OUR_SETTINGS | {"record_version": int})
        if (version := origin.pop("record_version")) != RECORD_VERSION:
            raise BadInput(f"record_version {version} is not {RECORD_VERSION}", where, "export the file again")
        _figures(origin["metrics_full"], f"{where}, metrics_full")
        if origin["metrics_gate"] is not None:
            _figures(origin["metrics_gate"], f"{where}, metrics_gate")
        if not isinstance(origin["warnings"], list) or not all(isinstance(text, str) for text in origin["warnings"]):
            raise BadInput("warnings are not a list of texts", where, "export the file again")
        settings = SimulationSettings.from_dict(row["settings"] | {name: origin.pop(name) for name in OUR_SETTINGS})
        provenance = Provenance(**origin | {"warnings": tuple(origin["warnings"])})
        plain = {name: row[name] for name in row if name not in ("settings", "provenance")}
        return cls(**plain, settings=settings, provenance=provenance)


_KINDS: Mapping[str, Any] = {"str": str, "int": int, "bool": bool, "float": (int, float)}


def _shape(value: Any, where: str, names: Mapping[str, Any]) -> None:
    """Refuse what is no object with exactly these names, or a value of another kind than given."""
    if not isinstance(value, dict):
        raise BadInput(f"found {type(value).__name__}, expected an object", where, "export the file again")
    for name in names:
        if name not in value:
            raise BadInput(f"'{name}' is missing", where, "export the file again")
    for name, content in value.items():
        if name not in names:
            raise BadInput(f"'{name}' is not a field of an export", where, "export the file again")
        if names[name] is not None:
            _typed(content, names[name], f"{where}, {name}")


def _typed(value: Any, kind: Any, where: str) -> None:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise BadInput(f"found {value!r}, expected another type", where, "export the file again")


def _figures(value: Any, where: str) -> None:
    _shape(value, where, dict.fromkeys(DECIMALS, (int, float)))
    for name, number in value.items():
        if not abs(number) < float("inf"):
            raise BadInput(f"'{name}' is not a finite number", where, "export the file again")
