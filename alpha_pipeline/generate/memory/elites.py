"""The grid of elites: for every kind of behaviour, the best expression that behaves so (MAP-Elites).

Mouret & Clune 2015, "Illuminating search spaces by mapping elites": the space of behaviour is cut into cells, each
keeps the best seen in it, and parents are drawn uniformly over the filled cells. Here a cell is a range of turnover on
a logarithmic scale, the style that the profit resembles most, and a range of complexity; the best is the highest lower
bound of the Sharpe ratio, in the orientation in which the expression earns. Quality-diversity score (Pugh et al. 2015):
the sum over filled cells of how far the elite is above a fixed offset.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from alpha_pipeline.generate.base import FloatArray
from alpha_pipeline.generate.memory.individual import Individual
from alpha_pipeline.generate.memory.styles import STYLE_PROBES, dominant_styles

TURNOVER_EDGES = tuple(float(edge) for edge in np.geomspace(0.02, 0.7, 7))
"""Daily turnover at which the next cell begins: equal steps of its logarithm, the last from the highest accepted."""
COMPLEXITIES = 4
SHAPE = (len(TURNOVER_EDGES) + 1, len(STYLE_PROBES), COMPLEXITIES)
"""Cells: turnover × style × complexity."""
OFFSET = 0.0
"""Lower bound of the Sharpe ratio from which an expression counts as an elite: less may be chance alone."""


class Elites:
    """The grid of a run.

    Args:
        most_operators: of an expression; quarters of it are the cells of complexity.
        styles: daily profit of the style probes, [8, days]; without them all styles are the first.

    Attributes:
        filled: numbers of the filled cells, in the order in which they were first filled.
        replaced: how often an elite gave way to a better one.
    """

    def __init__(self, most_operators: int, styles: FloatArray | None) -> None:
        self._most_operators, self._styles = most_operators, styles
        self._cells: dict[int, Individual] = {}
        self.filled: list[int] = []
        self.replaced = 0

    def __len__(self) -> int:
        """Filled cells."""
        return len(self.filled)

    def add(self, individuals: Sequence[Individual]) -> None:
        """Take in expressions; each becomes the elite of its cell where it is better than the one there."""
        promising = [individual for individual in individuals if individual.lower > OFFSET]
        if not promising:
            return
        styles = dominant_styles(np.array([individual.pnl for individual in promising]), self._styles)
        for individual, style in zip(promising, styles.tolist(), strict=True):
            number = cell(individual.turnover, style, individual.operators, self._most_operators)
            held = self._cells.get(number)
            if held is None:
                self.filled.append(number)
            elif individual.lower <= held.lower:
                continue
            else:
                self.replaced += 1
            self._cells[number] = individual

    def elite(self, number: int) -> Individual:
        """The elite of a filled cell.

        Raises:
            KeyError: the cell is empty.
        """
        return self._cells[number]

    def draw(self, random: np.random.Generator) -> Individual | None:
        """The elite of a filled cell, each cell alike; None while all are empty."""
        return self._cells[self.filled[int(random.integers(len(self.filled)))]] if self.filled else None

    @property
    def score(self) -> float:
        """Quality-diversity score: Σ (elite − `OFFSET`) over filled cells; it never falls."""
        return sum(self._cells[number].lower - OFFSET for number in self.filled)

    @property
    def coverage(self) -> float:
        """Share of cells that are filled."""
        return len(self.filled) / (SHAPE[0] * SHAPE[1] * SHAPE[2])


def cell(turnover: float, style: int, operators: int, most_operators: int) -> int:
    """Number of the cell of an expression, 0 to 255.

    Args:
        turnover: daily, a fraction; a value on an edge belongs to the cell above it.
        style: row of the dominant probe.
        operators: of the expression; the first cell of complexity holds up to a quarter of `most_operators`, and so on.
        most_operators: bound of the search.
    """
    complexity = min(max(operators - 1, 0) * COMPLEXITIES // most_operators, COMPLEXITIES - 1)
    return (bisect_right(TURNOVER_EDGES, turnover) * SHAPE[1] + style) * COMPLEXITIES + complexity
