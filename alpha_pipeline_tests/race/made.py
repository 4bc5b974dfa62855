"""Trials and worths made by hand, for what judges them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.backtest import Metrics
from alpha_pipeline.evaluator import Sealed, Trial
from alpha_pipeline.expression import parse
from alpha_pipeline.race.oracle import Worth


def trial(
    sharpe: float,
    pnl: NDArray[np.float64],
    text: str = "rank(close / open)",
    fitness: float = 2.0,
    turnover: float = 0.2,
    missing: float = 0.0,
    first_day: int = 0,
) -> Trial:
    """A trial with these figures on the search window, whatever its profit would give."""
    metrics = Metrics(sharpe, turnover, fitness, 0.1, 0.1, 0.001, 10, 10, len(pnl))
    held = np.where(np.arange(len(pnl)) < first_day, 0.0, pnl)
    sealed = Sealed({"search": metrics}, {"search": 0.0}, held)
    return Trial(text, text, parse(text), metrics, 0.0, missing, held, first_day, sealed)


def worth(oracle: float, likeness: Sequence[float] = (), days: int = 200, seed: int = 0) -> Worth:
    """A worth with daily figures that have this oracle ratio."""
    profit = np.random.default_rng(seed).normal(0, 0.01, days)
    earned = np.full(days, oracle * profit.std() / np.sqrt(250))
    return Worth(oracle, earned, profit, 0, np.array(likeness, float))
