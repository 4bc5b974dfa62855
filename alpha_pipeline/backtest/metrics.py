"""BRAIN's figures of merit, from daily profit and trading.

Everything is per unit of book (Σ|weight| = 1, on the platform 20 million): a profit of 0.001 is 20,000. Returns are
on half the book, as on the platform, so they are twice the profit; the year has 250 days.
Identity: returns = 500 · turnover · margin.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from alpha_pipeline.backtest.simulate import Simulation

DAYS_PER_YEAR = 250
LEVERAGE = 2.0  # book over capital: returns and drawdown are on half the book
TURNOVER_FLOOR = 0.125  # below it, less trading raises fitness no further
BOOK = 20_000_000.0


@dataclass(frozen=True)
class Metrics:
    """The figures of one alpha on one window of days. Fractions, never percent.

    Attributes:
        sharpe: √250 · mean / standard deviation (population) of daily profit; 0 where profit does not vary.
        turnover: mean over days of Σ|Δweight|.
        fitness: sharpe · √(|returns| / max(turnover, 0.125)).
        returns: yearly profit on half the book, 500 · mean daily profit.
        drawdown: deepest fall of cumulative profit from its highest point (at least 0), on half the book.
        margin: profit per unit traded; 0 where nothing is traded.
        long_count, short_count: mean number of instruments held long and short.
        days: number of days measured.
    """

    sharpe: float
    turnover: float
    fitness: float
    returns: float
    drawdown: float
    margin: float
    long_count: float
    short_count: float
    days: int

    def to_dict(self) -> dict[str, float | int]:
        """The figures by name, unrounded."""
        return asdict(self)


def sharpe_ratio(pnl: npt.NDArray[np.float64]) -> float:
    """√250 · mean / population standard deviation of daily profit; 0 for no days or profit that does not vary."""
    if pnl.size == 0:
        return 0.0
    spread = float(pnl.std())
    # a constant series has exactly no spread, but its computed mean may differ from it in the last bit
    if pnl.min() == pnl.max() or spread == 0.0:
        return 0.0
    return float(np.sqrt(DAYS_PER_YEAR) * pnl.mean() / spread)


def fitness_of(sharpe: float, returns: float, turnover: float) -> float:
    """sharpe · √(|returns| / max(turnover, 0.125))."""
    return sharpe * float(np.sqrt(abs(returns) / max(turnover, TURNOVER_FLOOR)))


def drawdown_of(pnl: npt.NDArray[np.float64]) -> float:
    """Deepest fall of cumulative profit below its highest point so far, the start (0) included, on half the book."""
    if pnl.size == 0:
        return 0.0
    value = np.concatenate([[0.0], np.cumsum(pnl)]) * LEVERAGE
    return float((np.maximum.accumulate(value) - value).max())


def measure(simulation: Simulation, start: int, stop: int) -> Metrics:
    """The figures on rows [max(start, simulation.first_day), stop); all zero where no day is left."""
    days = slice(max(start, simulation.first_day), max(stop, 0))
    pnl, traded = simulation.pnl[days], simulation.traded[days]
    if pnl.size == 0:
        return Metrics(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0)
    sharpe, turnover = sharpe_ratio(pnl), float(traded.mean())
    returns = float(LEVERAGE * DAYS_PER_YEAR * pnl.mean())
    total_traded = float(traded.sum())
    return Metrics(
        sharpe=sharpe,
        turnover=turnover,
        fitness=fitness_of(sharpe, returns, turnover),
        returns=returns,
        drawdown=drawdown_of(pnl),
        margin=float(pnl.sum()) / total_traded if total_traded > 0 else 0.0,
        long_count=float(simulation.long_count[days].mean()),
        short_count=float(simulation.short_count[days].mean()),
        days=int(pnl.size),
    )


def sharpe_one_day_later(simulation: Simulation, start: int, stop: int) -> float:
    """Sharpe of the same books held one trading day later, on the days of [start, stop) on which they are held."""
    return sharpe_ratio(simulation.pnl_late[max(start, simulation.first_day + 1) : max(stop, 0)])
