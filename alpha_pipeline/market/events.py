"""A table of events → the vector fields of a panel: which row and which column each event belongs to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from alpha_pipeline.errors import BadInput
from alpha_pipeline.market.sources.base import EventTable
from alpha_pipeline.market.vectors import Vectors


@dataclass(frozen=True)
class Layout:
    """Where instruments lie in a panel under way.

    Attributes:
        calendar: [T] datetime64[D], ascending.
        symbols: [S], as the source names them.
        symbol_of_column: [N], index into `symbols`; several columns where a history was cut in pieces.
        first, last: [N], first and last row with a bar of each column; pieces of one symbol do not overlap.
    """

    calendar: NDArray[np.datetime64]
    symbols: NDArray[np.str_]
    symbol_of_column: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.calendar), len(self.symbol_of_column)


def lay_out(events: EventTable, layout: Layout, known: Collection[str]) -> tuple[dict[str, Vectors], tuple[str, ...]]:
    """Vector fields by name, and warnings about events that have no place.

    An event of a day that is none of the calendar goes to the next day of it, never to an earlier one. An event of an
    instrument goes to the piece of its history that lived that day.

    Args:
        known: symbols that the prices name; of some of them cleaning may have left nothing.

    Raises:
        BadInput: no symbol of the events is known.
    """
    unknown: set[str | None] = set()
    strangers = total = early = late = 0
    fields: dict[str, Vectors] = {}
    for name, frame in sorted(events.fields.items()):
        total += frame.height
        own = frame.filter(pl.col("instrument").is_in(list(known)).fill_null(False))
        if own.height < frame.height:
            strangers += frame.height - own.height
            unknown |= set(frame["instrument"].unique()) - set(own["instrument"].unique())
        row = np.searchsorted(layout.calendar, own["date"].to_numpy().astype("datetime64[D]"))
        before = own["date"].to_numpy().astype("datetime64[D]") < layout.calendar[0]
        after = row == len(layout.calendar)
        early, late = early + int(before.sum()), late + int(after.sum())
        column = _columns(own["instrument"], row, layout)
        placed = ~before & ~after & (column >= 0)
        fields[name] = Vectors.build(row[placed], column[placed], own["value"].to_numpy()[placed], layout.shape)
    example = min((str(symbol) for symbol in unknown if symbol is not None), default="an empty symbol")
    if total and strangers == total:
        what = f"none of the {len(unknown)} symbols is among the prices, as {example}"
        raise BadInput(what, events.where, "write symbols as the prices do")
    warnings = []
    if unknown:
        told = f"{strangers} of {total} events are of {len(unknown)} symbols that the prices do not name, as {example}"
        warnings.append(f"{told}; they are left out.")
    if early or late:
        first, last = layout.calendar[0], layout.calendar[-1]
        warnings.append(f"{early} events before {first} and {late} after {last} are left out.")
    return fields, tuple(warnings)


def _columns(instrument: pl.Series, row: NDArray[np.int64], layout: Layout) -> NDArray[np.int64]:
    """[M] column of the piece that lived on the event's row; −1 where none did."""
    names = pl.DataFrame({"instrument": layout.symbols.tolist(), "symbol": np.arange(len(layout.symbols))})
    joined = instrument.to_frame("instrument").join(names, on="instrument", how="left", maintain_order="left")
    symbol = joined["symbol"].fill_null(-1).to_numpy()
    order = np.argsort(layout.symbol_of_column, kind="stable")
    sorted_symbols = layout.symbol_of_column[order]
    begin, end = np.searchsorted(sorted_symbols, symbol), np.searchsorted(sorted_symbols, symbol, side="right")
    column = np.full(len(symbol), -1, np.int64)
    for piece in range(int((end - begin).max(initial=0))):
        has = begin + piece < end
        candidate = order[np.where(has, begin + piece, 0)]
        lives = has & (layout.first[candidate] <= row) & (row <= layout.last[candidate])
        column[lives] = candidate[lives]
    return column
