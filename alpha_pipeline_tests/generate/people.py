"""Made-up results and archives of them for tests of what holds individuals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from alpha_pipeline.expression import Call, Constant, Field, Node
from alpha_pipeline.generate.base import Scored, SearchSettings
from alpha_pipeline.generate.memory.archive import Archive
from alpha_pipeline.generate.memory.individual import Individual, oriented
from alpha_pipeline.thresholds import Thresholds

DAYS = 250


def tree(number: int, operators: int = 1) -> Node:
    """A distinct expression of `operators` operators."""
    node: Node = Call("ts_mean", (Field("returns"), Constant(float(number + 2))))
    for _ in range(operators - 1):
        node = Call("rank", (node,))
    return node


def result(
    number: int, sharpe: float, pnl: npt.NDArray[np.float64] | None = None, turnover: float = 0.2, operators: int = 1
) -> Scored:
    """A result of its own profit; its Sharpe ratio is what is said, whatever the profit's is."""
    pnl = np.random.default_rng(number).normal(0.001, 0.01, DAYS) if pnl is None else pnl
    return Scored(tree(number, operators), f"alpha_{number}", sharpe, pnl, turnover, sharpe * 0.9, 0.05, 1.0)


def individual(number: int, sharpe: float, turnover: float = 0.2, operators: int = 1) -> Individual:
    """The same as an archive holds it."""
    told = result(number, sharpe, turnover=turnover, operators=operators)
    return oriented(told, number, SearchSettings(), Thresholds())


def archive_of(results: Sequence[Scored], capacity: int = 100) -> Archive:
    """An archive that was told them at once."""
    archive = Archive(SearchSettings(), Thresholds(), None, capacity)
    archive.add(results)
    return archive
