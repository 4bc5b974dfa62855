"""The grid: which cell, who stays in it, and what its score is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpha_pipeline.generate import Memory
from alpha_pipeline.generate.memory.elites import COMPLEXITIES, SHAPE, TURNOVER_EDGES, Elites, cell
from alpha_pipeline_tests.generate.people import DAYS, individual, result

CELLS = SHAPE[0] * SHAPE[1] * SHAPE[2]


def test_the_grid_has_the_documented_cells() -> None:
    assert SHAPE == (8, 8, 4)
    steps = np.diff(np.log(TURNOVER_EDGES))
    np.testing.assert_allclose(steps, np.log(35) / 6)
    assert (TURNOVER_EDGES[0], TURNOVER_EDGES[-1]) == pytest.approx((0.02, 0.7))


def test_cells_at_their_edges() -> None:
    assert cell(0.0, 0, 0, 16) == 0
    assert cell(0.0, 0, 1, 16) == 0
    assert [cell(0.0, 0, operators, 16) for operators in (4, 5, 8, 9, 12, 13, 16)] == [0, 1, 1, 2, 2, 3, 3]
    assert [cell(0.0, 0, operators, 1) for operators in (0, 1)] == [0, 0]
    assert [cell(0.0, 0, operators, 2) for operators in (1, 2)] == [0, 2]
    assert cell(0.0, 1, 1, 16) == 4
    assert cell(0.0, 7, 16, 16) == 31
    first, last = TURNOVER_EDGES[0], TURNOVER_EDGES[-1]
    assert cell(np.nextafter(first, 0), 0, 1, 16) == 0
    assert cell(first, 0, 1, 16) == 32
    assert cell(np.nextafter(last, 0), 0, 1, 16) == 6 * 32
    assert cell(last, 0, 1, 16) == 7 * 32
    assert cell(1e9, 7, 16, 16) == CELLS - 1


@given(st.floats(0, 10), st.integers(0, 7), st.integers(1, 60), st.integers(0, 60))
def test_every_expression_has_a_cell(turnover: float, style: int, most: int, operators: int) -> None:
    number = cell(turnover, style, min(operators, most), most)
    assert 0 <= number < CELLS
    assert number // COMPLEXITIES % SHAPE[1] == style


def test_only_a_better_one_replaces_an_elite() -> None:
    grid = Elites(16, None)
    first, same, better, other = individual(1, 3.0), individual(1, 3.0), individual(1, 4.0), individual(2, 3.5, 0.5)
    grid.add([first])
    number = grid.filled[0]
    grid.add([same])
    assert grid.elite(number) is first  # as good is not better
    grid.add([better])
    assert grid.elite(number) is better
    grid.add([first])
    assert (grid.elite(number), grid.replaced, len(grid)) == (better, 1, 1)
    grid.add([other])
    assert len(grid) == 2
    assert grid.score == pytest.approx(better.lower + other.lower)
    assert grid.coverage == 2 / CELLS


def test_what_may_be_chance_is_no_elite() -> None:
    weak = individual(1, 0.1)
    assert weak.lower < 0
    grid = Elites(16, None)
    grid.add([weak])
    assert (len(grid), grid.score, grid.draw(np.random.default_rng(0))) == (0, 0, None)


def test_styles_decide_the_cell() -> None:
    random = np.random.default_rng(1)
    styles = random.normal(0, 0.01, (8, DAYS))
    grid = Elites(16, styles)
    one = individual(1, 3.0)
    object.__setattr__(one, "pnl", -styles[5] + random.normal(0, 0.001, DAYS))
    grid.add([one])
    assert grid.filled == [cell(0.2, 5, 1, 16)]


@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.floats(-1, 5), st.sampled_from((0.005, 0.1, 0.3, 0.9)), st.integers(1, 16)),
        max_size=30,
    ),
    st.integers(1, 5),
)
def test_the_grid_holds_the_best_of_each_cell_whatever_the_batches(
    told: list[tuple[int, float, float, int]], size: int
) -> None:
    people = [individual(*each) for each in told]
    grid = Elites(16, None)
    scores = [0.0]
    for start in range(0, len(people), size):
        grid.add(people[start : start + size])
        scores.append(grid.score)
    assert scores == sorted(scores)
    best: dict[int, float] = {}
    for each in people:
        if each.lower > 0:
            number = cell(each.turnover, 0, each.operators, 16)
            best[number] = max(best.get(number, 0.0), each.lower)
    assert {number: grid.elite(number).lower for number in grid.filled} == best
    assert grid.score == pytest.approx(sum(best.values()))


def test_parents_are_drawn_uniformly_over_cells_not_over_members() -> None:
    grid = Elites(16, None)
    grid.add([individual(number, 2 + number / 10) for number in range(20)])  # one cell
    grid.add([individual(30, 2.0, 0.5), individual(31, 2.0, 0.01)])
    random = np.random.default_rng(2)
    drawn = [grid.draw(random) for _ in range(3_000)]
    counts = [sum(each is grid.elite(number) for each in drawn) for number in grid.filled]
    assert len(counts) == 3
    assert sum(counts) == 3_000
    assert min(counts) > 900


def test_a_memory_feeds_its_grid_with_losers_turned_round() -> None:
    memory = Memory()
    profit = np.random.default_rng(3).normal(-0.001, 0.01, DAYS)
    memory.add([result(1, -3.0, profit)])
    elite = memory.elites.elite(memory.elites.filled[0])
    assert (elite.sharpe, elite.proposed) == (3.0, False)
    np.testing.assert_array_equal(elite.pnl, -profit)
