"""The 2015 paper's 101 formulas: all are read, typed and run, and 61 agree with a second evaluation in pandas.

How near is near: the engine keeps float32 between operators, pandas here float64 throughout. Values then differ by
about 1e-6 of their size. More than that comes from decisions that rounding tips over: two nearly equal values change
places in a rank, a difference of nearly equal numbers changes sign, 0^0 is 1 where 0^1e-9 is 0. Such cells are few, so
all but 3 in 1,000 must agree within 1e-3, and all in where they are missing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alpha_pipeline.engine import Engine
from alpha_pipeline.expression import Call, Node, ValueType, check, lookback, parse_text, walk
from alpha_pipeline.market.build import build_from
from alpha_pipeline.market.panel import Panel
from alpha_pipeline.market.sources import open_source
from alpha_pipeline_tests.alpha101.pandas_alphas import ALPHAS, TIED
from alpha_pipeline_tests.alpha101.paper_functions import Paper

LINES = (Path(__file__).resolve().parents[1] / "cases" / "alpha101.txt").read_text().splitlines()
FORMULAS = {
    int(number): formula
    for number, formula in (line.split("|", 1) for line in LINES if line and not line.startswith("#"))
}

NEAR = 1e-3
"""Of the value's size and of the alpha's typical size, whichever is added up."""
SHARE_NEAR = 0.997
RANK_CORRELATION = dict.fromkeys(FORMULAS, 0.9999) | {67: 0.9998}
"""At least. 67 stands at 0.99989 by one day, its first: its correlations are then of two points, 1 or −1 but for
rounding, and rounding ranks them. Without that day it is 0.99999998."""
FEW = 200
"""An alpha of fewer different values is judged by the share alone: one cell tipped over moves by a whole level."""
FAIR_SHARE = dict.fromkeys(FORMULAS, 0.75) | {81: 0.65}
"""Of universe cells after the lookback that hold a number. 81 takes the logarithm of a product of 14 days' ranks, and
whoever was last on one of them has rank 0. 78 (0.78) ranks correlations over five days of ranks, which are missing
wherever one rank stays the same."""

Values = Callable[[int], np.ndarray]


def tree(number: int) -> Node:
    return parse_text(FORMULAS[number], profile="legacy101").node


@pytest.fixture(scope="module")
def panel() -> Panel:
    """80 instruments × 500 days, 60 of them in the universe, which they leave and enter again.

    The synthetic market has a group for nearly every instrument; neutralized by such a group nothing is left. So its
    10 sectors are the subindustries here.
    """
    market = build_from(open_source("synthetic", seed=5, instruments=80, days=500), universe="TOP60").panel
    sector = market.groups["sector"]
    groups = {**market.groups, "sector": sector // 4, "industry": sector // 2, "subindustry": sector}
    return dataclasses.replace(market, version=f"{market.version} in fewer groups", groups=groups)


@pytest.fixture(scope="module")
def engine_values(panel: Panel) -> Values:
    """The engine's value of an alpha by its number, made once."""
    engine, known = Engine(panel), {}

    def value(number: int) -> np.ndarray:
        if number not in known:
            known[number] = engine.evaluate(tree(number))
        return known[number]

    return value


def problems(
    expected: np.ndarray, found: np.ndarray, low: np.ndarray, high: np.ndarray, rank_correlation: float
) -> list[str]:
    """What speaks against `found` being `expected`, or between `low` and `high` where ties decide; empty = agrees.

    The arrays are the universe's cells.
    """
    missing = np.isnan(expected) != np.isnan(found)
    both = ~np.isnan(expected) & ~np.isnan(found)
    expected, found, low, high = (values[both] for values in (expected, found, low, high))
    typical = np.median(np.abs(expected[np.isfinite(expected)]))
    with np.errstate(invalid="ignore"):
        room = NEAR * (np.abs(expected) + typical)
        near = (found == expected) | ((found >= low - room) & (found <= high + room))
    found_problems = []
    if missing.any():
        found_problems.append(f"{missing.sum()} cells are missing on one side only")
    if near.mean() < SHARE_NEAR:
        found_problems.append(f"only {near.mean():.4%} of cells agree")
    many = len(np.unique(expected.round(6))) > FEW
    correlation = pd.Series(expected).rank().corr(pd.Series(found).rank())
    if many and np.array_equal(low, high) and correlation < rank_correlation:
        found_problems.append(f"the rank correlation is {correlation:.6f}")
    return found_problems


def compared(number: int, panel: Panel, found: np.ndarray, **planted: int) -> list[str]:
    """`problems` of the engine's value against pandas', with a planted mistake if any."""

    def pandas_value(ties: str) -> np.ndarray:
        with np.errstate(all="ignore"):
            return ALPHAS[number](Paper(panel, ties=ties, **planted)).to_numpy()[panel.universe]

    expected = pandas_value("average")
    bounds = [pandas_value("lowest"), pandas_value("highest")] if number in TIED else [expected, expected]
    low, high = np.fmin(*bounds), np.fmax(*bounds)
    return problems(expected, found[panel.universe].astype(np.float64), low, high, RANK_CORRELATION[number])


def test_all_are_listed() -> None:
    assert list(FORMULAS) == list(range(1, 102))
    for number, formula in FORMULAS.items():
        depth = np.cumsum([(letter == "(") - (letter == ")") for letter in formula])
        assert depth.min() >= 0, number
        assert depth[-1] == 0, number


@pytest.mark.parametrize("number", FORMULAS)
def test_is_read_and_typed(number: int) -> None:
    parsed = parse_text(FORMULAS[number], profile="legacy101")
    assert check(parsed, profile="legacy101") in (ValueType.MATRIX, ValueType.BOOLEAN)


@pytest.mark.parametrize("number", FORMULAS)
def test_has_values(number: int, panel: Panel, engine_values: Values) -> None:
    values = engine_values(number)
    assert values.shape == panel.shape
    held = lookback(tree(number))
    assert held < panel.shape[0] - 100
    after = values[held:][panel.universe[held:]]
    assert np.isfinite(after).mean() >= FAIR_SHARE[number]
    assert len(np.unique(after[np.isfinite(after)])) >= 2


@pytest.mark.parametrize("number", ALPHAS)
def test_agrees_with_pandas(number: int, panel: Panel, engine_values: Values) -> None:
    assert compared(number, panel, engine_values(number)) == []


@pytest.mark.parametrize("number", ALPHAS)
def test_a_planted_mistake_is_seen(number: int, panel: Panel, engine_values: Values) -> None:
    """Windows one day too long; where the formula has none, prices one day late."""
    planted = {"longer": 1} if lookback(tree(number)) else {"late": 1}
    assert compared(number, panel, engine_values(number), **planted)


def test_pandas_knows_every_operator_of_the_paper() -> None:
    def used(numbers: object) -> set[str]:
        return {node.operator for number in numbers for node in walk(tree(number)) if isinstance(node, Call)}

    assert len(ALPHAS) >= 40
    assert used(ALPHAS) == used(FORMULAS)
