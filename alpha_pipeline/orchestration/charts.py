"""Charts for the Dagster UI and a run's folder: lines and points as SVG.

They are written by hand: a plotting library takes half a second to import, a sixth of what a run may spend outside
mining, and its picture is three times as large in the event log.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from html import escape

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 820, 330
LEFT, RIGHT, TOP, BOTTOM = 58, 150, 34, 40  # margins of the plotted area; the legend stands in the right one
POINTS = 240  # drawn per line; more cannot be told apart at this width
# Okabe and Ito's, which colour-blind eyes tell apart
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
TICKS = 6  # at most, but for the lines that round the range up

Values = npt.NDArray[np.float64]


def cumulative_profit(dates: npt.NDArray[np.datetime64], profits: Mapping[str, Values], title: str) -> str:
    """Cumulative daily profit of some alphas.

    Args:
        dates: [S] days, at least two.
        profits: per label, float64 [S] daily profit per unit of book; drawn in percent of half the book.
        title: shown above; says SYNTHETIC where the market is.
    """
    days = np.arange(len(dates), dtype=np.float64)
    lines = {label: (days, 200 * np.cumsum(np.nan_to_num(profit))) for label, profit in profits.items()}
    years = dates.astype("datetime64[Y]")
    turns = (np.flatnonzero(years[1:] != years[:-1]) + 1).tolist()
    ticks = {float(day): str(years[day]) for day in turns}
    return _chart(title, lines, (0.0, float(max(len(dates) - 1, 1))), ticks, "", unit=" %")


def line_chart(title: str, lines: Mapping[str, tuple[Values, Values]], across: str, upward: str = "") -> str:
    """Lines over a number that rises.

    Args:
        title: shown above.
        lines: per label, x and y, [n] each; what is not finite is left out.
        across, upward: what x and y are.
    """
    return _plain(title, lines, across, upward, joined=True)


def scatter_chart(title: str, points: Mapping[str, tuple[Values, Values]], across: str, upward: str = "") -> str:
    """Points by group; arguments as of `line_chart`."""
    return _plain(title, points, across, upward, joined=False)


def as_markdown(svg: str, title: str) -> str:
    """The picture inside a Markdown text, as Dagster's UI shows it."""
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def nice_step(least: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is no smaller than `least` (above 0)."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * (1 - 1e-12))


def _plain(title: str, series: Mapping[str, tuple[Values, Values]], across: str, upward: str, joined: bool) -> str:
    finite = {}
    for label, (x, y) in series.items():
        held = np.isfinite(x) & np.isfinite(y)
        finite[label] = (np.asarray(x, np.float64)[held], np.asarray(y, np.float64)[held])
    everywhere = np.concatenate([np.zeros(1), *(x for x, _ in finite.values())])
    low, high, step = _rounded(float(everywhere.min()), float(everywhere.max()))
    ticks = {low + step * tick: f"{low + step * tick:,.10g}" for tick in range(round((high - low) / step) + 1)}
    return _chart(title, finite, (low, high), ticks, across, upward=upward, joined=joined)


def _rounded(low: float, high: float) -> tuple[float, float, float]:
    """The range rounded outwards to whole steps, and the step."""
    step = nice_step(max(high - low, 1e-9) / TICKS)
    bottom = math.floor(low / step)
    return bottom * step, max(math.ceil(high / step), bottom + 1) * step, step


def _chart(
    title: str,
    series: Mapping[str, tuple[Values, Values]],
    span: tuple[float, float],
    ticks: Mapping[float, str],
    across: str,
    *,
    upward: str = "",
    unit: str = "",
    joined: bool = True,
) -> str:
    """The picture, [x, y] values per label; `ticks` are x values with what is written below them."""
    wide, tall = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    bottom, top, step = _rounded(
        min([0.0, *(float(y.min()) for _, y in series.values() if len(y))]),
        max([0.0, *(float(y.max()) for _, y in series.values() if len(y))]),
    )

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + wide * (x - span[0]) / (span[1] - span[0]), TOP + tall * (top - y) / (top - bottom)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="11" fill="#333">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="18" font-size="13" font-weight="bold">{escape(title)}</text>',
        f'<text x="{LEFT + wide / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(across)}</text>',
        f'<text x="{LEFT}" y="{TOP - 4}" text-anchor="middle">{escape(upward)}</text>',
    ]
    for tick in range(round((top - bottom) / step) + 1):
        value = bottom + tick * step
        height = place(span[0], value)[1]
        colour = "#999" if abs(value) < step / 2 else "#e5e5e5"
        parts.append(f'<path d="M{LEFT} {height:.1f}h{wide}" stroke="{colour}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{height + 4:.1f}" text-anchor="end">{value:.10g}{unit}</text>')
    for value, text in ticks.items():
        x = place(value, bottom)[0]
        parts.append(f'<path d="M{x:.1f} {TOP}v{tall}" stroke="#e5e5e5"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle">{text}</text>')
    for number, (label, (xs, ys)) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        if joined:
            shown = np.unique(np.linspace(0, max(len(xs) - 1, 0), min(POINTS, len(xs))).round().astype(np.int64))
            points = " ".join("{:.1f},{:.1f}".format(*place(xs[each], ys[each])) for each in shown)
            parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.3"/>')
        else:
            spots = (place(x, y) for x, y in zip(xs, ys, strict=True))
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in spots]
        parts.append(f'<rect x="{WIDTH - RIGHT + 10}" y="{TOP + 17 * number}" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{WIDTH - RIGHT + 25}" y="{TOP + 17 * number + 9}">{escape(label)}</text>')
    return "".join([*parts, "</svg>"])
