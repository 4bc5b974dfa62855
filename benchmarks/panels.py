"""The market that benchmarks measure on: random, of any size, with missing cells and late listings."""

from __future__ import annotations

import numpy as np

from alpha_pipeline.market.panel import Panel, PanelInfo

DAYS, INSTRUMENTS = 1260, 3000
"""Five years of the whole universe: what every figure is measured on unless it says otherwise."""


def random_panel(days: int = DAYS, instruments: int = INSTRUMENTS) -> Panel:
    """Log-normal random walks; 3 % of the cells are missing, a tenth of the instruments list late."""
    random = np.random.default_rng(7)
    shape = (days, instruments)
    close = random.lognormal(3.5, 1, instruments) * np.exp(np.cumsum(random.normal(0, 0.02, shape), axis=0))
    open_ = close * np.exp(random.normal(0, 0.01, shape))
    high = np.maximum(open_, close) * (1 + random.exponential(0.005, shape))
    low = np.minimum(open_, close) / (1 + random.exponential(0.005, shape))
    fields = {"open": open_, "high": high, "low": low, "close": close, "vwap": (high + low + close) / 3}
    fields["volume"] = random.lognormal(13, 1, shape)
    late = np.arange(days)[:, None] < np.where(random.random(instruments) < 0.1, random.random(instruments) * days, 0)
    missing = late | (random.random(shape) < 0.03)
    for values in fields.values():
        values[missing] = np.nan
    return Panel.assemble(
        np.datetime64("2019-01-01") + np.arange(days),
        [f"S{i:05}" for i in range(instruments)],
        {name: values.astype(np.float32) for name, values in fields.items()},
        PanelInfo(
            market_id="benchmark", market="benchmark", source="synthetic", synthetic=True, universe=f"TOP{instruments}"
        ),
        groups={
            "sector": (np.arange(instruments) * 11 // instruments).astype(np.int32),
            "industry": (np.arange(instruments) * 70 // instruments).astype(np.int32),
        },
    )
