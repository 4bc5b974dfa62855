"""Tokens to tree: a precedence-climbing parser over the operators that are registered.

From loosest to tightest: `== !=`, `< <= > >=`, `+ -`, `* /`, unary minus, `^` (right-associative), so `-x^2` is
`-(x^2)`. Names are case-folded. Arity and types are `check`'s business; unknown names are refused here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from alpha_pipeline.expression.errors import SyntaxProblem, nearest, shown
from alpha_pipeline.expression.fields import field_spec, known_names
from alpha_pipeline.expression.lexer import Token, tokens
from alpha_pipeline.expression.nodes import Call, Constant, Field, Node, Path
from alpha_pipeline.expression.operator import INFIX, OPERATORS, SPELLINGS

DEEPEST_NESTING = 100
"""Brackets and operators inside one another that the parser follows; deeper text is refused, whatever it means."""

_UNARY_PRECEDENCE = 80


@dataclass(frozen=True, slots=True)
class Parsed:
    """A tree with the text it came from and, per node, where in the text it begins (its name or infix symbol)."""

    text: str
    node: Node
    positions: dict[Path, int] = field(hash=False)


def parse(text: str) -> Node:
    """The tree of an expression; see `parse_text` for one with positions.

    Raises:
        SyntaxProblem: with column, what was expected and the nearest name.
    """
    return parse_text(text).node


def parse_text(text: str) -> Parsed:
    """The tree of an expression with the position of each node.

    Raises:
        SyntaxProblem: with column, what was expected and the nearest name.
    """
    parser = _Parser(text)
    if parser.current.kind == "end":
        raise SyntaxProblem("the expression is empty", text, 0)
    syntax = parser.expression(0, 0)
    if parser.current.kind != "end":
        raise SyntaxProblem(
            f"unexpected `{parser.current.text}`: expected an operator or the end", text, parser.current.position
        )
    positions: dict[Path, int] = {}
    return Parsed(text, _lower(syntax, (), positions), positions)


@dataclass(slots=True)
class _Syntax:
    """A node of the syntax tree: like `Node`, with its position."""

    position: int
    leaf: Field | Constant | None = None
    operator: str = ""
    arguments: list[_Syntax] = field(default_factory=list)


def _lower(syntax: _Syntax, path: Path, positions: dict[Path, int]) -> Node:
    positions[path] = syntax.position
    if syntax.leaf is not None:
        return syntax.leaf
    arguments = tuple(_lower(a, (*path, i), positions) for i, a in enumerate(syntax.arguments))
    return Call(syntax.operator, arguments)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.index = 0

    @property
    def current(self) -> Token:
        return self.tokens[self.index]

    def advance(self) -> Token:
        token = self.current
        self.index += 1
        return token

    def expect(self, symbol: str, after: str) -> None:
        if self.current.text != symbol:
            found = f"found `{self.current.text}`" if self.current.text else "the text ends"
            raise SyntaxProblem(f"expected `{symbol}` {after}, {found}", self.text, self.current.position)
        self.advance()

    def expression(self, weakest: int, nesting: int) -> _Syntax:
        """An expression whose infix operators all bind at least as tightly as `weakest`."""
        if nesting > DEEPEST_NESTING:
            raise SyntaxProblem(f"nested deeper than {DEEPEST_NESTING} levels", self.text, self.current.position)
        left = self.prefix(nesting)
        chain = 0
        while (name := INFIX.get(self.current.text)) is not None and self.current.kind == "symbol":
            infix = OPERATORS[name].infix
            if infix is None or infix.precedence < weakest:
                break
            symbol = self.advance()
            right_associative = symbol.text == "^"
            right = self.expression(infix.precedence + (0 if right_associative else 1), nesting + 1)
            left = _Syntax(symbol.position, operator=name, arguments=[left, right])
            chain += 1
            if nesting + chain > DEEPEST_NESTING:  # a + a + a … is as deep as brackets
                raise SyntaxProblem(f"nested deeper than {DEEPEST_NESTING} levels", self.text, symbol.position)
        return left

    def prefix(self, nesting: int) -> _Syntax:
        token = self.advance()
        if token.kind == "number":
            value = float(token.text)
            if value == float("inf"):
                raise SyntaxProblem(f"the number {token.text} is too large", self.text, token.position)
            return _Syntax(token.position, leaf=Constant(value))
        if token.kind == "name":
            if self.current.text == "(":
                return self.call(token, nesting)
            return self.field(token)
        if token.text in ("-", "+"):
            operand = self.expression(_UNARY_PRECEDENCE, nesting + 1)
            if token.text == "+":
                return operand
            if isinstance(operand.leaf, Constant):
                return _Syntax(token.position, leaf=_negative(operand.leaf))
            return _Syntax(token.position, operator="reverse", arguments=[operand])
        if token.text == "(":
            inner = self.expression(0, nesting + 1)
            self.expect(")", "to close the bracket")
            return inner
        found = f"found `{token.text}`" if token.text else "the text ends"
        raise SyntaxProblem(f"expected a field, a number, an operator or `(`, {found}", self.text, token.position)

    def call(self, token: Token, nesting: int) -> _Syntax:
        name = SPELLINGS.get(token.text.lower())
        if name is None:
            raise SyntaxProblem(
                f"unknown operator `{shown(token.text)}`", self.text, token.position, nearest(token.text, SPELLINGS)
            )
        self.advance()
        arguments: list[_Syntax] = []
        if self.current.text != ")":
            arguments.append(self.expression(0, nesting + 1))
            while self.current.text == ",":
                self.advance()
                arguments.append(self.expression(0, nesting + 1))
        self.expect(")", f"or `,` in the arguments of {name}")
        if name == "reverse" and len(arguments) == 1 and isinstance(arguments[0].leaf, Constant):
            return _Syntax(token.position, leaf=_negative(arguments[0].leaf))
        return _Syntax(token.position, operator=name, arguments=arguments)

    def field(self, token: Token) -> _Syntax:
        name = token.text.lower()
        if field_spec(name) is None:
            if name in SPELLINGS:
                message = f"`{token.text}` is an operator and needs arguments: {OPERATORS[SPELLINGS[name]].signature}"
                raise SyntaxProblem(message, self.text, token.position)
            raise SyntaxProblem(
                f"unknown field `{shown(token.text)}`", self.text, token.position, nearest(name, known_names())
            )
        return _Syntax(token.position, leaf=Field(name))


def _negative(constant: Constant) -> Constant:
    """The number with its sign turned; there is only one zero."""
    return Constant(0.0 - constant.value)
