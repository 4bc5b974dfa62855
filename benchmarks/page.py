"""docs/performance.md from what was measured: what users ask first, then the parts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from textwrap import fill
from typing import Any

from benchmarks import bars, page_parts
from benchmarks.charts import Chart, sheet

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE, IMAGES = DOCS / "performance.md", DOCS / "images"
WIDTH = 120
NOTES = Path(__file__).with_name("notes.md")
"""Written by hand: what was tried and what came of it. Put at the end of the page as it is."""


def write(results: Mapping[str, Any], about: Mapping[str, Any]) -> Path:
    """Write the page and its charts; `about` holds the machine, how busy it was, and the seconds of the run."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    (IMAGES / "scaling.svg").write_text(scaling_chart(results["scaling"], results["population"]))
    found = bars.rows(results)
    sections = [
        f"""# Performance

Written by `make bench` on {datetime.now(UTC):%Y-%m-%d} in {about["seconds"] / 60:.0f} minutes; every
figure is from that one run, but for the notes at the end. Machine: {about["machine"]}; {about["busy"]:.1f} of its
processors were busy with other work when the run began.

M is one copy of a float32 panel of 1,260 days × 3,000 instruments, {results["operators"]["copy_ms"]:.2f} ms here,
measured between the runs that it is the unit of. It is from memory to memory: four pairs of panels take turns, since
one that is copied over and over stays in a large cache ({results["operators"]["cached_copy_ms"]:.2f} ms), as no matrix
of a run does. Unless said otherwise figures are of that size, exact, and the best of several rounds.
""",
        bars_section(found),
        page_parts.answers(results),
        page_parts.expressions(results["expressions"]),
        page_parts.operators(results["operators"]),
        page_parts.rank(results["rank"]),
        page_parts.population(results["population"]),
        page_parts.scaling(results["scaling"]),
        page_parts.flame(results["flame"]),
        page_parts.language(results["language"]),
        page_parts.mining(results["mining"]),
        NOTES.read_text() if NOTES.exists() else "",
    ]
    PAGE.write_text("\n".join(folded(section) + "\n" for section in sections if section.strip()))
    return PAGE


def folded(text: str) -> str:
    """Paragraphs at the usual width; tables, lists and headings as they are."""
    blocks = [block.strip() for block in text.strip().split("\n\n")]
    kept = ("|", "#", "- ", "!")
    return "\n\n".join(
        block if block.startswith(kept) else fill(block, WIDTH, break_long_words=False, break_on_hyphens=False)
        for block in blocks
        if block
    )


def bars_section(found: list[bars.Row]) -> str:
    table = page_parts.table(
        ["", "measured", "bar", ""],
        [
            [
                row.name,
                bars.figure(row.value, row.unit),
                f"{'≥' if row.least else '≤'} {bars.figure(row.bar, row.unit)}",
                bars.verdict(row),
            ]
            for row in found
        ],
    )
    reasons = "\n".join(f"- **{row.name}**: {row.reason}." for row in found if row.reason)
    return f"## What it is held to\n\n{table}\n\n{reasons}"


def scaling_chart(found: Mapping[str, Any], population: Mapping[str, Any]) -> str:
    """Four charts: days, instruments, batch, threads."""

    def lines(series: str) -> list[tuple[str, list[tuple[float, float]]]]:
        rows = found[series]
        return [(label, [(row["at"], row[key]) for row in rows]) for label, key in (("wall", "ms"), ("CPU", "cpu_ms"))]

    batch = lines("batch")
    for (_, points), key in zip(batch, ("ms", "cpu_ms"), strict=True):
        points.append((population["expressions"], population[key]))
    return sheet(
        [
            Chart("Days", "days, 3,000 instruments", "ms an expression", lines("dates")),
            Chart("Instruments", "instruments, 1,260 days", "ms an expression", lines("instruments")),
            Chart("Batch", "expressions asked for at once", "ms an expression", batch, doubling=True),
            Chart("Threads", "threads", "ms an expression", lines("threads")),
        ]
    )
