"""Whether one arm beats another, and how sure a figure is: everything paired by market, as markets differ most.

Sources: Wilcoxon (1945), exact over all signs up to 13 markets; Holm (1979); percentile bootstrap of the interquartile
mean (Agarwal et al. 2021, Deep RL at the edge of the statistical precipice); Kaplan and Meier (1958).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import CensoredData, PermutationMethod, ecdf, trim_mean, wilcoxon

RESAMPLES = 10_000
SEED = 20_250_101
COVERAGE = 0.95


def interquartile_mean(values: Sequence[float]) -> float:
    """Mean of the middle half: a quarter of the values is cut from either end (rounded down)."""
    return float(trim_mean(np.asarray(values, float), 0.25))


def interval(values: Sequence[float]) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the interquartile mean, markets drawn with replacement."""
    held = np.asarray(values, float)
    drawn = np.random.default_rng(SEED).integers(len(held), size=(RESAMPLES, len(held)))
    means = trim_mean(held[drawn], 0.25, axis=1)
    low, high = np.quantile(means, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(low), float(high)


def beats(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """One-sided p-value of the paired Wilcoxon signed-rank test that `ours` are larger; 1 where no pair differs.

    Exact given the pairs, ties and zeros among them: all signs of the differences are gone through, or 10,000 drawn
    where there are more.
    """
    differences = np.round(np.asarray(ours, float) - np.asarray(theirs, float), 12)
    differences = differences[differences != 0]
    if len(differences) < 2:  # none, or one whose sign is a coin's
        return 0.5 if differences.sum() > 0 else 1.0
    method = PermutationMethod(n_resamples=RESAMPLES, rng=np.random.default_rng(SEED))
    return float(wilcoxon(differences, alternative="greater", method=method).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number: the chance of any false rejection stays below the level."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return [float(value) for value in adjusted]


def median_time(times: Sequence[float | None], ends: Sequence[float]) -> float | None:
    """Kaplan-Meier median of times to an event; None where it is not reached.

    Args:
        times: of each case, None where it had none until its end.
        ends: when each case was looked at last: it is censored there.
    """
    censored = np.array([time is None for time in times], bool)
    if censored.all():
        return None
    held: NDArray[np.float64] = np.array(
        [end if time is None else time for time, end in zip(times, ends, strict=True)], float
    )
    survival = ecdf(CensoredData.right_censored(held, censored)).sf
    below = np.flatnonzero(survival.probabilities <= 0.5 + 1e-12)
    return float(survival.quantiles[below[0]]) if len(below) else None
