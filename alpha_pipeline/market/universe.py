"""Who belongs to the universe on a day: the TOPn instruments by trailing traded value, known before the month began."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.errors import BadInput


@dataclass(frozen=True)
class UniverseSettings:
    """How members are chosen.

    Attributes:
        window: trading days over which the median traded value is taken.
        min_observations: bars that an instrument must have in the window. With 20, a history that begins with the
            data (or with a listing) enters at the first month that starts after a month of its bars.
        recent: the last this many days must hold a bar: who has stopped trading takes nobody's place.
        floor: USD a day; below it closing prices bounce between bid and ask, and reversals show profits that
            nobody can trade.
    """

    window: int = 63
    min_observations: int = 20
    recent: int = 5
    floor: float = 1_000_000.0

    def __post_init__(self) -> None:
        if not (1 <= self.min_observations <= self.window and self.recent >= 1):
            raise BadInput("min_observations must be between 1 and window", "universe settings", "correct it")
        if not (np.isfinite(self.floor) and self.floor >= 0):
            raise BadInput(f"the floor {self.floor} is no amount of USD", "universe settings", "use 0 or more")


def universe_size(name: str) -> int:
    """n of "TOPn". Raises BadInput for any other name."""
    match = re.fullmatch(r"TOP([1-9]\d{0,5})", name.strip().upper())
    if match is None:
        raise BadInput(f"{name!r} is no universe", "universe", "write TOP and a number, like TOP3000 or TOP500")
    return int(match[1])


def month_starts(dates: NDArray[np.datetime64]) -> NDArray[np.intp]:
    """Rows of the first trading day of each month in `dates` (ascending)."""
    months = dates.astype("datetime64[M]")
    return np.flatnonzero(np.concatenate(([True], months[1:] != months[:-1])))


def members(
    traded: NDArray[np.float32], dates: NDArray[np.datetime64], top: int, settings: UniverseSettings
) -> NDArray[np.bool_]:
    """Membership from data before each month, held for the month.

    Args:
        traded: [T, S] close × volume as quoted, USD; NaN = no bar.
        dates: [T] ascending.
        top: how many instruments; ties go to the earlier column.

    Returns:
        bool [T, S], constant within a month; False where there is not yet enough history.
    """
    member = np.zeros(traded.shape, bool)
    starts = month_starts(dates)
    for start, stop in zip(starts, [*starts[1:], len(dates)], strict=True):
        value = median_traded(traded[:start], settings)
        order = np.argsort(np.where(np.isnan(value), np.inf, -value), kind="stable")[:top]
        chosen = order[value[order] >= settings.floor]
        member[start:stop, chosen] = True
    return member


def median_traded(past: NDArray[np.float32], settings: UniverseSettings) -> NDArray[np.float64]:
    """Median traded value [S] over the last `window` rows of `past`; NaN where an instrument does not qualify."""
    recent = past[-settings.window :]
    if len(recent) < settings.min_observations:
        return np.full(past.shape[1], np.nan)
    ordered = np.sort(np.ascontiguousarray(recent.T), axis=1)  # NaN last
    count = np.isfinite(ordered).sum(axis=1)
    column = np.arange(len(ordered))
    low, high = np.maximum(count - 1, 0) // 2, np.maximum(count, 1) // 2
    middle = (ordered[column, low].astype(np.float64) + ordered[column, high]) / 2
    alive = np.isfinite(past[-settings.recent :]).any(axis=0)
    return np.where((count >= settings.min_observations) & alive, middle, np.nan)
