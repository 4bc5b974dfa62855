"""Units: the platform's warnings in its words, rules forwards and backwards, and numbers that bear them out."""

from __future__ import annotations

from itertools import product

import pytest

from alpha_pipeline.expression import OPERATORS, Choices, Unit, parse, unit_of, unit_warning
from alpha_pipeline.expression.units import GROUP, MONEY, PRICE, PURE, SHARES, Mismatch, parse_unit
from alpha_pipeline_tests.expression.test_text import table

VOCABULARY = (PURE, PRICE, SHARES, MONEY, PRICE.over_time(), Unit(price=-1))


@pytest.mark.parametrize(("text", "expected"), table("units.txt", " | "))
def test_units_of_expressions(text: str, expected: str) -> None:
    node = parse(text)
    if expected.startswith("Unit["):
        assert unit_warning(node) is None
        assert str(unit_of(node)) == expected
    else:
        assert unit_warning(node) == expected
        assert unit_of(node) is None


def test_time_series_units_are_a_choice() -> None:
    node = parse("close - ts_mean(close, 5)")
    assert unit_warning(node) is not None
    assert unit_warning(node, choices=Choices(time_series_units="same")) is None


@pytest.mark.parametrize("name", [name for name, o in OPERATORS.items() if 1 <= len(o.numeric_positions) <= 3])
def test_backwards_agrees_with_forwards(name: str) -> None:
    """What `solve_units` gives infers to the target, and nothing that does is left out."""
    operator = OPERATORS[name]
    count = len(operator.numeric_positions)
    made: dict[Unit, set[tuple[Unit, ...]]] = {}
    for inputs in product(VOCABULARY, repeat=count):
        found = operator.infer_unit(inputs, [False] * count)
        if not isinstance(found, Mismatch):
            made.setdefault(found, set()).add(inputs)
    for target, expected in made.items():
        assert set(operator.solve_units(target, VOCABULARY)) == expected
    assert list(operator.solve_units(Unit(price=7), VOCABULARY)) == []


def test_units_are_written_and_read() -> None:
    for text in (
        "Unit[]",
        "Unit[CSPrice:1]",
        "Unit[CSPrice:1,CSShare:-1]",
        "Unit[TSPrice:1,TSShare:1]",
        "Unit[Group:1]",
    ):
        assert str(parse_unit(text)) == text
    assert parse_unit(" CSShare:-1 , CSPrice:1 ") == Unit(price=1, share=-1)
    assert parse_unit("") == PURE
    assert str(GROUP) == "Unit[Group:1]"
    for wrong in ("USD", "CSPrice", "CSPrice:x", "CSPrice:1,,", "CSPrice:1.5"):
        with pytest.raises(ValueError, match="no unit"):
            parse_unit(wrong)
