"""One market of a race: simulated with any expressions planted, as a panel, with what nobody may see beside it.

    SR*(e) = √250 · mean_t(w_t' α_t) / sd_t(w_t' r_t)

is the oracle Sharpe ratio of an expression: its own books w earn the expected return α that the plants put there, at
the risk they really had. α is known, so this has next to no sampling noise (see `oracle`).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine import Engine
from alpha_pipeline.expression import Node
from alpha_pipeline.market.build import build_from
from alpha_pipeline.market.panel import FloatMatrix, Panel, PanelInfo
from alpha_pipeline.market.sources.plants import LONGEST_WINDOW, History, Plant
from alpha_pipeline.market.sources.synthetic import SyntheticSource
from alpha_pipeline.race.planting import PlantedAlpha, tree_of

FIELDS = ("open", "high", "low", "close", "vwap", "volume", "returns")
SIGNAL_MEMORY = 16 << 20  # bytes for the engine that makes the signals of one day
_DATES = np.datetime64("2000-01-03") + np.arange(LONGEST_WINDOW)
_INFO = PanelInfo("history", "history", "synthetic", True, "TOP1000000")


@dataclass(frozen=True)
class RacedMarket:
    """A simulated market, ready to race on.

    Attributes:
        panel: what arms see.
        alpha: float32 [T, N] on the panel's rows and columns, the expected return of each day that the plants put
            there; NaN where the panel has no return that day, as a book earns nothing then.
        plants: what was planted; none in a null market.
    """

    panel: Panel
    alpha: FloatMatrix
    plants: tuple[PlantedAlpha, ...]

    @property
    def expected(self) -> Panel:
        """The panel with expected returns in the place of returns: what a book of it earns is w'α."""
        return dataclasses.replace(self.panel, pnl_returns=self.alpha)

    def write(self, folder: Path) -> None:
        """Keep it in a folder; the note of what was planted comes last, and says that all is there."""
        self.panel.write(folder / "panel")
        np.save(folder / "alpha.npy", self.alpha)
        told = json.dumps([dataclasses.asdict(plant) for plant in self.plants])
        (folder / "plants.json").write_text(told)

    @staticmethod
    def open(folder: Path) -> RacedMarket:
        """The market kept in a folder, memory-mapped."""
        plants = tuple(PlantedAlpha(**plant) for plant in json.loads((folder / "plants.json").read_text()))
        return RacedMarket(Panel.open(folder / "panel"), np.load(folder / "alpha.npy", mmap_mode="r"), plants)


def make_market(seed: int, instruments: int, days: int, plants: Sequence[PlantedAlpha]) -> RacedMarket:
    """Simulate a market and build its panel. Equal arguments give equal arrays."""
    reader = HistoryReader()
    planted = [Plant(p.expression, p.sharpe, ExpressionSignal(tree_of(p.expression), reader)) for p in plants]
    source = SyntheticSource(seed=seed, instruments=instruments, days=days, plants=planted)
    panel = build_from(source).panel
    market = source.market
    rows = np.searchsorted(market.dates, panel.dates)
    columns = {name: number for number, name in enumerate(market.instruments.tolist())}
    symbols = [name if name in columns else name.rsplit("#", 1)[0] for name in panel.instruments.tolist()]
    alpha = market.alpha[rows][:, np.array([columns[symbol] for symbol in symbols])].astype(np.float32)
    alpha[np.isnan(panel.pnl_returns)] = np.nan
    return RacedMarket(panel, alpha, tuple(plants))


class HistoryReader:
    """An engine on one day's history, kept for all the plants of that day."""

    def __init__(self) -> None:
        self._history: History | None = None
        self._engine: Engine | None = None

    def engine(self, history: History) -> Engine:
        """The engine on the names that trade; the others are as if they did not exist."""
        if self._engine is None or self._history is not history:
            self._history, self._engine = history, Engine(_panel(history), threads=1, memory=SIGNAL_MEMORY)
        return self._engine


@dataclass(frozen=True)
class ExpressionSignal:
    """An expression as a signal for the simulator: its value on the last day of a history, [N].

    A trading name without a value gets the median of the others: the middle rank, which earns nothing. All get the same
    where nobody has one. Names that do not trade get NaN.
    """

    tree: Node
    reader: HistoryReader

    def __call__(self, history: History) -> NDArray[np.float64]:
        values = self.reader.engine(history).evaluate(self.tree)[-1].astype(np.float64)
        known = np.isfinite(values) & history.trading
        middle = float(np.median(values[known])) if known.any() else 0.0
        return np.where(known, values, np.where(history.trading, middle, np.nan))


def _panel(history: History) -> Panel:
    """A history as a panel of one window; put together by hand, as hashing its content takes longer than all plants."""
    universe = np.broadcast_to(history.trading, history.close.shape).copy()
    fields = {}
    for name in FIELDS:
        values = getattr(history, name).astype(np.float32)
        values[~universe] = np.nan
        fields[name] = values
    columns = len(history.trading)
    groups = {"market": np.zeros(columns, np.int32)}
    for level in ("sector", "industry", "subindustry"):
        groups[level] = np.unique(getattr(history, level), return_inverse=True)[1].astype(np.int32)
    return Panel(
        version="history",
        dates=_DATES[: len(history.close)],
        instruments=np.arange(columns).astype(np.str_),
        fields=fields,
        universe=universe,
        age=np.broadcast_to(np.arange(len(history.close), dtype=np.int32)[:, None], universe.shape).copy(),
        pnl_returns=fields["returns"],
        groups=groups,
        info=_INFO,
    )
