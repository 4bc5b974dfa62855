"""BRAIN's figures of merit, from daily profit and trading.

Everything is per unit of book (Σ|weight| = 1, on the platform 20 million): a profit of 0.001 is 20,000. Returns are
on half the book, as on the platform, so they are twice the profit; the year has 250 days.
Identity: returns = 500 · turnover · margin.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from alpha_pipeline.backtest.simulate import Simulation
from alpha_pipeline.jit import njit

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


@njit
def _earned(pnl: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    """(sum, Sharpe ratio, drawdown) of daily profit; see `sharpe_ratio` and `drawdown_of`."""
    if pnl.size == 0:
        return 0.0, 0.0, 0.0
    total, lowest, highest = 0.0, pnl[0], pnl[0]
    peak, fall = 0.0, 0.0
    for profit in pnl:
        total += profit
        lowest, highest = min(lowest, profit), max(highest, profit)
        peak = max(peak, total)
        fall = max(fall, peak - total)
    mean, squares = total / pnl.size, 0.0
    for profit in pnl:
        squares += (profit - mean) ** 2
    spread = np.sqrt(squares / pnl.size)
    # a constant series has exactly no spread, but its computed mean may differ from it in the last bit
    varies = lowest != highest and spread != 0.0
    return total, np.sqrt(DAYS_PER_YEAR) * mean / spread if varies else 0.0, fall * LEVERAGE


def sharpe_ratio(pnl: npt.NDArray[np.float64]) -> float:
    """√250 · mean / population standard deviation of daily profit; 0 for no days or profit that does not vary."""
    return float(_earned(pnl)[1])


def fitness_of(sharpe: float, returns: float, turnover: float) -> float:
    """sharpe · √(|returns| / max(turnover, 0.125))."""
    return sharpe * math.sqrt(abs(returns) / max(turnover, TURNOVER_FLOOR))


def drawdown_of(pnl: npt.NDArray[np.float64]) -> float:
    """Deepest fall of cumulative profit below its highest point so far, the start (0) included, on half the book."""
    return float(_earned(pnl)[2])


def measure(simulation: Simulation, start: int, stop: int) -> Metrics:
    """The figures on rows [max(start, simulation.first_day), stop); all zero where no day is left."""
    days = slice(max(start, simulation.first_day), max(stop, 0))
    pnl = simulation.pnl[days]
    if pnl.size == 0:
        return Metrics(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0)
    profit, sharpe, drawdown = _earned(pnl)
    traded, longs, shorts = (
        float(values[days].sum()) for values in (simulation.traded, simulation.long_count, simulation.short_count)
    )
    returns, turnover = LEVERAGE * DAYS_PER_YEAR * profit / pnl.size, traded / pnl.size
    return Metrics(
        sharpe=sharpe,
        turnover=turnover,
        fitness=fitness_of(sharpe, returns, turnover),
        returns=returns,
        drawdown=drawdown,
        margin=profit / traded if traded > 0 else 0.0,
        long_count=longs / pnl.size,
        short_count=shorts / pnl.size,
        days=int(pnl.size),
    )


def sharpe_one_day_later(simulation: Simulation, start: int, stop: int) -> float:
    """Sharpe of the same books held one trading day later, on the days of [start, stop) on which they are held."""
    return sharpe_ratio(simulation.pnl_late[max(start, simulation.first_day + 1) : max(stop, 0)])
