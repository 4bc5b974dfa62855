"""From a signal [T,N] to daily profit and trading: one fused pass over the rows, split over threads by blocks.

On each row t from the first that counts: (1) decide the book from data up to t (book.py); (2) it is held on day
t + lag and earns that day's close-to-close return; (3) the change from the book held before is that day's trading;
(4) the book before it, held one day longer, gives `pnl_late`. A block of rows first decides the book of the row before
it, so the result does not depend on how the rows are split: it is bit-identical for any number of threads.

The same pass counts what of the signal is missing, the question of stage 5: while the row is at hand it costs next to
nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from alpha_pipeline.backtest.book import Float32, Float64, run_books, write_books
from alpha_pipeline.backtest.settings import SimulationSettings
from alpha_pipeline.errors import BadInput


class Market(Protocol):
    """What a simulation needs of a panel (alpha_pipeline.market.Panel has it)."""

    @property
    def universe(self) -> npt.NDArray[np.bool_]:
        """bool [T,N]: may be held when deciding on that row."""

    @property
    def pnl_returns(self) -> Float32:
        """float32 [T,N]: close-to-close return of the day, NaN where it earns nothing."""

    @property
    def age(self) -> npt.NDArray[np.int32]:
        """int32 [T,N]: days since the instrument's first bar; it grows by one a day, wherever a member is."""

    @property
    def groups(self) -> Mapping[str, npt.NDArray[np.int32]]:
        """int32 [N] codes in non-decreasing order, by lower-case name."""


@dataclass(frozen=True)
class Simulation:
    """Daily results per unit of book, float64 [T], 0 before `first_day`.

    Attributes:
        pnl: Σ weight · return of the day.
        pnl_late: the same books held one trading day later; its first day is first_day + 1.
        traded: Σ|Δweight| by which the book held on the day differs from the one held before (1 when first built).
        long_count, short_count: instruments held, of more than a millionth of an equal weight.
        first_day: first row that counts; T where none does.
        cells: members that are as old as the expression's lookback, on the rows from `first_row` on.
        missing: those of them without a finite signal.
    """

    pnl: Float64
    pnl_late: Float64
    traded: Float64
    long_count: Float64
    short_count: Float64
    first_day: int
    cells: Float64
    missing: Float64

    def missing_share(self, start: int, stop: int) -> float:
        """Share of cells without a finite signal among those that could have one, on rows [start, stop).

        1.0 where no cell is old enough, since then nothing speaks for the signal.
        """
        cells = float(self.cells[start:stop].sum())
        return float(self.missing[start:stop].sum()) / cells if cells else 1.0


def simulate(
    signal: Float32, panel: Market, settings: SimulationSettings, first_row: int, threads: int = 2, lookback: int = 0
) -> Simulation:
    """Simulate a signal.

    Args:
        signal: float32 [T,N]; any value that is not finite is no position.
        first_row: first row whose signal counts: the universe's first, and the lookback of the expression after it.
        threads: blocks of rows that run side by side.
        lookback: days that the expression needs before today. Instruments younger than that are not missing.

    Raises:
        BadInput: the panel has no groups for the neutralization asked for.
        ValueError: shapes do not match.
    """
    signal, member, groups = _prepare(signal, panel, settings, first_row)
    returns = read_only(panel.pnl_returns)
    days = signal.shape[0]
    born = (days - 1 - panel.age[-1]).astype(np.int32)
    results = np.zeros((7, days))

    def block(start: int, stop: int) -> None:
        run_books(
            signal, member, born, returns, first_row, settings.decay, groups, settings.truncation, settings.lag,
            lookback, start, stop, results,
        )  # fmt: skip

    pieces = max(1, min(threads, days - first_row))
    edges = [first_row + (days - first_row) * i // pieces for i in range(pieces + 1)]
    others = [_workers().submit(block, *edge) for edge in pairwise(edges[1:])]
    try:
        block(*edges[:2])
    finally:
        wait(others)  # whatever happens here, nobody writes to the results after this
    for other in others:
        other.result()
    first_day = min(first_row + settings.ramp + settings.lag, days)
    return Simulation(results[0], results[1], results[2], results[3], results[4], first_day, results[5], results[6])


@lru_cache(maxsize=1)
def _workers() -> ThreadPoolExecutor:
    """Threads for blocks of rows, kept: starting new ones takes as long as a tenth of a simulation."""
    return ThreadPoolExecutor(os.cpu_count() or 1, "backtest")


os.register_at_fork(after_in_child=_workers.cache_clear)  # a child has none of its parent's threads


def weights(signal: Float32, panel: Market, settings: SimulationSettings, first_row: int) -> Float32:
    """The book decided on each row, float32 [T,N]: row t uses data up to t and is held on row t + settings.lag.

    Rows before the first that counts are 0. The books are exactly those that `simulate` trades.
    """
    signal, member, groups = _prepare(signal, panel, settings, first_row)
    books = np.zeros(signal.shape, dtype=np.float32)
    write_books(
        signal, member, settings.decay, groups, settings.truncation, first_row + settings.ramp, books
    )  # fmt: skip
    return books


def _prepare(
    signal: Float32, panel: Market, settings: SimulationSettings, first_row: int
) -> tuple[Float32, npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    if signal.shape != panel.universe.shape or signal.shape != panel.pnl_returns.shape:
        raise ValueError(f"signal {signal.shape}, universe {panel.universe.shape}, returns {panel.pnl_returns.shape}")
    if first_row < 0:
        raise ValueError(f"first_row {first_row} is negative")
    signal = read_only(np.asarray(signal, dtype=np.float32))
    return signal, read_only(panel.universe), group_offsets(panel, settings.neutralization, signal.shape[1])


def group_offsets(panel: Market, neutralization: str, columns: int) -> npt.NDArray[np.int64]:
    """Edges of the column runs to neutralize, [G+1]; empty for NONE."""
    if neutralization == "NONE":
        return np.empty(0, dtype=np.int64)
    if neutralization == "MARKET":
        return np.array([0, columns], dtype=np.int64)
    codes = panel.groups.get(neutralization.lower())
    if codes is None:
        known = ", ".join(sorted(name.upper() for name in panel.groups))
        raise BadInput(
            f"the data has no {neutralization.lower()} groups",
            "setting 'neutralization'",
            f"use NONE or one of {known}, or give a groups file",
        )
    steps = np.diff(codes)
    if (steps < 0).any():
        raise ValueError(f"the columns of the panel are not sorted by {neutralization.lower()}")
    return np.concatenate([[0], np.flatnonzero(steps) + 1, [columns]]).astype(np.int64)


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A read-only plain C-order view, so that memory maps and fresh arrays share one compiled version."""
    view = np.ascontiguousarray(array).view(np.ndarray)
    view.flags.writeable = False
    return view
