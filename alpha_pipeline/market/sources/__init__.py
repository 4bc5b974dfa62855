"""Where prices come from. `open_source` finds a source by name; each is a module here and follows `base.Source`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from alpha_pipeline.errors import BadInput
from alpha_pipeline.market.sources.base import Source
from alpha_pipeline.market.sources.files import FilesSource
from alpha_pipeline.market.sources.synthetic import SyntheticSource
from alpha_pipeline.market.sources.yahoo import YahooSource

SOURCES: dict[str, Callable[..., Source]] = {
    "synthetic": SyntheticSource,
    "files": FilesSource,
    "yahoo": YahooSource,
}


def open_source(
    kind: str,
    path: str | Path | None = None,
    groups: str | Path | None = None,
    events: str | Path | None = None,
    **options: Any,
) -> Source:
    """The source called `kind`.

    Args:
        kind: synthetic, files or yahoo.
        path: files: file or folder. yahoo: tickers, or a file of them. Not for synthetic.
        groups: file of sectors (files, yahoo).
        events: file of events (files, yahoo).
        options: the source's own: synthetic seed, instruments, days, plants; files adjusted_as_of; yahoo start, end.

    Raises:
        BadInput: an unknown kind, a path that is missing or not wanted, or what the source finds wrong.
    """
    if kind not in SOURCES:
        raise BadInput(f"there is no source {kind!r}", "source", f"choose one of {', '.join(SOURCES)}")
    if kind == "synthetic":
        if any(given is not None for given in (path, groups, events)):
            what = "the synthetic market takes no path, no groups and no events"
            raise BadInput(what, "source", "use --source files for files")
        return SyntheticSource(**options)
    path, groups, events = _from_home(path), _from_home(groups), _from_home(events)
    if path is None:
        what = "files need a path" if kind == "files" else "yahoo needs tickers"
        raise BadInput(what, "source", "give --path" + (" AAPL,MSFT or a file of them" if kind == "yahoo" else ""))
    return SOURCES[kind](path, groups=groups, events=events, **options)


def _from_home(path: str | Path | None) -> str | Path | None:
    """`~/prices` as a shell would read it: in `--path=~/prices` and in the environment it stays as it is."""
    return Path(path).expanduser() if path is not None and str(path).startswith("~") else path
