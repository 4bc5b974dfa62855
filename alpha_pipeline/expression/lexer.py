"""Text to tokens. Blanks, line breaks and comments (`/* … */`, `# …`) are skipped."""

from __future__ import annotations

import re
from typing import NamedTuple

from alpha_pipeline.expression.errors import SyntaxProblem


class Token(NamedTuple):
    """A token: its kind (number, name, symbol, end), its text, and its 0-based offset."""

    kind: str
    text: str
    position: int


_TOKEN = re.compile(
    r"""(?P<skip>\s+|/\*.*?\*/|\#[^\n]*)
      | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<symbol><=|>=|==|!=|[-+*/^<>(),])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)

LONGEST_TEXT = 10_000
"""Characters of one expression; far above what a depth of 10 needs, far below what could hold a server."""


def tokens(text: str) -> list[Token]:
    """All tokens of the text, an `end` token last.

    Raises:
        SyntaxProblem: a character that begins no token, or a text above `LONGEST_TEXT`.
    """
    if len(text) > LONGEST_TEXT:
        raise SyntaxProblem(f"the expression has {len(text)} characters, the limit is {LONGEST_TEXT}", text[:200], None)
    found, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise SyntaxProblem(f"unexpected character {text[position]!r}", text, position)
        if match.lastgroup is not None and match.lastgroup != "skip":
            found.append(Token(match.lastgroup, match.group(), position))
        position = match.end()
    return [*found, Token("end", "", len(text))]
