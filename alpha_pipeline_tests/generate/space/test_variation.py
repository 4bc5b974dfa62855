"""Changes to trees keep types, units and validity, wherever they strike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alpha_pipeline.expression import Call, Node, ValueType, canonical, check, parse, scale_exponent, size, to_text
from alpha_pipeline.expression import walk_paths as paths
from alpha_pipeline.expression.units import PURE
from alpha_pipeline.generate import Grammar, SearchSettings
from alpha_pipeline.generate.genetic.blend import blend
from alpha_pipeline.generate.space import variation
from alpha_pipeline.generate.space.grammar import symbol_of
from alpha_pipeline.generate.space.units import RATIOS, unit_of
from alpha_pipeline_tests.generate.toy import FIELDS

GRAMMAR = Grammar(FIELDS)
seeds = st.integers(0, 2**32)
UNARY = {
    "subtree": variation.subtree,
    "point": variation.point,
    "window": variation.window,
    "hoist": variation.hoist,
    "wrap": variation.wrap,
}


def sample(random: np.random.Generator) -> Node:
    node = GRAMMAR.sample(random)
    assert node is not None
    return node


def assert_well_typed(node: Node) -> None:
    assert check(node, FIELDS) is ValueType.MATRIX
    assert scale_exponent(node) == 0
    assert unit_of(node) is not None
    for _, part in paths(node):
        if isinstance(part, Call):
            assert symbol_of(part) is not None


@given(seeds)
def test_crossover_keeps_types_and_units(seed: int) -> None:
    random = np.random.default_rng(seed)
    receiver, donor = sample(random), sample(random)
    child = variation.crossover(random, GRAMMAR, receiver, donor)
    if child is not None:
        assert_well_typed(child)
        given_parts = {part for _, part in paths(donor)}
        changed = [path for path, part in paths(child) if part in given_parts]
        assert changed, "nothing of the donor arrived"


@pytest.mark.parametrize("name", list(UNARY))
@given(seed=seeds)
@example(seed=3_092_223_661)  # wrap: a score of money where money is needed
def test_mutations_keep_types_and_units(name: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    parent = sample(random)
    child = UNARY[name](random, GRAMMAR, parent)
    if child is not None:
        assert_well_typed(child)
        assert child != parent or name == "subtree"
    if child is not None and name == "hoist":
        assert size(child) < size(parent)
    if child is not None and name == "wrap":
        assert size(child) > size(parent)


@pytest.mark.parametrize("name", [*UNARY, "crossover", "blend"])
def test_most_changes_can_be_proposed(name: str) -> None:
    random = np.random.default_rng(8)
    valid = tried = 0
    for _ in range(200):
        parent, other = sample(random), sample(random)
        child: Node | None
        if name == "crossover":
            child = variation.crossover(random, GRAMMAR, parent, other)
        elif name == "blend":
            child = blend(random, parent, other)
        else:
            change: Callable[..., Node | None] = UNARY[name]
            child = change(random, GRAMMAR, parent)
        if child is not None:
            tried += 1
            valid += GRAMMAR.problem(canonical(child)) is None
    assert tried > 100
    assert valid / tried > 0.3


@given(seeds)
def test_a_blend_is_pure_and_canonical(seed: int) -> None:
    random = np.random.default_rng(seed)
    node = blend(random, sample(random), sample(random))
    assert canonical(node) == node
    assert unit_of(node) in (PURE, *RATIOS)


def test_a_blend_keeps_signs() -> None:
    class First:
        def random(self) -> float:
            return 0.0

    random: np.random.Generator = First()  # type: ignore[assignment]
    for one, other, expected in [
        ("returns", "ts_zscore(close, 5)", "rank(returns) + rank(ts_zscore(close, 5))"),
        ("returns", "-ts_rank(close, 5)", "rank(returns) - ts_rank(close, 5)"),
        ("-returns", "rank(cap)", "rank(cap) - rank(returns)"),
        ("-returns", "-zscore(cap)", "-(rank(returns) + zscore(cap))"),
        ("-scale(returns)", "rank(cap) - ts_rank(close, 5)", "rank(cap) - ts_rank(close, 5) - rank(returns)"),
    ]:
        assert to_text(blend(random, parse(one), parse(other))) == expected


def test_a_parent_deeper_than_allowed_is_left_alone() -> None:
    """The mirror image of a proposal has a minus more than it; below its leaves there is no room for a subtree."""
    shallow = Grammar(FIELDS, settings=SearchSettings(deepest=1, most_operators=1))
    random = np.random.default_rng(0)
    made = [variation.subtree(random, shallow, parse("-ts_rank(returns, 20)")) for _ in range(200)]
    assert None in made
