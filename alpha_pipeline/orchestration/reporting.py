"""Progress of long work as lines in Dagster's log, where no other face listens (a run started from the UI)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from alpha_pipeline import progress


class LogListener:
    """A line when work begins and one for every tenth of it. Dagster stops a run by an interrupt, not through here."""

    stopped = False

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._what, self._total, self._done, self._said = "", 0, 0, 0

    def begin(self, what: str, total: int) -> None:
        """See `progress.Listener`."""
        self._what, self._total, self._done, self._said = what, total, 0, 0
        self._log.info(f"{what}: {total:,} steps" if total > 1 else what)

    def advance(self, steps: int, note: str) -> None:
        """See `progress.Listener`."""
        self._done += steps
        if note and self._total and self._done * 10 // self._total > self._said:
            self._said = self._done * 10 // self._total
            self._log.info(f"{self._what}: {self._done:,} of {self._total:,}, {note}")

    def end(self) -> None:
        """See `progress.Listener`."""


@contextmanager
def reporting(log: logging.Logger) -> Iterator[None]:
    """Let work inside the block report to the log, unless somebody listens already."""
    if type(progress.current()) is progress.Silent:
        with progress.listening(LogListener(log)):
            yield
    else:
        yield
