"""Fronts, crowding distances and constraint domination: by hand, and against the definitions on random points."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from alpha_pipeline.generate.genetic.nondominated import best_first, ranked

INF = np.inf
points = st.integers(1, 25).flatmap(
    lambda n: st.tuples(
        arrays(float, (n, 3), elements=st.integers(0, 4).map(float)),
        arrays(float, n, elements=st.sampled_from((0.0, 0.0, 0.0, 0.5, 2.0))),
    )
)


def test_fronts_by_hand() -> None:
    costs = np.array([[1.0, 4.0], [2.0, 2.0], [4.0, 1.0], [3.0, 3.0], [2.0, 5.0], [5.0, 5.0], [2.0, 2.0]])
    front, _ = ranked(costs, np.zeros(7))
    assert front.tolist() == [0, 0, 0, 1, 1, 2, 0]


def test_crowding_distances_by_hand() -> None:
    """Deb et al. 2002: neighbours' distance over the front's range, summed over objectives; DEAP takes the mean."""
    costs = np.array([[0.0, 10.0], [1.0, 6.0], [4.0, 2.0], [10.0, 0.0]])
    front, crowding = ranked(costs, np.zeros(4))
    assert front.tolist() == [0, 0, 0, 0]
    np.testing.assert_allclose(crowding[1:3], [(4 / 10 + 8 / 10) / 2, (9 / 10 + 6 / 10) / 2])
    assert crowding[[0, 3]].tolist() == [INF, INF]
    assert best_first(front, crowding).tolist() == [0, 3, 2, 1]


def test_constraint_domination_by_hand() -> None:
    """The best figures do not help against a violation; the smaller one ranks first, equal ones together."""
    costs = np.array([[9.0, 9.0], [0.0, 0.0], [0.0, 0.0], [5.0, 5.0], [1.0, 1.0]])
    front, _ = ranked(costs, np.array([0.0, 0.3, 0.1, 0.0, 0.3]))
    assert front.tolist() == [1, 3, 2, 0, 3]
    front, _ = ranked(costs, np.array([0.2, 0.3, 0.1, 0.4, 0.3]))
    assert front.tolist() == [1, 2, 0, 3, 2]


def test_nothing_has_no_ranks() -> None:
    front, crowding = ranked(np.zeros((0, 3)), np.zeros(0))
    assert (front.tolist(), crowding.tolist(), best_first(front, crowding).tolist()) == ([], [], [])


@given(points)
def test_fronts_are_those_of_the_definition(
    given_points: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
) -> None:
    costs, violation = given_points
    n = len(costs)
    below = (costs[:, None] <= costs).all(axis=2) & (costs[:, None] < costs).any(axis=2)
    keeps = violation == 0
    beats = np.where(keeps[:, None] & keeps, below, violation[:, None] < violation)
    expected = np.full(n, -1)
    for rank in range(n):
        left = expected < 0
        expected[left & ~(beats & left[:, None]).any(axis=0)] = rank
        if (expected >= 0).all():
            break
    front, crowding = ranked(costs, violation)
    assert front.tolist() == expected.tolist()
    assert (crowding >= 0).all()
    order = best_first(front, crowding)
    assert sorted(order.tolist()) == list(range(n))
    assert (np.diff(front[order]) >= 0).all()


@given(points)
def test_the_ends_of_a_front_are_infinitely_far_apart(
    given_points: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
) -> None:
    costs, violation = given_points
    front, crowding = ranked(costs, violation)
    for rank in range(front.max() + 1):
        held = np.flatnonzero(front == rank)
        for objective in range(3):
            for end in (costs[held, objective].min(), costs[held, objective].max()):
                assert crowding[held[costs[held, objective] == end]].max() == INF
