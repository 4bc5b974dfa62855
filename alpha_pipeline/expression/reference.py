"""The reference of the language, made from the registry: a page per operator, an index, the readings taken.

`python -m alpha_pipeline.expression.reference docs/operators` writes the pages; a test holds them to the registry and
runs every example.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from alpha_pipeline.expression.choices import SETTLED, Choices
from alpha_pipeline.expression.operator import CATEGORIES, OPERATORS, Attribute, Operator
from alpha_pipeline.expression.printer import attribute_text
from alpha_pipeline.expression.profiles import LEGACY_NAMES, PROFILES, available, operators_of
from alpha_pipeline.expression.types import AttributeKind, Slot

TESTS = "../../alpha_pipeline_tests"
CONTRACT = f"{TESTS}/engine/test_contract.py"
EXAMPLES = f"{TESTS}/engine/test_examples.py"


@dataclass(frozen=True, slots=True)
class Example:
    """An example of a docstring: `call` as in the language with lists for fields, and the text of what it gives.

    A list `[1, 2]` is one instrument's history, oldest first, for operators that look along time (the result is the
    last day's number), else one day over the instruments (the result is a list). `[[…], […]]` are days × instruments,
    `{…}` the events of one cell, and a list in the place of a group holds labels.
    """

    call: str
    expected: str


def examples(operator: Operator) -> list[Example]:
    """The examples in the operator's docstring."""
    lines = inspect.cleandoc(operator.plain.__doc__ or "").splitlines()
    marked = [i for i, line in enumerate(lines) if line.startswith(">>> ")]
    return [Example(lines[i][4:].strip(), lines[i + 1].strip() if i + 1 < len(lines) else "") for i in marked]


def statements(operator: Operator) -> dict[str, str]:
    """What the docstring says under `Formula:`, `NaN:` and `Ties:`, each on one line."""
    text = inspect.cleandoc(operator.plain.__doc__ or "").split(">>>")[0]
    found = re.findall(r"^(Formula|NaN|Ties): (.*(?:\n(?!(?:Formula|NaN|Ties):|\n).+)*)", text, re.MULTILINE)
    return {name: " ".join(value.split()) for name, value in found}


def unit_text(operator: Operator) -> str:
    """The operator's unit rule in words."""
    names = [operator.parameters[i] for i in operator.numeric_positions]
    text = operator.unit.describe(names)
    kept = operator.category == "time_series" and "pure number" not in text
    return f"{text} Price and share become their time-series units." if kept else text


def page(operator: Operator) -> str:
    """The operator's page, Markdown."""
    said = statements(operator)
    lines = [f"# {operator.name}", "", f"`{operator.signature}`", "", operator.summary, ""]
    if operator.elsewhere:
        lines += [f"**Runs {operator.elsewhere}**: it is read and type-checked here, not evaluated.", ""]
    about = [
        ("Category", operator.category.replace("_", " ")),
        ("Profiles", ", ".join(name for name in PROFILES if available(operator, name))),
        ("Infix", f"`{operator.infix.symbol}`" if operator.infix else ""),
        ("Also written", ", ".join(f"`{name}`" for name in also_written(operator))),
        ("Formula", said.get("Formula", "")),
        ("Result", "of the type of the first input" if operator.result is None else f"a {operator.result.value}"),
        ("Units", unit_text(operator)),
        ("NaN", said.get("NaN", "")),
        ("Ties", said.get("Ties", "")),
        ("Looks at", _looks_at(operator)),
    ]
    lines += ["| | |", "| --- | --- |"]
    lines += [f"| {name} | {_cell(value)} |" for name, value in about if value]
    lines += ["", "## Inputs", "", "| name | takes |", "| --- | --- |"]
    lines += [f"| {name} | {_slot_text(operator, i)} |" for i, name in enumerate(operator.parameters)]
    if operator.attributes:
        lines += ["", "## Attributes", "", "| name | default | value |", "| --- | --- | --- |"]
        lines += [
            f"| {each.name} | {_default_text(each)} | {_cell(value_text(each))} |" for each in operator.attributes
        ]
    readings = {each.name: each.metadata for each in fields(Choices)}
    if operator.choices:
        lines += ["", "## Readings", ""]
        lines += [f"- `{name}`: {readings[name]['reason']} See [choices](choices.md)." for name in operator.choices]
    shown = examples(operator)
    if shown:
        lines += ["", "## Examples", "", "```"]
        lines += [line for each in shown for line in (f">>> {each.call}", each.expected)]
        lines += ["```"]
    if not operator.elsewhere:
        one = f"alpha_pipeline_tests/engine/test_contract.py::test_kernel_is_plain_kernel[{operator.name}]"
        lines += ["", f"Tests: [examples]({EXAMPLES}) and [contract]({CONTRACT}), such as `pytest '{one}'`."]
    return "\n".join(lines) + "\n"


def index() -> str:
    """The index: counts by profile, and every operator by category."""
    lines = ["# Operators", ""]
    lines += ["Made from the registry by `python -m alpha_pipeline.expression.reference`. How sources that contradict"]
    lines += ["each other were read: [choices](choices.md). How examples are to be read: a list is one instrument's"]
    lines += ["history, oldest first, for operators along time, and one day over the instruments for all others.", ""]
    lines += ["| profile | operators |", "| --- | --- |"]
    lines += [f"| {name} | {len(operators_of(name))} |" for name in PROFILES]
    elsewhere = sum(bool(each.elsewhere) for each in OPERATORS.values())
    lines += [
        "",
        f"{elsewhere} of all are read and type-checked but run on the platform only. A consultant's profile holds",
    ]
    lines += ["every documented operator: the lists that were seen have 82 to 102 entries, and differ."]
    for category in CATEGORIES:
        members = [each for each in OPERATORS.values() if each.category == category]
        lines += [
            "",
            f"## {category.replace('_', ' ').capitalize()}",
            "",
            "| operator | user | |",
            "| --- | --- | --- |",
        ]
        for each in members:
            user = "yes" if available(each, "user") else ""
            note = f" *(runs {each.elsewhere})*" if each.elsewhere else ""
            lines.append(f"| [`{each.signature}`]({each.name}.md) | {user} | {_cell(each.summary)}{note} |")
    return "\n".join(lines) + "\n"


def choices_page() -> str:
    """The page of readings: what sources contradict, what is taken, and how to take another."""
    lines = ["# Where sources contradict each other", ""]
    lines += ["Each reading is a setting. A reading other than the default is part of an alpha's identity.", ""]
    lines += ["| setting | default | other | why |", "| --- | --- | --- | --- |"]
    for each in fields(Choices):
        others = ", ".join(each.metadata["options"][1:])
        lines.append(
            f"| `ALPHA_LANGUAGE__{each.name.upper()}` | {each.default} | {others} | {each.metadata['reason']} |"
        )
    lines += ["", "## What no source decides", "", "These are fixed.", ""]
    lines += [f"- {subject} {rule}" for subject, rule in SETTLED]
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """Every page by its file name."""
    made = {f"{operator.name}.md": page(operator) for operator in OPERATORS.values()}
    return {"index.md": index(), "choices.md": choices_page(), **made}


def also_written(operator: Operator) -> Iterator[str]:
    """Other accepted names of the operator; case and underscores do not count."""
    yield from operator.aliases
    yield from (name for name, meant in LEGACY_NAMES.items() if meant == operator.name and name != operator.name)


def value_text(attribute: Attribute) -> str:
    """What an attribute's value may be, in words."""
    kind = attribute.type
    if kind.kind is AttributeKind.FLAG:
        return "true or false"
    if kind.kind is AttributeKind.TEXT:
        if kind.options:
            return ", ".join(f'"{option}"' for option in kind.options)
        return "a text" + (f', such as "{kind.samples[0]}"' if kind.samples else "")
    text = "a whole number" if kind.whole else "a number"
    if kind.lowest > float("-inf"):
        text += f" from {kind.lowest:g}"
    return text + (f" to {kind.highest:g}" if kind.highest < float("inf") else "")


def _default_text(attribute: Attribute) -> str:
    if attribute.required:
        return "required"
    return "none" if attribute.default is None else attribute_text("", attribute.default).removeprefix("=")


def _slot_text(operator: Operator, position: int) -> str:
    slot = operator.slots[position]
    last = position == len(operator.slots) - 1 - (operator.window_position is not None)
    repeats = (operator.variadic or operator.chained) and last
    group = "a group, or 1 for all instruments as one" if slot is Slot.GROUP else slot.value
    return group + ("; may be repeated" if repeats else "")


def _looks_at(operator: Operator) -> str:
    text = {
        "cells": "its own cell",
        "days": "earlier days of its instrument",
        "instruments": "the instruments of the universe on its day",
        "both": "earlier days, and the instruments of the universe",
    }[operator.across]
    return text + (", and its own last result" if operator.stateful else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main(folder: str) -> None:
    """Write all pages into a folder, and remove those of operators that are gone."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    made = pages()
    for old in place.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (place / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs/operators")
