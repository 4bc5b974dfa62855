"""Waves: every call once, inputs before their consumers, no more matrices at a time than said."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from alpha_pipeline.engine import tree
from alpha_pipeline.engine.torch_device import plan
from alpha_pipeline.expression import Call, Node, parse
from alpha_pipeline.generate.space.grammar import Grammar

FIELDS = ("open", "high", "low", "close", "volume", "returns", "vwap", "sector", "industry")


@pytest.fixture(scope="module")
def nodes() -> list[Node]:
    grammar, random = Grammar(FIELDS), np.random.default_rng(3)
    found = [node for node in (grammar.sample(random) for _ in range(60)) if node is not None]
    return [tree.resolve(node, FIELDS, FIELDS) for node in (*found, *found[:5])]


@pytest.mark.parametrize("deep", [False, True])
def test_a_wave_is_an_order(nodes: list[Node], deep: bool) -> None:
    for size in (1, 2, 7, 40, len(nodes)):
        roots = nodes[:size]
        wave = plan.wave(roots, (), (), deep)
        ran: set[Call] = set()
        for step in wave.steps:
            assert len({plan.signature(call) for call in step}) == 1
            for call in step:
                assert call not in ran
                assert ran.issuperset(plan.inputs(call))
            ran |= set(step)
        assert ran == {call for root in roots for call in tree.calls(root)}
        assert wave.peak <= len(ran)
        edges = Counter(each for call in ran for each in plan.inputs(call))
        assert wave.uses == edges + Counter(root for root in roots if isinstance(root, Call))


def test_held_values_are_not_made_again(nodes: list[Node]) -> None:
    root = next(node for node in nodes if isinstance(node, Call) and plan.inputs(node))
    assert isinstance(root, Call)
    held = set(plan.inputs(root))
    assert plan.wave([root], held, ()).steps == [[root]]
    assert plan.wave([root], {root}, ()).steps == []


def test_depth_first_needs_less() -> None:
    wide = parse(" + ".join(f"rank(ts_delta(close, {i}))" for i in range(1, 20)))
    shallow, deep = plan.wave([wide], (), ()), plan.wave([wide], (), (), deep=True)
    assert shallow.peak >= 19
    assert deep.peak <= 4
    assert plan.wave([wide], (), set(tree.calls(wide)), deep=True).peak == len(set(tree.calls(wide)))


def test_what_runs_as_one() -> None:
    def same(one: str, other: str) -> bool:
        a, b = parse(one), parse(other)
        assert isinstance(a, Call)
        assert isinstance(b, Call)
        return plan.signature(a) == plan.signature(b)

    assert same("ts_mean(close, 5)", "ts_mean(volume, 5)")
    assert same("close + 1", "rank(open) + 2")
    assert same("group_rank(close, sector)", "group_rank(rank(open), sector)")
    assert not same("ts_mean(close, 5)", "ts_mean(close, 6)")
    assert not same("close + 1", "close + open")
    assert not same("group_rank(close, sector)", "group_rank(close, industry)")
    assert not same("winsorize(close, std=2)", "winsorize(close, std=3)")
    assert not same("ts_step(1)", "ts_step(2)")


def test_sizes() -> None:
    assert list(plan.sizes(1)) == [1]
    assert list(plan.sizes(5)) == [1, 2, 4, 5]
    assert list(plan.sizes(9999))[-1] == plan.MOST
