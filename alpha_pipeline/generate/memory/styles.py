"""Styles: eight well-known signals, and which of them an expression's profit resembles most.

Resemblance is the correlation of daily profits (Sharpe 1992, returns-based style analysis), so that it needs no signal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from alpha_pipeline.expression import fields_used, parse
from alpha_pipeline.generate.base import FloatArray
from alpha_pipeline.generate.reward import correlations

if TYPE_CHECKING:
    from alpha_pipeline.evaluator import Evaluator  # the language's commands start without the engine

STYLE_PROBES: dict[str, str] = {
    "reversal": "-ts_delta(close, 5) / close",
    "momentum": "ts_delay(close, 20) / ts_delay(close, 120)",
    "volatility": "ts_std_dev(returns, 60)",
    "lottery": "ts_max(returns, 20)",
    "liquidity": "ts_mean(close * volume, 60)",
    "volume_trend": "ts_mean(volume, 5) / ts_mean(volume, 60)",
    "overnight": "ts_mean(open / ts_delay(close, 1), 20)",
    "price_volume": "ts_corr(close, volume, 20)",
}
"""Name → expression, free of the price level, long what the name says."""


def style_profits(evaluator: Evaluator) -> FloatArray:
    """Daily profit of the probes on the search days, [8, days]; NaN rows where the panel lacks a probe's fields.

    The probes are evaluated as any expression is; they are no proposals.
    """
    days = len(range(*evaluator.windows.search.indices(len(evaluator.panel.dates))))
    profits = np.full((len(STYLE_PROBES), days), np.nan)
    nodes = {row: parse(text) for row, text in enumerate(STYLE_PROBES.values())}
    usable = {row: node for row, node in nodes.items() if set(fields_used(node)) <= evaluator.available}
    for row, trial in zip(usable, evaluator.evaluate_many(list(usable.values())), strict=True):
        profits[row, trial.first_day :] = trial.pnl[trial.first_day :]
    return profits


def dominant_styles(pnl: FloatArray, styles: FloatArray | None) -> npt.NDArray[np.int64]:
    """Row of the probe with the largest |correlation| for each profit, [n]; 0 where there are no probes."""
    if styles is None or not len(styles) or not len(pnl):
        return np.zeros(len(pnl), np.int64)
    return np.asarray(np.round(np.abs(correlations(pnl, styles)), 10).argmax(axis=1), np.int64)
