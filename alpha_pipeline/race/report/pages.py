"""The page and the Markdown summary of a race: the same words, tables and plots."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from alpha_pipeline.race.report.plots import Drawn
from alpha_pipeline.race.report.tables import Table, tables

LEVEL = 0.05
"""P-value that a paired test over the markets should be able to reach."""
STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 1080px; margin: 2em auto;
  padding: 0 1em }
h1 { font-size: 1.5em; margin-bottom: 0 } h2 { font-size: 1.1em; margin: 1.6em 0 0.2em }
p, figcaption { max-width: 90ch; color: #444 } .synthetic { color: #8a3b00; font-weight: 600 }
table { border-collapse: collapse; margin: 0.5em 0; font-variant-numeric: tabular-nums; font-size: 0.92em }
th, td { padding: 0.2em 0.7em; text-align: right; border-bottom: 1px solid #e3e3e3; vertical-align: top }
th:first-child, td:first-child { text-align: left } th { color: #555; font-weight: 600 }
.wide { overflow-x: auto } figure { margin: 1em 0 } svg { max-width: 100%; height: auto }
pre { background: #f5f5f5; padding: 0.7em; overflow-x: auto }
"""


def sentences(summary: Mapping[str, Any]) -> list[str]:
    """What was raced, in words."""
    settings = summary["settings"]
    planted = (
        "without any planted alpha: whatever is accepted is false"
        if settings["null"]
        else f"with the planted alphas of the list {settings['plants']}"
    )
    budget = (
        f"{settings['evaluations']:,} evaluations, repeats counted"
        if settings["cpu_seconds_budget"] is None
        else f"{settings['cpu_seconds_budget']:,g} CPU seconds, training counted"
    )
    markets = settings["markets"]
    found = [
        "SYNTHETIC: all prices are simulated. Nothing here speaks about real markets; it says how well generators "
        "search where the truth is known.",
        f"{markets} simulated market{'s' if markets > 1 else ''} of {settings['instruments']} instruments and "
        f"{settings['days']:,} days (seed family {settings['seed']}), {planted}. "
        f"Every arm had {budget}, on the same markets, with the same grammar, limits and evaluator.",
    ]
    if 0.5**markets > LEVEL and not settings["null"]:
        found.append(
            f"So few markets cannot show that one arm beats another: no p-value can be below {0.5**markets:g}, and the "
            "intervals are too narrow."
        )
    if summary["interrupted"]:
        found.append("The race was stopped before all runs were done; the figures are of those that were.")
    return found


def html_page(summary: Mapping[str, Any], drawn: Drawn) -> str:
    """One self-contained page."""
    first, *others = sentences(summary)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><title>Race of generators</title>',
        f"<style>{STYLE}</style></head><body>",
        "<h1>Race of generators</h1>",
        f'<p class="synthetic">{escape(first)}</p>',
        *(f"<p>{escape(sentence)}</p>" for sentence in others),
    ]
    shown = tables(summary)
    figures = [f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>" for caption, svg in drawn.values()]
    lead = 0 if summary["settings"]["null"] else min(2, len(shown))
    parts += [_html_table(table) for table in shown[:lead]] + figures + [_html_table(table) for table in shown[lead:]]
    settings = summary["settings"]
    parts += [
        "<h2>How to repeat it</h2>",
        f"<pre>{escape(settings['command'])}</pre>",
        f"<p>Race {escape(summary['race'])}, code {escape(settings['code_version'])}. All figures: race.json.</p>",
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def markdown_page(summary: Mapping[str, Any], drawn: Drawn) -> str:
    """A summary for documentation; the plots are files beside it."""
    parts = ["# Race of generators", *sentences(summary)]
    parts += [f"![{caption}]({name}.svg)" for name, (caption, _) in drawn.items()]
    parts += [_markdown_table(table) for table in tables(summary)]
    settings = summary["settings"]
    parts += [
        "## How to repeat it",
        f"```\n{settings['command']}\n```",
        f"Race {summary['race']}, code {settings['code_version']}.",
    ]
    return "\n\n".join(parts) + "\n"


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in table.header)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return (
        f"<h2>{escape(table.title)}</h2><p>{escape(table.note)}</p>"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _markdown_table(table: Table) -> str:
    lines = [_line(table.header), _line([":--", *["--:"] * (len(table.header) - 1)])]
    lines += [_line([_code(row[0], table), *row[1:]]) for row in table.rows]
    return f"## {table.title}\n\n{table.note}\n\n" + "\n".join(lines)


def _code(cell: str, table: Table) -> str:
    """Plants are code: a bar or a star in them is no markup."""
    return f"`{cell}`" if table.header[0] == "plant" else cell


def _line(cells: Any) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
