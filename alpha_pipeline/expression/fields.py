"""The data fields an expression may name: type, unit, dataset. Knows no data.

`FIELDS` are those a panel of ours can hold, under the names of BRAIN's dataset `pv1`. `CATALOGUE` adds more of the
platform's, so that an expression over them is read and checked although we hold no data for it; a user's own catalogue,
from a file, comes on top. `adv{N}` is the average share volume of N days; the platform itself has only `adv20`.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression.nodes import Call, Constant, Field
from alpha_pipeline.expression.types import ValueType
from alpha_pipeline.expression.units import GROUP, MONEY, PRICE, PURE, SHARES, Unit, parse_unit


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """What a field is.

    Attributes:
        unit: None where it is not known: nothing is then said of units that rest on it.
        history: days before today that its value needs.
        dataset: the platform's dataset, or where else it comes from.
    """

    name: str
    type: ValueType
    unit: Unit | None = PURE
    meaning: str = ""
    dataset: str = "pv1"
    history: int = 0

    @property
    def scale(self) -> int | None:
        """Its price-scale exponent (see `scale`); None where that is not known."""
        if self.type is ValueType.GROUP:
            return 0
        return None if self.unit is None else self.unit.scale


def _group(name: str, meaning: str) -> FieldSpec:
    return FieldSpec(name, ValueType.GROUP, GROUP, meaning)


FIELDS: dict[str, FieldSpec] = {
    spec.name: spec
    for spec in (
        FieldSpec("open", ValueType.MATRIX, PRICE, "opening price, adjusted"),
        FieldSpec("high", ValueType.MATRIX, PRICE, "highest price of the day, adjusted"),
        FieldSpec("low", ValueType.MATRIX, PRICE, "lowest price of the day, adjusted"),
        FieldSpec("close", ValueType.MATRIX, PRICE, "closing price, adjusted"),
        FieldSpec("vwap", ValueType.MATRIX, PRICE, "volume-weighted average price, adjusted"),
        FieldSpec("volume", ValueType.MATRIX, SHARES, "shares traded"),
        FieldSpec("returns", ValueType.MATRIX, PURE, "return from the last close to this one", history=1),
        FieldSpec("cap", ValueType.MATRIX, MONEY, "market capitalisation"),
        _group("market", "all instruments as one group"),
        _group("sector", "sector"),
        _group("industry", "industry, nested in sector"),
        _group("subindustry", "subindustry, nested in industry"),
    )
}
"""What a panel may hold of its own."""

_ADV = re.compile(r"adv([1-9][0-9]{0,3})")


def adv_window(name: str) -> int | None:
    """N of a field name `adv{N}`, or None if it is another field."""
    match = _ADV.fullmatch(name)
    return int(match.group(1)) if match else None


def average_volume(window: int) -> Call:
    """What `adv{N}` means: `ts_mean(volume, N)`."""
    return Call("ts_mean", (Field("volume"), Constant(float(window))))


class Catalogue:
    """Fields by name, `adv{N}` included."""

    def __init__(self, specs: Iterable[FieldSpec]) -> None:
        self._specs: Mapping[str, FieldSpec] = {spec.name: spec for spec in specs}

    def spec(self, name: str) -> FieldSpec | None:
        """The field of that name; None where the catalogue has none."""
        found = self._specs.get(name)
        if found is not None:
            return found
        window = adv_window(name)
        if window is None:
            return None
        return FieldSpec(
            name, ValueType.MATRIX, SHARES, f"average shares traded over {window} days", history=window - 1
        )

    def with_fields(self, specs: Iterable[FieldSpec]) -> Catalogue:
        """This catalogue and further fields; of two with one name the later counts."""
        return Catalogue([*self._specs.values(), *specs])

    def names(self) -> list[str]:
        """Names for suggestions: all fields and `adv20`."""
        return [*self._specs, "adv20"]

    def __iter__(self) -> Iterator[FieldSpec]:
        return iter(self._specs.values())

    def __len__(self) -> int:
        return len(self._specs)


def field_spec(name: str) -> FieldSpec | None:
    """The field of that name in the built-in catalogue; None where it has none."""
    return CATALOGUE.spec(name)


_TYPES = {
    "MATRIX": ValueType.MATRIX,
    "VECTOR": ValueType.VECTOR,
    "GROUP": ValueType.GROUP,
    "UNIVERSE": ValueType.BOOLEAN,
    "SYMBOL": ValueType.SYMBOL,
}
"""The platform's types of field."""

RESERVED = frozenset({"and", "or", "not", "true", "false", "in", "frac", "nan"})
"""Words of the language that no field and no variable may be called by."""

_NAME = re.compile(r"[a-z_][a-z0-9_]*")


def load_fields(path: str | Path) -> list[FieldSpec]:
    """Fields from a file: CSV with a header, or JSON (an array of objects, or the platform's answer with `results`).

    Columns or keys: `id`, `type` (MATRIX, VECTOR, GROUP, UNIVERSE, SYMBOL; MATRIX by default), `unit` (as
    `CSPrice:1,CSShare:-1`, empty for a pure number; where it is left out, that of the built-in field of the same name,
    else unknown), `dataset` (a name, or an object with `id`), `description`.

    Raises:
        BadInput: the file cannot be read, or an entry of it; with its number.
    """
    place = Path(path)
    try:
        text = place.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise BadInput(f"cannot be read as text ({why})", str(path), "name a CSV or JSON file of fields") from error
    return _read_fields(text, str(path), place.suffix.lower() == ".json", CATALOGUE)


def _read_fields(text: str, where: str, is_json: bool, known: Catalogue) -> list[FieldSpec]:
    entries: list[Any]
    if is_json:
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"is no JSON ({error})", where, "write an array of objects with id and type") from error
        entries = content.get("results", []) if isinstance(content, dict) else content
        if not isinstance(entries, list):
            raise BadInput("holds no array of fields", where, "write an array of objects with id and type")
    else:
        try:
            rows = list(csv.reader(io.StringIO(text, newline="")))
            header = [name.strip().lower() for name in rows[0]] if rows else []
            longer = next((n for n, row in enumerate(rows[1:], 1) if len(row) > len(header)), None)
            if longer is not None:
                raise BadInput(
                    "has more values than the header", f"{where}, field {longer}", "quote CSPrice:1,CSShare:1"
                )
            entries = [dict(zip(header, row, strict=False)) for row in rows[1:] if row]
        except csv.Error as error:
            raise BadInput(f"is no CSV ({error})", where, "write a header and one field a line") from error
    if not entries:
        raise BadInput("holds no field", where, "give id, type, unit and dataset of at least one")
    found: dict[str, FieldSpec] = {}
    for number, entry in enumerate(entries, 1):
        spec = _entry(entry, f"{where}, field {number}", known)
        if spec.name in found:
            raise BadInput(f"{spec.name!r} is there twice", f"{where}, field {number}", "keep one of them")
        found[spec.name] = spec
    return list(found.values())


def _entry(entry: Any, where: str, known: Catalogue) -> FieldSpec:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        held = ", ".join(map(str, entry)) if isinstance(entry, dict) else "no object"
        raise BadInput(f"has no id (it has {held})", where, "give id, type, unit and dataset")
    name = entry["id"].strip().lower()
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise BadInput(f"{name!r} is no name of a field", where, "use letters, digits and _, no reserved word")
    kind = _TYPES.get(str(entry.get("type") or "MATRIX").strip().upper())
    if kind is None:
        raise BadInput(f"{entry.get('type')!r} is no type of a field", where, f"use one of {', '.join(_TYPES)}")
    same, given = known.spec(name), entry.get("unit")
    unit: Unit | None
    try:
        unit = GROUP if kind is ValueType.GROUP else None if given is None else parse_unit(str(given))
    except ValueError as error:
        raise BadInput(str(error), where, "leave the unit empty for a pure number") from error
    if same is not None and name in FIELDS and same.type is not kind:
        raise BadInput(f"{name!r} is a {same.type.value} of the prices", where, "leave it out, or use another name")
    if not given and same is not None and same.type is kind:
        unit = same.unit  # the platform's own lists of fields leave units out
    dataset = entry.get("dataset")
    dataset = dataset.get("id") if isinstance(dataset, dict) else dataset
    return FieldSpec(name, kind, unit, str(entry.get("description") or "").strip(), str(dataset or ""))


def _built_in() -> Catalogue:
    text = resources.files("alpha_pipeline.expression").joinpath("brain_fields.csv").read_text(encoding="utf-8")
    listed = _read_fields(text, "brain_fields.csv", is_json=False, known=Catalogue([]))
    return Catalogue([*listed, *FIELDS.values()])


CATALOGUE = _built_in()
"""The built-in catalogue: what a panel may hold, and well-known fields of the platform."""


def missing_data(names: Collection[str], held: Collection[str]) -> list[str]:
    """Those of the field names that need data which is not held (`adv{N}` needs `volume`), in order."""
    return sorted(name for name in names if ("volume" if adv_window(name) else name) not in held)
