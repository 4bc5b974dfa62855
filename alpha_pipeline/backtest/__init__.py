"""From a signal to the figures by which WorldQuant BRAIN judges an alpha.

settings.py says how to simulate; simulate.py turns a signal into daily profit and trading, by book.py's compiled row
step, and counts what of the signal is missing; metrics.py makes figures of them; windows.py says on which days.
identity.py names an alpha. Nothing here knows expressions, storage or selection.
"""

from alpha_pipeline.backtest.identity import alpha_id
from alpha_pipeline.backtest.metrics import Metrics, measure, sharpe_one_day_later
from alpha_pipeline.backtest.settings import SimulationSettings
from alpha_pipeline.backtest.simulate import Simulation, simulate, weights
from alpha_pipeline.backtest.windows import Windows

__all__ = [
    "Metrics",
    "Simulation",
    "SimulationSettings",
    "Windows",
    "alpha_id",
    "measure",
    "sharpe_one_day_later",
    "simulate",
    "weights",
]
