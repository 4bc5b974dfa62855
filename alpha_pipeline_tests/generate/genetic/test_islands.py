"""Islands: who survives, who migrates where, and that nothing else passes between them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from alpha_pipeline.expression import Node
from alpha_pipeline.generate.genetic.islands import Islands
from alpha_pipeline.generate.memory.archive import Archive
from alpha_pipeline_tests.generate.people import DAYS, archive_of, result, tree


def born(archive: Archive, groups: list[list[int]]) -> list[list]:  # type: ignore[type-arg]
    return [[archive.members[archive.place(tree(number)) or 0] for number in group] for group in groups]


def nodes(islands: Islands) -> list[set[Node]]:
    return [{each.node for each in population} for population in islands.populations]


def world(count: int, sharpe: float = 1.0) -> Archive:
    return archive_of([result(number, sharpe + number / 10) for number in range(count)])


def test_islands_share_nothing_but_migrants() -> None:
    archive = world(12)
    islands = Islands(3, 10, every=3, share=0.1)
    groups = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    apart = [{tree(number) for number in group} for group in groups]
    islands.learn(born(archive, groups), archive)
    assert nodes(islands) == apart
    islands.learn([[], [], []], archive)
    assert nodes(islands) == apart
    best = [population[0].node for population in islands.populations]
    islands.learn([[], [], []], archive)
    assert nodes(islands) == [apart[0] | {best[2]}, apart[1] | {best[0]}, apart[2] | {best[1]}]
    assert islands.arrived == 3


def test_what_one_island_learns_does_not_change_the_parents_of_another() -> None:
    archive = world(12)
    drawn = []
    for other in ([4, 5], [6, 7, 8, 9, 10, 11]):
        islands = Islands(2, 10, every=99, share=0.1)
        islands.learn(born(archive, [[0, 1, 2, 3], other]), archive)
        random = np.random.default_rng(1)
        parents = [islands.parent(random, 0, 2, improve=False) for _ in range(50)]
        drawn.append([each.node for each in parents if each is not None])
    assert drawn[0] == drawn[1]
    assert set(drawn[0]) <= {tree(number) for number in range(4)}


def test_migrants_that_are_there_already_do_not_count_twice() -> None:
    archive = world(2)
    islands = Islands(2, 4, every=1, share=0.25)
    islands.learn(born(archive, [[0, 1], [0, 1]]), archive)
    assert [len(population) for population in islands.populations] == [2, 2]
    assert islands.arrived == 0


def test_one_island_keeps_to_itself() -> None:
    archive = world(3)
    islands = Islands(1, 4, every=1, share=0.5)
    islands.learn(born(archive, [[0, 1, 2]]), archive)
    assert (len(islands.populations[0]), islands.arrived) == (3, 0)


def test_survivors_keep_the_constraint_before_they_are_good() -> None:
    archive = archive_of([result(1, 5.0, turnover=0.9), result(2, 1.0), result(3, 4.0, turnover=0.8)])
    islands = Islands(1, 2, every=9, share=0.0)
    islands.learn(born(archive, [[1, 2, 3]]), archive)
    assert [each.sharpe for each in islands.populations[0]] == [1.0, 4.0]


def test_short_and_unlike_ones_survive_nsga2_but_not_selection_by_reward() -> None:
    random = np.random.default_rng(6)
    common, own = random.normal(0.001, 0.01, (2, DAYS))
    told = [result(1, 3.0, common, operators=4), result(2, 2.9, common + 0.002 * own, operators=5)]
    told += [result(3, 2.8, common + 0.004 * own, operators=6), result(4, 0.6, own, operators=1)]
    archive = archive_of(told)
    kept = []
    for pareto in (True, False):
        islands = Islands(1, 2, every=9, share=0.0, pareto=pareto)
        islands.learn([list(archive.members)], archive)
        kept.append({each.sharpe for each in islands.populations[0]})
    assert kept[0] == {3.0, 0.6}
    assert 3.0 in kept[1]


def test_improvement_starts_from_what_is_unlike_the_exportable() -> None:
    archive = archive_of([result(1, 3.0), result(2, 0.8)])
    assert [archive.members[place].sharpe for place in archive.elite] == [3.0]
    islands = Islands(1, 5, every=9, share=0.0)
    islands.learn([list(archive.members)], archive)
    random = np.random.default_rng(0)
    free = {islands.parent(random, 0, 1, improve=False) for _ in range(40)}
    improving = {islands.parent(random, 0, 1, improve=True) for _ in range(40)}
    assert {each.sharpe for each in free if each is not None} == {3.0, 0.8}
    assert {each.sharpe for each in improving if each is not None} <= {0.8, 3.0}
    members = [archive.members[place] for place in range(len(archive.members)) if not archive.unlike_elite()[place]]
    assert improving.isdisjoint(members)


def test_an_empty_island_has_no_parent() -> None:
    assert Islands(2, 5, 5, 0.1).parent(np.random.default_rng(0), 1, 2, improve=True) is None


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 6), st.integers(1, 3))
def test_the_same_answers_make_the_same_islands(seed: int, count: int, size: int, every: int) -> None:
    """Twice alike; sizes are kept but for the migrants of the round, and all members are of the archive."""
    runs = []
    for _ in range(2):
        random = np.random.default_rng(seed)
        archive, islands = archive_of([]), Islands(count, size, every, 0.3)
        for number in range(4):
            told = [result(int(random.integers(60)), float(random.normal(1, 1))) for _ in range(6)]
            children = archive.add(told)
            groups = [[each for place, each in enumerate(children) if place % count == i] for i in range(count)]
            islands.learn(groups, archive)
            room = size + (max(1, round(0.3 * size)) if (number + 1) % every == 0 and count > 1 else 0)
            assert all(len(population) <= room for population in islands.populations)
        for population in islands.populations:
            assert len({each.node for each in population}) == len(population)
        runs.append([[each.node for each in population] for population in islands.populations])
    assert runs[0] == runs[1]
