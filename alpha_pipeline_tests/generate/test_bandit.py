"""The bandit: hand vectors, floors, forgetting, and that what is better earns more."""

from __future__ import annotations

import math

import numpy as np
import pytest

from alpha_pipeline.generate.bandit import Bandit


def test_counts_and_means_by_hand() -> None:
    """γ = 0.5: turns of arm 0 earning 2, arm 1 earning 6 at a cost of 2, arm 0 earning 1."""
    bandit = Bandit([0.0, 0.0], discount=0.5)
    bandit.tell(0, 2.0, 1.0)
    assert (bandit.count.tolist(), bandit.total.tolist(), bandit.scale()) == ([1.0, 0.0], [2.0, 0.0], 1.0)
    bandit.tell(1, 6.0, 2.0)
    assert (bandit.count.tolist(), bandit.total.tolist()) == ([0.5, 1.0], [1.0, 3.0])
    bandit.tell(0, 1.0, 1.0)
    assert (bandit.count.tolist(), bandit.total.tolist()) == ([1.25, 0.5], [1.5, 1.5])
    assert bandit.means().tolist() == pytest.approx([1.5 / 2.25, 1.0])
    assert bandit.spent.tolist() == [2.0, 2.0]
    # Earned 2, 3, 1 with weights 1/4, 1/2, 1: mean 3/1.75, mean of squares 6.5/1.75.
    assert bandit.scale() == pytest.approx(math.sqrt(6.5 / 1.75 - (3 / 1.75) ** 2))


def test_draws_are_normal_around_the_mean_with_the_shared_deviation() -> None:
    bandit = Bandit([0.0, 0.0, 0.0])
    for arm, gain in ((0, 1.0), (1, 2.0), (0, 3.0), (2, 0.5)) * 3:
        bandit.tell(arm, gain, 1.0)
    random, again = np.random.default_rng(5), np.random.default_rng(5)
    choice = bandit.choose(random, [0, 2])
    drawn = again.normal(bandit.means(), bandit.scale() / np.sqrt(bandit.count + 1))
    assert choice.drawn[0] == drawn[0]
    assert math.isnan(choice.drawn[1])
    assert choice.drawn[2] == drawn[2]
    assert choice.arm == (0 if drawn[0] > drawn[2] else 2)


def test_a_constant_gain_of_1_is_known_for_1() -> None:
    """The linear update that multiplies by the new precision comes to 7.4 after 1,000 turns."""
    bandit = Bandit([0.0])
    for _ in range(1000):
        bandit.tell(0, 1.0, 1.0)
    assert bandit.count[0] == pytest.approx(1 / 0.03)
    assert bandit.means()[0] == pytest.approx((1 / 0.03) / (1 / 0.03 + 1))
    assert 0.97 < bandit.means()[0] < 1.0


def test_the_past_is_forgotten() -> None:
    bandit = Bandit([0.0, 0.0])
    for gain in [5.0] * 50 + [1.0] * 150:
        bandit.tell(0, gain, 1.0)
    assert bandit.means()[0] == pytest.approx(1.0, abs=0.1)
    bandit.tell(1, 1.0, 1.0)
    for _ in range(200):
        bandit.tell(0, 1.0, 1.0)
    assert bandit.count[1] < 0.01  # not played for long: as unknown as at first


def test_gain_is_per_cost() -> None:
    bandit = Bandit([0.0, 0.0])
    bandit.tell(0, 4.0, 4.0)
    bandit.tell(1, 3.0, 1.0)
    assert bandit.total.tolist() == [0.97, 3.0]


@pytest.mark.parametrize("costs", [(1.0, 1.0, 1.0, 1.0), (1.0, 7.0, 2.0, 0.5)])
def test_floors_hold_at_any_time(costs: tuple[float, ...]) -> None:
    """2,000 turns in which one arm earns all: each other keeps 5 % of the cost, to within the dearest turn."""
    random, bandit = np.random.default_rng(1), Bandit([0.05] * 4)
    for turn in range(2000):
        arm = bandit.choose(random, range(4)).arm
        bandit.tell(arm, 3.0 * costs[arm] if arm == 2 else 0.0, costs[arm])
        if turn > 10:
            assert (bandit.spent >= 0.05 * bandit.spent.sum() - max(costs)).all()
    shares = bandit.spent / bandit.spent.sum()
    assert shares[2] > 0.8
    assert min(shares) > 0.049


def test_floors_of_more_than_everything_are_scaled() -> None:
    assert Bandit([0.4, 0.4, 0.4, 0.4]).floors.tolist() == [0.25] * 4


def test_even_turns_are_even() -> None:
    random, bandit = np.random.default_rng(2), Bandit([0.05] * 3)
    for _ in range(300):
        arm = bandit.choose(random, range(3), evenly=True).arm
        bandit.tell(arm, float(arm), (1.0, 2.0, 3.0)[arm])
    shares = bandit.spent / bandit.spent.sum()
    assert shares == pytest.approx([1 / 3] * 3, abs=0.01)


def shares(means: list[list[float]], seed: int) -> np.ndarray:
    """[regimes, arms] share of the turns in each regime of 150 turns; gains vary by their half."""
    random, bandit = np.random.default_rng(seed), Bandit([0.05] * len(means[0]))
    played = np.zeros((len(means), len(means[0])))
    for regime, level in enumerate(means):
        for _ in range(150):
            arm = bandit.choose(random, range(len(level))).arm
            bandit.tell(arm, max(level[arm] * (1 + 0.5 * random.standard_normal()), 0.0), 1.0)
            played[regime, arm] += 1
    return played / 150


def test_the_better_arm_gets_most_and_a_change_is_followed() -> None:
    """20 seeds; the best arm earns twice the next one, and becomes the worst."""
    found = np.mean([shares([[0.3, 1.0, 0.5], [0.5, 0.1, 1.0]], seed) for seed in range(20)], axis=0)
    assert found[0, 1] > 0.6
    assert found[1, 2] > 0.6
    assert found[1, 1] < 0.25
