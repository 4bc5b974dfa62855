"""The tables of a race, as text; the HTML page and the Markdown summary show the same ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Table:
    """A table with what to know to read it. The first column is text, all others figures."""

    title: str
    note: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(summary: Mapping[str, Any]) -> list[Table]:
    """All tables, in reading order; those without rows are left out."""
    null = summary["settings"]["null"]
    found = [_honesty(summary), _spread(summary), _cost(summary)]
    if not null:
        found = [_arms(summary), _comparisons(summary), _tiers(summary), *found, _plants(summary)]
    return [table for table in found if table.rows]


def _arms(summary: Mapping[str, Any]) -> Table:
    names = ("recall_weighted", "recall", "recall_exported_weighted", "anytime", "anytime_portfolio", "portfolio")
    rows = [
        [arm["arm"], *(_with_interval(arm, name) for name in names), str(len(arm["markets"]))]
        for arm in summary["arms"]
    ]
    note = (
        "Interquartile means over markets with 95 % bootstrap intervals. Weighted recall, by the plants' oracle Sharpe "
        "ratios, was fixed as the main figure beforehand; exported: likewise, of what would be handed over, where a "
        "better blend keeps out the plant that it holds. Anytime: area under the curve of true worth over the "
        "logarithm of the budget, as a share of the best plant's; of the best in-sample expression, and of the 20 best "
        "accepted at equal risk, whose oracle Sharpe ratio at the end is beside it."
    )
    header = ["arm", "weighted recall", "recall", "exported", "anytime", "anytime, 20", "Sharpe of 20", "markets"]
    return Table("Who finds what is there", note, header, rows)


def _comparisons(summary: Mapping[str, Any]) -> Table:
    rows = [
        [
            f"{each['arm']} over {each['reference']}: {each['figure'].replace('_', ' ')}",
            f"{each['difference']:+.3f}",
            f"{each['interval'][0]:+.3f} to {each['interval'][1]:+.3f}" if each["markets"] > 1 else "–",
            f"{each['wins']} : {each['losses']}",
            _p(each["p"]),
            _p(each["p_holm"]),
        ]
        for each in summary["comparisons"]
    ]
    note = (
        "Paired by market; one-sided Wilcoxon signed-rank test, exact up to 13 markets; Holm's correction within each "
        "figure. `matched` is random search that draws its lengths from what the learners proposed: beating it is more "
        "than having learnt a better length."
    )
    return Table("Who beats whom", note, ["", "difference", "95 %", "won : lost", "p", "p (Holm)"], rows)


def _tiers(summary: Mapping[str, Any]) -> Table:
    tiers = sorted({each["tier"] for arm in summary["arms"] for each in arm["by_tier"]})
    rows = []
    for arm in summary["arms"]:
        held = {each["tier"]: each for each in arm["by_tier"]}
        cells = []
        for tier in tiers:
            each = held.get(tier)
            median = each["median_evaluations"] if each else None
            found = f"{each['recall']:.0%}" if each else "–"
            cells += [found, "never" if median is None else f"{median:,.0f}"]
        rows.append([arm["arm"], *cells])
    header = ["arm", *(text for tier in tiers for text in (f"{tier} found", f"{tier} median"))]
    note = (
        "Share of the plants found by the end, whether or not what found them is handed over; and the median number of "
        "evaluations until the first proposal that met the thresholds and was as good as the plant, right-censored at "
        "the end of the run (Kaplan and Meier). `never`: half were not found."
    )
    return Table("By difficulty", note, header, rows)


def _honesty(summary: Mapping[str, Any]) -> Table:
    rows = [
        [
            arm["arm"],
            f"{arm['in_sample']:.2f}",
            f"{arm['oracle']:.2f}",
            _with_interval(arm, "optimism_gap", 2),
            f"{arm['false_finds']:.1f}",
            f"{arm['false_share']:.0%}",
            f"{arm['false_per_1000']:.2f}",
            f"{arm['runs_with_false_finds']:.0%}",
        ]
        for arm in summary["arms"]
    ]
    note = (
        "In-sample and oracle Sharpe ratio of the ten best in-sample expressions, means over markets, and their "
        "difference, an interquartile mean with its 95 % bootstrap interval. False finds: accepted with an oracle "
        "Sharpe ratio below 0.3; in a null market, everything accepted; means over markets."
    )
    header = ["arm", "in-sample", "oracle", "optimism gap", "false finds", "of accepted", "per 1,000", "runs with one"]
    return Table("Optimism and false finds", note, header, rows)


def _spread(summary: Mapping[str, Any]) -> Table:
    rows = [
        [
            arm["arm"],
            _with_interval(arm, "accepted", 1),
            _with_interval(arm, "clusters", 1),
            _with_interval(arm, "qd_score", 1),
            f"{arm['export_rate']:.2%}",
            f"{arm['passing_share']:.1%}",
        ]
        for arm in summary["arms"]
    ]
    note = (
        "Accepted: meets the thresholds on the search window, |ρ| of daily profit up to 0.7 with every better one, at "
        "most 100. Clusters: average linkage, cut at |ρ| 0.5. QD score: sum of the best oracle Sharpe ratios accepted "
        "in each cell of turnover and length. Accepted as a share of proposals; share of proposals meeting thresholds, "
        "a mean over markets; all others are interquartile means, with 95 % bootstrap intervals."
    )
    header = ["arm", "accepted", "clusters", "QD score", "accepted share", "passing share"]
    return Table("How much, and how different", note, header, rows)


def _cost(summary: Mapping[str, Any]) -> Table:
    rows = [
        [
            arm["arm"],
            f"{arm['evaluations']:,.0f}",
            f"{arm['proposals']:,.0f}",
            f"{arm['repeats_share']:.1%}",
            f"{arm['operators']:.1f}",
            f"{arm['cpu_seconds']:,.1f}",
            f"{1000 * arm['cpu_seconds'] / max(arm['evaluations'], 1):.2f}",
        ]
        for arm in summary["arms"]
    ]
    note = "Means over markets. Repeats count as evaluations; CPU seconds hold evaluation and training."
    header = ["arm", "evaluations", "proposals", "repeats", "operators", "CPU s", "CPU ms each"]
    return Table("What it costs", note, header, rows)


def _plants(summary: Mapping[str, Any]) -> Table:
    markets = summary["markets"]
    held: dict[str, list[str]] = {}
    tiers: dict[str, str] = {}
    for place, market in enumerate(markets):
        for plant in market["plants"]:
            cells = held.setdefault(plant["expression"], ["–"] * len(markets))
            cells[place] = f"{plant['oracle']:.2f}"
            tiers[plant["expression"]] = plant["tier"]
    rows = [[expression, tiers[expression], *cells] for expression, cells in held.items()]
    note = (
        "Oracle Sharpe ratio of each plant in each market, which differs from the strength it was planted with where "
        "plants overlap. One at or below 0 is outweighed by others and counts nowhere."
    )
    header = ["plant", "tier", *(str(market["market"]) for market in markets)]
    return Table("What was planted", note, header, rows)


def _with_interval(arm: Mapping[str, Any], name: str, digits: int = 3) -> str:
    value, interval = arm[name], arm["intervals"][name]
    if value is None or interval is None:
        return "–"
    if len(arm["markets"]) < 2:  # nothing to draw from: it would look like certainty
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} ({interval[0]:.{digits}f} to {interval[1]:.{digits}f})"


def _p(value: float) -> str:
    return f"{value:.4f}" if value >= 0.0001 else "< 0.0001"
