"""Every example of the reference, run through parser, checker and engine; and the pages themselves."""

from __future__ import annotations

import ast
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alpha_pipeline.engine import Engine
from alpha_pipeline.expression import (
    CATALOGUE,
    OPERATORS,
    FieldSpec,
    Operator,
    Slot,
    ValueType,
    canonical,
    check,
    parse,
)
from alpha_pipeline.expression.reference import Example, examples, page, pages, statements
from alpha_pipeline.market.panel import Panel
from alpha_pipeline.market.vectors import Vectors
from alpha_pipeline_tests.engine.panels import INFO

ALL = [(name, example) for name, operator in OPERATORS.items() for example in examples(operator)]
DOCS = Path(__file__).resolve().parents[2] / "docs" / "operators"
_LABELS = ",".join(f"{label}.5" for label in range(12))


def along_time(operator: Operator) -> bool:
    """Whether a list of an example is a history, not a day."""
    return operator.across == "days" or (operator.across == "cells" and operator.stateful)


def literals(text: str) -> list[tuple[int, int]]:
    """Where the outermost brackets `[…]` of a text begin and end."""
    found, depth, start = [], 0, 0
    for i, character in enumerate(text):
        if character == "[":
            start = i if depth == 0 else start
            depth += 1
        elif character == "]":
            depth -= 1
            if depth == 0:
                found.append((start, i + 1))
    return found


def value_of(literal: str) -> Any:
    """A list of numbers, of lists, or of the events of cells (tuples)."""
    text = literal.replace("{", "tuple_(").replace("}", ")")
    text = re.sub(r"tuple_\(([^)]*)\)", lambda m: f"({m.group(1)}{',' if m.group(1).strip() else ''})", text)
    return ast.literal_eval(re.sub(r"\bnan\b", "None", text).replace("inf", "1e999"))


def number(value: Any) -> float:
    return math.nan if value is None else float(value)


class Laid:
    """An example laid out as a panel: its lists are fields x0, x1, …"""

    def __init__(self, operator: Operator, example: Example) -> None:
        text, matrices, events = example.call, [], {}
        for count, (start, stop) in reversed(list(enumerate(literals(example.call)))):
            value, name = value_of(example.call[start:stop]), f"x{count}"
            slot = self.slot(operator, example.call[:start])
            if value and isinstance(value[0], tuple):
                events[name] = value
            else:
                rows = value if value and isinstance(value[0], list) else [[v] for v in value]
                table = np.array([[number(v) for v in row] for row in rows], dtype=np.float32)
                if not (value and isinstance(value[0], list)) and not along_time(operator):
                    table = table.T
                matrices.append((name, table))
            as_group = slot is Slot.GROUP
            text = text[:start] + (f'bucket({name}, buckets="{_LABELS}")' if as_group else name) + text[stop:]
        self.text = text
        shape = matrices[0][1].shape if matrices else (1, len(next(iter(events.values()), [0])))
        self.panel = Panel.assemble(
            np.datetime64("2020-01-01") + np.arange(shape[0]),
            [f"S{i}" for i in range(shape[1])],
            {"close": np.ones(shape, np.float32), **dict(matrices)},
            INFO,
            vectors={name: self.vectors(cells) for name, cells in events.items()},
        )
        specs = [FieldSpec(name, ValueType.MATRIX) for name, _ in matrices]
        self.catalogue = CATALOGUE.with_fields([*specs, *(FieldSpec(n, ValueType.VECTOR) for n in events)])

    @staticmethod
    def slot(operator: Operator, before: str) -> Slot | None:
        """The slot of the outermost call's argument that begins after `before`; None inside other calls."""
        inner = before[before.index("(") + 1 :]
        bare = re.sub(r"\[[^\]]*\]", "", re.sub(r"\[\[.*?\]\]", "", inner))
        position = bare.count(",")
        slots = operator.slots_of(max(position + 1, operator.arity))
        return slots[position] if "(" not in bare and position < len(slots) else None

    @staticmethod
    def vectors(cells: list[tuple[float, ...]]) -> Vectors:
        flat = [number(v) for cell in cells for v in cell]
        offsets = np.cumsum([0, *map(len, cells)])
        return Vectors(values=np.array(flat, np.float32), offsets=offsets.astype(np.int64))


def agrees(got: float, expected: str) -> bool:
    """Whether a value is what is printed, to its last digit."""
    wanted = expected.strip()
    if wanted in ("nan", "inf", "-inf"):
        return math.isnan(got) if wanted == "nan" else got == float(wanted)
    decimals = len(wanted.partition(".")[2])
    return abs(got - float(wanted)) <= 0.5 * 10.0**-decimals + 2e-6 * abs(float(wanted))


@pytest.mark.parametrize(("name", "example"), ALL, ids=[f"{n}-{i}" for i, (n, _) in enumerate(ALL)])
def test_example(name: str, example: Example) -> None:
    operator = OPERATORS[name]
    laid = Laid(operator, example)
    node = parse(laid.text)
    if operator.result in (ValueType.MATRIX, ValueType.BOOLEAN):
        check(node, catalogue=laid.catalogue)
    for tree in (node, canonical(node)):
        value = Engine(laid.panel).evaluate(tree)[-1]
        expected = example.expected.strip("[]").split(",")
        assert len(value) == len(expected), f"{value} instead of {example.expected}"
        shown = f"{laid.text} gives {value} instead of {example.expected}"
        assert all(agrees(float(v), e) for v, e in zip(value, expected, strict=True)), shown


@pytest.mark.parametrize("name", [name for name, operator in OPERATORS.items() if not operator.elsewhere])
def test_documentation_is_whole(name: str) -> None:
    operator = OPERATORS[name]
    said = statements(operator)
    assert examples(operator), f"{name} shows no example"
    assert "Formula" in said, f"{name} has no formula"
    assert "NaN" in said, f"{name} says nothing about NaN"
    assert operator.signature in page(operator)


def test_pages_are_of_today() -> None:
    made = pages()
    assert {path.name for path in DOCS.glob("*.md")} == set(made), "run python -m alpha_pipeline.expression.reference"
    for name, text in made.items():
        assert (DOCS / name).read_text() == text, f"{name}: run python -m alpha_pipeline.expression.reference"
