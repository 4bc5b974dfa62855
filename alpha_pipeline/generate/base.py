"""What every generator shares: what it is told, what it must answer, and its settings. No search happens here.

A run is a loop of `ask` and `tell`. A generator learns from search-window figures only; nothing here can hold the
gate's. All randomness comes from one seeded NumPy generator, so the same seed and the same answers give the same asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import Node, canonical, to_text

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scored:
    """What the evaluator says about one proposal, on the search window.

    Attributes:
        node: the proposal, as it was asked.
        alpha_id: its identity.
        sharpe: annualised, net of nothing.
        pnl: daily profit per unit of book, [search days], the same days for every proposal of a run; NaN where the
            expression's lookback is not yet filled.
        turnover: mean Σ|Δweight| a day, a fraction.
        fitness: sharpe · √(|returns| / max(turnover, 0.125)).
        returns: yearly, on half the book, a fraction.
        finite_share: share of finite cells among the universe's.
        error: why there are no figures, or None; the figures are then 0 and `pnl` is empty.
    """

    node: Node
    alpha_id: str
    sharpe: float
    pnl: FloatArray
    turnover: float
    fitness: float
    returns: float
    finite_share: float
    error: str | None = None


@dataclass(frozen=True)
class SearchSettings:
    """Bounds of the search.

    Args:
        budget: proposals the run is expected to make; populations are sized to it, and a run may stop short or go on.
        deepest: operators inside one another, at most 10.
        most_operators: operators in one expression, a leading minus included.
        largest_sample: operators that a fresh sample aims at, at most; what is larger grows of parts that earn.
        longest_lookback: days of history an expression may need; they are lost to every figure.
    """

    budget: int = 500
    deepest: int = 8
    most_operators: int = 24
    largest_sample: int = 9
    longest_lookback: int = 300

    def __post_init__(self) -> None:
        limits = {
            "budget": (1, 10_000_000),
            "deepest": (1, 10),
            "most_operators": (1, 60),
            "largest_sample": (1, 60),
            "longest_lookback": (30, 2_000),
        }
        for name, (lowest, highest) in limits.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
                raise BadInput(
                    f"{name} is {value!r}", "search settings", f"use a whole number from {lowest} to {highest}"
                )


@dataclass(frozen=True)
class Round:
    """One `tell`, for plots and logs.

    Attributes:
        number: of the tell, from 0.
        proposals: in it.
        best_reward, mean_reward: of them.
        passing: how many of all so far meet the thresholds.
        figures: whatever else deserves a curve: means of the reward's terms, entropy, losses, shares.
    """

    number: int
    proposals: int
    best_reward: float
    mean_reward: float
    passing: int
    figures: Mapping[str, float] = field(default_factory=dict)


class Generator(Protocol):
    """A source of candidate expressions.

    Attributes:
        name: its name in the registry.
        history: one entry per `tell`.
        repeats: complete valid expressions that it made, found to be proposed before in the run, and threw away. A
            comparison under equal budgets counts them as if they had been evaluated.
        batch: proposals that it likes to learn from at once; None where it does not mind.
    """

    name: str
    history: list[Round]
    repeats: int
    batch: int | None

    def ask(self, count: int) -> list[Node]:
        """`count` canonical expressions, never proposed before in this run; fewer only when none can be found."""
        ...

    def tell(self, results: Sequence[Scored]) -> None:
        """The figures of what was asked, in the order of the ask."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a critic did with one proposal.

    Attributes:
        node: the proposal.
        probability: with which it was handed on if seen; 1 before the first fit, and for what is known.
        free: it was handed on unseen.
        handed: whether it was handed on.
    """

    node: Node
    probability: float
    free: bool
    handed: bool


class Learner(Protocol):
    """A generator, or a part of one, whose knowledge outlives a run.

    Attributes:
        name: of its file.
    """

    name: str

    @property
    def trained(self) -> int:
        """Evaluations it has learned from, in earlier runs and in this one."""
        ...

    def save(self, path: Path) -> None:
        """Write all it knows."""
        ...

    def load(self, path: Path) -> None:
        """Go on from what was saved.

        Raises:
            BadInput: the file is broken, or of another search space.
        """
        ...


def check_proposals(nodes: Sequence[Node], before: set[Node]) -> None:
    """Hold a generator to its word, and add the proposals to `before`.

    Raises:
        ValueError: a proposal that is not canonical or was proposed before: a defect of the generator.
    """
    for node in nodes:
        if canonical(node) != node:
            raise ValueError(f"proposal is not canonical: {to_text(node)}")
        if node in before:
            raise ValueError(f"proposed twice: {to_text(node)}")
        before.add(node)
