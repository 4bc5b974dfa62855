"""Priors by hand; the fewest operators against the grammar's own, and against trees that exist."""

from __future__ import annotations

import numpy as np
import pytest

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import ValueType, operator_count
from alpha_pipeline.expression.units import PRICE, PURE, SHARES
from alpha_pipeline.generate import Grammar, SearchSettings
from alpha_pipeline.generate.space.grammar import ROOT, Symbol
from alpha_pipeline.generate.space.legal import Legal, Option, Priors
from alpha_pipeline.generate.space.lookahead import NEVER, LookAhead, Place, Taken
from alpha_pipeline_tests.generate.toy import FIELDS

ANYWHERE = Place(-1, frozenset())


def test_as_the_grammar_where_nothing_is_banned() -> None:
    """Without bans, forbidden trees or short lookback it is the grammar's own fixpoint, at every depth."""
    grammar = Grammar(FIELDS)
    ahead = LookAhead(grammar)
    for depth, level in enumerate(grammar._cheapest):
        for symbol, cost in level.items():
            found = ahead.cheapest(symbol, ANYWHERE, depth, 50)
            assert found == (cost if np.isfinite(cost) else NEVER) or found > cost  # bans inside may cost more
            assert found >= min(cost, NEVER)


def test_by_hand() -> None:
    ahead = LookAhead(Grammar(["close", "returns"]))
    price, pure = Symbol(ValueType.MATRIX, PRICE), Symbol(ValueType.MATRIX, PURE)
    assert ahead.cheapest(price, ANYWHERE, 3, 9) == 0
    assert ahead.cheapest(price, ANYWHERE, 3, 9, Taken(leaves=1)) == 1  # not close: abs(close)
    assert ahead.cheapest(price, ANYWHERE, 0, 9, Taken(leaves=1)) == NEVER
    assert ahead.cheapest(price, ANYWHERE, 3, 9, Taken(calls=1)) == 0
    assert ahead.cheapest(pure, ahead.root, 3, 9) == 1  # a whole needs an operator
    assert ahead.cheapest(Symbol(ValueType.MATRIX, SHARES), ANYWHERE, 3, 9) == NEVER
    ratio = Symbol(ValueType.MATRIX, type(PRICE)(*(a - b for a, b in zip(PRICE, PRICE.over_time(), strict=True))))
    assert ahead.cheapest(ratio, ANYWHERE, 3, 9) == 2  # close / ts_mean(close, 5)
    assert ahead.cheapest(ratio, ANYWHERE, 3, 0) == NEVER  # no window, no past


def test_operators_and_forbidden_trees_only_add() -> None:
    ahead = LookAhead(Grammar(["close", "volume"], settings=SearchSettings(deepest=5)))
    for symbol in ahead.symbols:
        for depth in range(1, 5):
            costs = [ahead.cheapest(symbol, ANYWHERE, depth, 9, Taken(unknown)) for unknown in range(4)]
            assert costs == sorted(costs)
            assert ahead.cheapest(symbol, ANYWHERE, depth, 9) >= ahead.cheapest(symbol, ANYWHERE, depth + 1, 9)
            for known in (Taken(2, 1, 0), Taken(2, 0, 1), Taken(0, 1, 2), Taken(1, 1, 1)):
                assert ahead.cheapest(symbol, ANYWHERE, depth, 9, known) <= costs[sum(known)]


def test_enough_for_every_tree_that_exists() -> None:
    grammar = Grammar(FIELDS, settings=SearchSettings(deepest=4))
    ahead, random = LookAhead(grammar), np.random.default_rng(3)
    for _ in range(300):
        node = grammar.grow(random, ROOT, int(random.integers(1, 6)), 4)
        if node is not None and operator_count(node):
            assert ahead.cheapest(ROOT, ahead.root_after_minus, 4, 50) <= operator_count(node)


def test_priors_by_hand() -> None:
    """Two fields share a kind; lengths 4 and 5 beyond a centre of 3 with scale 2 lose 1/4 and 1."""
    options = [Option(0, arity=0), Option(2, arity=0), Option(3, 1, np.log(0.5), 1)]
    legal = Legal(5, options, Priors(3.0, 2.0))
    assert legal.tokens == (0, 2, 3)
    assert legal.mask.tolist() == [True, False, True, True, False]
    weights = np.array([0.5 * np.exp(-0.25), 0.5 * np.exp(-0.25), 0.5 * np.exp(-1.0)])
    log_prior, running = legal.prior(4, last=False)
    shares = weights / weights.sum()
    np.testing.assert_allclose(np.exp(log_prior), [shares[0], 0.0, shares[1], shares[2], 0.0], rtol=1e-6)
    np.testing.assert_allclose(running, np.cumsum(shares))
    early = legal.prior(1, last=True)[0]  # ends at 1, two below the centre: 4 / 4
    np.testing.assert_allclose(
        np.exp(early[[0, 3]]), np.array([0.5 * np.exp(-1.0), 0.5]) / (np.exp(-1.0) + 0.5), rtol=1e-6
    )
    open_still = legal.prior(1, last=False)[0]
    np.testing.assert_allclose(np.exp(open_still[[0, 3]]), [1 / 3, 1 / 3], rtol=1e-6)


def test_uniform_priors() -> None:
    options = [Option(0, arity=0), Option(2, arity=0), Option(3, 1, 0.0, 1)]
    legal = Legal(4, options, Priors(length_centre=None, arity=False, weights=False))
    np.testing.assert_allclose(np.exp(legal.prior(9, last=True)[0]), [1 / 3, 0, 1 / 3, 1 / 3], rtol=1e-6)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan")])
def test_bad_scale(scale: float) -> None:
    with pytest.raises(BadInput, match="length_scale"):
        Priors(length_scale=scale)
