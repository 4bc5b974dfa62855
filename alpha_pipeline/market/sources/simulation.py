"""A seeded daily stock market with the stylised facts of real ones and alphas of known strength in it.

Day by day (planted signals depend on simulated past prices), vectorised over instruments:

    r = β f_market + f_sector + b f_style + σ e + α,   clipped to [-0.4, 0.6]

GARCH(1,1) market and idiosyncratic variance with Student-t(5) shocks, sector and style factors, overnight and
intraday legs, volume tied to |r|, listings, delistings, suspensions, missing days, splits, dividends, stale names.
α = Σ κ z σ, where z is the planted signal's cross-sectional rank of the day before (mean 0, variance 1) and
κ = sharpe / sqrt(252 N): the strength at which a book proportional to z earns that Sharpe ratio.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from alpha_pipeline.market.sources.plants import DEFAULT_PLANTS, LONGEST_WINDOW, History, Plant

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

DEFAULT_START = date(2018, 1, 1)
FIRST_PRICE = 40.0  # USD, of every name before its quotes are moved to levels of their own
BURN_IN = 120  # days simulated before the first one kept: variances settle, plants have their windows
SECTORS, INDUSTRIES, SUBINDUSTRIES = 10, 3, 2  # industries per sector, subindustries per industry
STYLES = 3
MARKET_VOLATILITY, SECTOR_VOLATILITY, STYLE_VOLATILITY = 0.011, 0.006, 0.003  # a day
IDIOSYNCRATIC_VOLATILITY, VOLATILITY_SPREAD = 0.021, 0.35  # median a day; standard deviation of its logarithm
MARKET_GARCH = (0.05, 0.10, 0.85)  # share of the long-run variance, of the last square, of the last variance
IDIOSYNCRATIC_GARCH = (0.08, 0.07, 0.85)
VARIANCE_RANGE = (0.1, 25.0)  # idiosyncratic variance over its long-run level
RETURN_RANGE = (-0.4, 0.6)
YEARLY_DELISTINGS, YEARLY_SPLITS, DIVIDEND_PAYERS = 0.03, 0.05, 0.6
QUARTERLY_DIVIDEND = 0.004
MISSING_DAY, SUSPENSION = 0.002, 0.0002  # chances a day; a suspension lasts five days
STALE_NAMES, STALE_DAY = 0.05, 0.3  # share of names (the smallest); chance that such a name does not trade


@dataclass(frozen=True)
class Market:
    """A simulated market: what its prices are, and what nobody outside could know.

    Attributes:
        dates: [T] datetime64[D], business days (Monday to Friday; no holidays).
        instruments: [N] names.
        fields: float64 [T, N], NaN where there is no bar: open high low close (as quoted, with splits and dividends
            in them), adj_close, volume (shares of the day), vwap, cap.
        alpha: float64 [T, N], expected excess return of day t that the plants put there; for oracle scores.
        returns: float64 [T, N], total return of day t, whether or not there was a bar.
        listed: bool [T, N].
        sector, industry, subindustry: [N] names.
    """

    dates: NDArray[np.datetime64]
    instruments: NDArray[np.str_]
    fields: Mapping[str, Matrix]
    alpha: Matrix
    returns: Matrix
    listed: NDArray[np.bool_]
    sector: NDArray[np.str_]
    industry: NDArray[np.str_]
    subindustry: NDArray[np.str_]


def simulate(
    seed: int,
    *,
    instruments: int = 500,
    days: int = 1260,
    plants: Sequence[Plant] = DEFAULT_PLANTS,
    start: date = DEFAULT_START,
) -> Market:
    """Simulate one market. Equal arguments give equal arrays; plants=() is the null market without any alpha."""
    rng = np.random.default_rng(seed)
    total, n = BURN_IN + days, instruments
    subindustry = np.sort(np.arange(n) % (SECTORS * INDUSTRIES * SUBINDUSTRIES))
    sector = subindustry // (INDUSTRIES * SUBINDUSTRIES)
    draws = _draw(rng, total, sector)
    industry = subindustry // SUBINDUSTRIES
    groups = {"sector": sector, "industry": industry, "subindustry": subindustry}
    kept, alpha, delisted_on = _live(draws, plants, groups)

    listed = draws.listed & (np.arange(total)[:, None] < delisted_on)
    absent = draws.suspended | (rng.uniform(0.0, 1.0, (total, n)) < MISSING_DAY)
    stale_name = draws.size <= np.quantile(draws.size, STALE_NAMES)
    idle = stale_name & (rng.uniform(0.0, 1.0, (total, n)) < STALE_DAY)
    fields = _as_quoted(rng, kept, draws.size / FIRST_PRICE, idle)
    bars = listed & ~absent
    after = slice(BURN_IN, total)
    return Market(
        dates=np.busday_offset(np.datetime64(start, "D"), np.arange(days), roll="forward"),
        instruments=_names(n),
        fields={name: np.where(bars[after], values[after], np.nan) for name, values in fields.items()},
        alpha=alpha[after],
        returns=kept["returns"][after],
        listed=listed[after],
        sector=np.array([f"Sector {code:02d}" for code in sector]),
        industry=np.array([f"Industry {code:02d}" for code in industry]),
        subindustry=np.array([f"Subindustry {code:02d}" for code in subindustry]),
    )


@dataclass(frozen=True)
class _Draws:
    """What chance decides before the first day: [T, N], or [N] where a name keeps it for life."""

    listed: NDArray[np.bool_]  # from the listing day on
    size: Vector  # capitalization at the start, USD
    common: Matrix  # return from market, sector and styles
    sigma: Vector  # idiosyncratic volatility a day, long-run
    shocks: Matrix  # of unit variance
    overnight: Matrix  # of the day's volatility
    ranges: NDArray[np.float64]  # [2, T, N], of the day's volatility: above the higher, below the lower of open, close
    vwap_mix: Matrix  # 0..1 from open and close to high and low
    volume_noise: Matrix
    volume_level: Vector  # logarithm
    volume_common: Vector  # [T], common part of log volume
    hazard: Matrix  # uniform; below the chance of leaving, a name leaves
    crash: NDArray[np.bool_]  # [N], falls on its last day
    suspended: NDArray[np.bool_]


def _draw(rng: np.random.Generator, total: int, sector: NDArray[np.int64]) -> _Draws:
    """The draws of one market. Their order is part of what a seed means: a new one goes to the end."""
    n = len(sector)
    listed = _listing_days(rng, total, n)
    size = np.exp(rng.normal(21.5, 1.2, n))
    factors = _factor_returns(rng, total)
    beta = rng.normal(1.0, 0.3, n)
    styles = rng.normal(0.0, 1.0, (STYLES, n))
    return _Draws(
        listed=listed,
        size=size,
        sigma=IDIOSYNCRATIC_VOLATILITY * np.exp(rng.normal(0.0, VOLATILITY_SPREAD, n)),
        common=factors.market[:, None] * beta + factors.sector[:, sector] + factors.style @ styles,
        shocks=_student(rng, (total, n)),
        overnight=rng.normal(0.0, 0.25, (total, n)),
        ranges=np.abs(rng.normal(0.0, 0.7, (2, total, n))),
        vwap_mix=rng.uniform(0.0, 1.0, (total, n)),
        volume_noise=rng.normal(0.0, 0.25, (total, n)),
        volume_level=np.log(size * rng.uniform(0.002, 0.008, n) / FIRST_PRICE),  # turns over 0.2-0.8 % a day at first
        volume_common=factors.volume,
        hazard=rng.uniform(0.0, 1.0, (total, n)),
        crash=rng.uniform(0.0, 1.0, n) < 0.5,
        suspended=_suspensions(rng, total, n),
    )


def _live(
    draws: _Draws, plants: Sequence[Plant], groups: Mapping[str, NDArray[np.int64]]
) -> tuple[dict[str, Matrix], Matrix, NDArray[np.int64]]:
    """Day by day: total-return prices, volume and returns by name, the planted alpha, and who is gone from which day.

    Returns:
        Fields [T, N], alpha [T, N], first day after the delisting [N] (T where there is none).
    """
    total, n = draws.shocks.shape
    kept = {name: np.empty((total, n)) for name in ("open", "high", "low", "close", "vwap", "volume", "returns")}
    alpha = np.zeros((total, n))
    variance, square = np.ones(n), np.ones(n)
    close, peak, volume_state = np.full(n, FIRST_PRICE), np.full(n, FIRST_PRICE), np.zeros(n)
    alive = np.ones(n, bool)
    delisted_on = np.full(n, total)
    base, news, memory = IDIOSYNCRATIC_GARCH
    for day in range(total):
        variance = np.clip(base + news * square + memory * variance, *VARIANCE_RANGE)
        today = draws.sigma * np.sqrt(variance)
        if day > LONGEST_WINDOW and plants:
            past = slice(day - LONGEST_WINDOW, day)
            trading = draws.listed[day - LONGEST_WINDOW] & alive
            seen = {name: values[past] for name, values in kept.items()}
            alpha[day] = _planted(plants, _history(seen, groups, trading)) * today
        returns = draws.common[day] + today * draws.shocks[day] + alpha[day]
        # Leaving: rare, likelier after a drawdown; half of those who leave lose 30 % on their last day.
        may_leave = alive & draws.listed[day] & (day >= BURN_IN)
        leaving = may_leave & (draws.hazard[day] < _leaving_chance(close / peak))
        returns[leaving & draws.crash] = -0.3
        delisted_on[leaving] = day + 1
        alive &= ~leaving
        returns = np.clip(returns, *RETURN_RANGE)
        returns[draws.suspended[day]] = 0.0
        square = np.clip(draws.shocks[day] ** 2 * variance, 0.0, 50.0)
        step = np.log1p(returns)
        opened = close * np.exp(0.35 * step + draws.overnight[day] * today)
        close = close * np.exp(step)
        peak = np.maximum(peak, close)
        above, below = draws.ranges[:, day]
        high = np.maximum(opened, close) * np.exp(today * above)
        low = np.minimum(opened, close) * np.exp(-today * below)
        mix = draws.vwap_mix[day]
        volume_state = 0.8 * volume_state + draws.volume_noise[day]
        surprise = 0.35 * np.minimum(np.abs(returns) / draws.sigma, 6.0)
        kept["open"][day], kept["high"][day], kept["low"][day], kept["close"][day] = opened, high, low, close
        kept["vwap"][day] = mix * (high + low) / 2 + (1 - mix) * (opened + close) / 2
        kept["volume"][day] = np.exp(draws.volume_level + volume_state + draws.volume_common[day] + surprise)
        kept["returns"][day] = returns
    return kept, alpha, delisted_on


def _history(
    seen: Mapping[str, Matrix], groups: Mapping[str, NDArray[np.int64]], trading: NDArray[np.bool_]
) -> History:
    return History(
        open=seen["open"],
        high=seen["high"],
        low=seen["low"],
        close=seen["close"],
        vwap=seen["vwap"],
        volume=seen["volume"],
        returns=seen["returns"],
        sector=groups["sector"],
        industry=groups["industry"],
        subindustry=groups["subindustry"],
        trading=trading,
    )


@dataclass(frozen=True)
class _Factors:
    market: Vector  # [T]
    sector: Matrix  # [T, SECTORS]
    style: Matrix  # [T, STYLES]
    volume: Vector  # [T], common part of log volume


def _factor_returns(rng: np.random.Generator, total: int) -> _Factors:
    shocks = _student(rng, (total,))
    market, variance, square = np.empty(total), 1.0, 1.0
    base, news, memory = MARKET_GARCH
    for day in range(total):
        variance = base + news * square + memory * variance
        square = shocks[day] ** 2 * variance
        market[day] = MARKET_VOLATILITY * np.sqrt(variance) * shocks[day]
    common, state = np.empty(total), 0.0
    for day, shock in enumerate(rng.normal(0.0, 0.06, total)):
        state = 0.9 * state + shock
        common[day] = state
    return _Factors(
        market=market + 0.0003,  # about 8 % a year
        sector=SECTOR_VOLATILITY * _student(rng, (total, SECTORS)),
        style=STYLE_VOLATILITY * _student(rng, (total, STYLES)),
        volume=common,
    )


def _student(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Student-t(5) of unit variance."""
    return np.asarray(rng.standard_t(5.0, shape) * np.sqrt(3.0 / 5.0))


def _listing_days(rng: np.random.Generator, total: int, n: int) -> NDArray[np.bool_]:
    """bool [total, n]: from its listing day on. As many names arrive over time as the delisting rate takes away."""
    arriving = rng.uniform(0.0, 1.0, n) < YEARLY_DELISTINGS * (total - BURN_IN) / 252
    day = np.where(arriving, rng.integers(BURN_IN, total, n), 0)
    return np.asarray(np.arange(total)[:, None] >= day)


def _leaving_chance(of_peak: Vector) -> Vector:
    """Daily chance of delisting at a price of `of_peak` times the highest one: six times as high at -75 %."""
    return np.asarray(YEARLY_DELISTINGS / 252 * (0.4 + 2.0 * np.clip((0.75 - of_peak) / 0.5, 0.0, 1.0)))


def _suspensions(rng: np.random.Generator, total: int, n: int) -> NDArray[np.bool_]:
    begins = rng.uniform(0.0, 1.0, (total, n)) < SUSPENSION
    suspended = begins.copy()
    for lag in range(1, 5):
        suspended[lag:] |= begins[:-lag]
    return suspended


def _planted(plants: Sequence[Plant], history: History) -> Vector:
    """Σ κ z [N] over the plants; names without a full window of listed days are left out."""
    trading = history.trading
    count = int(trading.sum())
    total = np.zeros(len(trading))
    if count < 2:
        return total
    spread = np.sqrt((count * count - 1.0) / 12.0)  # of the ranks where no two are equal
    for plant in plants:
        # Equal signals share their mean rank: in the order of columns they would plant the sectors' order as well.
        ranks = rankdata(plant.signal(history)[trading]) - (count + 1) / 2
        total[trading] += plant.sharpe / np.sqrt(252.0 * count) * ranks / spread
    return total


def _as_quoted(
    rng: np.random.Generator, kept: Mapping[str, Matrix], shares: Vector, idle: NDArray[np.bool_]
) -> dict[str, Matrix]:
    """Total-return prices turned into quotes: dividends and splits put in, idle days made stale.

    `shares` is the number outstanding at `FIRST_PRICE`; quotes start at various levels around that price.
    """
    total, n = kept["close"].shape
    unit = np.exp(rng.normal(0.0, 0.7, n))  # price level: first quotes between about 10 and 160 USD
    payer = rng.uniform(0.0, 1.0, n) < DIVIDEND_PAYERS
    pays = (np.arange(total)[:, None] % 63 == rng.integers(0, 63, n)) & payer
    dividends = np.cumprod(np.where(pays, 1.0 - QUARTERLY_DIVIDEND, 1.0), axis=0)
    splits = rng.uniform(0.0, 1.0, (total, n)) < YEARLY_SPLITS / 252
    splits[:2] = False
    ratio = np.cumprod(np.where(splits, rng.choice([2.0, 3.0], (total, n), p=[0.8, 0.2]), 1.0), axis=0)
    quote = unit * dividends / ratio  # as quoted = total-return price * quote
    idle = idle.copy()
    idle[0] = False
    row = np.maximum.accumulate(np.where(idle, 0, np.arange(total)[:, None]), axis=0)  # the last day that traded
    fields: dict[str, Matrix] = {}
    closes = np.take_along_axis(kept["close"], row, axis=0)
    for name in ("open", "high", "low", "close", "vwap"):
        fields[name] = np.where(idle, closes, kept[name]) * quote
    fields["adj_close"] = closes * quote[-1]  # back-adjusted: today's quote is the unit of all history
    fields["volume"] = np.floor(np.where(idle, 0.0, kept["volume"] / quote))
    fields["cap"] = closes * dividends * shares  # of the last trade: a stale quote must not be seen through
    return fields


def _names(n: int) -> NDArray[np.str_]:
    """S001, S002, … : plainly no real tickers."""
    width = max(3, len(str(n)))
    return np.array([f"S{number:0{width}d}" for number in range(1, n + 1)])
