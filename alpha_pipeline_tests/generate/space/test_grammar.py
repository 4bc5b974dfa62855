"""Every sample of the grammar is a valid, invariant, distinct expression of its profile."""

from __future__ import annotations

import numpy as np
import pytest

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import (
    OPERATORS,
    Call,
    Constant,
    Node,
    ValueType,
    canonical,
    check,
    depth,
    export_text,
    fields_used,
    lookback,
    parse,
    scale_exponent,
    to_text,
    unit_warning,
    walk,
)
from alpha_pipeline.expression.units import MONEY, PRICE, PURE, SHARES
from alpha_pipeline.generate import Grammar, SearchSettings, make_generator
from alpha_pipeline.generate.space.grammar import negated
from alpha_pipeline.generate.space.units import RATIOS, UNITS, solve_units, unit_of
from alpha_pipeline.generate.space.waste import wasteful
from alpha_pipeline_tests.generate.toy import FIELDS


@pytest.fixture(scope="module")
def samples() -> list[Node]:
    return make_generator("random", 11, FIELDS).ask(2_000)


def test_two_thousand_samples(samples: list[Node]) -> None:
    assert len(set(samples)) == 2_000
    used: set[str] = set()
    for node in samples:
        assert check(node, FIELDS) is ValueType.MATRIX
        assert canonical(node) == node
        assert parse(to_text(node)) == node
        assert scale_exponent(node) == 0
        assert unit_of(node) is not None
        assert unit_warning(node) is None
        assert depth(node) <= 8
        assert lookback(node) <= 300
        assert check(parse(export_text(node, "user")), FIELDS) is ValueType.MATRIX
        assert wasteful(node) is None
        used |= {part.operator for part in walk(node) if isinstance(part, Call)}
    expected = {o.name for o in OPERATORS.values() if o.searched and "user" in o.profiles}
    assert used == expected
    assert not {"ts_max", "ts_min"} & used


def test_sizes_and_signs_spread(samples: list[Node]) -> None:
    depths = np.array([depth(node) for node in samples])
    assert (depths <= 2).mean() > 0.05
    assert (depths >= 6).mean() > 0.1
    reversed_share = np.mean([isinstance(node, Call) and node.operator == "reverse" for node in samples])
    assert 0.3 < reversed_share < 0.6


def test_windows(samples: list[Node]) -> None:
    found = set()
    for node in samples:
        for part in walk(node):
            if isinstance(part, Call) and (position := OPERATORS[part.operator].window_position) is not None:
                window = part.arguments[position]
                assert isinstance(window, Constant)
                found.add(int(window.value))
    assert min(found) == 5
    assert max(found) == 252


def test_a_consultant_may_use_more() -> None:
    used = set()
    for node in make_generator("random", 1, FIELDS, profile="consultant").ask(600):
        used |= {part.operator for part in walk(node) if isinstance(part, Call)}
    assert {"ts_max", "ts_min"} <= used


@pytest.mark.parametrize(
    "fields",
    [
        ["close", "returns"],
        ["close"],
        ["close", "volume", "market"],
        ["cap", "close", "volume", "returns", "sector", "unheard_of"],
    ],
)
def test_only_what_the_panel_holds(fields: list[str]) -> None:
    nodes = make_generator("random", 5, fields).ask(200)
    assert len(nodes) == 200
    held = {*fields, "adv20"} if "volume" in fields else set(fields)
    for node in nodes:
        assert fields_used(node) <= held
        assert check(node, fields) is ValueType.MATRIX


@pytest.mark.parametrize("deepest", [2, 3, 5, 10])
def test_bounds_hold(deepest: int) -> None:
    settings = SearchSettings(deepest=deepest, most_operators=20, longest_lookback=60)
    for node in make_generator("random", 3, FIELDS, settings=settings).ask(150):
        assert depth(node) <= deepest
        assert lookback(node) <= 60


def test_bad_input() -> None:
    with pytest.raises(BadInput, match=r"unknown generator 'gentic'.*random, genetic"):
        make_generator("gentic", 1, FIELDS)
    with pytest.raises(BadInput, match="profile"):
        make_generator("random", 1, FIELDS, profile="guest")
    with pytest.raises(BadInput, match="seed"):
        make_generator("random", -1, FIELDS)
    with pytest.raises(BadInput, match="no price-level invariant expression"):
        make_generator("random", 1, ["sector"])
    with pytest.raises(BadInput, match="deepest"):
        SearchSettings(deepest=11)


REFUSED = [
    ("close - open", "price level"),
    ("rank(close)", "price level"),
    ("1 / close", "price level"),
    ("rank(returns + cap)", "units do not agree"),
    ("ts_max(close, 5) / close", "user"),
    ("ts_mean(returns, 4)", "window"),
    ("ts_mean(ts_mean(returns, 200), 200)", "lookback"),
    ("returns > ts_mean(returns, 5)", "boolean"),
    ("rank(zscore(returns))", "zscore inside rank"),
    ("ts_corr(volume, volume, 10)", "equal arguments"),
    ("rank(-returns)", "minus inside rank"),
    ("-(returns - rank(returns))", "minus before a difference"),
    ("close / ts_delta(close, 5)", "0 or negative"),
    ("log(returns)", "0 or negative"),
    (9 * "ts_delta(" + "returns" + 9 * ", 5)", "depth"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_refused(text: str, reason: str) -> None:
    problem = Grammar([*FIELDS, "cap"]).problem(canonical(parse(text)))
    assert problem is not None
    assert reason in problem


@pytest.mark.parametrize(
    "text",
    [
        "-(ts_delta(close, 5) / close)",
        "-ts_corr(rank(returns), rank(volume * close), 10)",
        "group_neutralize(ts_zscore(volume, 20), sector)",
        "if_else(ts_rank(volume, 20) > 0.8, -returns, returns)",
        "log(close / vwap)",
    ],
)
def test_accepted(text: str) -> None:
    assert Grammar(FIELDS).problem(canonical(parse(text))) is None


def test_units() -> None:
    assert unit_of(parse("close")) == PRICE
    assert unit_of(parse("volume")) == SHARES
    assert unit_of(parse("close * volume")) == MONEY
    assert unit_of(parse("cap / volume")) == PRICE
    assert unit_of(parse("rank(cap)")) == PURE
    assert unit_of(parse("close * close")) is None
    assert unit_of(parse("close + volume")) is None
    assert unit_of(parse("close - ts_mean(close, 5)")) is None
    assert unit_of(parse("ts_delta(close, 5) / close")) in RATIOS
    assert unit_of(parse("ts_mean(ts_delta(close, 5) / close, 5)")) == PURE
    assert set(solve_units("divide", PURE)) == {(u, u) for u in UNITS if u not in RATIOS}
    assert set(solve_units("rank", PURE)) == {(u,) for u in UNITS if u.scale == 0}


def test_negation_returns_and_spares_a_minus() -> None:
    for text, expected in [
        ("returns", "-returns"),
        ("-returns", "returns"),
        ("returns - rank(returns)", "rank(returns) - returns"),
    ]:
        node = parse(text)
        assert to_text(negated(node)) == expected
        assert negated(negated(node)) == node
