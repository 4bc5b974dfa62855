"""A random panel for engine tests, with members that come and go, missing bars, groups and events."""

from __future__ import annotations

import numpy as np

from alpha_pipeline.market.panel import Panel, PanelInfo
from alpha_pipeline.market.vectors import Vectors

INFO = PanelInfo(market_id="test", market="test", source="synthetic", synthetic=True, universe="TEST")


def random_panel(seed: int = 1, days: int = 260, instruments: int = 420) -> Panel:
    """Large enough, by default, for the engine to split operators over threads."""
    random = np.random.default_rng(seed)
    shape = (days, instruments)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.02, shape), axis=0))
    open_ = close * np.exp(random.normal(0, 0.01, shape))
    fields = {
        "open": open_,
        "high": np.maximum(open_, close) * (1 + random.random(shape) * 0.01),
        "low": np.minimum(open_, close) * (1 - random.random(shape) * 0.01),
        "close": close,
        "vwap": (open_ + close) / 2,
        "volume": random.lognormal(12, 1, shape),
    }
    missing = random.random(shape) < 0.03
    for values in fields.values():
        values[missing] = np.nan
    joins, leaves = random.integers(-days, days // 2, instruments), random.integers(days // 2, 3 * days, instruments)
    day = np.arange(days)[:, None]
    events = random.integers(0, days * instruments, days * instruments)
    news = Vectors.build(events // instruments, events % instruments, random.normal(0, 1, len(events)).round(1), shape)
    return Panel.assemble(
        np.datetime64("2020-01-01") + np.arange(days),
        [f"S{i:04}" for i in range(instruments)],
        {name: values.astype(np.float32) for name, values in fields.items()},
        INFO,
        member=(day >= joins) & (day < leaves),
        vectors={"news": news},
        groups={
            "sector": (np.arange(instruments) // 100).astype(np.int32),
            "industry": (np.arange(instruments) // 17).astype(np.int32),
        },
    )
