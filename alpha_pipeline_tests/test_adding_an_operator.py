"""The worked example of docs/adding-an-operator.md: the function there, declared as it stands, and all that follows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from alpha_pipeline.engine import Engine
from alpha_pipeline.expression import (
    OPERATORS,
    Call,
    TypeProblem,
    canonical,
    check,
    export_text,
    operators_of,
    parse,
    parse_text,
    scale_exponent,
    to_text,
    unit_of,
    walk,
)
from alpha_pipeline.expression.operator import Operator, unregister
from alpha_pipeline.expression.reference import examples, index, page
from alpha_pipeline.generate import make_generator
from alpha_pipeline_tests.engine.panels import random_panel
from alpha_pipeline_tests.engine.test_examples import test_example as run_example

PAGE = Path(__file__).resolve().parents[1] / "docs" / "adding-an-operator.md"


@pytest.fixture
def declared() -> Iterator[Operator]:
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert code is not None
    # Annotations are looked up in the function's module, so it needs a namespace of its own.
    exec(compile(code.group(1), str(PAGE), "exec"), {"__name__": "alpha_pipeline_tests.declared"})
    yield OPERATORS["ts_range"]
    unregister("ts_range")


def test_everything_follows_from_the_declaration(declared: Operator) -> None:
    tree = parse("tsrange(close, lookback=5)")
    assert tree == parse("TS_RANGE(close, 5, FACTOR=1)")
    assert to_text(parse("ts_range(close, 5, 2)")) == "ts_range(close, 5, factor=2)"
    check(tree, profile="consultant")
    for text, words in (
        ("ts_range(close)", 'Required attribute "lookback" must have a value'),
        ("ts_range(sector, 5)", "Grouping data used outside of group operator"),
        ("ts_range(close, 5, factor=-1)", "must be from 0"),
        ("ts_range(close, 5, factr=1)", "did you mean `factor`"),
    ):
        with pytest.raises(TypeProblem, match=words):
            check(parse_text(text))
    with pytest.raises(TypeProblem, match="inaccessible or unknown"):
        check(tree, profile="user")
    assert str(unit_of(tree)) == "Unit[TSPrice:1]"
    assert scale_exponent(tree) == 1
    assert export_text(canonical(tree), "consultant") == "ts_range(close, 5)"
    assert declared in operators_of("consultant")


def test_it_runs_and_is_documented(declared: Operator) -> None:
    panel = random_panel(4, days=40, instruments=12)
    engine = Engine(panel)
    expected = engine.evaluate(parse("ts_max(close, 5) - ts_min(close, 5)"))
    np.testing.assert_allclose(engine.evaluate(parse("ts_range(close, 5)")), expected, rtol=1e-5, atol=1e-5)
    for example in examples(declared):
        run_example("ts_range", example)
    assert "factor · (max − min)" in page(declared)
    assert "[`ts_range(x, window, factor=1)`](ts_range.md)" in index()


def test_generators_draw_it(declared: Operator) -> None:
    fields = ["open", "close", "volume", "returns", "sector"]
    drawn = make_generator("random", 2, fields, profile="consultant").ask(400)
    used = {part.operator for node in drawn for part in walk(node) if isinstance(part, Call)}
    assert "ts_range" in used
    assert not any("ts_range" in to_text(node) for node in make_generator("random", 2, fields).ask(200))
