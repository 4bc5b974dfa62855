"""Statistics against scipy, statsmodels' published rule for Holm, and figures worked out by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import rankdata, wilcoxon

from alpha_pipeline.race.statistics import beats, holm, interquartile_mean, interval, median_time

OURS = [0.9, 0.8, 0.7, 0.6, 0.9, 0.5, 0.75, 0.82]
THEIRS = [0.5, 0.75, 0.72, 0.4, 0.6, 0.45, 0.7, 0.6]


def enumerated(differences: list[float]) -> float:
    """P(rank sum of positives at least as large) over all signs; zeros left out (Wilcoxon 1945)."""
    held = [round(each, 12) for each in differences if round(each, 12) != 0]
    ranks = rankdata(np.abs(held))
    seen = sum(rank for rank, each in zip(ranks, held, strict=True) if each > 0)
    sums = [np.dot(signs, ranks) for signs in itertools.product((0, 1), repeat=len(held))]
    return float(np.mean([total >= seen - 1e-9 for total in sums]))


def test_wilcoxon_is_exact() -> None:
    differences = [a - b for a, b in zip(OURS, THEIRS, strict=True)]
    assert beats(OURS, THEIRS) == pytest.approx(enumerated(differences))
    clean = [0.11, 0.23, 0.35, 0.41, -0.05, 0.62, 0.7, 0.81]
    assert beats(clean, [0.0] * 8) == pytest.approx(wilcoxon(clean, alternative="greater", method="exact").pvalue)
    assert beats([1, 2, 3, 4, 5], [0, 0, 0, 0, 0]) == pytest.approx(1 / 32)
    assert beats(THEIRS, OURS) > 0.9


def test_wilcoxon_with_ties_and_zeros() -> None:
    differences = [0.25, 0.25, 0.0, 0.125, -0.125, 0.5]
    assert beats(differences, [0.0] * 6) == pytest.approx(enumerated(differences))


def test_nothing_differs() -> None:
    assert beats([0.5, 0.25], [0.5, 0.25]) == 1.0
    assert beats([0.5, 0.25], [0.4, 0.25]) == 0.5
    assert beats([0.5], [0.6]) == 1.0


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_interquartile_mean_cuts_a_quarter_at_either_end() -> None:
    assert interquartile_mean([100, 1, 2, 3, 4, 5, 6, -100]) == pytest.approx(3.5)
    assert interquartile_mean([1, 2]) == 1.5


def test_interval_holds_the_mean_as_often_as_it_says() -> None:
    """Of 200 samples of 20 markets: at least 88 %, as percentile intervals are a little short."""
    random = np.random.default_rng(5)
    held = 0
    for _ in range(200):
        low, high = interval(random.normal(1.0, 1.0, 20))
        held += low <= 1.0 <= high
    assert 0.88 <= held / 200 <= 0.99
    assert interval([0.5]) == (0.5, 0.5)


def test_kaplan_meier_by_hand() -> None:
    """Survival after 10: 4/5; 30 is censored at 20 first: 3 at risk, then 2/3 of it, 1/3 of it …"""
    times, ends = [10.0, None, 30.0, 40.0, None], [100.0, 20.0, 100.0, 100.0, 100.0]
    assert median_time(times, ends) == 40.0  # 0.8, 0.8, 0.533, 0.267
    assert median_time([None, None], [5, 5]) is None
    assert median_time([3.0, None, None], [9, 9, 9]) is None
    assert median_time([3.0, 5.0, None, None], [9, 9, 9, 9]) == 5.0
