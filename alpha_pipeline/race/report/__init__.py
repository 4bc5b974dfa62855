"""What is written of a race: race.json, race.html, race.md and the two main plots as SVG."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_report(summary: Mapping[str, Any], folder: Path) -> None:
    """Write all files of a race into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "race.json").write_text(json.dumps(summary, indent=1, allow_nan=False) + "\n")
