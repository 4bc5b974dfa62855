"""One small market with three plants, made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.race.markets import RacedMarket, make_market
from alpha_pipeline.race.oracle import Oracle
from alpha_pipeline.race.planting import PlantedAlpha

PLANTS = (
    PlantedAlpha("-ts_std_dev(returns, 30)", 3.0, "T1"),
    PlantedAlpha("-ts_corr(abs(returns), volume, 30)", 4.0, "T2"),
    PlantedAlpha("-ts_skewness(returns, 60)", 2.0, "T4"),
)


@pytest.fixture(scope="session")
def market() -> RacedMarket:
    return make_market(3, 60, 700, PLANTS)


@pytest.fixture(scope="session")
def evaluator(market: RacedMarket) -> Iterator[Evaluator]:
    with Evaluator(market.panel, threads=1, memory=64 << 20) as made:
        yield made


@pytest.fixture(scope="session")
def oracle(market: RacedMarket, evaluator: Evaluator) -> Oracle:
    return Oracle(evaluator, market)
