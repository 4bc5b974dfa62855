"""The functions of "101 Formulaic Alphas" in pandas and float64, written from their definitions.

Nothing of the project's operators or kernels is used: what agrees with them was found twice. The readings that the
paper leaves open are those of docs/decisions/0002: windows use the valid values that they hold, deviations divide by
n, ties share the average rank, functions over instruments see the universe's members only.

Frames are float64, dates × instruments; conditions are 1, 0 or NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from alpha_pipeline.market.panel import Panel

Frame = pd.DataFrame
Values = NDArray[np.float64]


class Paper:
    """The paper's fields and functions over one market.

    Args:
        longer: days added to every window, delays included. Not 0 = a planted mistake, which the comparison must see.
        late: days that every field arrives late. Not 0 = a planted mistake as well.
        ties: which place equal values take where `rank` is told to expect ties: "average", "lowest" or "highest".
    """

    open: Frame
    high: Frame
    low: Frame
    close: Frame
    volume: Frame
    vwap: Frame
    returns: Frame
    cap: Frame

    def __init__(self, panel: Panel, *, longer: int = 0, late: int = 0, ties: str = "average") -> None:
        self.longer = longer
        self.ties = {"average": "average", "lowest": "min", "highest": "max"}[ties]
        self.members = pd.DataFrame(panel.universe, index=panel.dates, columns=panel.instruments)
        self.groups = panel.groups
        for name in ("open", "high", "low", "close", "volume", "vwap", "returns", "cap"):
            values = panel.fields[name].astype(np.float64)
            setattr(self, name, pd.DataFrame(values, index=panel.dates, columns=panel.instruments).shift(late))

    def days(self, window: float) -> int:
        """The paper's fractional windows are rounded down."""
        return math.floor(window) + self.longer

    def adv(self, window: float) -> Frame:
        """Average number of shares a day. Its own name holds the window, so a planted mistake leaves it alone."""
        valid, held, count = finite(windows(self.volume, math.floor(window)))
        return self.like(held.sum(-1) / count, valid.any(-1))

    def like(self, values: Values, where: NDArray[np.bool_]) -> Frame:
        """A frame of `values`, NaN except `where`."""
        return pd.DataFrame(np.where(where, values, np.nan), index=self.members.index, columns=self.members.columns)

    # -- over instruments ------------------------------------------------------------------------------------------

    def rank(self, x: Frame, *, tied: bool = False) -> Frame:
        """Evenly spaced from 0 to 1 over the day's members; a single one has 0.5.

        Args:
            tied: x is made of ranks, so that many values are equal but for rounding. They are taken for equal here.
        """
        x = x.where(self.members)
        places = x.round(6).rank(axis=1, method=self.ties) if tied else x.rank(axis=1, method="average")
        count = x.notna().sum(axis=1)
        spaced = places.sub(1).div(count.where(count > 1) - 1, axis=0)
        return spaced.where(~(x.notna() & (count == 1).to_numpy()[:, None]), 0.5)

    def scale(self, x: Frame) -> Frame:
        """x / Σ|x| over the day's members."""
        x = x.where(self.members)
        total = x.where(np.isfinite(x)).abs().sum(axis=1)
        return x.div(total.where(total > 0), axis=0)

    def indneutralize(self, x: Frame, group: str) -> Frame:
        """x less the mean of the day's members of its group."""
        x = x.where(self.members)
        means = x.where(np.isfinite(x)).T.groupby(self.groups[group]).transform("mean").T
        return x - means

    # -- over days -------------------------------------------------------------------------------------------------

    def delay(self, x: Frame, window: float) -> Frame:
        return x.shift(self.days(window))

    def delta(self, x: Frame, window: float) -> Frame:
        return x - x.shift(self.days(window))

    def sum(self, x: Frame, window: float) -> Frame:
        valid, held, _ = finite(windows(x, self.days(window)))
        return self.like(held.sum(-1), valid.any(-1))

    def product(self, x: Frame, window: float) -> Frame:
        seen = windows(x, self.days(window))
        valid = np.isfinite(seen)
        return self.like(np.where(valid, seen, 1.0).prod(-1), valid.any(-1))

    def stddev(self, x: Frame, window: float) -> Frame:
        valid, held, count = finite(windows(x, self.days(window)))
        apart = np.where(valid, held - (held.sum(-1) / count)[..., None], 0.0)
        return self.like(np.sqrt((apart**2).sum(-1) / count), valid.sum(-1) >= 2)

    def covariance(self, x: Frame, y: Frame, window: float) -> Frame:
        valid, left, right = self.pairs(x, y, window)
        return self.like((left * right).sum(-1) / np.maximum(valid.sum(-1), 1), valid.sum(-1) >= 2)

    def correlation(self, x: Frame, y: Frame, window: float) -> Frame:
        valid, left, right = self.pairs(x, y, window)
        varies = (valid.sum(-1) >= 2) & (np.abs(left).max(-1) > 0) & (np.abs(right).max(-1) > 0)
        spread = np.sqrt((left**2).sum(-1) * (right**2).sum(-1))
        return self.like((left * right).sum(-1) / np.where(varies, spread, 1.0), varies)

    def pairs(self, x: Frame, y: Frame, window: float) -> tuple[NDArray[np.bool_], Values, Values]:
        """Where both are valid, and each less its mean over those days: exactly 0 where it does not vary."""
        one, other = windows(x, self.days(window)), windows(y, self.days(window))
        valid = np.isfinite(one) & np.isfinite(other)
        return valid, centred(one, valid), centred(other, valid)

    def ts_min(self, x: Frame, window: float) -> Frame:
        seen = windows(x, self.days(window))
        valid = ~np.isnan(seen)
        return self.like(np.where(valid, seen, np.inf).min(-1), valid.any(-1))

    def ts_max(self, x: Frame, window: float) -> Frame:
        return -self.ts_min(-x, window)

    def ts_argmax(self, x: Frame, window: float) -> Frame:
        """Days since the largest value, 0 = today; of equal ones the most recent."""
        newest_first = windows(x, self.days(window))[..., ::-1]
        valid = ~np.isnan(newest_first)
        return self.like(np.where(valid, newest_first, -np.inf).argmax(-1).astype(float), valid.any(-1))

    def ts_argmin(self, x: Frame, window: float) -> Frame:
        return self.ts_argmax(-x, window)

    def ts_rank(self, x: Frame, window: float) -> Frame:
        """Where today stands among the window's valid values, 0 to 1, ties in the middle; 0.5 where it is alone."""
        seen = windows(x, self.days(window))
        today = seen[..., -1:]
        below, equal = (seen < today).sum(-1), (seen == today).sum(-1)
        others = (~np.isnan(seen)).sum(-1) - 1
        place = (below + (equal - 1) / 2) / np.maximum(others, 1)
        return self.like(np.where(others == 0, 0.5, place), ~np.isnan(today[..., 0]))

    def decay_linear(self, x: Frame, window: float) -> Frame:
        """Weights d … 1, newest heaviest; a missing day counts as 0 over the full denominator."""
        days = self.days(window)
        valid, held, _ = finite(windows(x, days))
        return self.like(held @ np.arange(1.0, days + 1) / (days * (days + 1) / 2), valid.any(-1))


def windows(x: Frame, days: int) -> Values:
    """[dates, instruments, days], oldest first; NaN before the first date."""
    values = x.to_numpy(dtype=np.float64)
    padded = np.vstack([np.full((days - 1, values.shape[1]), np.nan), values])
    return sliding_window_view(padded, days, axis=0)


def finite(seen: Values) -> tuple[NDArray[np.bool_], Values, NDArray[np.int64]]:
    """What can be added up: where it is, the values with 0 elsewhere, and their number (1 where there are none)."""
    valid = np.isfinite(seen)
    return valid, np.where(valid, seen, 0.0), np.maximum(valid.sum(-1), 1)


def centred(seen: Values, valid: NDArray[np.bool_]) -> Values:
    """Values less their mean over the valid days, 0 elsewhere and wherever all valid ones are equal."""
    held = np.where(valid, seen, 0.0)
    mean = held.sum(-1) / np.maximum(valid.sum(-1), 1)
    largest, smallest = np.where(valid, seen, -np.inf).max(-1), np.where(valid, seen, np.inf).min(-1)
    return np.where(valid & (largest > smallest)[..., None], held - mean[..., None], 0.0)


# -- cell by cell ----------------------------------------------------------------------------------------------------

Operand = Frame | float


def compare(relation: Callable[[Any, Any], Frame], x: Operand, y: Operand) -> Frame:
    """1 or 0, NaN where either side is missing."""
    return relation(x, y).astype(float).where(known(x) & known(y))


def less(x: Operand, y: Operand) -> Frame:
    return compare(lambda a, b: a < b if isinstance(a, Frame) else b > a, x, y)


def equal(x: Frame, y: float) -> Frame:
    return compare(lambda a, b: a == b, x, y)


def either(x: Frame, y: Frame) -> Frame:
    """`x || y`: NaN where either is missing."""
    return ((x != 0) | (y != 0)).astype(float).where(known(x) & known(y))


def choose(condition: Frame, first: Operand, second: Operand) -> Frame:
    """`condition ? first : second`: the second where the condition is missing."""
    holds = (condition.notna() & (condition != 0)).to_numpy()
    return pd.DataFrame(np.where(holds, first, second), index=condition.index, columns=condition.columns)


def power(x: Frame, y: Operand) -> Frame:
    """`x ^ y`: NaN where either is missing, and for a negative number to a fractional exponent."""
    with np.errstate(all="ignore"):
        return pd.DataFrame(np.power(x, y)).where(known(x) & known(y))


def signedpower(x: Frame, y: Operand) -> Frame:
    return np.sign(x) * power(x.abs(), y)


def log(x: Frame) -> Frame:
    return np.log(x.where(x > 0))


def larger(x: Frame, y: Frame) -> Frame:
    """`max(x, y)`: NaN where either is missing."""
    return x.where(x >= y, y).where(known(x) & known(y))


def smaller(x: Frame, y: Frame) -> Frame:
    """`min(x, y)`: NaN where either is missing."""
    return x.where(x <= y, y).where(known(x) & known(y))


def known(x: Operand) -> Frame | bool:
    return x.notna() if isinstance(x, Frame) else True
