"""Twelve textbook alphas through the whole house, parser to metrics, against the independent pandas backtest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from alpha_pipeline.backtest import SimulationSettings, measure, sharpe_one_day_later, simulate
from alpha_pipeline.engine.engine import Engine
from alpha_pipeline.expression import lookback, parse
from alpha_pipeline.market.panel import Panel, PanelInfo
from alpha_pipeline_tests.backtest.pandas_oracle import CLASSICS, Classic, Prices, Setup, backtest

DAYS, INSTRUMENTS = 460, 45
SETUPS = {
    "platform default": (SimulationSettings(), Setup()),
    "everything on": (
        SimulationSettings(decay=4, neutralization="SECTOR", truncation=0.03, extra_lag=1),
        Setup(decay=4, neutralization="SECTOR", truncation=0.03, lag=2),
    ),
    "everything off": (
        SimulationSettings(neutralization="NONE", truncation=0.0, delay=0),
        Setup(neutralization="NONE", truncation=0.0, lag=1),
    ),
}


@pytest.fixture(scope="module")
def prices() -> Prices:
    """A market with gaps, leavers, latecomers, flat bars and repeated volumes; values as float32 holds them."""
    random = np.random.default_rng(20)
    shape = (DAYS, INSTRUMENTS)
    market = random.normal(0.0003, 0.008, (DAYS, 1))
    shock = random.standard_t(4, shape) * 0.015
    daily = market + shock - 0.15 * np.vstack([np.zeros((1, INSTRUMENTS)), shock[:-1]])
    close = 40 * np.exp(np.cumsum(daily, axis=0)) * random.lognormal(0, 0.6, INSTRUMENTS)
    opening = close * np.exp(random.normal(0, 0.006, shape))
    high = np.maximum(opening, close) * np.exp(random.exponential(0.004, shape))
    low = np.minimum(opening, close) * np.exp(-random.exponential(0.004, shape))
    flat = random.random(shape) < 0.01
    for values in (opening, high, low):
        values[flat] = close[flat]
    volume = np.round(random.lognormal(13, 0.7, shape), -3)
    fields = {
        "open": opening,
        "high": high,
        "low": low,
        "close": close,
        "volume": volume,
        "vwap": (high + low + close) / 3,
    }
    absent = random.random(shape) < 0.03
    absent[:100, 0] = absent[300:, 1] = absent[200:210, 2] = True
    member = np.repeat(random.random((DAYS // 20 + 1, INSTRUMENTS)) < 0.9, 20, axis=0)[:DAYS]
    dates = pd.bdate_range("2018-01-01", periods=DAYS)
    names = [f"S{index:02d}" for index in range(INSTRUMENTS)]

    def table(values: Any) -> pd.DataFrame:
        return pd.DataFrame(values, index=dates, columns=names)

    frames = {name: table(values.astype(np.float32).astype(np.float64)).mask(absent) for name, values in fields.items()}
    sector = pd.Series(np.sort(random.integers(0, 5, INSTRUMENTS)), index=names)
    return Prices(**frames, member=table(member), sector=sector)


@pytest.fixture(scope="module")
def panel(prices: Prices) -> Panel:
    return Panel.assemble(
        prices.close.index.to_numpy(),
        prices.close.columns.to_numpy(dtype=np.str_),
        {
            name: getattr(prices, name).to_numpy(np.float32)
            for name in ("open", "high", "low", "close", "volume", "vwap")
        },
        PanelInfo("synthetic-test", "synthetic-test", "synthetic", True, "TOP45"),
        member=prices.member.to_numpy(),
        groups={"sector": prices.sector.to_numpy(np.int32)},
    )


@pytest.fixture(scope="module")
def engine(panel: Panel) -> Engine:
    return Engine(panel)


@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("classic", CLASSICS, ids=lambda classic: classic.name)
def test_twelve_classics_agree_with_pandas(
    classic: Classic, setup: str, prices: Prices, panel: Panel, engine: Engine
) -> None:
    settings, plain = SETUPS[setup]
    node = parse(classic.expression)
    assert lookback(node) == classic.warm_up
    result = simulate(engine.evaluate(node), panel, settings, lookback(node))
    found = measure(result, 0, DAYS).to_dict()
    expected = backtest(classic.signal(prices), prices, plain, classic.warm_up)
    assert found == pytest.approx(expected, rel=1e-4)
    later = backtest(
        classic.signal(prices),
        prices,
        Setup(plain.decay, plain.neutralization, plain.truncation, plain.lag + 1),
        classic.warm_up,
    )
    # some are near 0, where a relative measure means nothing
    assert sharpe_one_day_later(result, 0, DAYS) == pytest.approx(later["sharpe"], rel=1e-4, abs=1e-4)


def test_the_comparison_would_notice_a_look_ahead(prices: Prices, panel: Panel, engine: Engine) -> None:
    """A planted bug: trading today's return on today's signal is far from what the oracle says."""
    classic = CLASSICS[0]
    node = parse(classic.expression)
    found = measure(simulate(engine.evaluate(node), panel, SimulationSettings(), lookback(node)), 0, DAYS)
    cheating = backtest(classic.signal(prices), prices, Setup(lag=0), classic.warm_up)
    assert abs(cheating["sharpe"] - found.sharpe) > 1.0
