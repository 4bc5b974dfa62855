"""Small line charts as SVG, written by hand: no plotting library is needed to measure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 440, 270
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 34, 40
COLOURS = ("#1f6feb", "#d1652a", "#2da44e")

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes:
        lines: (label, points) in the order of the legend.
        doubling: the x axis is logarithmic.
    """

    title: str
    x: str
    y: str
    lines: Sequence[tuple[str, Points]]
    doubling: bool = False


def sheet(charts: Sequence[Chart], columns: int = 2) -> str:
    """Charts side by side on one SVG."""
    rows = math.ceil(len(charts) / columns)
    width, height = columns * WIDTH, rows * HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11" fill="#333333">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for number, chart in enumerate(charts):
        row, column = divmod(number, columns)
        parts.append(f'<g transform="translate({column * WIDTH},{row * HEIGHT})">{_drawn(chart)}</g>')
    return "\n".join([*parts, "</svg>", ""])


def _drawn(chart: Chart) -> str:
    points = [point for _, line in chart.lines for point in line]
    xs = sorted({x for x, _ in points})
    top = _round_up(max(y for _, y in points))
    across = _scale(xs[0] if chart.doubling else 0.0, xs[-1], LEFT, WIDTH - RIGHT, chart.doubling)
    up = _scale(0.0, top, HEIGHT - BOTTOM, TOP, False)
    parts = [_text(LEFT, 18, f"{chart.title}: {chart.y}", "start", 13)]
    for step in range(5):
        value = top * step / 4
        y = up(value)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e3e3"/>')
        parts.append(_text(LEFT - 6, y + 4, f"{value:g}", "end"))
    parts += [_text(across(x), HEIGHT - BOTTOM + 16, f"{x:,.0f}", "middle") for x in xs]
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, chart.x, "middle"))
    for number, (label, line) in enumerate(chart.lines):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="3" fill="{colour}"/>' for x, y in line]
        key = WIDTH - RIGHT - 74 * (len(chart.lines) - number)
        parts.append(f'<rect x="{key}" y="10" width="10" height="10" fill="{colour}"/>')
        parts.append(_text(key + 14, 19, label, "start"))
    return "".join(parts)


def _scale(low: float, high: float, first: float, last: float, doubling: bool) -> Callable[[float], float]:
    """Where a value lies between two pixels."""
    if doubling:
        low, high = math.log2(low), math.log2(high)

    def place(value: float) -> float:
        at = math.log2(value) if doubling else value
        return first + (last - first) * ((at - low) / (high - low) if high > low else 0.5)

    return place


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 6, 8 or 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= value * (1 - 1e-9))


def _text(x: float, y: float, text: str, anchor: str, size: int = 11) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'
