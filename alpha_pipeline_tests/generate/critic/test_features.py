"""What the critic sees: hand-counted trees."""

from __future__ import annotations

import zlib

import numpy as np

from alpha_pipeline.expression import Call, Constant, Field, Node, canonical, parse, walk
from alpha_pipeline.generate import Grammar
from alpha_pipeline.generate.critic.features import PAIRS, SIZES, Features
from alpha_pipeline_tests.generate.toy import FIELDS

FEATURES = Features(Grammar(FIELDS))


def row(text: str, *held: str) -> dict[str, float]:
    found = FEATURES([canonical(parse(text))], [canonical(parse(each)) for each in held])
    return {name: float(value) for name, value in zip(FEATURES.names, found[0], strict=True) if value}


def pair(outer: str, inner: str) -> str:
    return f"pair {zlib.crc32(f'{outer} {inner}'.encode()) % PAIRS}"


def test_a_tree_by_hand() -> None:
    found = row("-rank(ts_corr(close, volume, 12))")
    wanted = {
        "reverse": 1.0,
        "rank": 1.0,
        "ts_corr": 1.0,
        "field close": 1.0,
        "field volume": 1.0,
        "window to 15": 1.0,
        "depth": 3.0,
        "operators": 3.0,
        "lookback": 11.0,
        "kinds of operator": 3.0,
        "kinds of field": 2.0,
    }
    for outer, inner in (("", "reverse"), ("reverse", "rank"), ("rank", "ts_corr")):
        wanted[pair(outer, inner)] = wanted.get(pair(outer, inner), 0.0) + 1.0
    assert found == wanted


def test_counts_are_those_of_a_walk() -> None:
    grammar, random = Grammar(FIELDS), np.random.default_rng(1)
    nodes = [node for node in (grammar.sample(random) for _ in range(200)) if node is not None]
    rows = FEATURES(nodes)
    place = {name: number for number, name in enumerate(FEATURES.names)}
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    for node, found in zip(nodes, rows, strict=True):
        parts = list(walk(node))
        for operator in ("ts_corr", "divide", "rank"):
            assert found[place[operator]] == sum(isinstance(p, Call) and p.operator == operator for p in parts)
        assert found[place["field close"]] == parts.count(Field("close"))
        constants = sum(isinstance(part, Constant) for part in parts)
        assert found[place["window to 5"] : place["window to 252"] + 1].sum() == constants
        pairs = found[place["pair 0"] : place["pair 0"] + PAIRS].sum()
        assert pairs == sum(isinstance(part, Call) for part in parts)  # every operator stands in one, the root in ""


def test_likeness_is_the_largest_cosine() -> None:
    text = "rank(ts_corr(close, volume, 10))"
    assert row(text, "ts_delta(open, 5)", text)["likeness"] == 1.0
    assert 0 < row(text, "rank(ts_corr(close, open, 10))")["likeness"] < 1.0
    assert "likeness" not in row(text)
    assert FEATURES.names[-len(SIZES) :] == SIZES


def test_nothing_of_nothing() -> None:
    assert FEATURES([], [canonical(parse("rank(close)"))]).shape == (0, len(FEATURES.names))


def test_rows_do_not_depend_on_what_was_asked_before() -> None:
    nodes: list[Node] = [canonical(parse(text)) for text in ("rank(close)", "ts_delta(rank(close), 5)")]
    assert (FEATURES(nodes) == np.concatenate([FEATURES([node]) for node in nodes[::-1]])[::-1]).all()
