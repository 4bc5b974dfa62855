"""What the command line shows: progress, tables, and the one JSON object that scripts read. No decisions here."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

DONE, REJECTED, BAD, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: done; a rejected expression; bad input or usage; interrupted with work kept."""

VERDICT_STYLES = {"pass": "green", "reject": "red"}

WIDTH_OF_FILES = 140  # characters of a line where stdout is no terminal

errors = Console(stderr=True)
"""Progress and errors."""

output = Console(width=None if sys.stdout.isatty() else WIDTH_OF_FILES)
"""Results for people."""


def warn(warnings: Sequence[str]) -> None:
    """What every figure must be read with: on stdout, so that it stays with the figures wherever they are sent."""
    for sentence in warnings:
        show(f"note: {sentence}", style="yellow")


def say(text: str, style: str | None = None) -> None:
    """A line for people, on stderr: as it is, folded by the terminal and not by us."""
    errors.print(_printable(text), style=style, markup=False, highlight=False, soft_wrap=True)


def figure(value: float | None) -> str:
    """A figure with four significant digits or decimals; empty for none."""
    if value is None:
        return ""
    return f"{value:.4f}" if 0.001 <= abs(value) < 1000 or value == 0 else f"{value:.4g}"


def emit(value: Mapping[str, Any]) -> None:
    """Print the JSON object of `--json`: one line, NaN and infinity as null."""
    sys.stdout.write(json.dumps(_plain(value), allow_nan=False) + "\n")
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


def show(text: str, style: str | None = None) -> None:
    """A line of results, on stdout: as it is, folded by the terminal and not by us."""
    output.print(_printable(text), style=style, markup=False, highlight=False, soft_wrap=True)


def _printable(text: str) -> str:
    """The text without control characters, which a user's file may hold and a terminal would obey."""
    return _CONTROL.sub("�", text)


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def show_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], wide: str = "") -> None:
    """A title on a line of its own and a table: the first column and the one named `wide` are text, all others figures.

    Only `wide` folds; whatever stands in a cell is shown as it is.
    """
    show(title, style="bold")
    made = Table(header_style="dim")
    for name in header:
        left = name in (wide, header[0])
        made.add_column(name, justify="left" if left else "right", overflow="fold", no_wrap=name != (wide or header[0]))
    for row in rows:
        made.add_row(*(Text(cell, style=VERDICT_STYLES.get(cell, "")) for cell in row))
    output.print(made)


class Listener:
    """Progress on a terminal; elsewhere a line every tenth of the work. See `progress.Listener`.

    Args:
        stopping: what a request to stop does, for the user.
    """

    def __init__(self, stopping: str = "finishing what is at hand and keeping it") -> None:
        self.stopped = False
        self._stopping = stopping
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._what, self._total, self._done, self._said = "", 0, 0, 0

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def stop(self) -> None:
        """Ask the work to finish what it holds; said to the user."""
        self.stopped = True
        say(f"stopping: {self._stopping} (Ctrl-C again to abort)")

    def begin(self, what: str, total: int) -> None:
        """See `progress.Listener`."""
        self._what, self._total, self._done, self._said = what, total, 0, 0
        if errors.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
            )
            self._bar = Progress(*columns, console=errors, transient=True)
            self._bar.start()
            self._task = self._bar.add_task(what, total=total, note="", rate="")
        else:
            say(f"{what} …")

    def advance(self, steps: int, note: str) -> None:
        """See `progress.Listener`."""
        self._done += steps
        if self._bar is not None and self._task is not None:
            speed = self._bar.tasks[0].speed
            rate = f"{speed:.1f}/s" if speed else ""
            shown = note or self._bar.tasks[0].fields["note"]
            self._bar.update(self._task, advance=steps, rate=rate, note=shown)
        elif note and self._total and self._done * 10 // self._total > self._said:
            self._said = self._done * 10 // self._total
            say(f"{self._what}: {self._done}/{self._total}  {note}")

    def end(self) -> None:
        """See `progress.Listener`."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
