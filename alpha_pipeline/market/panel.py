"""The Panel: dates × instruments, what every other part reads. It holds data and no logic about markets.

What lives elsewhere: how rows become a panel (build.py), how it is stored in a folder (panel_files.py),
which rows are bad (cleaning.py), who belongs to the universe (universe.py).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.market.vectors import Vectors

PRICE_FIELDS = ("open", "high", "low", "close", "vwap")
FIELD_UNITS: Mapping[str, str] = {
    "open": "USD per share, adjusted",
    "high": "USD per share, adjusted",
    "low": "USD per share, adjusted",
    "close": "USD per share, adjusted",
    "vwap": "USD per share, adjusted",
    "volume": "shares a day, split-adjusted",
    "returns": "fraction a day, total return close to close",
    "cap": "USD",
}

FloatMatrix = NDArray[np.float32]


@dataclass(frozen=True)
class PanelInfo:
    """Where a panel came from and what its figures are worth. Stored as JSON beside the arrays.

    Attributes:
        market_id: names the prices, their content included: other bytes, another id.
        market: names the market, whatever was added to its prices since; keys pools of alphas, so that synthetic and
            real markets never share one and a daily update does not empty it.
        warnings: shown wherever a figure of this panel is shown.
    """

    market_id: str
    market: str
    source: str
    synthetic: bool
    universe: str
    adjusted_as_of: str | None = None
    survivors_only: bool = False
    vwap: str = "given"
    warnings: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """ "SYNTHETIC" for a simulated market, else empty: put before every figure shown."""
        return "SYNTHETIC" if self.synthetic else ""

    def to_dict(self) -> dict[str, Any]:
        """The info as JSON-ready values."""
        values = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return {**values, "warnings": list(self.warnings), "settings": dict(self.settings)}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> PanelInfo:
        """Inverse of `to_dict`. Raises KeyError or TypeError on a foreign mapping."""
        return PanelInfo(**{**values, "warnings": tuple(values["warnings"]), "settings": dict(values["settings"])})


@dataclass(frozen=True)
class Panel:
    """Adjusted daily prices of T dates × N instruments, with universe mask and group codes. Read-only.

    Columns are sorted by (sector, industry, subindustry, instrument), so every group is a run of columns.
    NaN = no data. Fields are pasteurized: NaN wherever `universe` is False.

    Attributes:
        version: content hash, 16 hex digits; equal content gives an equal version on every machine.
        dates: [T] datetime64[D], ascending, unique.
        instruments: [N] str, unique.
        fields: name → float32 [T, N] in C order: open high low close volume vwap returns, and cap where given;
            units in `FIELD_UNITS`. adv{N} is derived by the engine.
        universe: bool [T, N], in TOPn that month and has a bar that day.
        age: int32 [T, N], trading days since the instrument's first bar, 0 on it and -1 before. A column that begins
            after a cut is as young as its first bar.
        pnl_returns: float32 [T, N], close-to-close total return of day t, not pasteurized; NaN unless day t and the
            day before both have a bar.
        groups: name → int32 [N], non-decreasing codes 0..G-1; "market" always, sector, industry and subindustry
            where the source gives them (labels nest: an industry code is that of sector/industry).
        vectors: name → events per date and instrument, in the order of names; as pasteurized as the fields.
    """

    version: str
    dates: NDArray[np.datetime64]
    instruments: NDArray[np.str_]
    fields: Mapping[str, FloatMatrix]
    universe: NDArray[np.bool_]
    age: NDArray[np.int32]
    pnl_returns: FloatMatrix
    groups: Mapping[str, NDArray[np.int32]]
    info: PanelInfo
    vectors: Mapping[str, Vectors] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """(T, N): number of dates, number of instruments."""
        return len(self.dates), len(self.instruments)

    def field_types(self) -> dict[str, str]:
        """What the panel holds by name, as the platform calls its types of field: MATRIX, VECTOR, GROUP."""
        kinds = {"MATRIX": self.fields, "VECTOR": self.vectors, "GROUP": self.groups}
        return {name: kind for kind, held in kinds.items() for name in held}

    @staticmethod
    def assemble(
        dates: NDArray[np.datetime64],
        instruments: Sequence[str] | NDArray[np.str_],
        fields: Mapping[str, FloatMatrix],
        info: PanelInfo,
        *,
        member: NDArray[np.bool_] | None = None,
        groups: Mapping[str, NDArray[np.int32]] | None = None,
        vectors: Mapping[str, Vectors] | None = None,
    ) -> Panel:
        """A panel from adjusted, unpasteurized arrays; also the way to make a small one by hand.

        Args:
            dates: [T] ascending.
            instruments: [N], already in column order.
            fields: float [T, N]; must hold "close"; "returns" and `pnl_returns` are computed from it.
            member: bool [T, N], in the universe that day whether or not there is a bar; everything by default.
            groups: int [N] non-decreasing codes from 0; "market" is added.
            vectors: vector fields of [T, N], whose events outside the universe are left out.
        """
        close = np.ascontiguousarray(fields["close"], dtype=np.float32)
        rows, columns = close.shape
        member = np.ones((rows, columns), bool) if member is None else member
        pnl_returns = close_returns(close)
        universe = member & np.isfinite(close)
        outside = ~universe
        pasteurized: dict[str, FloatMatrix] = {}
        for name, values in {**fields, "returns": pnl_returns}.items():
            copy = np.array(values, dtype=np.float32, order="C")
            copy[outside] = np.nan
            pasteurized[name] = copy
        codes = {"market": np.zeros(columns, np.int32)}
        codes |= {name: _contiguous(values) for name, values in (groups or {}).items()}
        taken = sorted((vectors or {}).keys() & (pasteurized.keys() | codes.keys()))
        if taken:
            raise ValueError(f"vector fields may not be called {', '.join(taken)}: the panel holds that already")
        events: dict[str, Vectors] = {}
        for name, held in sorted((vectors or {}).items()):
            held.check((rows, columns))
            events[name] = held.within(universe)
        panel = Panel(
            version="",
            dates=np.asarray(dates, dtype="datetime64[D]"),
            instruments=np.asarray(instruments, dtype=np.str_),
            fields=pasteurized,
            universe=universe,
            age=listing_age(close),
            pnl_returns=pnl_returns,
            groups=codes,
            info=info,
            vectors=events,
        )
        return dataclasses.replace(panel, version=content_version(panel))._frozen()

    @staticmethod
    def open(folder: str | Path) -> Panel:
        """The panel stored in `folder`, memory-mapped: processes share its pages. Raises BadInput."""
        from alpha_pipeline.market.panel_files import open_panel

        return open_panel(Path(folder))

    def write(self, folder: str | Path) -> Panel:
        """Store the panel as `folder`, all or nothing, and return it memory-mapped from there."""
        from alpha_pipeline.market.panel_files import write_panel

        return write_panel(self, Path(folder))

    def columns(self, index: NDArray[Any] | Sequence[int]) -> Panel:
        """In-memory panel of some instruments, in this panel's order.

        Args:
            index: column numbers in any order, or a bool mask [N].
        """
        chosen = np.asarray(index)
        chosen = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else np.unique(chosen.astype(np.int64))
        return dataclasses.replace(
            self,
            version=_derived(self.version, "columns", chosen.tobytes()),
            instruments=self.instruments[chosen],
            fields={name: np.ascontiguousarray(values[:, chosen]) for name, values in self.fields.items()},
            universe=np.ascontiguousarray(self.universe[:, chosen]),
            age=np.ascontiguousarray(self.age[:, chosen]),
            pnl_returns=np.ascontiguousarray(self.pnl_returns[:, chosen]),
            groups={name: _contiguous(codes[chosen]) for name, codes in self.groups.items()},
            vectors={name: events.columns(chosen, self.shape) for name, events in self.vectors.items()},
        )._frozen()

    def rows(self, start: int, stop: int) -> Panel:
        """Panel of the dates [start, stop), a view: only offsets of events are copied.

        Ages still count from before `start`.
        """
        days = slice(*slice(start, stop).indices(len(self.dates))[:2])
        return dataclasses.replace(
            self,
            version=_derived(self.version, "rows", f"{days.start}:{days.stop}".encode()),
            dates=self.dates[days],
            fields={name: values[days] for name, values in self.fields.items()},
            universe=self.universe[days],
            age=self.age[days],
            pnl_returns=self.pnl_returns[days],
            vectors={name: held.rows(days.start, days.stop, self.shape[1]) for name, held in self.vectors.items()},
        )

    def rescaled(self, factors: NDArray[np.floating[Any]]) -> Panel:
        """Panel with each instrument quoted in another unit: prices times, volume over a positive constant.

        Returns, cap and events stay. An honest expression's weights may not change (the price-level test).

        Args:
            factors: [N], positive and finite.
        """
        scale = np.asarray(factors, dtype=np.float64)
        if scale.shape != self.instruments.shape or not np.all(np.isfinite(scale) & (scale > 0)):
            raise ValueError(f"factors must be {len(self.instruments)} positive numbers, got shape {scale.shape}")
        fields = dict(self.fields)
        for name in PRICE_FIELDS:
            if name in fields:
                fields[name] = (fields[name] * scale).astype(np.float32)
        if "volume" in fields:
            fields["volume"] = (fields["volume"] / scale).astype(np.float32)
        version = _derived(self.version, "rescaled", scale.tobytes())
        return dataclasses.replace(self, version=version, fields=fields)._frozen()

    def _frozen(self) -> Panel:
        events = [array for held in self.vectors.values() for array in (held.values, held.offsets)]
        matrices = (self.universe, self.age, self.pnl_returns)
        for values in (*self.fields.values(), *self.groups.values(), *matrices, *events):
            values.flags.writeable = False
        return self


def close_returns(close: FloatMatrix) -> FloatMatrix:
    """Total return of each day from adjusted closes, float32 [T, N]; NaN unless that day and the last have a bar."""
    returns = np.full(close.shape, np.nan, np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        returns[1:] = (close[1:].astype(np.float64) / close[:-1] - 1.0).astype(np.float32)
    return returns


def listing_age(close: FloatMatrix) -> NDArray[np.int32]:
    """Days since each instrument's first bar, 0 on it and -1 before; int32 [T, N]. A gap makes nobody younger."""
    row = np.arange(len(close), dtype=np.int32)[:, None]
    present = np.isfinite(close)
    first = np.where(present.any(axis=0), present.argmax(axis=0), len(close))
    return np.maximum(row - first, -1).astype(np.int32)


def content_version(panel: Panel) -> str:
    """16 hex digits over everything that can change a figure: data, groups, settings; not the warnings' wording."""
    digest = hashlib.sha256()
    info = panel.info.to_dict()
    del info["warnings"]
    digest.update(json.dumps(info, sort_keys=True, default=str).encode())
    digest.update(panel.dates.astype("datetime64[D]").astype(np.int64).tobytes())
    digest.update("\n".join(panel.instruments.tolist()).encode())
    arrays: dict[str, NDArray[Any]] = {f"field {name}": values for name, values in panel.fields.items()}
    arrays |= {f"group {name}": values for name, values in panel.groups.items()}
    arrays |= {"universe": panel.universe, "age": panel.age, "pnl_returns": panel.pnl_returns}
    for name, events in panel.vectors.items():
        arrays |= {f"vector {name} values": events.values, f"vector {name} offsets": events.offsets}
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {values.dtype.str} {values.shape}".encode())
        digest.update(values.data)
    return digest.hexdigest()[:16]


def _contiguous(codes: NDArray[Any]) -> NDArray[np.int32]:
    """Group codes renumbered 0..G-1 without holes; they must be non-decreasing."""
    codes = np.asarray(codes)
    if np.any(np.diff(codes) < 0):
        raise ValueError("group codes must be non-decreasing along the columns")
    steps = np.concatenate(([0], np.diff(codes) > 0)) if len(codes) else codes
    return np.cumsum(steps).astype(np.int32)


def _derived(version: str, what: str, key: bytes) -> str:
    return hashlib.sha256(f"{version} {what} ".encode() + key).hexdigest()[:16]
