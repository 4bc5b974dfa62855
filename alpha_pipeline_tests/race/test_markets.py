"""Planted expressions act as they say, and the oracle knows what they are worth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.expression import parse
from alpha_pipeline.market.sources.plants import DEFAULT_PLANTS, LONGEST_WINDOW, History, Plant
from alpha_pipeline.market.sources.simulation import BURN_IN, VOLATILITY_SPREAD, simulate
from alpha_pipeline.market.sources.synthetic import SyntheticSource
from alpha_pipeline.race.markets import ExpressionSignal, HistoryReader, RacedMarket, make_market
from alpha_pipeline.race.oracle import Oracle, mean_correlation
from alpha_pipeline.race.planting import PlantedAlpha, load_plants, tree_of


def test_expressions_plant_what_the_simulators_own_signals_plant() -> None:
    """The default plants by the engine and by NumPy give the same market, but for float32."""
    reader = HistoryReader()
    by_engine = [Plant(p.expression, p.sharpe, ExpressionSignal(parse(p.expression), reader)) for p in DEFAULT_PLANTS]
    ours = simulate(7, instruments=40, days=130, plants=by_engine)
    theirs = simulate(7, instruments=40, days=130)
    assert np.corrcoef(ours.alpha.ravel(), theirs.alpha.ravel())[0, 1] > 0.995


@pytest.mark.parametrize("name", ["tuning", "report"])
def test_a_plants_signal_is_its_expression_on_the_finished_panel(name: str) -> None:
    """What the simulator saw day by day and what the engine sees at the end rank alike, but for holes in the data."""
    seen: dict[str, dict[int, np.ndarray]] = {}

    class Spy:
        def __init__(self, plant: PlantedAlpha, reader: HistoryReader) -> None:
            self.signal = ExpressionSignal(tree_of(plant.expression), reader)
            self.held = seen.setdefault(plant.expression, {})
            self.day = LONGEST_WINDOW + 1

        def __call__(self, history: History) -> np.ndarray:
            self.held[self.day] = self.signal(history)  # of the day before, as the history ends there
            self.day += 1
            return self.held[self.day - 1]

    plants, reader = load_plants(name).of_market(0), HistoryReader()
    planted = [Plant(plant.expression, plant.sharpe, Spy(plant, reader)) for plant in plants]
    source = SyntheticSource(seed=5, instruments=60, days=300, plants=planted)
    market = make_market(5, 60, 300, plants)
    names = source.market.instruments.tolist()
    column = [names.index(name.split("#")[0]) for name in market.panel.instruments.tolist()]
    with Evaluator(market.panel, threads=1, memory=64 << 20) as evaluator:
        for plant in plants:
            values = evaluator.engine.evaluate(tree_of(plant.expression))
            likeness = []
            for row in range(150, 300, 10):
                known = np.isfinite(values[row]) & market.panel.universe[row]
                simulated = seen[plant.expression][row + BURN_IN + 1][column]
                known &= np.isfinite(simulated)
                likeness.append(spearmanr(values[row][known], simulated[known]).statistic)
            assert np.mean(likeness) > 0.9, plant.expression


def test_a_lone_plant_is_worth_what_was_planted() -> None:
    """2.0 for a book of all names of equal risk; the one that is traded holds the universe, of unequal risk."""
    market = make_market(11, 200, 700, (PlantedAlpha("-ts_corr(abs(returns), volume, 30)", 2.0, "T2"),))
    held, unequal = np.sqrt(market.panel.universe.mean()), np.exp(-(VOLATILITY_SPREAD**2) / 2)
    with Evaluator(market.panel, threads=1, memory=64 << 20) as evaluator:
        oracle = Oracle(evaluator, market)
        assert oracle.plants[0].oracle == pytest.approx(2.0 * held * unequal, abs=0.15)
        noise = ["rank(ts_delay(volume, 3) / adv20)", "-ts_delta(close, 3) / close", "ts_arg_max(close, 20)"]
        for worth in oracle.worth([parse(text) for text in noise]):
            assert abs(worth.oracle) < 0.15


def test_the_oracle_pays_on_the_day_that_the_backtest_pays() -> None:
    """A plant that lives for a day is worth nothing where its returns come a day too early or too late."""
    market = make_market(11, 100, 400, (PlantedAlpha("-returns", 2.0, "T1"),))
    with Evaluator(market.panel, threads=1, memory=64 << 20) as evaluator:
        worth = {
            days: Oracle(evaluator, replace(market, alpha=np.roll(market.alpha, days, axis=0))).plants[0].oracle
            for days in (-1, 0, 1)
        }
    assert worth[0] > 1.0
    assert abs(worth[-1]) < 0.1
    assert abs(worth[1]) < 0.1


def test_null_markets_are_worth_nothing() -> None:
    market = make_market(4, 40, 300, ())
    assert not np.nan_to_num(market.alpha).any()
    with Evaluator(market.panel, threads=1, memory=64 << 20) as evaluator:
        oracle = Oracle(evaluator, market)
        assert oracle.plants == []
        assert oracle.worth([parse("-returns")])[0].oracle == 0.0


def test_markets_come_back_from_disk(market: RacedMarket, tmp_path: Path) -> None:
    market.write(tmp_path)
    again = RacedMarket.open(tmp_path)
    assert again.panel.version == market.panel.version
    assert again.plants == market.plants
    np.testing.assert_array_equal(again.alpha, market.alpha)


def test_likeness_is_the_mean_daily_rank_correlation(oracle: Oracle, evaluator: Evaluator) -> None:
    signal = evaluator.engine.evaluate(parse("ts_mean(returns, 20)"))
    worth = oracle.worth([parse("ts_mean(returns, 20)")])[0]
    theirs = evaluator.engine.evaluate(tree_of(oracle.market.plants[0].expression))
    daily = []
    for row in oracle._days:
        both = np.isfinite(signal[row]) & np.isfinite(theirs[row]) & oracle.market.panel.universe[row]
        if both.sum() >= 5:
            daily.append(spearmanr(signal[row][both], theirs[row][both]).statistic)
    assert worth.likeness[0] == pytest.approx(np.mean(daily), abs=0.01)
    assert oracle.plants[1].likeness[1] == pytest.approx(1.0)


def test_mean_correlation_by_hand() -> None:
    rows = np.array([[1.0, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, np.nan], [1, 2, np.nan, np.nan, np.nan, np.nan]])
    other = np.array([[6.0, 5, 4, 3, 2, 1], [2, 4, 6, 8, 10, 1], [1, 2, 3, 4, 5, 6]])
    assert mean_correlation(rows, rankdata(other, axis=1)) == pytest.approx(0.0)  # −1 and 1; the third has two names
    assert mean_correlation(rows[:1], other[:1]) == pytest.approx(-1.0)
