"""Tokens to tree: a precedence-climbing parser over the operators that are registered.

    program    := { IDENT "=" expression ";" } expression [";"]

From loosest to tightest: `? :` (right-associative), `||`, `&&`, `!`, `== !=`, `< <= > >=`, `+ -`, `* /`, unary minus,
`^` (right-associative), so `-x^2` is `-(x^2)`. Operators, attributes, fields and variables are case-folded. A variable
stands for its expression, so the tree holds none.

Only what cannot be read is refused here. Unknown names, wrong arity, types and attributes are `check`'s business: the
tree holds them as written.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from alpha_pipeline.expression.choices import DEFAULT_CHOICES, Choices
from alpha_pipeline.expression.errors import SyntaxProblem, shown
from alpha_pipeline.expression.fields import RESERVED
from alpha_pipeline.expression.folding import folded_constant
from alpha_pipeline.expression.lexer import LONGEST_TEXT, Token, tokens
from alpha_pipeline.expression.nodes import Call, Constant, Field, Node
from alpha_pipeline.expression.operator import INFIX, OPERATORS, SPELLINGS, Operator, folded
from alpha_pipeline.expression.printer import to_text
from alpha_pipeline.expression.profiles import LEGACY_SPELLINGS
from alpha_pipeline.expression.simplify import canonical
from alpha_pipeline.expression.types import AttributeKind, AttributeValue

DEEPEST_NESTING = 100
"""Brackets and operators inside one another that the parser follows; deeper text is refused, whatever it means."""

MOST_NODES = 5_000
"""Nodes of the tree once every variable is replaced by what it stands for: each may double the tree."""

_NOT, _UNARY = 35, 80  # how tightly the prefixes bind; infix operators say so in their declarations
_WORDS = {"and": "&&", "or": "||"}


@dataclass(slots=True)
class Syntax:
    """A node of the tree with where its text begins (its name or infix symbol), and the operator's name as written."""

    position: int
    node: Node
    arguments: list[Syntax] = field(default_factory=list)
    written: str = ""
    size: int = 1
    deep: int = 0


@dataclass(frozen=True, slots=True)
class Parsed:
    """A program as read.

    Attributes:
        text: what was read.
        node: the tree of its last expression, every variable replaced by what it stands for.
        syntax: the same with positions.
        variables: each variable with its offset in the text, in order.
        unused: the variables that no later statement reads.
        folded: variables read in another case than they were assigned in.
    """

    text: str
    node: Node
    syntax: Syntax = field(hash=False, compare=False)
    variables: tuple[tuple[str, int], ...] = ()
    unused: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()


def parse(text: str, profile: str = "all") -> Node:
    """The tree of a program; see `parse_text` for one with positions.

    Raises:
        SyntaxProblem: with column, what was expected and the nearest name.
    """
    return parse_text(text, profile).node


def parse_text(text: str, profile: str = "all", choices: Choices = DEFAULT_CHOICES) -> Parsed:
    """The tree of a program with the position of each node.

    Args:
        profile: under `legacy101`, windows are rounded down, and `min` and `max` with a whole number mean `ts_min` and
            `ts_max`; every other name is read alike under all profiles.
        choices: where sources contradict each other; here, what `ts_argmax` of the paper counts.

    Raises:
        SyntaxProblem: with column, what was expected and the nearest name.
    """
    return _Parser(text, profile == "legacy101", choices).program()


class _Parser:
    def __init__(self, text: str, legacy: bool, choices: Choices) -> None:
        self.text = text
        self.legacy = legacy
        self.from_start = legacy and choices.legacy_arg_max == "from_start"
        self.tokens = tokens(text)
        self.index = 0
        self.current = self.tokens[0]
        self.variables: dict[str, Syntax] = {}
        self.places: dict[str, int] = {}
        self.used: set[str] = set()
        self.assigned_as: dict[str, str] = {}
        self.folded: dict[str, None] = {}
        self.numbers: dict[Call, Constant | None] = {}

    def problem(self, message: str, token: Token | None = None) -> SyntaxProblem:
        return SyntaxProblem(message, self.text, (token or self.current).position)

    def advance(self) -> Token:
        token = self.current
        if token.kind != "end":
            self.index += 1
            self.current = self.tokens[self.index]
        return token

    def expect(self, symbol: str, why: str) -> None:
        if self.current.text != symbol or self.current.kind != "symbol":
            if self.current.kind == "end":
                raise self.problem(f"Unexpected end of input: expected `{symbol}` {why}")
            raise self.problem(f"expected `{symbol}` {why}, found `{shown(self.current.text)}`")
        self.advance()

    # -- statements --------------------------------------------------------------------------------------------------

    def program(self) -> Parsed:
        while True:
            if self.current.kind == "end" or self.current.text == ";":
                raise self.problem("Expression cannot be empty")
            name = self.assigned()
            value = self.expression(0, 0)
            if name is None:
                break
            self.variables[name] = value
            if self.current.kind == "end":
                raise self.problem("Expression cannot be empty: the last statement must be an expression, the alpha")
            if self.current.text != ";":
                found = shown(self.current.text)
                raise self.problem(f"Unexpected end of input: expected `;` after the assignment, found `{found}`")
            self.advance()
        if self.current.text == ";":
            self.advance()
            if self.current.kind != "end":
                raise self.problem("nothing may follow the alpha, which is the expression that is not assigned")
        if self.current.kind != "end":
            raise self.problem(f"unexpected `{shown(self.current.text)}`: expected an operator or the end")
        self.check_length(value.node)
        unused = tuple(name for name in self.variables if name not in self.used)
        return Parsed(self.text, value.node, value, tuple(self.places.items()), unused, tuple(self.folded))

    def check_length(self, node: Node) -> None:
        """What is written down of an expression, its canonical text, must be short enough to be read again."""
        may_grow = self.variables or len(self.text) > LONGEST_TEXT // 4
        if may_grow and len(to_text(canonical(node))) > LONGEST_TEXT:
            raise SyntaxProblem(f"the expression stands for more than {LONGEST_TEXT} characters", self.text, None)

    def assigned(self) -> str | None:
        """The variable that the next statement assigns to; None for an expression."""
        token = self.current
        if token.kind != "name" or self.tokens[self.index + 1].text != "=":
            return None
        name = token.text.lower()
        if name in RESERVED:
            raise self.problem(f"`{token.text}` is reserved and cannot be a variable")
        if name in OPERATORS or "." in name:
            raise self.problem(f"a variable cannot be called `{shown(token.text)}`, which is an operator's name")
        if name in self.variables:
            raise self.problem(f"variable `{shown(token.text)}` has a value already; use another name")
        self.places[name] = token.position
        self.assigned_as[name] = token.text
        self.advance()
        self.advance()
        return name

    # -- expressions -------------------------------------------------------------------------------------------------

    def expression(self, weakest: int, nesting: int) -> Syntax:
        if nesting > DEEPEST_NESTING:
            raise self.problem(f"nested deeper than {DEEPEST_NESTING} levels")
        left = self.prefix(nesting)
        while True:
            token = self.current
            if token.kind not in ("symbol", "name"):
                break
            symbol = token.text if token.kind == "symbol" else _WORDS.get(token.text.lower(), "")
            if symbol == "?" and weakest == 0:
                left = self.choice(left, nesting)
                continue
            name = INFIX.get(symbol)
            infix = OPERATORS[name].infix if name is not None else None
            if name is None or infix is None or infix.precedence < weakest:
                break
            self.advance()
            right = self.expression(infix.precedence + (infix.symbol != "^"), nesting + 1)
            left = self.call(token, name, [left, right])
        return left

    def choice(self, condition: Syntax, nesting: int) -> Syntax:
        token = self.advance()
        chosen = self.expression(0, nesting + 1)
        self.expect(":", "between the two values of `?`")
        other = self.expression(0, nesting + 1)
        return self.call(token, "if_else", [condition, chosen, other])

    def prefix(self, nesting: int) -> Syntax:
        token = self.advance()
        if token.kind == "number":
            value = float(token.text)
            if math.isinf(value):
                raise self.problem(f"the number {shown(token.text)} is too large", token)
            return Syntax(token.position, Constant(value))
        if token.kind == "name":
            if self.current.text == "(" and self.current.kind == "symbol":
                return self.function(token, nesting)
            if token.text.lower() == "not":
                return self.call(token, "not", [self.expression(_NOT, nesting + 1)])
            return self.name(token)
        if token.kind == "text":
            return Syntax(token.position, Field(token.text))
        if token.text in ("-", "+"):
            operand = self.expression(_UNARY, nesting + 1)
            return operand if token.text == "+" else self.call(token, "reverse", [operand])
        if token.text == "!":
            return self.call(token, "not", [self.expression(_NOT, nesting + 1)])
        if token.text == "(":
            inner = self.expression(0, nesting + 1)
            self.expect(")", "to close the bracket")
            return inner
        if token.kind == "end":
            raise self.problem("Unexpected end of input: expected a field, a number, an operator or `(`", token)
        raise self.problem(f"expected a field, a number, an operator or `(`, found `{token.text}`", token)

    def name(self, token: Token) -> Syntax:
        name = token.text.lower()
        if name in self.variables:
            self.used.add(name)
            if token.text != self.assigned_as[name]:
                self.folded[token.text] = None
            return self.variables[name]
        if name == "nan":
            return Syntax(token.position, Constant(math.nan))
        if name in ("true", "false"):
            return Syntax(token.position, Field(f'"{name}"'))  # no input: `check` says so
        if name in RESERVED:
            raise self.problem(f"`{token.text}` is reserved: it is no field and no variable", token)
        if "." in name:
            family, _, name = name.partition(".")
            if family != "indclass":
                raise self.problem(f"unexpected `.` in `{shown(token.text)}`", token)
        return Syntax(token.position, Field(name))

    # -- calls -------------------------------------------------------------------------------------------------------

    def function(self, token: Token, nesting: int) -> Syntax:
        name = folded(token.text)
        name = SPELLINGS.get(name) or LEGACY_SPELLINGS.get(name) or token.text.lower()
        self.advance()
        inputs: list[Syntax] = []
        attributes: dict[str, AttributeValue] = {}
        while self.current.text != ")" or self.current.kind != "symbol":
            following = self.tokens[min(self.index + 1, len(self.tokens) - 1)]
            if self.current.kind == "name" and following.text == "=":
                self.attribute(attributes, nesting)
            elif attributes:
                raise self.problem("inputs come before named attributes")
            else:
                inputs.append(self.expression(0, nesting + 1))
            if self.current.text != ",":
                break
            self.advance()
            if self.current.text == ")":
                raise self.problem("expected a further input or attribute after `,`")
        self.expect(")", f"or `,` in the arguments of {shown(name)}")
        found = self.call(token, name, inputs, attributes)
        if self.from_start and name in ("ts_arg_max", "ts_arg_min") and len(found.arguments) == 2:
            return self.call(token, "subtract", [found.arguments[1], found])  # d less the days since
        return found

    def attribute(self, attributes: dict[str, AttributeValue], nesting: int) -> None:
        token = self.advance()
        self.advance()
        name = token.text.lower()
        if name in attributes:
            raise self.problem(f"attribute `{shown(token.text)}` is given twice", token)
        value = self.current
        following = self.tokens[min(self.index + 1, len(self.tokens) - 1)].text
        ends = following in (",", ")", "")
        if value.kind == "text":
            attributes[name] = self.advance().text[1:-1]
        elif value.kind == "name" and ends and value.text.lower() not in self.variables:
            word = self.advance().text
            attributes[name] = word.lower() == "true" if word.lower() in ("true", "false") else word
        else:
            number = folded_constant(self.expression(0, nesting + 1).node, self.numbers)
            if number is None:
                raise self.problem(f'Got invalid value for attribute "{token.text}", must be constant or string', value)
            attributes[name] = number.value

    def call(
        self,
        token: Token,
        name: str,
        inputs: list[Syntax],
        attributes: dict[str, AttributeValue] | None = None,
    ) -> Syntax:
        """The call as the tree holds it: attributes in order and without defaults, the window among the inputs."""
        operator = OPERATORS.get(name)
        given = dict(attributes or {})
        if operator is not None:
            if self.legacy:
                operator = _legacy_operator(operator, inputs)
            inputs = self.bind(operator, inputs, given)
            folded_number = _number(operator, inputs, given)
            if folded_number is not None:
                return Syntax(token.position, folded_number, written=token.text)
            name = operator.name
        node = Call(name, tuple(each.node for each in inputs), _ordered(operator, given))
        size = 1 + sum(each.size for each in inputs)
        links = len(inputs) - 1 if operator is not None and operator.chained else 1  # add(a, b, c) is (a + b) + c
        deep = max(links, 1) + max((each.deep for each in inputs), default=0)
        if size > MOST_NODES:
            raise self.problem(f"the expression stands for more than {MOST_NODES} operators and fields", token)
        if deep > DEEPEST_NESTING:  # a + a + a … is as deep as brackets, and so are variables in variables
            raise self.problem(f"nested deeper than {DEEPEST_NESTING} levels", token)
        return Syntax(token.position, node, inputs, token.text, size, deep)

    def bind(self, operator: Operator, inputs: list[Syntax], given: dict[str, AttributeValue]) -> list[Syntax]:
        """Inputs with the window in its place; attributes that were given by position move to `given`."""
        bound = list(inputs)
        for spelling in ("window", "d"):  # as pages and people call it
            if operator.window_position is not None and spelling in given and operator.attribute(spelling) is None:
                given.setdefault("lookback", given.pop(spelling))
        named = "lookback" in given and (len(bound) + 1 == operator.arity or operator.variadic)
        window = operator.window_of(len(bound) + named)
        if window is not None and named:
            value = given.pop("lookback")
            position = bound[-1].position if bound else 0
            days: Node = Constant(value) if isinstance(value, float) else Field(f'"{value}"')
            bound.insert(window, self.window(Syntax(position, days)))
        elif window is not None and window < len(bound):
            bound[window] = self.window(bound[window])
        # By position: attributes of operators with a window, rank's precision, and in the paper what scale makes.
        positional = window is not None or operator.name == "rank" or (self.legacy and operator.name == "scale")
        free = [each.name.lower() for each in operator.attributes]
        while positional and not operator.variadic and operator.arity < len(bound) <= operator.arity + len(free):
            name = free[len(bound) - operator.arity - 1]
            last = bound[-1].node
            if name in given or not (isinstance(last, Constant) or (isinstance(last, Field) and last.quoted)):
                break
            given[name] = last.value if isinstance(last, Constant) else last.name[1:-1]
            bound.pop()
        return bound

    def window(self, given: Syntax) -> Syntax:
        """A window, worked out where it is arithmetic (`2 * 10`), rounded down where the paper's language does."""
        node = given.node
        if isinstance(node, Field) and node.quoted and node.name[1:-1].strip().isdecimal():
            node = Constant(float(node.name[1:-1]))  # "constant or string", the platform says
        number = folded_constant(node, self.numbers)
        if number is None:
            return given
        if self.legacy and number.value >= 1:
            number = Constant(float(math.floor(number.value)))
        return Syntax(given.position, number)


def _legacy_operator(operator: Operator, inputs: list[Syntax]) -> Operator:
    """`min(x, d)` and `max(x, d)` with a literal whole number are windows in the paper."""
    last = inputs[-1].node if len(inputs) == 2 else None
    if operator.name in ("min", "max") and isinstance(last, Constant) and last.value >= 1 and last.value % 1 == 0:
        return OPERATORS[f"ts_{operator.name}"]
    return operator


def _number(operator: Operator, inputs: list[Syntax], given: dict[str, AttributeValue]) -> Constant | None:
    """A minus before a number is a negative number."""
    if operator.name == "reverse" and len(inputs) == 1 and isinstance(inputs[0].node, Constant) and not given:
        return Constant(0.0 - inputs[0].node.value)  # there is only one zero
    return None


def _ordered(operator: Operator | None, given: dict[str, AttributeValue]) -> tuple[tuple[str, AttributeValue], ...]:
    """Attributes in the order of the declaration, in its types, without those that say what holds anyway."""
    if not given:
        return ()
    if operator is None:
        return tuple(given.items())
    ordered: list[tuple[str, AttributeValue]] = []
    for each in operator.attributes:
        if each.name.lower() in given:
            value = given.pop(each.name.lower())
            if each.type.kind is AttributeKind.FLAG and value in (0.0, 1.0):
                value = bool(value)
            if each.type.kind is AttributeKind.TEXT and isinstance(value, str) and each.type.options:
                value = value.lower()
            if value != each.default or isinstance(value, bool) != isinstance(each.default, bool):
                ordered.append((each.name, value))
    return (*ordered, *given.items())
