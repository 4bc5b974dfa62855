"""What is written of a race: race.json, race.html, race.md and the main plots as SVG. No figure is worked out here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alpha_pipeline.race.report.pages import html_page, markdown_page
from alpha_pipeline.race.report.plots import draw


def write_report(summary: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write all files of a race into a folder. Returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = draw(summary)
    texts = {
        "race.json": json.dumps(summary, indent=1, allow_nan=False) + "\n",
        "race.html": html_page(summary, drawn),
        "race.md": markdown_page(summary, drawn),
        **{f"{name}.svg": svg for name, (_, svg) in drawn.items()},
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [folder / name for name in texts]
