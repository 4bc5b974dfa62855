"""Text to tokens. Blanks, line breaks and comments (`/* … */`, `# …`, `// …`) are skipped."""

from __future__ import annotations

import re
from typing import NamedTuple

from alpha_pipeline.expression.errors import SyntaxProblem


class Token(NamedTuple):
    """A token: its kind (number, name, text, symbol, end), its text, and its 0-based offset."""

    kind: str
    text: str
    position: int


_TOKEN = re.compile(
    r"""(?P<skip>(?:\s+|/\*.*?\*/|\#[^\n]*|//[^\n]*)+)
      | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)?)
      | (?P<text>"[^"\n]*"|'[^'\n]*')
      | (?P<symbol><=|>=|==|!=|&&|\|\||/(?!\*)|[-+*^<>(),?:;=!])""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)

LONGEST_TEXT = 10_000
"""Characters of one program; far above what people write, far below what could hold a server."""


def tokens(text: str) -> list[Token]:
    """All tokens of the text, an `end` token last.

    Raises:
        SyntaxProblem: a character that begins no token, or a text above `LONGEST_TEXT`.
    """
    if len(text) > LONGEST_TEXT:
        raise SyntaxProblem(f"the expression has {len(text)} characters, the limit is {LONGEST_TEXT}", text[:200], None)
    found, position, match_at = [], 0, _TOKEN.match
    while position < len(text):
        match = match_at(text, position)
        if match is None:
            raise SyntaxProblem(_unreadable(text, position), text, position)
        kind = match.lastgroup
        if kind is not None and kind != "skip":
            found.append(Token(kind, match.group(), position))
        position = match.end()
    return [*found, Token("end", "", len(text))]


def _unreadable(text: str, position: int) -> str:
    character = text[position]
    if character in "\"'":
        return f"the text after {character} has no end on its line"
    if text.startswith("/*", position):
        return "the comment has no end"
    return f"unexpected character {character!r}"
