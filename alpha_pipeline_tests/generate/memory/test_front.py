"""The Pareto front: dominance by hand, and against the definition and DEAP on random points."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from alpha_pipeline.generate.memory.front import (
    SHOWN,
    nondominated,
    objectives,
    pareto_front,
    turnover_violation,
    violation,
)
from alpha_pipeline.thresholds import Thresholds
from alpha_pipeline_tests.generate.people import DAYS, archive_of, result

costs = st.integers(0, 25).flatmap(lambda n: arrays(float, (n, 3), elements=st.integers(0, 4).map(float)))


def test_dominance_by_hand() -> None:
    rows = np.array(
        [
            [1.0, 5.0, 3.0],
            [2.0, 4.0, 3.0],  # trades the first for the second
            [2.0, 5.0, 3.0],  # dominated by both
            [1.0, 5.0, 3.0],  # equal to the first: both stay
            [0.0, 9.0, 9.0],  # best in one is enough
            [1.0, 5.0, 3.1],  # dominated by a hair
        ]
    )
    assert nondominated(rows).tolist() == [True, True, False, True, True, False]
    assert nondominated(np.zeros((0, 3))).tolist() == []


@given(costs)
def test_the_front_is_what_the_definition_says(rows: npt.NDArray[np.float64]) -> None:
    below = (rows[:, None] <= rows).all(axis=2) & (rows[:, None] < rows).any(axis=2)
    assert nondominated(rows).tolist() == (~below.any(axis=0)).tolist()


@given(costs)
def test_the_front_is_that_of_deap(rows: npt.NDArray[np.float64]) -> None:
    from deap import base, tools

    class Costs(base.Fitness):
        weights = (-1.0, -1.0, -1.0)

    class Point:
        def __init__(self, number: int, values: Any) -> None:
            self.number, self.fitness = number, Costs(values)

    points = [Point(number, row) for number, row in enumerate(rows.tolist())]
    front = tools.sortNondominated(points, len(points), first_front_only=True)[0] if points else []
    assert np.flatnonzero(nondominated(rows)).tolist() == sorted(point.number for point in front)


def test_violation_by_hand() -> None:
    limits = Thresholds(turnover_low=0.01, turnover_high=0.7)
    found = turnover_violation(np.array([0.01, 0.7, 1.4, 0.0, 0.005, 0.77]), limits)
    np.testing.assert_allclose(found, [0, 0, 1, 1, 0.5, 0.1])


def test_the_front_of_an_archive() -> None:
    random = np.random.default_rng(5)
    good, other, third = random.normal(0.001, 0.01, (3, DAYS))
    archive = archive_of(
        [
            result(1, 3.0, good, operators=3),
            result(2, 2.0, good + 0.5 * other, operators=3),  # worse, as long, and alike: dominated
            result(3, 1.0, third, operators=1),  # short
            result(4, 4.0, random.normal(0.001, 0.01, DAYS), turnover=0.9),  # trades too much
        ]
    )
    front = pareto_front(archive)
    assert [(member.sharpe, member.operators) for member in front] == [(3.0, 3), (1.0, 1)]
    first = front[0]
    assert first.sharpe_lower == pytest.approx(archive.members[archive.place(first.node) or 0].lower)
    ahead = np.corrcoef(good, next(m.pnl for m in archive.members if m.sharpe == 4.0))[0, 1]
    assert first.correlation == pytest.approx(abs(ahead), abs=1e-8)  # with what ranks before it
    assert [member.sharpe for member in pareto_front(archive, most=1)] == [3.0]


def test_where_nothing_keeps_the_constraints_the_least_violation_is_the_front() -> None:
    archive = archive_of([result(1, 4.0, turnover=2.0), result(2, 1.0, turnover=0.8), result(3, 3.0, turnover=0.9)])
    assert [member.sharpe for member in pareto_front(archive)] == [1.0]
    assert pareto_front(archive_of([])) == []


@given(st.integers(0, 2**32 - 1))
def test_no_member_of_the_front_is_dominated_and_all_others_are(seed: int) -> None:
    random = np.random.default_rng(seed)
    common = random.normal(0.001, 0.01, DAYS)
    archive = archive_of(
        [
            result(
                number,
                float(random.normal(2, 1)),
                common * random.random() + random.normal(0.001, 0.01, DAYS),
                float(random.choice([0.1, 0.5, 0.9])),
                int(random.integers(1, 6)),
            )
            for number in range(12)
        ]
    )
    rows, excess = objectives(archive), violation(archive)
    front = {member.node for member in pareto_front(archive)}
    assert len(front) <= SHOWN

    def beats(one: int, other: int) -> bool:
        if excess[one] != excess[other]:
            return bool(excess[one] < excess[other])
        return bool((rows[one] <= rows[other]).all() and (rows[one] < rows[other]).any())

    for place, member in enumerate(archive.members):
        beaten = any(beats(other, place) for other in range(len(rows)))
        assert (member.node in front) is not beaten
