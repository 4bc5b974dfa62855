"""Errors in an expression: what was found, where, what was expected, and the nearest name where one is meant.

ExpressionError
├── SyntaxProblem     the text cannot be read (stage 1)
└── TypeProblem       it reads, but an operator gets what it cannot use (stage 2)
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from alpha_pipeline.errors import AlphaPipelineError


class ExpressionError(AlphaPipelineError):
    """A fault in expression text.

    Args:
        message: what is wrong and what was expected, one line.
        text: the whole text, for the caret.
        position: 0-based offset of the fault in `text`; None where the tree did not come from text.
        suggestion: the nearest valid name or form, if there is one.
    """

    def __init__(
        self, message: str, text: str = "", position: int | None = None, suggestion: str | None = None
    ) -> None:
        self.message, self.text, self.position, self.suggestion = message, text, position, suggestion
        super().__init__(self.describe())

    @property
    def line(self) -> int | None:
        """1-based line of the fault."""
        return None if self.position is None else self.text.count("\n", 0, self.position) + 1

    @property
    def column(self) -> int | None:
        """1-based column of the fault in its line."""
        return None if self.position is None else self.position - (self.text.rfind("\n", 0, self.position) + 1) + 1

    def describe(self) -> str:
        """One line: message, place and suggestion."""
        place = (
            ""
            if self.column is None
            else f" at column {self.column}" + (f" of line {self.line}" if self.line != 1 else "")
        )
        hint = f"; did you mean `{self.suggestion}`?" if self.suggestion else ""
        return f"{self.message}{place}{hint}"

    def picture(self) -> str:
        """See `pointer`."""
        return self.pointer()

    def pointer(self) -> str:
        """The faulty line with a caret under the fault, for people; empty where the place is unknown."""
        if self.position is None or self.column is None:
            return ""
        start = self.text.rfind("\n", 0, self.position) + 1
        end = self.text.find("\n", start)
        line = self.text[start:] if end < 0 else self.text[start:end]
        # Long texts: show a window of 100 characters around the fault.
        first = max(0, self.column - 61)
        return f"{line[first : first + 100]}\n{' ' * (self.column - 1 - first)}^"


class SyntaxProblem(ExpressionError):
    """The text is not an expression of the language."""


class TypeProblem(ExpressionError):
    """The expression reads, but its types, its arity or its data do not fit."""


def shown(name: str) -> str:
    """A name as a message quotes it: at most 40 characters of it."""
    return name if len(name) <= 40 else f"{name[:39]}…"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest in spelling, or None if nothing is close."""
    matches = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None
