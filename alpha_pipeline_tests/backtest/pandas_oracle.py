"""A second backtest in pandas and float64, written from the contracts' words and sharing no code with the first.

Slow and plain on purpose. Prices come in as DataFrames (dates × instruments), unpasteurized; NaN is no bar.
`CLASSICS` holds twelve textbook alphas, each as Fast Expression text and as rolling pandas code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass
class Prices:
    """What a data vendor sends: one DataFrame per field, membership of the universe, the sector of each instrument."""

    open: pd.DataFrame
    high: pd.DataFrame
    low: pd.DataFrame
    close: pd.DataFrame
    volume: pd.DataFrame
    vwap: pd.DataFrame
    member: pd.DataFrame
    sector: pd.Series

    @property
    def tradable(self) -> pd.DataFrame:
        """A member that has a bar today."""
        return self.member & self.close.notna()

    @property
    def earned(self) -> pd.DataFrame:
        """Return of each day over the close of the day before; none over a missing bar."""
        return self.close / self.close.shift(1) - 1

    def seen(self, name: str) -> pd.DataFrame:
        """A field as an expression sees it: nothing outside the universe."""
        values = self.earned if name == "returns" else getattr(self, name)
        return values.where(self.tradable)


@dataclass
class Setup:
    decay: int = 0
    neutralization: str = "MARKET"
    truncation: float = 0.08
    lag: int = 1


def backtest(signal: pd.DataFrame, prices: Prices, setup: Setup, warm_up: int) -> dict[str, float]:
    """The figures over all days that count.

    Args:
        signal: the alpha's value on each day, from data up to that day.
        warm_up: days at the beginning on which the alpha does not have its history yet.
    """
    alpha = signal.replace([np.inf, -np.inf], np.nan).where(prices.tradable)
    alpha.iloc[:warm_up] = np.nan
    if setup.decay > 1:
        days = setup.decay
        smooth = sum((days - age) * alpha.shift(age).fillna(0.0) for age in range(days)) / (days * (days + 1) / 2)
        alpha = smooth.where(alpha.notna())
        warm_up += days - 1  # until then the decay itself is warming up
    if setup.neutralization == "MARKET":
        alpha = alpha.sub(alpha.mean(axis=1), axis=0)
    elif setup.neutralization == "SECTOR":
        for _, names in prices.sector.groupby(prices.sector).groups.items():
            alpha[names] = alpha[names].sub(alpha[names].mean(axis=1), axis=0)
    weight = alpha.div(alpha.abs().sum(axis=1), axis=0)
    if setup.truncation > 0:
        weight = weight.clip(-setup.truncation, setup.truncation)
        weight = weight.div(weight.abs().sum(axis=1), axis=0)
    weight = weight.fillna(0.0)
    weight.iloc[:warm_up] = 0.0
    held = weight.shift(setup.lag).fillna(0.0)
    counted = slice(warm_up + setup.lag, None)
    pnl = (held * prices.earned.fillna(0.0)).sum(axis=1).iloc[counted]
    traded = held.diff().abs().sum(axis=1).iloc[counted]
    book, capital = 20_000_000.0, 10_000_000.0
    dollars = pnl * book
    value = pd.concat([pd.Series([0.0]), dollars.cumsum()], ignore_index=True)
    sharpe = np.sqrt(250) * dollars.mean() / dollars.std(ddof=0)
    returns = dollars.mean() * 250 / capital
    turnover = traded.mean()
    least = 1e-6 / held.shape[1]  # a smaller weight is the rounding of a zero
    return {
        "sharpe": sharpe,
        "turnover": turnover,
        "fitness": sharpe * np.sqrt(abs(returns) / max(turnover, 0.125)),
        "returns": returns,
        "drawdown": (value.cummax() - value).max() / capital,
        "margin": dollars.sum() / (traded.sum() * book),
        "long_count": (held.iloc[counted] > least).sum(axis=1).mean(),
        "short_count": (held.iloc[counted] < -least).sum(axis=1).mean(),
        "days": float(len(pnl)),
    }


@dataclass
class Classic:
    name: str
    expression: str
    warm_up: int
    signal: Callable[[Prices], pd.DataFrame]


def _rank(values: pd.DataFrame, prices: Prices) -> pd.DataFrame:
    order = values.where(prices.tradable).rank(axis=1)
    return (order - 1).div(order.count(axis=1) - 1, axis=0)


def _reversal(p: Prices) -> pd.DataFrame:
    close = p.seen("close")
    return -(close - close.shift(5)) / close


def _momentum(p: Prices) -> pd.DataFrame:
    close = p.seen("close")
    return close.shift(21) / close.shift(252) - 1


def _volume_price_correlation(p: Prices) -> pd.DataFrame:
    return -p.seen("close").rolling(20, min_periods=2).corr(p.seen("volume"), ddof=0)


def _low_volatility(p: Prices) -> pd.DataFrame:
    return -p.seen("returns").rolling(60, min_periods=2).std(ddof=0)


def _vwap_deviation(p: Prices) -> pd.DataFrame:
    return p.seen("vwap") / p.seen("close") - 1


def _range_position(p: Prices) -> pd.DataFrame:
    return (p.seen("high") - p.seen("close")) / (p.seen("high") - p.seen("low"))


def _volume_zscore(p: Prices) -> pd.DataFrame:
    volume = p.seen("volume")
    window = volume.rolling(20, min_periods=2)
    return -(volume - window.mean()) / window.std(ddof=0)


def _mean_deviation(p: Prices) -> pd.DataFrame:
    close = p.seen("close")
    return 1 - close / close.rolling(20, min_periods=1).mean()


def _volume_rank(p: Prices) -> pd.DataFrame:
    window = p.seen("volume").rolling(30, min_periods=1)
    return -((window.rank() - 1) / (window.count() - 1)).where(window.count() > 1, 0.5).where(p.seen("volume").notna())


def _overnight_gap(p: Prices) -> pd.DataFrame:
    return 1 - p.seen("open") / p.seen("close").shift(1)


def _decayed_reversal(p: Prices) -> pd.DataFrame:
    returns = p.seen("returns")
    decayed = sum((10 - age) * returns.shift(age).fillna(0.0) for age in range(10)) / 55
    return _rank(-decayed.where(returns.rolling(10, min_periods=1).count() > 0), p)


def _sector_reversal(p: Prices) -> pd.DataFrame:
    close = p.seen("close")
    change = (close / close.shift(10)).where(p.tradable)
    return -(change - change.T.groupby(p.sector).transform("mean").T)


CLASSICS = [
    Classic("5-day reversal", "-ts_delta(close, 5) / close", 5, _reversal),
    Classic("12-1 momentum", "ts_delay(close, 21) / ts_delay(close, 252) - 1", 252, _momentum),
    Classic("volume-price correlation", "-ts_corr(close, volume, 20)", 19, _volume_price_correlation),
    Classic("low volatility", "-ts_std_dev(returns, 60)", 60, _low_volatility),
    Classic("vwap deviation", "vwap / close - 1", 0, _vwap_deviation),
    Classic("intraday range position", "(high - close) / (high - low)", 0, _range_position),
    Classic("volume z-score", "-ts_zscore(volume, 20)", 19, _volume_zscore),
    Classic("deviation from the mean", "1 - close / ts_mean(close, 20)", 19, _mean_deviation),
    Classic("rank of volume in time", "-ts_rank(volume, 30)", 29, _volume_rank),
    Classic("overnight gap", "1 - open / ts_delay(close, 1)", 1, _overnight_gap),
    Classic("decayed reversal", "rank(ts_decay_linear(-returns, 10))", 10, _decayed_reversal),
    Classic("reversal within sectors", "-group_neutralize(close / ts_delay(close, 10), sector)", 10, _sector_reversal),
]
