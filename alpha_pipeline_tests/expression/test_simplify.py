"""Each rule of the canonical form, proven by evaluation: before and after are the same bits on any panel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alpha_pipeline.engine import Engine
from alpha_pipeline.expression import (
    OPERATORS,
    Call,
    Choices,
    Constant,
    Field,
    Node,
    canonical,
    check,
    identity,
    parse,
    to_text,
    walk,
)
from alpha_pipeline.expression import simplify as simplify_module
from alpha_pipeline.expression.simplify import IDEMPOTENT, RULES, Rule
from alpha_pipeline_tests.engine.checks import same_bits
from alpha_pipeline_tests.engine.panels import random_panel
from alpha_pipeline_tests.expression.trees import DRAWN, GROUPING, random_tree

PANEL = random_panel(5, days=70, instruments=40)
X, Y, Z = parse("ts_delta(close, 2)"), parse("rank(volume) - 0.5"), parse("-(open / vwap - 1) * 1e30")
SECTOR = Field("sector")
ORDERS = (("X", "Y"), ("Y", "X"), ("0.5", "X"))
TEMPLATES: dict[str, list[str]] = {
    "numbers are worked out": ["X * (2 + 3)", "X + 2^3", "max(2, 3) * X"],
    "averages of volume in one spelling": ["X / ts_mean(volume, 20)"],
    "1 / x for inverse": ["inverse(X)"],
    "two minuses cancel": ["-(-X)"],
    "a minus stands outside products, and makes a sum a difference": [
        "-X * Y",
        "X * -Y",
        "-1 * X",
        "-X / Y",
        "X / -Y",
        "X + -Y",
        "-X + Y",
        "X - -Y",
    ],
    "neutral numbers vanish": ["X * 1", "1 * X", "X / 1", "X - 0", "X^1"],
    "once is enough": [
        *(f"{name}({name}(X))" for name in sorted(IDEMPOTENT - {"densify"})),
        "group_rank(group_rank(X, sector), sector)",
        "densify(densify(sign(X)))",
    ],
    "abs loses the sign": ["abs(-X)"],
    "a choice between equals": ["if_else(Y, X, X)"],
    "largest of a set, in any order": [
        "max(max(X, Y), X)",
        "min(Y, min(X, min(X, Y)))",
        "max(X, 0.25, Y, X)",
        "(X && Y) && X",
        "X || (Y || X)",
        "add(X, Y, X)",
        "subtract(X, Y, X)",
        "multiply(X, Y, X, filter=true)",
    ],
    "comparisons read one way": [f"{one} {sign} {other}" for sign in ("<", "<=", ">", ">=") for one, other in ORDERS],
    "one name for one thing": ["negate(X)", "is_not_nan(X)", "group_rank(X, market)"],
    "delays add up": ["ts_delay(ts_delay(X, 2), 3)", "ts_delay(ts_delay(X, 60), 30)"],
    "a difference from the past is a delta": ["X - ts_delay(X, 5)"],
    "not of a comparison is the opposite one": [f"!(X {sign} Y)" for sign in ("<", "<=", ">", ">=", "==", "!=")],
    "ranks are exact": ["rank(X, rate=0)", "rank(X, 3)"],
    "groups go by who is together": ["group_rank(X, densify(sector))", "group_neutralize(X, 1)"],
    "commuted arguments are sorted": [
        *(f"Y {sign} X" for sign in ("+", "*", "==", "!=")),
        "ts_corr(Y, X, 9)",
        "add(Y, X, filter=true)",
    ],
}
"""Expressions that each rule rewrites, over X, Y."""

BY_TEXT = ("commuted arguments are sorted", "comparisons read one way", "largest of a set, in any order")


def filled(text: str, x: Node, y: Node) -> Node:
    """The tree of a template, nothing simplified."""

    def fill(node: Node) -> Node:
        if isinstance(node, Field):
            return {"x": x, "y": y}.get(node.name, node)
        return node.over([fill(argument) for argument in node.arguments]) if isinstance(node, Call) else node

    return fill(parse(text))


def rewritten(rule: Rule, node: Node) -> Node | None:
    """What the rule alone makes of the first call in the tree, innermost first, that it applies to."""
    if not isinstance(node, Call):
        return None
    for position, argument in enumerate(node.arguments):
        new = rewritten(rule, argument)
        if new is not None:
            arguments = list(node.arguments)
            arguments[position] = new
            return node.over(arguments)
    return rule.rewrite(node)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_keeps_every_bit(rule: Rule) -> None:
    engine = Engine(PANEL)
    for text in TEMPLATES[rule.name]:
        for x, y in ((X, Y), (Y, X), (Z, X), (X, Z), (Field("returns"), Z)):
            before = filled(text, x, y)
            after = rewritten(rule, before)
            if after is None or after == before:
                # the order of arguments is by text: each pair is sorted one way round only
                assert rule.name in BY_TEXT, f"the rule does not apply to {text}"
                continue
            assert same_bits(engine.evaluate(before), engine.evaluate(after)), f"{to_text(before)} → {to_text(after)}"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rule_shows_an_example(rule: Rule) -> None:
    assert to_text(canonical(parse(rule.before))) == rule.after


def test_delays_stay_within_every_reading_of_the_longest_lookback() -> None:
    assert to_text(canonical(parse("ts_delay(ts_delay(close, 500), 11)"))) == "ts_delay(close, 511)"
    apart = canonical(parse("ts_delay(ts_delay(close, 500), 500)"))
    check(apart, choices=Choices(longest_window="511"))


def test_one_identity_for_all_spellings() -> None:
    spellings = ("a = volume; rank(-ts_delta(close, 5)) * a", "volume*rank( - delta(CLOSE,5) )")
    assert len({identity(parse(text)) for text in spellings}) == 1
    assert identity(parse("rank(close)")) != identity(parse("rank(open)"))


def test_every_rule_has_templates() -> None:
    assert set(TEMPLATES) == {rule.name for rule in RULES}


@settings(max_examples=150)
@given(st.integers(0, 2**32))
def test_nested_rewrites_keep_every_bit(seed: int) -> None:
    """Templates inside templates, by all rules together; and the result is a fixed point."""
    random = np.random.default_rng(seed)
    texts = [text for texts in TEMPLATES.values() for text in texts if "densify(densify" not in text]
    x, y = X, Y
    for _ in range(3):
        made = filled(texts[int(random.integers(len(texts)))], x, y)
        x, y = (made, x) if random.random() < 0.5 else (x, made)
    once = canonical(made)
    assert canonical(once) == once
    engine = Engine(PANEL)
    assert same_bits(engine.evaluate(made), engine.evaluate(once)), f"{to_text(made)} → {to_text(once)}"


@given(st.integers(0, 2**32), st.integers(1, 4))
def test_what_an_account_may_use_it_may_still_use(seed: int, depth: int) -> None:
    """No rule brings in an operator that an ordinary account lacks."""
    names = [name for name in DRAWN if "user" in OPERATORS[name].profiles]
    once = canonical(random_tree(np.random.default_rng(seed), depth, names))
    lacking = {o.name for o in OPERATORS.values() if "user" not in o.profiles} - set(GROUPING)
    assert not {part.operator for part in walk(once) if isinstance(part, Call)} & lacking


def test_a_wrong_rule_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of the test: x + 0 is not x where x is −0, since 1 / x tells; nor is rank(-x) a reversed rank."""
    engine = Engine(PANEL)

    def plus_zero(call: Call) -> Node | None:
        return call.arguments[0] if call.operator == "add" and call.arguments[1] == Constant(0.0) else None

    monkeypatch.setattr(simplify_module, "RULES", (Rule("wrong", plus_zero, "", ""),))
    simplify_module._canonical_call.cache_clear()
    before = parse("1 / (-(close - close) + 0)")
    assert not same_bits(engine.evaluate(before), engine.evaluate(canonical(before)))
    simplify_module._canonical_call.cache_clear()
