"""Depth, size, lookback and the price-scale exponent."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpha_pipeline.expression import (
    OPERATORS,
    Field,
    depth,
    fields_used,
    lookback,
    operator_count,
    parse,
    replace_at,
    scale_exponent,
    size,
    walk,
    walk_paths,
)
from alpha_pipeline_tests.expression.trees import DRAWN, MATRICES, evaluate, random_panel, random_tree

FIGURES = [  # text, depth, size, operators, lookback
    ("close", 0, 1, 0, 0),
    ("rank(close)", 1, 2, 1, 0),
    ("rank(-close)", 2, 3, 2, 0),
    ("ts_mean(close, 20)", 1, 3, 1, 19),
    ("ts_delay(close, 5)", 1, 3, 1, 5),
    ("ts_delta(ts_mean(close, 20), 5)", 2, 5, 2, 24),
    ("returns", 0, 1, 0, 1),
    ("ts_corr(adv20, returns, 10)", 1, 4, 1, 28),
    ("close / ts_delay(close, 252) - 1", 3, 7, 3, 252),
    ("ts_regression(close, open, 20, lag=5)", 1, 4, 1, 24),
    ("ts_rank_gmean_amean_diff(close, open, low, high, 20)", 1, 6, 1, 19),
]


@pytest.mark.parametrize(("text", "deep", "nodes", "operators", "days"), FIGURES)
def test_figures(text: str, deep: int, nodes: int, operators: int, days: int) -> None:
    node = parse(text)
    assert (depth(node), size(node), operator_count(node), lookback(node)) == (deep, nodes, operators, days)


EXPONENTS = [
    ("close", 1),
    ("volume", -1),
    ("close * volume", 0),
    ("close * close", 2),
    ("1 / close", -1),
    ("close + volume", None),
    ("close + 1", None),
    ("rank(close)", None),
    ("rank(-close)", None),
    ("-ts_delta(close, 5) / close", 0),
    ("close^2", 2),
    ("(close / open)^volume", None),
    ("log(close)", None),
    ("log(close / open)", 0),
    ("sign(close)", 0),
    ("ts_rank(close, 5)", 0),
    ("ts_corr(close, volume, 5)", 0),
    ("ts_covariance(close, volume, 5)", 0),
    ("close > open", 0),
    ("close > 5", None),
    ("if_else(close > open, close, open)", 1),
    ("if_else(close, returns, returns + 1)", None),
    ("group_neutralize(close, sector)", None),
]


@pytest.mark.parametrize(("text", "exponent"), EXPONENTS)
def test_exponents(text: str, exponent: float | None) -> None:
    assert scale_exponent(parse(text)) == exponent


@given(st.integers(0, 2**32), st.integers(1, 4))
def test_an_exponent_says_how_values_scale(seed: int, deep: int) -> None:
    """Rescale each instrument's prices by a power of two, which floating point does exactly, and compare."""
    random = np.random.default_rng(seed)
    node = random_tree(random, deep)
    exponent = scale_exponent(node)
    # Inside the tree as well: sign(open^12345) has exponent 0, but what it is taken of over- or underflows.
    inner = [each for part in walk(node) if (each := scale_exponent(part)) is not None]
    if exponent is None or any(each != int(each) or abs(each) > 8 for each in inner):
        return
    panel = random_panel(random)
    factors = 2.0 ** random.integers(-3, 4, panel["close"].shape[1])
    rescaled = {n: v * factors ** (scale_exponent(Field(n)) or 0) if n in MATRICES else v for n, v in panel.items()}
    before, after = evaluate(node, panel), evaluate(node, rescaled)
    with np.errstate(all="ignore"):
        expected = before * factors**exponent
    moderate = np.abs(expected) < 1e100
    np.testing.assert_array_equal(np.isnan(after), np.isnan(expected))
    np.testing.assert_allclose(after[moderate], expected[moderate], rtol=1e-6, atol=1e-9)


@given(st.integers(0, 2**32), st.integers(1, 4))
def test_lookback_bounds_what_a_value_rests_on(seed: int, deep: int) -> None:
    """Changing everything older than the lookback leaves today's values as they were, where nothing has a memory."""
    random = np.random.default_rng(seed)
    node = random_tree(random, deep, [name for name in DRAWN if not OPERATORS[name].stateful and name != "ts_step"])
    panel = random_panel(random, days=40)
    oldest = len(panel["close"]) - 1 - lookback(node)
    if oldest <= 0:
        return
    changed = {n: v.copy() for n, v in panel.items()}
    for name in MATRICES:
        changed[name][:oldest] = random.normal(size=changed[name][:oldest].shape)
    np.testing.assert_allclose(evaluate(node, changed)[-1], evaluate(node, panel)[-1], rtol=1e-9)


def test_paths_and_fields() -> None:
    node = parse("rank(close - open) * volume")
    assert fields_used(node) == {"close", "open", "volume"}
    for path, part in walk_paths(node):
        assert replace_at(node, path, part) == node
    assert replace_at(node, (0, 0, 1), Field("low")) == parse("rank(close - low) * volume")
    with pytest.raises(IndexError):
        replace_at(node, (1, 0), Field("low"))
