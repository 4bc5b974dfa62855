"""What a run hands over, on trials made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from alpha_pipeline.race.handover import MOST, Handover, Likeness
from alpha_pipeline.thresholds import Thresholds
from alpha_pipeline_tests.race.made import trial

LIMITS = Thresholds()
DAYS = 400
RANDOM = np.random.default_rng(1)
ONE, TWO, THREE = RANDOM.normal(0, 0.01, (3, DAYS))


def like(profit: np.ndarray, correlation: float) -> np.ndarray:
    """A profit with about that correlation to another."""
    noise = RANDOM.normal(0, 0.01, DAYS)
    return correlation * profit + np.sqrt(1 - correlation**2) * noise


def test_the_best_of_each_family_is_handed_over() -> None:
    trials = [
        trial(1.5, ONE),
        trial(2.5, like(ONE, 0.95)),
        trial(2.0, TWO),
        trial(3.0, THREE, fitness=0.9),  # fitness too low
        trial(3.0, THREE, turnover=0.75),
        trial(3.0, THREE, missing=0.06),
        trial(1.2, THREE),
        trial(1.3, -like(TWO, 0.9)),  # the opposite of another is alike, too
        trial(1.3, like(TWO, 0.3)),
    ]
    handover = Handover(trials, LIMITS)
    assert handover.passing.tolist() == [0, 1, 2, 7, 8]
    assert handover.accepted(len(trials)) == [1, 2, 8]
    assert handover.accepted(1) == [0]
    assert handover.accepted(0) == []
    assert handover.top(len(trials), 3) == [3, 4, 1]
    assert handover.best(5) == 3
    assert handover.best(0) is None


def test_no_more_than_the_most_are_handed_over() -> None:
    trials = [trial(2 + number / 1000, RANDOM.normal(0, 0.01, DAYS)) for number in range(MOST + 20)]
    accepted = Handover(trials, LIMITS).accepted(len(trials))
    assert accepted == list(range(MOST + 19, 19, -1))


def test_equal_sharpe_ratios_are_taken_in_order_of_proposal() -> None:
    assert Handover([trial(2, ONE), trial(2, ONE), trial(2, TWO)], LIMITS).accepted(3) == [0, 2]


def test_constant_profit_speaks_for_nothing() -> None:
    handover = Handover([trial(9.0, np.zeros(DAYS)), trial(2.0, ONE)], LIMITS)
    assert handover.accepted(2) == [1]
    assert handover.best(2) == 1


def test_likeness_is_pearsons_on_common_days() -> None:
    profits = [ONE, like(ONE, 0.5), -TWO]
    whole = Likeness([trial(2, profit) for profit in profits]).matrix()
    np.testing.assert_allclose(whole, np.abs(np.corrcoef(profits)), atol=1e-8)
    late = Likeness([trial(2, profits[0]), trial(2, profits[1], first_day=150)]).of(0)
    assert late[1] == pytest.approx(abs(np.corrcoef(ONE[150:], profits[1][150:])[0, 1]), abs=2e-3)


def test_likest_are_those_of_the_same_profit() -> None:
    trials = [trial(2, TWO), trial(2, -ONE), trial(2, like(ONE, 0.5)), trial(1, ONE), trial(2, like(ONE, 0.9))]
    handover = Handover(trials, LIMITS)
    assert handover.likest(ONE, 5, 2) == [4, 2]
    assert handover.likest(ONE, 3, 2) == [2, 0]


def test_no_trials_give_nothing() -> None:
    handover = Handover([], LIMITS)
    assert handover.accepted(0) == []
    assert handover.likest(ONE, 0, 3) == []
