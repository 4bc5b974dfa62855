"""Plants drawn by a seed: that they keep to the protocol, in every market others, and the same for everybody."""

from __future__ import annotations

import pickle
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest

from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.expression import Call, Node, operator_count, parse, to_text, walk
from alpha_pipeline.generate import Grammar
from alpha_pipeline.race.drawing import ALIKE, OPERATORS_OF, TURNOVER, UNDRAWN, draw, exchanged, plants_by_name
from alpha_pipeline.race.markets import make_market
from alpha_pipeline.race.oracle import mean_correlation, ranks_of
from alpha_pipeline.race.planting import HELD, check_plantable
from alpha_pipeline.race.settings import RaceSettings

SEED, MARKETS = 7, 6


def operators(node: Node) -> set[str]:
    return {part.operator for part in walk(node) if isinstance(part, Call)}


@pytest.mark.parametrize("number", range(MARKETS))
def test_plants_keep_to_the_protocol(number: int) -> None:
    plants = plants_by_name("drawn", SEED).of_market(number)
    assert [plant.tier for plant in plants] == ["T1", "T1", "T2", "T2", "T3", "T3", "T4", "T4"]
    assert sorted(plant.sharpe for plant in plants) == sorted([0.5, 1.0, 1.5, 2.5] * 2)
    drawn = {operator.name for operator in Grammar(HELD).operators}
    assert not drawn & set(UNDRAWN)
    for plant in plants:
        check_plantable(plant.expression, "here")
        node = parse(plant.expression)
        low, high = OPERATORS_OF[plant.tier]
        minus = isinstance(node, Call) and node.operator == "reverse"
        assert low <= operator_count(node) - minus <= high
        assert bool(operators(node) & set(UNDRAWN)) == (plant.tier == "T4")


@pytest.mark.parametrize("number", range(3))
def test_plants_are_unlike_and_can_be_handed_over_on_another_market_too(number: int) -> None:
    """The market they were looked at on is not asked again: twice the room that they were given there."""
    nodes = [parse(plant.expression) for plant in plants_by_name("drawn", SEED).of_market(number)]
    market = make_market(99, 150, 400, ())
    with Evaluator(market.panel, threads=1, memory=64 << 20) as evaluator:
        ranks = [ranks_of(evaluator.engine.evaluate(n)[200::5], market.panel.universe[200::5]) for n in nodes]
        for one, other in combinations(ranks, 2):
            assert abs(mean_correlation(one, other)) < 2 * ALIKE
        for trial in evaluator.evaluate_many(nodes):
            assert TURNOVER[0] / 2 < trial.metrics.turnover < TURNOVER[1] * 1.4
            assert trial.missing < 0.1
            assert np.ptp(trial.pnl) > 0


def test_every_market_has_its_own() -> None:
    texts = [text for number in range(MARKETS) for text, _ in draw(SEED, number)]
    assert len(set(texts)) == len(texts)
    assert draw(SEED, 0) != draw(SEED + 1, 0)


def test_strengths_are_crossed() -> None:
    """Over four markets in a row each place has each strength once."""
    plants = plants_by_name("drawn", SEED)
    for column in zip(*([plant.sharpe for plant in plants.of_market(number)] for number in range(4)), strict=True):
        assert sorted(column) == [0.5, 1.0, 1.5, 2.5]


def test_worker_processes_draw_the_same() -> None:
    here = plants_by_name("drawn", SEED)
    program = (
        "import pickle, sys; plants = pickle.loads(sys.stdin.buffer.read());"
        "print([plant.expression for plant in plants.of_market(1)])"
    )
    found = subprocess.run([sys.executable, "-c", program], input=pickle.dumps(here), capture_output=True, check=True)
    assert found.stdout.decode().strip() == str([plant.expression for plant in here.of_market(1)])


def test_a_race_is_named_by_its_plants() -> None:
    settings = RaceSettings()
    names = {settings.name(plants_by_name(name, seed), "code") for name, seed in (("drawn", 1), ("drawn", 2))}
    assert len(names | {settings.name(plants_by_name("report", 1), "code")}) == 3


def test_an_exchange_leaves_the_rest() -> None:
    random = np.random.default_rng(1)
    found = exchanged(random, parse("rank(ts_mean(returns, 20) / ts_std_dev(returns, 60))"))
    assert found is not None
    assert operators(found) & set(UNDRAWN)
    assert {"rank", "divide"} <= operators(found)
    assert len(operators(found) & {"ts_mean", "ts_std_dev"}) == 1
    assert exchanged(random, parse("rank(returns)")) is None
    assert "returns" in to_text(found)
