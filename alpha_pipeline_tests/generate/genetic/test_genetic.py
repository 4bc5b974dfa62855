"""What genetic search spends proposals on, and what it says of itself."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from alpha_pipeline.expression import Node, to_text, walk
from alpha_pipeline.generate import Grammar, Memory, SearchSettings, Thresholds
from alpha_pipeline.generate.base import Scored
from alpha_pipeline.generate.genetic.blend import Blends
from alpha_pipeline.generate.genetic.search import WAYS, GeneticSearch
from alpha_pipeline.generate.genetic.settings import GeneticSettings
from alpha_pipeline.generate.memory.archive import Archive
from alpha_pipeline_tests.generate.people import DAYS, archive_of, result
from alpha_pipeline_tests.generate.toy import FIELDS, mine, score

GRAMMAR = Grammar(FIELDS, settings=SearchSettings(budget=240))
MODEST = Thresholds(sharpe=0.7, fitness=0.5)
"""What the toy reaches in a few rounds."""
ONLY = dict.fromkeys(WAYS, 0.0)


def genetic(memory: Memory | None = None, **changes: float) -> GeneticSearch:
    settings = GeneticSettings(**{"population": 60, **changes})  # type: ignore[arg-type]
    return GeneticSearch(GRAMMAR, 3, memory or Memory(SearchSettings(budget=240), MODEST), settings)


def test_a_round_says_where_its_proposals_came_from_and_what_the_search_holds() -> None:
    generator = genetic()
    mine(generator, 240, batch=40)
    assert len(generator.history) == 6
    for item in generator.history:
        told = [value for name, value in item.figures.items() if name.startswith("share_")]
        assert sum(told) == pytest.approx(1)
    assert generator.history[0].figures["share_founder"] == 1
    last = generator.history[-1].figures
    assert {"share_blend", "share_crossover", "improved_crossover", "island_0_best", "island_3_best"} <= last.keys()
    assert all(0 <= value <= 1 for name, value in last.items() if name.startswith("improved_"))
    assert last["qd_score"] == generator.memory.elites.score > 0
    assert last["coverage"] == generator.memory.elites.coverage > 0
    best = max(member.lower for member in generator.archive.members)
    assert max(last[f"island_{number}_best"] for number in range(4)) == pytest.approx(best)
    assert 1 <= last["front"] <= 50


def test_all_that_was_asked_is_accounted_for() -> None:
    generator = genetic()
    asked = generator.ask(100)
    assert set(generator._births) == set(asked)
    generator.tell([score(node) for node in asked])
    assert not generator._births


def test_islands_are_filled_alike() -> None:
    generator = genetic()
    asked = generator.ask(60)
    assert [sum(generator._births[node].island == island for node in asked) for island in range(4)] == [15] * 4


def test_blends_end_once_enough_is_exportable() -> None:
    for more in (0, 1):
        generator = genetic()
        mine(generator, 160, batch=40)
        exportable = len(generator.archive.elite)
        assert exportable > 1
        generator.settings = replace(generator.settings, enough=exportable + more)
        ways = {generator._births[node].way for node in generator.ask(80)}
        assert ("blend" in ways) is (more == 1)
        assert {"crossover", "wrap"} <= ways


def test_elites_of_other_generators_become_parents() -> None:
    """All parents from the grid, only windows changed: every child is the one elite with another window."""
    other = next(node for node in genetic().ask(60) if "ts_zscore" in to_text(node))
    memory = Memory(SearchSettings(budget=240))
    told = score(other)
    profit = np.random.default_rng(1).normal(0.002, 0.01, DAYS)
    memory.add([Scored(other, told.alpha_id, 3.0, profit, 0.2, 2.0, 0.1, 1.0)])
    memory.seen.add(other)
    generator = genetic(memory, **{**ONLY, "window": 1.0, "elites": 1.0, "population": 0})
    asked = generator.ask(10)
    shape = skeleton(other)
    assert len(asked) == 10
    assert all(skeleton(node) == shape for node in asked)


def skeleton(node: Node) -> list[str]:
    return [getattr(part, "operator", getattr(part, "name", "number")) for part in walk(node)]


def test_nothing_of_another_generator_reaches_the_islands() -> None:
    memory = Memory(SearchSettings(budget=240))
    generator, other = genetic(memory), genetic(memory)
    other.random = np.random.default_rng(99)
    theirs = other.ask(60)
    memory.add([score(node) for node in theirs])
    mine(generator, 120, batch=40)
    foreign = set(theirs)
    assert foreign & {member.node for member in generator.archive.members}
    assert not foreign & {each.node for population in generator.islands.populations for each in population}


def pairs(archive: Archive, exportable: bool) -> set[frozenset[float]]:
    """Sharpe ratios of what may be blended."""
    blends = Blends(archive, 50, SearchSettings(), exportable)
    places = zip(blends.first, blends.second, blends._used, strict=True)
    members = blends._members
    return {frozenset((members[one].sharpe, members[other].sharpe)) for one, other, used in places if not used}


def test_two_that_are_exportable_are_not_blended_unless_told_so() -> None:
    archive = archive_of([result(1, 3.0), result(2, 2.0), result(3, 1.1), result(4, 1.0)])
    assert sorted(member.sharpe for member in archive.members if member.meets) == [2.0, 3.0]
    everything = {frozenset(pair) for pair in combinations((3.0, 2.0, 1.1, 1.0), 2)}
    assert pairs(archive, exportable=True) == everything
    assert pairs(archive, exportable=False) == everything - {frozenset((3.0, 2.0))}
    assert pairs(archive_of([result(1, 3.0), result(2, 2.0)]), exportable=False) == set()


def test_settings_of_one_island_and_of_reward_alone_search_too() -> None:
    for changes in ({"islands": 1}, {"pareto": False, "tournament": 4}, {"elites": 0.0}, {"blend": 0.0}):
        generator = genetic(**changes)
        results = mine(generator, 200, batch=40)
        assert len(results) == 200
        passing = [MODEST.met_by(r.sharpe, r.fitness, r.turnover) for r in results]
        assert sum(passing[-100:]) > 2 * sum(passing[:60])
