"""The two generators: determinism, distinct proposals, exhaustion, and that the genetic one learns."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from alpha_pipeline.expression import Node, canonical, parse, to_text
from alpha_pipeline.generate import (
    GENERATORS,
    Grammar,
    Memory,
    Scored,
    SearchSettings,
    Thresholds,
    check_proposals,
    make_generator,
)
from alpha_pipeline.generate.genetic.search import GeneticSearch
from alpha_pipeline.generate.memory.archive import Archive
from alpha_pipeline.generate.reward import meets
from alpha_pipeline.generate.space.grammar import negated
from alpha_pipeline_tests.generate.toy import FIELDS, mine, score


@pytest.mark.parametrize("name", list(GENERATORS))
def test_proposals_are_distinct_valid_and_counted(name: str) -> None:
    generator = make_generator(name, 2, FIELDS)
    results = mine(generator, 300, batch=32)
    assert len(results) == 300
    grammar = Grammar(FIELDS)
    assert [grammar.problem(result.node) for result in results] == [None] * 300
    assert len(generator.history) == 10
    assert sum(item.proposals for item in generator.history) == 300
    assert generator.history[-1].passing == sum(meets(result, Thresholds()) for result in results)


@pytest.mark.parametrize("name", list(GENERATORS))
def test_same_seed_same_proposals(name: str) -> None:
    settings = SearchSettings(budget=150)
    first = [result.node for result in mine(make_generator(name, 4, FIELDS, settings=settings), 150)]
    again = [
        result.node for result in mine(make_generator(name, 4, sorted(FIELDS, reverse=True), settings=settings), 150)
    ]
    other = [result.node for result in mine(make_generator(name, 5, FIELDS, settings=settings), 150)]
    assert first == again
    assert first != other


def test_proposals_do_not_depend_on_hash_seeds() -> None:
    program = (
        "from alpha_pipeline_tests.generate.toy import *; from alpha_pipeline.generate import *;"
        "generator = make_generator('genetic', 6, FIELDS, settings=SearchSettings(budget=150));"
        "print([result.alpha_id for result in mine(generator, 150)])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


@pytest.mark.parametrize("name", list(GENERATORS))
def test_a_small_space_is_exhausted(name: str) -> None:
    settings = SearchSettings(deepest=1, most_operators=1)
    generator = make_generator(name, 1, ["returns"], settings=settings)
    results = mine(generator, 5_000, batch=500)
    assert 50 < len(results) < 1_000
    assert len(generator.ask(1_000)) < 100


def test_the_check_catches_a_generator_that_repeats_itself() -> None:
    before: set[Node] = set()
    check_proposals([parse("returns")], before)
    with pytest.raises(ValueError, match="proposed twice: returns"):
        check_proposals([parse("rank(returns)"), parse("returns")], before)
    with pytest.raises(ValueError, match="not canonical"):
        check_proposals([parse("volume * close")], before)


def test_genetic_beats_random_on_the_planted_toy() -> None:
    """Three seeds, 300 proposals each: several times as many pass, and the best twenty are better in every seed."""
    passing, best = {}, {}
    for name in ("random", "genetic"):
        settings = SearchSettings(budget=300)
        runs = [mine(make_generator(name, seed, FIELDS, settings=settings), 300) for seed in (1, 2, 3)]
        passing[name] = sum(meets(result, Thresholds()) for run in runs for result in run)
        best[name] = [float(np.mean(sorted(result.sharpe for result in run)[-20:])) for run in runs]
    assert passing["genetic"] > 3 * passing["random"]
    assert min(np.subtract(best["genetic"], best["random"])) > 0


def test_genetic_rewards_rise() -> None:
    generator = make_generator("genetic", 9, FIELDS, settings=SearchSettings(budget=240))
    mine(generator, 400, batch=40)
    rewards = [item.mean_reward for item in generator.history]
    assert np.mean(rewards[-3:]) > np.mean(rewards[:2]) + 0.1


def archive() -> Archive:
    return Archive(SearchSettings(), Thresholds(), None, capacity=50)


def scored(text: str, pnl: np.ndarray, sharpe: float, turnover: float = 0.2) -> Scored:
    return Scored(canonical(parse(text)), text, sharpe, pnl, turnover, sharpe * 0.9, sharpe * 0.05, 1.0)


def test_a_strong_loser_is_proposed_with_the_other_sign() -> None:
    generator = GeneticSearch(Grammar(FIELDS), 1, Memory())
    asked = generator.ask(generator.population)
    pnl = np.random.default_rng(1).normal(-0.002, 0.01, 500)
    poor = Scored(asked[0], "x", -2.0, pnl, 0.2, -1.8, -0.1, 1.0)
    generator.tell([poor])
    wanted = canonical(negated(asked[0]))
    assert generator.ask(5)[0] == wanted
    assert wanted not in generator.ask(50)


def test_behaviour_duplicates_stay_out_of_the_archive() -> None:
    random = np.random.default_rng(2)
    pnl, other = random.normal(0.001, 0.01, (2, 500))
    held = archive()
    held.add(
        [scored("returns", pnl, 1.5), scored("rank(returns)", pnl * 3, 1.5), scored("ts_rank(close, 5)", other, 1.4)]
    )
    held.add([scored("-ts_mean(returns, 5)", -pnl, -1.5)])
    assert [to_text(member.node) for member in held.members] == ["returns", "ts_rank(close, 5)"]


def test_the_elite_is_mutually_uncorrelated_and_passing() -> None:
    random = np.random.default_rng(3)
    common, *own = random.normal(0.0005, 0.01, (5, 800))
    held = archive()
    held.add(
        [
            scored("ts_rank(close, 5)", common + 0.3 * own[0], 2.0),
            scored("ts_rank(close, 10)", common + 0.3 * own[1], 1.9),  # too close to the first
            scored("ts_rank(open, 5)", own[2], 1.6),
            scored("ts_rank(open, 10)", own[3], 1.0),  # does not pass
        ]
    )
    assert sorted(to_text(held.members[i].node) for i in held.elite) == ["ts_rank(close, 5)", "ts_rank(open, 5)"]


def test_a_pool_keeps_what_resembles_it_out_of_the_elite() -> None:
    random = np.random.default_rng(4)
    pnl, other = random.normal(0.001, 0.01, (2, 500))
    held = Archive(SearchSettings(), Thresholds(), pnl[None], capacity=50)
    held.add([scored("returns", pnl + 0.1 * other, 2.0), scored("ts_rank(close, 5)", other, 1.5)])
    assert [to_text(held.members[i].node) for i in held.elite] == ["ts_rank(close, 5)"]
    assert held.rewards.argmax() == 1


def test_errors_and_empty_answers_are_survived() -> None:
    generator = make_generator("genetic", 1, FIELDS)
    asked = generator.ask(200)
    generator.tell([])
    generator.tell([Scored(node, "x", 0.0, np.zeros(0), 0.0, 0.0, 0.0, 0.0, "overflow") for node in asked])
    assert len(generator.ask(50)) == 50
    assert generator.history[0].best_reward == -0.5


def test_the_toy_is_antisymmetric() -> None:
    node = parse("ts_corr(close, volume, 10)")
    assert score(node).sharpe > 0 > score(negated(node)).sharpe


@pytest.mark.parametrize("name", list(GENERATORS))
def test_what_counts_as_exportable_is_given(name: str) -> None:
    """The same answers under limits that all meet, and under ones that none can."""
    passing = {}
    for sharpe, fitness in ((-9.0, -9.0), (99.0, 1.0)):
        limits = Thresholds(sharpe=sharpe, fitness=fitness)
        generator = make_generator(name, 1, FIELDS, limits=limits)
        generator.tell([score(node) for node in generator.ask(40)])
        passing[sharpe] = generator.history[-1].passing
    assert passing == {-9.0: 40, 99.0: 0}
