"""The data fields an expression may name: type, unit and price-scale exponent. Knows no data.

The names are those of BRAIN's dataset `pv1`. `adv{N}` is the average share volume of N days; the platform itself has
only `adv20` (see `dialects`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from alpha_pipeline.expression.nodes import Call, Constant, Field
from alpha_pipeline.expression.types import ValueType


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """What a field is.

    `scale` is its price-scale exponent (see `scale`), `history` the days before today that its value needs.
    """

    name: str
    type: ValueType
    unit: str
    scale: int
    history: int
    meaning: str


def _matrix(name: str, unit: str, scale: int, meaning: str, history: int = 0) -> FieldSpec:
    return FieldSpec(name, ValueType.MATRIX, unit, scale, history, meaning)


def _group(name: str, meaning: str) -> FieldSpec:
    return FieldSpec(name, ValueType.GROUP, "Group:1", 0, 0, meaning)


FIELDS: dict[str, FieldSpec] = {
    spec.name: spec
    for spec in (
        _matrix("open", "CSPrice:1", 1, "opening price, adjusted"),
        _matrix("high", "CSPrice:1", 1, "highest price of the day, adjusted"),
        _matrix("low", "CSPrice:1", 1, "lowest price of the day, adjusted"),
        _matrix("close", "CSPrice:1", 1, "closing price, adjusted"),
        _matrix("vwap", "CSPrice:1", 1, "volume-weighted average price, adjusted"),
        _matrix("volume", "CSShare:1", -1, "shares traded"),
        _matrix("returns", "", 0, "return from the last close to this one", history=1),
        _matrix("cap", "CSPrice:1,CSShare:1", 0, "market capitalisation"),
        _group("market", "all instruments as one group"),
        _group("sector", "sector"),
        _group("industry", "industry, nested in sector"),
        _group("subindustry", "subindustry, nested in industry"),
    )
}

_ADV = re.compile(r"adv([1-9][0-9]{0,3})")


def adv_window(name: str) -> int | None:
    """N of a field name `adv{N}`, or None if it is another field."""
    match = _ADV.fullmatch(name)
    return int(match.group(1)) if match else None


def average_volume(window: int) -> Call:
    """What `adv{N}` means: `ts_mean(volume, N)`."""
    return Call("ts_mean", (Field("volume"), Constant(float(window))))


def field_spec(name: str) -> FieldSpec | None:
    """The field of that name, `adv{N}` included; None where the language has none."""
    window = adv_window(name)
    if window is not None:
        meaning = f"average shares traded over {window} days"
        return FieldSpec(name, ValueType.MATRIX, "CSShare:1", -1, window - 1, meaning)
    return FIELDS.get(name)


def known_names() -> list[str]:
    """Names for suggestions: the fixed fields and `adv20`."""
    return [*FIELDS, "adv20"]
