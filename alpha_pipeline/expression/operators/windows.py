"""What the plain kernels along time are written with: windows, days before, spreads. No operator is declared here.

A window is the last `window` days, today included, of one instrument; on early days what history there is. Valid means
finite where values are added up, and not NaN where they are only compared. With fewer valid values than the operator's
minimum the result is NaN; in strict mode the minimum is the whole window. Spreads divide by n.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from alpha_pipeline.expression.types import Array


def rolling(
    function: Callable[..., Array], window: int, minimum: int, strict: bool, *inputs: Array, finite: bool = True
) -> Array:
    """`function` of each day's window of every input (days × instruments), NaN where too few days are valid in all."""
    out = np.full(inputs[0].shape, np.nan)
    needed = window if strict else minimum
    for day in range(len(out)):
        held = [np.array(x[max(0, day - window + 1) : day + 1], dtype=np.float64) for x in inputs]
        valid = np.logical_and.reduce([np.isfinite(x) if finite else ~np.isnan(x) for x in held])
        for x in held:
            x[~valid] = np.nan
            x[:, ~valid.any(axis=0)] = 0.0  # NumPy warns of means of nothing; what is made of these is not used
        with np.errstate(all="ignore"):
            out[day] = np.where(valid.sum(axis=0) >= needed, function(*held), np.nan)
    return out


def rolling_cells(function: Callable[..., float], window: int, minimum: int, strict: bool, *inputs: Array) -> Array:
    """`function` of the values of one instrument's window, oldest first, on the days that are valid in all inputs."""

    def over_instruments(*held: Array) -> Array:
        out = np.full(held[0].shape[1], np.nan)
        for j in range(len(out)):
            valid = ~np.isnan(held[0][:, j])
            if valid.any():
                out[j] = function(*(x[valid, j] for x in held))
        return out

    return rolling(over_instruments, window, minimum, strict, *inputs)


def delayed(x: Array, days: int) -> Array:
    """x of `days` days ago; NaN where that is before the first day."""
    if days == 0:
        return x
    out = np.full(x.shape, np.nan)
    if days < len(x):
        out[days:] = x[: len(x) - days]
    return out


def filled(window: int, strict: bool, values: Array) -> Array:
    """`values`, but NaN in strict mode on the days before the first whole window.

    For operators whose business are missing values: a missing day counts as a day of the window.
    """
    first = window - 1 if strict else 0
    out = np.array(values, dtype=np.float64)
    out[:first] = np.nan
    return out


def deviation(held: Array) -> Array:
    """Population standard deviation of each column's valid values; exactly 0 where they are equal."""
    equal = np.nanmax(held, axis=0) == np.nanmin(held, axis=0)
    return np.where(equal, 0.0, np.nanstd(held, axis=0))


def central(held: Array) -> Array:
    """Each value less its column's mean; exactly 0 where the column does not vary."""
    above = held - np.nanmin(held, axis=0)  # for the digits
    return np.asarray(above - np.nanmean(above, axis=0))


def ratio(above: Array, below: Array) -> Array:
    """above / below, NaN where `below` is not above 0."""
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)
