"""Text to tree and back: tables of cases, and properties over random trees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpha_pipeline.expression import (
    OPERATORS,
    Call,
    Constant,
    ExpressionError,
    Field,
    SyntaxProblem,
    TypeProblem,
    canonical,
    check,
    export_text,
    export_tree,
    parse,
    parse_text,
    to_text,
    walk,
)
from alpha_pipeline_tests.expression.trees import evaluate, random_call, random_panel, random_tree

CASES = Path(__file__).resolve().parents[1] / "cases"
trees = st.builds(
    lambda seed, depth: random_tree(np.random.default_rng(seed), depth), st.integers(0, 2**32), st.integers(1, 6)
)


def table(name: str, separator: str) -> list[tuple[str, ...]]:
    lines = (CASES / name).read_text().splitlines()
    return [tuple(line.split(separator)) for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize(("text", "expected"), table("expressions.txt", " => "))
def test_canonical_text(text: str, expected: str) -> None:
    node = canonical(parse(text))
    assert to_text(node) == expected
    assert parse(expected) == node


@pytest.mark.parametrize(("text", "stage", "column", "message"), table("refused.txt", "|"))
def test_refused(text: str, stage: str, column: str, message: str) -> None:
    with pytest.raises(SyntaxProblem if stage == "syntax" else TypeProblem) as caught:
        check(parse_text(text))
    assert message in str(caught.value)
    assert caught.value.column == int(column)
    assert "\n" not in str(caught.value)
    assert caught.value.pointer().splitlines()[1].index("^") == int(column) - 1


@given(trees)
def test_round_trip(node: object) -> None:
    tree = canonical(node)  # type: ignore[arg-type]
    assert parse(to_text(tree)) == tree


@given(trees)
def test_round_trip_of_what_parses(node: object) -> None:
    once = parse(to_text(node))  # type: ignore[arg-type]
    assert parse(to_text(once)) == once


@pytest.mark.parametrize("name", [name for name, operator in OPERATORS.items() if not operator.elsewhere])
def test_every_operator_round_trips(name: str) -> None:
    """With random arguments and attributes, through its own text and its canonical one."""
    random = np.random.default_rng(3)
    for _ in range(30):
        node = random_call(random, name)
        for tree in (parse(to_text(node)), canonical(node)):
            assert parse(to_text(tree)) == tree


@given(trees)
def test_canonical_is_idempotent(node: object) -> None:
    once = canonical(node)  # type: ignore[arg-type]
    assert canonical(once) == once


@given(st.integers(0, 2**32), st.integers(1, 4))
def test_canonical_keeps_every_value(seed: int, depth: int) -> None:
    random = np.random.default_rng(seed)
    node = random_tree(random, depth)
    panel = random_panel(random)
    np.testing.assert_array_equal(evaluate(canonical(node), panel), evaluate(node, panel))


@given(st.integers(0, 2**32), st.integers(1, 4))
def test_export_text_keeps_every_value(seed: int, depth: int) -> None:
    random = np.random.default_rng(seed)
    node = canonical(random_tree(random, depth))
    panel = random_panel(random)
    for name, window in (("adv20", 20), ("adv60", 60)):  # what adv means, by definition
        panel[name] = OPERATORS["ts_mean"].plain(panel["volume"], window)
    text = export_text(node, "consultant")
    assert "adv60" not in text
    np.testing.assert_array_equal(evaluate(parse(text), panel), evaluate(node, panel))


def test_export_names_what_the_profile_lacks() -> None:
    with pytest.raises(TypeProblem, match="ts_max"):
        export_text(parse("ts_max(close, 5)"))
    assert export_text(parse("ts_max(close, 5)"), "consultant") == "ts_max(close, 5)"
    assert export_text(parse("delay(adv60, 5) / adv20")) == "ts_delay(ts_mean(volume, 60), 5) / adv20"
    assert export_tree(Field("close")) == Field("close")


@given(st.text(max_size=60))
def test_any_text_raises_expression_errors_only(text: str) -> None:
    try:
        check(parse_text(text))
    except ExpressionError as error:
        described = error.describe(), error.pointer()
        if "\n" in described[0]:
            raise AssertionError(f"more than one line: {described[0]!r}") from error


@given(
    trees,
    st.lists(
        st.tuples(
            st.integers(0, 300),
            st.sampled_from([*"()+-*/^<>=!,. 019ae#$\n\t\x00é²", "rank(", "ts_mean(", "sector", "/*", "*/", "1e400"]),
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_mutated_texts_raise_expression_errors_only(node: object, edits: list[tuple[int, str]]) -> None:
    text = to_text(node)  # type: ignore[arg-type]
    for place, piece in edits:
        place %= len(text) + 1
        text = text[:place] + piece + text[place + (len(piece) + place) % 3 :]
    try:
        tree = parse(text)
        check(tree)
    except ExpressionError:
        return
    assert parse(to_text(tree)) == tree
    canonical(tree)


def test_missing_data_is_named() -> None:
    with pytest.raises(TypeProblem, match="Invalid data field vwap"):
        check(parse("vwap / close"), ["close", "sector"])
    with pytest.raises(TypeProblem, match="Invalid data field industry"):
        check(parse("group_rank(close / close, industry)"), ["close", "sector"])
    with pytest.raises(TypeProblem, match="adv20"):
        check(parse("adv20 / adv20"), ["close"])


def test_nodes_are_equal_by_structure() -> None:
    one, other = parse("rank(close - open)"), parse("rank( close-open )")
    assert one == other
    assert hash(one) == hash(other)
    assert len(set(walk(parse("close / close")))) == 2
    assert Call("rank", (Constant(1.0),)) != Call("zscore", (Constant(1.0),))


def test_true_is_not_one() -> None:
    """Python says that they are equal; what is remembered of one tree must not answer for the other."""
    number, flag = parse("winsorize(close, std=1)"), parse("winsorize(close, std=true)")
    assert number != flag
    assert len({number, flag}) == 2
    assert to_text(canonical(flag)) == "winsorize(close, std=true)"
    assert to_text(canonical(number)) == "winsorize(close, std=1)"
