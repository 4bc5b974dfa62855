"""Pictures for the Dagster UI, as Markdown with the image inside."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt


def cumulative_profit(
    dates: npt.NDArray[np.datetime64], profits: Mapping[str, npt.NDArray[np.float64]], title: str
) -> str:
    """Cumulative daily profit of some alphas as a Markdown image.

    Args:
        dates: [S] days.
        profits: per label, float64 [S] daily profit per unit of book.
        title: shown above; says SYNTHETIC where the market is.
    """
    # Imported here: it takes half a second, and most commands draw nothing.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for label, profit in profits.items():
        axes.plot(dates, 200 * np.cumsum(profit), linewidth=1.1, label=label)  # on half the book, in percent
    axes.set_title(title, fontsize=10)
    axes.set_ylabel("cumulative return, %")
    axes.grid(alpha=0.3)
    if profits:
        axes.legend(fontsize=7, loc="upper left")
    target = io.BytesIO()
    figure.savefig(target, format="png")
    return f"![{title}](data:image/png;base64,{base64.b64encode(target.getvalue()).decode()})"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
