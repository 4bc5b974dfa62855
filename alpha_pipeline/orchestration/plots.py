"""Pictures and tables for the Dagster UI.

The line chart is written as SVG by hand: a plotting library takes half a second to import, a sixth of what a run may
spend outside mining, and its picture is three times as large in the event log.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from html import escape

import dagster as dg
import numpy as np
import numpy.typing as npt

from alpha_pipeline.backtest import Metrics

WIDTH, HEIGHT = 820, 330
LEFT, RIGHT, TOP, BOTTOM = 58, 150, 34, 26  # margins of the plotted area; the legend stands in the right one
POINTS = 240  # drawn per line; more cannot be told apart at this width
# Okabe and Ito's, which colour-blind eyes tell apart
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
TICKS = 6  # at most, but for the lines that round the range up


def cumulative_profit(
    dates: npt.NDArray[np.datetime64], profits: Mapping[str, npt.NDArray[np.float64]], title: str
) -> str:
    """Cumulative daily profit of some alphas as a Markdown image.

    Args:
        dates: [S] days, at least two.
        profits: per label, float64 [S] daily profit per unit of book; drawn in percent of half the book.
        title: shown above; says SYNTHETIC where the market is.
    """
    shown = np.unique(np.linspace(0, len(dates) - 1, POINTS).round().astype(np.int64))
    lines = {label: 200 * np.cumsum(np.nan_to_num(profit))[shown] for label, profit in profits.items()}
    low = min([0.0, *(float(line.min()) for line in lines.values())])
    high = max([0.0, *(float(line.max()) for line in lines.values())])
    step = nice_step(max(high - low, 1e-9) / TICKS)
    bottom, top = math.floor(low / step) * step, max(math.ceil(high / step), math.floor(low / step) + 1) * step
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(day: float) -> float:
        return LEFT + wide * day / max(len(dates) - 1, 1)

    def y(value: float) -> float:
        return TOP + tall * (top - value) / (top - bottom)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="11" fill="#333">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="18" font-size="13" font-weight="bold">{escape(title)}</text>',
    ]
    for tick in range(round((top - bottom) / step) + 1):
        value = bottom + tick * step
        height = y(value)
        parts.append(
            f'<path d="M{LEFT} {height:.1f}h{wide}" stroke="{"#999" if abs(value) < step / 2 else "#e5e5e5"}"/>'
        )
        parts.append(f'<text x="{LEFT - 6}" y="{height + 4:.1f}" text-anchor="end">{value:.10g} %</text>')
    years = dates.astype("datetime64[Y]")
    for day in (np.flatnonzero(years[1:] != years[:-1]) + 1).tolist():
        parts.append(f'<path d="M{x(day):.1f} {TOP}v{tall}" stroke="#e5e5e5"/>')
        parts.append(f'<text x="{x(day):.1f}" y="{HEIGHT - 8}" text-anchor="middle">{years[day]}</text>')
    for number, (label, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(f"{x(day):.1f},{y(value):.1f}" for day, value in zip(shown, line, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.3"/>')
        parts.append(f'<rect x="{WIDTH - RIGHT + 10}" y="{TOP + 17 * number}" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{WIDTH - RIGHT + 25}" y="{TOP + 17 * number + 9}">{escape(label)}</text>')
    text = "".join([*parts, "</svg>"])
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(text.encode()).decode()})"


def nice_step(least: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is no smaller than `least` (above 0)."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * (1 - 1e-12))


def table(columns: Mapping[str, str], rows: Sequence[Sequence[object]]) -> dg.TableMetadataValue:
    """A table for the Dagster UI.

    Args:
        columns: name → type ("string", "int", "float"), in order.
        rows: values in that order; floats are shown with four significant digits.
    """
    records = [dg.TableRecord({name: _shown(value) for name, value in zip(columns, row, strict=True)}) for row in rows]
    schema = dg.TableSchema([dg.TableColumn(name, kind) for name, kind in columns.items()])
    return dg.MetadataValue.table(records, schema)


def alphas_table(alphas: Sequence[tuple[str, Metrics]]) -> dg.TableMetadataValue:
    """Expressions with their figures, ratios as fractions."""
    figures = ("sharpe", "fitness", "turnover", "returns", "drawdown")
    rows = [[expression, *(metrics.to_dict()[name] for name in figures)] for expression, metrics in alphas]
    return table({"expression": "string", **dict.fromkeys(figures, "float")}, rows)


def _shown(value: object) -> str | int | float | bool | None:
    if isinstance(value, float):
        return float(f"{value:.4g}") if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, str | int) else str(value)
