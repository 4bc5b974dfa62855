"""Plots of a race as SVG text, by matplotlib, which is imported here alone.

The same figures give the same bytes: no date, no random ids.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind eyes tell apart; line styles tell them apart in grey as well
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000", "#999999")
DASHES = ("-", "--", "-.", ":")
STYLE: Any = {"svg.hashsalt": "race", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}
Drawn = dict[str, tuple[str, str]]
"""Name → (caption, SVG)."""


def draw(summary: Mapping[str, Any]) -> Drawn:
    """What arms found over the budget, and what of it; in null markets, what they took for real."""
    with matplotlib.rc_context(STYLE):
        if summary["settings"]["null"]:
            return {"false-finds": ("Accepted in markets without any alpha, mean over markets", _false_finds(summary))}
        return {
            "anytime": (
                "True worth over the budget, as shares of each market's best plant, and Sharpe-weighted recall: "
                "interquartile means over markets, bands are 95 % bootstrap intervals",
                _anytime(summary),
            ),
            "recall": ("Share of the plants found at the end, by difficulty", _recall(summary)),
        }


def _anytime(summary: Mapping[str, Any]) -> str:
    figure = Figure(figsize=(10.5, 3.4), layout="constrained")
    panels = {
        "best": "best in-sample: oracle Sharpe / best plant's",
        "portfolio": "best 20, equal risk: oracle Sharpe / best plant's",
        "recall_weighted": "weighted recall",
    }
    axes = figure.subplots(1, len(panels))
    for place, (name, title) in enumerate(panels.items()):
        for number, arm in enumerate(summary["arms"]):
            points = [point for point in arm["curve"] if name in point]
            at, values = [point["at"] for point in points], [point[name] for point in points]
            axes[place].plot(at, values, label=arm["arm"], color=_colour(number), linestyle=_dash(number))
            low, high = ([point[f"{name}_interval"][end] for point in points] for end in (0, 1))
            axes[place].fill_between(at, low, high, color=_colour(number), alpha=0.1, linewidth=0)
        marks = [point["at"] for point in summary["arms"][0]["curve"]]
        axes[place].set_xscale("log")
        axes[place].set_xticks(marks, [f"{mark:,g}" for mark in marks], fontsize=7)
        axes[place].minorticks_off()
        _dress(axes[place], title, _axis(summary))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 6), frameon=False)
    return _svg(figure)


def _recall(summary: Mapping[str, Any]) -> str:
    figure = Figure(figsize=(10.5, 3.0), layout="constrained")
    axes = figure.subplots(1, 2)
    for place, (key, title) in enumerate({"tier": "by tier", "strength": "by planted Sharpe ratio"}.items()):
        field = "sharpe" if key == "strength" else key
        values = sorted({each[field] for arm in summary["arms"] for each in arm[f"by_{key}"]})
        width = 0.8 / len(summary["arms"])
        for number, arm in enumerate(summary["arms"]):
            recall = {each[field]: each["recall"] for each in arm[f"by_{key}"]}
            left = [position + (number + 0.5) * width - 0.4 for position in range(len(values))]
            heights = [recall.get(value, 0.0) for value in values]
            axes[place].bar(left, heights, width * 0.92, label=arm["arm"], color=_colour(number))
        axes[place].set_xticks(range(len(values)), [str(value) for value in values])
        axes[place].set_ylim(0, 1)
        _dress(axes[place], f"recall {title}", "")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 6), frameon=False)
    return _svg(figure)


def _false_finds(summary: Mapping[str, Any]) -> str:
    figure = Figure(figsize=(7, 0.6 + 0.35 * len(summary["arms"])), layout="constrained")
    axis = figure.subplots()
    names = [arm["arm"] for arm in summary["arms"]]
    axis.barh(names, [arm["false_per_1000"] for arm in summary["arms"]], color=COLOURS[0])
    axis.invert_yaxis()
    _dress(axis, "false finds per 1,000 evaluations", "")
    return _svg(figure)


def _dress(axis: Axes, title: str, across: str) -> None:
    axis.set_title(title, loc="left", fontsize=9)
    axis.set_xlabel(across)
    axis.grid(visible=True, alpha=0.25, linewidth=0.5)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def _axis(summary: Mapping[str, Any]) -> str:
    return "evaluations" if summary["settings"]["cpu_seconds_budget"] is None else "CPU seconds"


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _dash(number: int) -> str:
    return DASHES[number // len(COLOURS) % len(DASHES)]


def _svg(figure: Figure) -> str:
    held = io.StringIO()
    figure.savefig(held, format="svg", metadata={"Date": None, "Creator": None})
    text = held.getvalue()
    return text[text.index("<svg") :]
