"""Stage 2's question: do names, types, arity, attributes and windows fit, and is the data held?

The platform's own words are used wherever they are known; a place and a suggestion follow them.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

import numpy as np

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression.choices import DEFAULT_CHOICES, Choices
from alpha_pipeline.expression.errors import TypeProblem, nearest, shown
from alpha_pipeline.expression.fields import CATALOGUE, Catalogue, adv_window, average_volume
from alpha_pipeline.expression.nodes import Call, Constant, Field, Node
from alpha_pipeline.expression.operator import ACCOUNTS, OPERATORS, SPELLINGS, Attribute, Operator, folded
from alpha_pipeline.expression.parser import Parsed, Syntax
from alpha_pipeline.expression.printer import attribute_text, number_text, to_text
from alpha_pipeline.expression.profiles import LEGACY_NAMES, LEGACY_SPELLINGS, available
from alpha_pipeline.expression.types import AttributeKind, AttributeValue, Slot, ValueType


def check(
    expression: Node | Parsed,
    held: Collection[str] | None = None,
    *,
    catalogue: Catalogue = CATALOGUE,
    profile: str = "all",
    choices: Choices = DEFAULT_CHOICES,
    runs_here: bool = True,
) -> ValueType:
    """The type of an expression that may be an alpha.

    Args:
        expression: a tree, or a parsed text, whose positions then go into errors.
        held: names of the fields and groups that the panel holds (`adv{N}` needs `volume`); None for all.
        catalogue: the fields that there are.
        profile: the operators that may be used (see `profiles`).
        runs_here: refuse operators that run on the platform only.

    Raises:
        TypeProblem: an unknown or inaccessible name, wrong arity, an argument or attribute that does not fit, missing
            data, or a whole that is a number or a group.
    """
    checker = _Checker(expression, held, catalogue, profile, choices, runs_here)
    root = expression.node if isinstance(expression, Parsed) else expression
    start = expression.syntax if isinstance(expression, Parsed) else None
    result = checker.type_of(root, start)
    if result not in (ValueType.MATRIX, ValueType.BOOLEAN):
        raise checker.problem(
            start, f"the expression is a {result.value}: an alpha needs a value per instrument and day"
        )
    return result


def value_type(node: Node, catalogue: Catalogue = CATALOGUE, choices: Choices = DEFAULT_CHOICES) -> ValueType:
    """The type of any tree, be it an alpha or not.

    Raises:
        TypeProblem: it does not type-check.
    """
    return _Checker(node, None, catalogue, "all", choices, runs_here=False).type_of(node, None)


class _Checker:
    def __init__(
        self,
        expression: Node | Parsed,
        held: Collection[str] | None,
        catalogue: Catalogue,
        profile: str,
        choices: Choices,
        runs_here: bool,
    ) -> None:
        self.parsed = expression if isinstance(expression, Parsed) else None
        self.held = held
        self.catalogue = catalogue
        self.profile = profile
        self.longest_window = int(choices.longest_window)
        self.runs_here = runs_here
        self.types: dict[Call | int, ValueType] = {}
        if self.parsed is not None:
            self.check_variables(self.parsed)

    def problem(self, where: Syntax | None, message: str, suggestion: str | None = None) -> TypeProblem:
        if self.parsed is None:
            return TypeProblem(message, suggestion=suggestion)
        return TypeProblem(message, self.parsed.text, None if where is None else where.position, suggestion)

    def check_variables(self, parsed: Parsed) -> None:
        for name, position in parsed.variables:
            if self.catalogue.spec(name) is not None:
                raise TypeProblem(f"variable `{name}` would hide the data field of that name", parsed.text, position)

    def type_of(self, node: Node, where: Syntax | None) -> ValueType:
        if isinstance(node, Constant):
            return ValueType.CONSTANT
        if isinstance(node, Field):
            return self.field_type(node, where)
        key = node if where is None else id(where)  # what variables stand for is one piece of syntax in many places
        known = self.types.get(key)
        if known is None:
            known = self.types[key] = self.call_type(node, where)
        return known

    def call_type(self, node: Call, where: Syntax | None) -> ValueType:
        operator = self.operator(node, where)
        slots = self.slots(operator, node, where)
        types: list[ValueType] = []
        for index, (slot, argument) in enumerate(zip(slots, node.arguments, strict=True)):
            inner = None if where is None else where.arguments[index]
            types.append(self.argument_type(operator, slot, argument, index, inner))
        self.check_attributes(operator, node, where)
        if operator.across == "cells" and types and all(found is ValueType.CONSTANT for found in types):
            return ValueType.CONSTANT
        return operator.result or types[0]

    def operator(self, node: Call, where: Syntax | None) -> Operator:
        operator = OPERATORS.get(node.operator)
        written = where.written if where is not None else ""
        if operator is None:
            name = shown(written or node.operator)
            message = f'Attempted to use inaccessible or unknown operator "{name}"'
            raise self.problem(where, message, nearest(node.operator, [*OPERATORS, *LEGACY_NAMES]))
        spelt = folded(written) not in LEGACY_SPELLINGS or folded(written) == folded(operator.name)
        foreign = not spelt and self.profile in ACCOUNTS
        if foreign or not available(operator, self.profile):
            message = f'Attempted to use inaccessible or unknown operator "{shown(written or node.operator)}"'
            raise self.problem(where, message, operator.name if foreign else None)
        if operator.elsewhere and self.runs_here:
            raise self.problem(where, f"{operator.name} runs {operator.elsewhere}, not here")
        return operator

    def slots(self, operator: Operator, node: Call, where: Syntax | None) -> tuple[Slot, ...]:
        """The slots of the call's arguments; raises where their number does not fit."""
        count, window = len(node.arguments), operator.window_position
        inputs = operator.arity - (window is not None)
        if operator.fits(count):
            return operator.slots_of(count)
        needed = f"at least {inputs} input(s)" if operator.repeats else f"exactly {inputs} input(s)"
        given = count
        if window is not None:
            windowed = bool(node.arguments) and isinstance(node.arguments[-1], Constant)
            if count == inputs and not windowed:
                raise self.problem(where, 'Required attribute "lookback" must have a value', operator.signature)
            given = count - windowed
        raise self.problem(where, f"Invalid number of inputs : {given}, should be {needed}.", operator.signature)

    def field_type(self, node: Field, where: Syntax | None) -> ValueType:
        if node.quoted:
            raise self.problem(where, "Got invalid input at index 0, must be an expression")
        spec = self.catalogue.spec(node.name)
        if spec is None:
            meant = SPELLINGS.get(folded(node.name))
            hint = OPERATORS[meant].signature if meant else nearest(node.name, self.catalogue.names())
            raise self.problem(where, f'Attempted to use unknown variable "{shown(node.name)}"', hint)
        window = adv_window(node.name)
        if window not in (None, 20) and self.profile in ACCOUNTS:
            written = to_text(average_volume(window))
            raise self.problem(where, f'Attempted to use unknown variable "{node.name}"', written)
        if window is not None and window > self.longest_window:
            raise self.problem(where, f"the lookback of {node.name} must be at most {self.longest_window}")
        needed = "volume" if window else node.name
        if self.held is not None and needed not in self.held:
            others = sorted(name for name in self.held if (self.catalogue.spec(name) or spec).type is spec.type)
            message = (
                f"Invalid data field {node.name}: the panel does not hold it (it has {', '.join(others) or 'none'})"
            )
            raise self.problem(where, message, nearest(node.name, others))
        return spec.type

    def argument_type(self, operator: Operator, slot: Slot, node: Node, index: int, where: Syntax | None) -> ValueType:
        if slot is Slot.ANYTHING and isinstance(node, Field):
            return ValueType.MATRIX  # names and texts of the platform's own, unknown here
        if slot is Slot.WINDOW:
            return self.window_type(operator, node, where)
        if isinstance(node, Field) and node.quoted:
            raise self.problem(where, f"Got invalid input at index {index}, must be an expression")
        found = self.type_of(node, where)
        if slot.accepts(found):
            if slot is Slot.GROUP and isinstance(node, Constant) and node.value != 1:
                raise self.problem(where, f"{operator.name} takes a group, or 1 for all instruments as one group")
            return found
        name = operator.name
        if slot is Slot.VECTOR:
            raise self.problem(where, f"Got invalid input at index {index}, must be an event data")
        if found is ValueType.VECTOR:
            raise self.problem(where, f"Operator {name} does not support event inputs.")
        if found is ValueType.GROUP:
            raise self.problem(where, "Grouping data used outside of group operator")
        if found is ValueType.CONSTANT:
            raise self.problem(where, f"Got invalid input at index {index}, must be an expression")
        raise self.problem(
            where, f"{name} takes {slot.value} at index {index}, found the {found.value} `{_short(node)}`"
        )

    def window_type(self, operator: Operator, node: Node, where: Syntax | None) -> ValueType:
        if not isinstance(node, Constant):
            raise self.problem(where, 'Got invalid value for attribute "lookback", must be constant or string')
        if node.value != node.value or node.value % 1 != 0 or not 1 <= node.value <= self.longest_window:
            limits = f"a whole number of days from 1 to {self.longest_window}"
            raise self.problem(
                where, f"the lookback of {operator.name} must be {limits}, found {number_text(node.value)}"
            )
        return ValueType.CONSTANT

    # -- attributes --------------------------------------------------------------------------------------------------

    def check_attributes(self, operator: Operator, node: Call, where: Syntax | None) -> None:
        for name, value in node.attributes:
            attribute = operator.attribute(name)
            if attribute is None:
                names = [each.name for each in operator.attributes]
                raise self.problem(where, f'Unknown attribute "{shown(name)}"', nearest(name, names))
            problem = _attribute_problem(attribute, value)
            if problem:
                message = f'Got invalid value for attribute "{attribute.name}", {problem}'
                raise self.problem(where, f"{message}, found {attribute_text(attribute.name, value)}")
        if operator.attributes:
            given = {name.lower() for name, _ in node.attributes}
            for each in operator.attributes:
                if each.required and each.name.lower() not in given:
                    raise self.problem(where, f'Required attribute "{each.name}" must have a value', operator.signature)
            free = any(each.type.kind is AttributeKind.TEXT and not each.type.options for each in operator.attributes)
            if operator.one_of and not any(name.lower() in given for name in operator.one_of):
                either = '" or "'.join(operator.one_of)
                raise self.problem(where, f'Required attribute "{either}" must have a value', operator.signature)
            refused = _refused(operator.name, node.attributes) if free and not operator.elsewhere else None
            if refused is not None:
                raise self.problem(where, refused)


@lru_cache(maxsize=1_000)
def _refused(name: str, given: tuple[tuple[str, AttributeValue], ...]) -> str | None:
    """What is wrong with texts whose form the operator alone knows, and what to write: a run on one cell tells."""
    operator, cell = OPERATORS[name], np.full((1, 1), np.nan)
    events = np.empty((1, 1), dtype=object)
    events[0, 0] = np.zeros(0)
    inputs = [1 if slot is Slot.WINDOW else events if slot is Slot.VECTOR else cell for slot in operator.slots]
    try:
        operator.run_plain(inputs, given)
    except BadInput as error:
        return f"{error.what}; {error.mend}"
    return None


def _attribute_problem(attribute: Attribute, value: AttributeValue) -> str | None:
    """What the value of an attribute must be, or None if it is that."""
    kind = attribute.type
    if kind.kind is AttributeKind.FLAG:
        return None if isinstance(value, bool) else "must be true or false"
    if kind.kind is AttributeKind.TEXT:
        if not isinstance(value, str):
            return "must be a string"
        return f"must be one of {', '.join(kind.options)}" if kind.options and value not in kind.options else None
    if isinstance(value, bool) or not isinstance(value, float | int):
        return "must be a number"
    if kind.whole and value % 1 != 0:
        return "must be a whole number"
    if not kind.lowest <= value <= kind.highest:
        return f"must be from {kind.lowest:g} to {kind.highest:g}"
    return None


def _short(node: Node) -> str:
    text = to_text(node)
    return text if len(text) <= 40 else f"{text[:37]}…"
