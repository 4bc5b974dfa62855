"""`operators`, `explain` and `check`: the language itself, without evaluating anything."""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markdown import Markdown
from rich.tree import Tree

from alpha_pipeline.cli.display import DONE, INTERRUPTED, REJECTED, emit, output, say, show, show_table
from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import (
    CATALOGUE,
    FIELDS,
    OPERATORS,
    PROFILES,
    Call,
    Catalogue,
    Choices,
    ExpressionError,
    Field,
    Node,
    Operator,
    Parsed,
    Slot,
    Unit,
    canonical,
    check,
    depth,
    fields_used,
    identity,
    load_fields,
    lookback,
    missing_data,
    operator_count,
    operators_of,
    parse_text,
    scale_exponent,
    to_text,
)
from alpha_pipeline.expression.check import value_type
from alpha_pipeline.expression.errors import nearest
from alpha_pipeline.expression.operator import SPELLINGS, folded
from alpha_pipeline.expression.profiles import LEGACY_SPELLINGS, available
from alpha_pipeline.expression.reference import examples, page, statements, unit_text
from alpha_pipeline.expression.unit_check import infer_unit, unit_warning
from alpha_pipeline.home import Home
from alpha_pipeline.settings import load_settings


@dataclass(frozen=True, slots=True)
class Reading:
    """What texts are read with.

    Attributes:
        profile: the operators that may be used.
        choices: readings of the language.
        catalogue: the fields that there are.
        held: names of the data that is held.
    """

    profile: str
    choices: Choices
    catalogue: Catalogue
    held: Collection[str]

    def parse(self, text: str) -> Parsed:
        """The program of a text. Raises SyntaxProblem."""
        return parse_text(text, self.profile, self.choices)

    def check(self, parsed: Parsed) -> None:
        """Refuse what does not type-check. Raises TypeProblem."""
        check(parsed, catalogue=self.catalogue, profile=self.profile, choices=self.choices, runs_here=False)


def operators(options: argparse.Namespace) -> int:
    """List the operators, or print the page of one."""
    profile = profile_of(options)
    if options.name is not None:
        return _operator_page(options.name, options.json)
    chosen = operators_of(profile)
    counts = {name: len(operators_of(name)) for name in PROFILES}
    if options.json:
        emit({"profile": profile, "counts": counts, "operators": [_about(each) for each in chosen]})
        return DONE
    rows = [[each.name, "yes" if available(each, "user") else "", each.summary] for each in chosen]
    show_table(f"operators of profile {profile}", ["operator", "user", "summary"], rows, wide="summary")
    show("operators by profile: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    return DONE


def _operator_page(name: str, as_json: bool) -> int:
    known = SPELLINGS.get(folded(name)) or LEGACY_SPELLINGS.get(folded(name))
    if known is None:
        close = nearest(name, OPERATORS)
        mend = f"did you mean {close}? " if close else ""
        raise BadInput(
            f"there is no operator {name!r}", "operators", f"{mend}`alpha-pipeline operators` lists them all"
        )
    operator = OPERATORS[known]
    if as_json:
        emit(_about(operator))
    elif output.is_terminal:
        output.print(Markdown(page(operator)))
    else:
        show(page(operator).rstrip())
    return DONE


def _about(operator: Operator) -> dict[str, Any]:
    """The operator as JSON."""
    said = statements(operator)
    return {
        "name": operator.name,
        "category": operator.category,
        "signature": operator.signature,
        "summary": operator.summary,
        "profiles": [name for name in PROFILES if available(operator, name)],
        "formula": said.get("Formula"),
        "nan": said.get("NaN"),
        "ties": said.get("Ties"),
        "units": unit_text(operator),
        "runs_here": not operator.elsewhere,
        "examples": [{"call": each.call, "result": each.expected} for each in examples(operator)],
    }


# -- check -------------------------------------------------------------------------------------------------------------


def check_programs(options: argparse.Namespace) -> int:
    """Parse and type-check programs; nothing is evaluated."""
    if (options.expression is None) == (options.file is None):
        raise BadInput("there must be one expression or --file, and not both", "check", "give one of them")
    reading = _reading(options)
    programs = [(1, options.expression)] if options.file is None else read_programs(options.file)
    count = parsed = typed = 0
    try:
        for line, text in programs:
            result = judged(line, text, reading, not options.json)
            if options.json:
                emit(result)
            count, parsed, typed = count + 1, parsed + result["parsed"], typed + result["typed"]
    except KeyboardInterrupt:
        say(f"stopped: {count} of {len(programs)} programs were checked")
        return INTERRUPTED
    if options.file is not None and not options.json:
        noun = "program" if count == 1 else "programs"
        show(f"{count} {noun}: {parsed} parse, {typed} type-check")
    return REJECTED if typed < count else DONE


_COMMENT = re.compile(r"(?:/\*.*\*/\s*)?(?:(?:#|//).*)?")
"""A line without a program: blank, or comments alone."""


def read_programs(file: str) -> list[tuple[int, str]]:
    """The programs of a text file, one a line, with their line numbers; blank lines and comment lines are skipped.

    Raises:
        BadInput: it cannot be read, or holds none.
    """
    try:
        lines = Path(file).expanduser().read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise BadInput(f"cannot be read as text ({why})", file, "name a UTF-8 text file") from error
    told = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    programs = [(number, line) for number, line in told if not _COMMENT.fullmatch(line)]
    if not programs:
        raise BadInput("it holds no expression", file, "write one expression a line")
    broken = next((number for number, line in programs if line.endswith(";")), None)
    if broken is not None:
        say(f"note: line {broken} ends in `;`: a file holds one program a line, so join its statements on one line")
    return programs


def judged(line: int, text: str, reading: Reading, shown: bool) -> dict[str, Any]:
    """What there is to say of one program, as JSON; also shown to people if `shown`."""
    result: dict[str, Any] = {
        "line": line,
        "parsed": False,
        "typed": False,
        "canonical": None,
        "unit_warning": None,
        "error": None,
        "missing_fields": [],
    }
    parsed: Parsed | None = None
    error: ExpressionError | None = None
    try:
        parsed = reading.parse(text)
        result["parsed"] = True
        result["missing_fields"] = missing_data(fields_used(parsed.node), reading.held)
        reading.check(parsed)
        result["typed"] = True
        result["canonical"] = to_text(canonical(parsed.node))
        result["unit_warning"] = unit_warning(parsed.node, reading.catalogue, reading.choices)
        result["error"] = runs_elsewhere(parsed.node)
    except ExpressionError as problem:
        error = problem
        result["error"] = str(problem)
    if shown:
        show_judgement(result, text, parsed, error)
    return result


def runs_elsewhere(node: Node) -> str | None:
    """Why a well-typed expression does not run here, or None."""
    if not isinstance(node, Call):
        return None
    elsewhere = OPERATORS[node.operator].elsewhere
    if elsewhere:
        return f"{node.operator} runs {elsewhere}, not here"
    return next((reason for each in node.arguments if (reason := runs_elsewhere(each))), None)


def show_judgement(result: dict[str, Any], text: str, parsed: Parsed | None, error: ExpressionError | None) -> None:
    """A program's verdict for people: the canonical text, or the fault under a caret, then what else is to be known."""
    show(f"line {result['line']}: {text if len(text) <= 100 else text[:99] + '…'}")
    if error is not None:
        show(f"  {error}", style="red")
        for pointed in error.pointer().splitlines():
            show(f"  {pointed}")
    else:
        if result["canonical"] != text:
            show(f"  = {result['canonical']}")
        if result["error"]:
            show(f"  {result['error']}", style="yellow")
        if result["unit_warning"]:
            show(f"  {result['unit_warning']}", style="yellow")
    if result["missing_fields"] and result["typed"]:
        show(f"  no data held for: {', '.join(result['missing_fields'])}", style="yellow")
    if parsed is not None and parsed.unused:
        names = ", ".join(f'"{name}"' for name in parsed.unused)
        show(f"  Found unused variables/ data fields/ operators {names}", style="yellow")
    if parsed is not None and parsed.folded:
        show(f"  read without regard to case: {', '.join(parsed.folded)}", style="yellow")


# -- explain -----------------------------------------------------------------------------------------------------------


def explain(options: argparse.Namespace) -> int:
    """The tree of an expression with type, unit and lookback at each node."""
    reading = _reading(options)
    catalogue, choices = reading.catalogue, reading.choices
    try:
        parsed = reading.parse(options.expression)
        reading.check(parsed)
    except ExpressionError as error:
        say(f"error: {error}", style="red")
        for pointed in error.pointer().splitlines():
            say(f"  {pointed}")
        return REJECTED
    root = explained(parsed.node, catalogue, choices)
    warning = unit_warning(parsed.node, catalogue, choices)
    figures: dict[str, Any] = {
        "canonical": to_text(canonical(parsed.node)),
        "identity": identity(parsed.node),
        "operator_count": operator_count(parsed.node),
        "depth": depth(parsed.node),
        "lookback": lookback(parsed.node, catalogue),
        "price_scale_exponent": scale_exponent(parsed.node, catalogue),
        "unit_warning": warning,
        "missing_fields": missing_data(fields_used(parsed.node), reading.held),
    }
    if options.behaviour:
        from alpha_pipeline.engine.behaviour import Probe  # compiled kernels, which nothing else here needs

        figures["behaviour"] = Probe(choices).behaviour(parsed.node)
    if options.json:
        emit({"expression": options.expression, **figures, "tree": root})
        return DONE
    output.print(_branch(root), markup=False, highlight=False)
    for name, value in figures.items():
        if value not in (None, []):
            show(f"{name.replace('_', ' ')}: {', '.join(value) if isinstance(value, list) else value}")
    if figures["price_scale_exponent"] is None:
        say("the price scale of the result is no power of the prices' scale: PRICE_LEVEL decides by numbers")
    return DONE


def explained(node: Node, catalogue: Catalogue, choices: Choices) -> dict[str, Any]:
    """A node and all beneath it: text, type, unit and lookback in days."""
    unit = infer_unit(node, catalogue, choices)
    about: dict[str, Any] = {
        "text": to_text(node),
        "type": _type_name(node, catalogue, choices),
        "unit": str(unit) if isinstance(unit, Unit) else None,
        "units_agree": not isinstance(unit, str),
        "lookback": lookback(node, catalogue),
    }
    if isinstance(node, Call):
        operator = OPERATORS[node.operator]
        about["operator"] = operator.name
        slots = operator.slots_of(len(node.arguments))
        given = zip(slots, node.arguments, strict=True)
        about["inputs"] = [explained(each, catalogue, choices) for slot, each in given if slot is not Slot.WINDOW]
    return about


def _type_name(node: Node, catalogue: Catalogue, choices: Choices) -> str:
    if isinstance(node, Field) and catalogue.spec(node.name) is None:
        return "unknown"  # a name of the platform's own, inside an operator that runs there only
    return value_type(node, catalogue, choices).value


def _branch(about: dict[str, Any], tree: Tree | None = None) -> Tree:
    unit = about["unit"] or ("unit unknown" if about["units_agree"] else "units do not agree")
    days = f", {about['lookback']} days back" if about["lookback"] else ""
    label = f"{about['text']}   {about['type']}, {unit}{days}"
    branch = Tree(label) if tree is None else tree.add(label)
    for each in about.get("inputs", []):
        _branch(each, branch)
    return branch


# -- what both read ----------------------------------------------------------------------------------------------------


def profile_of(options: argparse.Namespace) -> str:
    """What `--profile` says, everything by default."""
    profile = options.profile or "all"
    if profile not in PROFILES:
        raise BadInput(f"there is no profile {profile!r}", "option --profile", f"use one of {', '.join(PROFILES)}")
    return str(profile)


def _reading(options: argparse.Namespace) -> Reading:
    """How the options, the settings and the home's panel say that texts are to be read; without a panel, what ours
    usually hold."""
    profile, settings = profile_of(options), load_settings(home=options.home)
    catalogue = CATALOGUE if options.fields is None else CATALOGUE.with_fields(load_fields(options.fields))
    home = Home(settings.home)
    if home.current is None:
        return Reading(profile, settings.language, catalogue, FIELDS)
    from alpha_pipeline.evaluator import held_data, panel_catalogue

    panel = home.panel()
    return Reading(profile, settings.language, panel_catalogue(panel, catalogue), held_data(panel))
