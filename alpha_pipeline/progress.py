"""Long work says how far it is, and can be asked to stop: one small protocol that the faces implement.

The domain calls `advance` and looks at `stopped`; who listens is set by the face for the time of a call (the command
line shows a bar, Dagster writes a log line).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Listener(Protocol):
    """Who wants to know how far long work is."""

    def begin(self, what: str, total: int) -> None:
        """A piece of work of `total` steps begins."""

    def advance(self, steps: int, note: str) -> None:
        """So many more steps are done; `note` says the best so far or the like."""

    def end(self) -> None:
        """The piece of work is over, finished or stopped."""

    @property
    def stopped(self) -> bool:
        """Whether the work should finish what it holds and end."""


class Silent:
    """Nobody listens; nobody stops."""

    stopped = False

    def begin(self, what: str, total: int) -> None: ...

    def advance(self, steps: int, note: str) -> None: ...

    def end(self) -> None: ...


_LISTENER: ContextVar[Listener] = ContextVar("listener")


def current() -> Listener:
    """The listener of this call."""
    return _LISTENER.get(Silent())


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have `listener` hear of all work inside the block."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)
