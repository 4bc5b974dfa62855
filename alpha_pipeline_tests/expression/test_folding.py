"""Plain numbers inside an expression are worked out: as windows, as attributes, in the canonical form."""

from __future__ import annotations

import time

import pytest

from alpha_pipeline.expression import OPERATORS, Choices, ExpressionError, canonical, check, parse, parse_text, to_text
from alpha_pipeline.expression.folding import FOLDED

OF_NUMBERS = [name for name, operator in OPERATORS.items() if operator.category in FOLDED]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ts_mean(close, 2 * 10)", "ts_mean(close, 20)"),
        ("ts_mean(close, lookback=2^4)", "ts_mean(close, 16)"),
        ("n = 2 + 3; winsorize(close, std=n - 1) + n", "5 + winsorize(close)"),
        ("close * max(2, 3)", "3 * close"),
        ("close + log(0)", "close + log(0)"),  # no finite number
    ],
)
def test_numbers_are_worked_out(text: str, expected: str) -> None:
    assert to_text(canonical(parse(text))) == expected


@pytest.mark.parametrize("call", ["s_log_1p(9)", "nan_mask(5, 0)", "multiply(2, 3, filter=true)"])
def test_what_a_reading_decides_is_left_to_the_engine(call: str) -> None:
    """The canonical form is one for all readings."""
    assert to_text(canonical(parse(f"close - {call}"))) == f"close - {call}"
    with pytest.raises(ExpressionError, match="must be constant"):
        check(parse_text(f"ts_mean(close, {call})"), choices=Choices(log_1p="decimal"))


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_wrong_attributes_of_numbers_are_refused(name: str) -> None:
    operator = OPERATORS[name]
    numbers = ", ".join("2" for _ in operator.slots)
    for attribute in ("foo=1", *(f"{each.name}={value}" for each in operator.attributes for value in ("word", -7.5))):
        for text in (f"ts_mean(close, {name}({numbers}, {attribute}))", f"close + {name}({numbers}, {attribute})"):
            parsed = parse_text(text)
            canonical(parsed.node)
            if attribute == "foo=1":
                with pytest.raises(ExpressionError):
                    check(parsed)


def test_a_number_in_a_variable_is_worked_out_once() -> None:
    doubled = "".join(f"n{i} = n{i - 1} + n{i - 1};" for i in range(1, 12))
    text = f"n0 = 1; {doubled}" + " + ".join(["ts_mean(close, n11 / 256)"] * 60)
    begun = time.perf_counter()
    node = parse(text)
    assert time.perf_counter() - begun < 0.2
    assert to_text(node).startswith("ts_mean(close, 8) + ts_mean(close, 8)")
