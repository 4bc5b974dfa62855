"""Where state lives: the folders under ALPHA_HOME, the panels kept there, and which of them is current.

<home>/lake       Delta tables: prices, candidates, stages, trials, verdicts, accepted alphas
      /panels     one folder per panel version; `current`, the version that commands use; `made.json`, what made which
      /dagster    the Dagster instance
      /runs       per generation run its journal while it lasts, what its learners learned, its curves
      /exports    what is handed over
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import alpha_pipeline
from alpha_pipeline.errors import BadInput
from alpha_pipeline.ledger import check_key, sql_folder
from alpha_pipeline.market.panel import Panel

FOLDERS = ("lake", "panels", "dagster", "runs", "exports")
DAGSTER_YAML = """\
telemetry:
  enabled: false
nux:
  enabled: false
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config:
    max_concurrent_runs: 2
    dequeue_interval_seconds: 1
"""


class Home:
    """The folders of one installation; made when first written to."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).expanduser().resolve()
        if self.root.exists() and not self.root.is_dir():
            raise BadInput("it is a file, not a folder", f"ALPHA_HOME {self.root}", "name a folder, or remove the file")

    @property
    def lake(self) -> Path:
        return self.root / "lake"

    @property
    def exports(self) -> Path:
        return self.root / "exports"

    def run_folder(self, key: str) -> Path:
        """Where a generation run keeps what is no table."""
        check_key("generation_run", key)
        return self.root / "runs" / key

    @property
    def dagster(self) -> Path:
        """The Dagster instance's folder, with its dagster.yaml; existing, absolute."""
        folder = self.root / "dagster"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            what = f"it cannot be made ({error.strerror})"
            raise BadInput(what, f"ALPHA_HOME {self.root}", "name a folder that can be written") from error
        config = folder / "dagster.yaml"
        if not config.exists():
            config.write_text(DAGSTER_YAML)
        return folder

    def check_writable(self) -> None:
        """Before work whose result is to be kept.

        Raises:
            BadInput: a folder of this home is there and cannot be written to.
        """
        for folder in (self.root, *(self.root / name for name in FOLDERS)):
            if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
                raise BadInput("it cannot be written to", f"ALPHA_HOME {folder}", "name a folder that can be written")

    def panel_folder(self, version: str) -> Path:
        """Where a panel of that version is, or would be."""
        if not version.isalnum():
            raise BadInput(f"{version!r} is no panel version", "option --panel", "use one from `ingest`")
        return self.root / "panels" / version

    def versions(self) -> list[str]:
        """Versions of all panels kept."""
        folder = self.root / "panels"
        return sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []

    def panel(self, version: str | None = None) -> Panel:
        """A panel by version, or the current one.

        Raises:
            BadInput: there is none yet, or none of that version.
        """
        if version is None:
            version = self.current
            if version is None:
                raise BadInput("no panel yet", str(self.root), "run `alpha-pipeline ingest` or `mine` first")
        folder = self.panel_folder(version)
        if not folder.is_dir():
            held = ", ".join(self.versions())
            mend = f"use one of: {held}" if held else "run `alpha-pipeline ingest` or `mine` again"
            raise BadInput(f"there is no panel {version}", str(folder.parent), mend)
        return Panel.open(folder)

    @property
    def current(self) -> str | None:
        """Version of the current panel, None before the first ingest."""
        pointer = self.root / "panels" / "current"
        return pointer.read_text().strip() if pointer.exists() else None

    def make_current(self, version: str) -> None:
        """Let commands use this panel from now on."""
        write_atomically(self.root / "panels" / "current", version + "\n")

    def remembered(self, key: str) -> str | None:
        """Version of the panel that was made from exactly these inputs before, if it is still there."""
        path = self.root / "panels" / "made.json"
        version = json.loads(path.read_text()).get(key) if path.exists() else None
        return version if version and self.panel_folder(version).is_dir() else None

    def remember(self, key: str, version: str) -> None:
        """Note which panel these inputs made, so that the same ones need not be read again."""
        path = self.root / "panels" / "made.json"
        made: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        write_atomically(path, json.dumps({**made, key: version}, indent=1, sort_keys=True) + "\n")


def write_atomically(path: Path, text: str) -> None:
    """Write a text file all or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text)
    partial.replace(path)


@cache
def code_version() -> str:
    """Package version and 12 hex digits over its source and SQL: what else but seed and data decides a result."""
    digest = hashlib.sha256()
    for root, kind in ((Path(alpha_pipeline.__file__).parent, "*.py"), (sql_folder(), "*.sql")):
        for path in sorted(root.rglob(kind)):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{alpha_pipeline.__version__}+{digest.hexdigest()[:12]}"
