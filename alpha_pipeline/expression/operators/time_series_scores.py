"""Today's x against its window: relative change, distance from the mean, place between the extremes, quantile."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from alpha_pipeline.expression.operator import operator
from alpha_pipeline.expression.operators.time_series import rank_and_count
from alpha_pipeline.expression.operators.windows import delayed, deviation, ratio, rolling
from alpha_pipeline.expression.scale import Same, Stripped
from alpha_pipeline.expression.types import Array, AttributeKind, AttributeType, Choice, Driver, Matrix, Real, Window
from alpha_pipeline.expression.units import Bare

ReturnMode = Annotated[float, AttributeType(AttributeKind.NUMBER, lowest=1, highest=2, whole=True)]


@operator("time_series", unit=Bare(), scale=Stripped(), history=0, profiles=("consultant",), searched=False)
def ts_returns(x: Matrix, window: Window, *, mode: ReturnMode = 1, strict: bool = False) -> Array:
    """Relative change since `window` days ago.

    Formula: (x − x') / x' with x' = ts_delay(x, window); mode 2: (x − x') / ((x + x') / 2)
    NaN: missing where either day is missing; division by zero as in `divide`.

    >>> ts_returns([4, 9], 1)
    1.25
    >>> ts_returns([4, 9], 1, mode=2)
    0.7692
    """
    before = delayed(x, window)
    return (x - before) / (before if mode == 1 else (x + before) / 2)


@operator("time_series", scale=Same(), searched=False)
def ts_av_diff(x: Matrix, window: Window, *, strict: bool = False) -> Array:
    """Today's x less the mean of the valid values in the window.

    Formula: x − Σ x / n
    NaN: a missing or infinite value today gives NaN; such days are left out of the mean.

    >>> ts_av_diff([nan, 9, 5, 8, 2, 6], 6)
    0
    """
    return rolling(lambda w: w[-1] - np.nanmean(w, axis=0), window, 1, strict, x)


@operator("time_series", unit=Bare(), scale=Stripped(), searched=False)
def ts_scale(x: Matrix, window: Window, *, constant: Real = 0.0, strict: bool = False) -> Array:
    """Where today's x lies between the window's smallest and largest value, 0 to 1, plus a constant.

    Formula: (x − min) / (max − min) + constant
    NaN: a missing or infinite value today gives NaN; such days are left out; NaN where all values are equal.

    >>> ts_scale([6, 2, 8, 5, 9, 4], 6)
    0.286
    >>> ts_scale([4, 9, 5, 8, 2, 6], 6, constant=1)
    1.571
    """

    def scaled(held: Array) -> Array:
        lowest = np.nanmin(held, axis=0)
        return ratio(held[-1] - lowest, np.nanmax(held, axis=0) - lowest)

    return rolling(scaled, window, 1, strict, x) + constant


def inverse_distribution(driver: str, share: Array) -> Array:
    """The driver's inverse distribution function; the uniform one lies about 0."""
    from scipy.special import ndtri  # takes a tenth of a second to import, and few expressions need it

    if driver == "gaussian":
        return np.asarray(ndtri(share))
    return share - 0.5 if driver == "uniform" else np.tan(np.pi * (share - 0.5))


def distribution(driver: str, score: Array) -> Array:
    """The driver's distribution function; the uniform one has mean 0 and deviation 1."""
    from scipy.special import ndtr

    if driver == "gaussian":
        return np.asarray(ndtr(score))
    if driver == "uniform":
        return np.asarray(np.clip(0.5 + score / np.sqrt(12), 0, 1))
    return 0.5 + np.arctan(score) / np.pi


@operator("time_series", unit=Bare(), scale=Stripped(), searched=False)
def ts_quantile(
    x: Matrix,
    window: Window,
    *,
    driver: Driver = "gaussian",
    quantile_over_time: Choice = "rank",
    strict: bool = False,
) -> Array:
    """ts_rank of x, through the inverse distribution function of the driver.

    Formula: F⁻¹(1/n + r·(1 − 2/n)) with r = ts_rank(x, window); `uniform` lies about 0. Under the choice
    quantile_over_time = zscore: F of today's z-score with the sample deviation
    NaN: a missing value today gives NaN; missing days are left out.
    Ties: as in `ts_rank`; of one or two values the result is 0.

    >>> ts_quantile([2, 3, 5, 6, 4, 10, 8], 7)
    0.6375
    >>> ts_quantile([1, 2, 3, 4], 4, driver="uniform")
    0.25
    """

    def from_rank(held: Array) -> Array:
        ranked, valid = rank_and_count(held)
        return inverse_distribution(driver, 1 / valid + ranked * (1 - 2 / valid))

    def from_score(held: Array) -> Array:
        valid = (~np.isnan(held)).sum(axis=0)
        sample = deviation(held) * np.sqrt(valid / (valid - 1))
        return distribution(driver, ratio(held[-1] - np.nanmean(held, axis=0), sample))

    if quantile_over_time == "zscore":
        return rolling(from_score, window, 2, strict, x)
    return rolling(from_rank, window, 1, strict, x, finite=False)
