"""Plants that nobody chose: drawn from the grammar by a seed, eight others in every market.

A list that somebody wrote holds eight plants however many markets it is planted in, and favours what its author thought
of. Here market i draws its own: per tier two expressions of the tier's numbers of operators, T4 being one of the others
in which an operator that sees a window of days was exchanged for one that the search does not draw. What is drawn is
looked at on a market without plants. It is taken if it can be planted, trades at a turnover that can be handed over,
and its ranks resemble those of none before it: plants that are alike, or opposites, would be one plant, or none.

The grammar is the one that random search draws from, so nothing here is easier for those who learn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.errors import BadInput
from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.expression import OPERATORS, Call, Node, canonical, operator_count, replace_at, to_text, walk_paths
from alpha_pipeline.generate import Grammar, SearchSettings
from alpha_pipeline.race.markets import make_market
from alpha_pipeline.race.oracle import mean_correlation, ranks_of
from alpha_pipeline.race.planting import HELD, LONGEST_LOOKBACK, PlantedAlpha, PlantLists, check_plantable, load_plants

DRAWN = "drawn"
STRENGTHS = (0.5, 1.0, 1.5, 2.5)
OPERATORS_OF = {"T1": (1, 2), "T2": (3, 4), "T3": (5, 8), "T4": (1, 4)}
"""Fewest and most operators, a leading minus not counted, of two plants per tier."""
UNDRAWN = (
    "ts_entropy",
    "ts_ir",
    "ts_kurtosis",
    "ts_max",
    "ts_max_diff",
    "ts_median",
    "ts_min",
    "ts_min_max_diff",
    "ts_product",
    "ts_quantile",
    "ts_scale",
    "ts_skewness",
)
"""Operators over a window of days that the search does not draw."""
TURNOVER = (0.02, 0.5)
MOST_MISSING = 0.05
ALIKE = 0.3
"""|mean daily rank correlation| from which two plants are not planted together."""
INSTRUMENTS, DAYS, EVERY = 100, 400, 10  # of the market on which they are looked at, and how many days apart
TRIES = 5_000


@dataclass(frozen=True)
class DrawnPlants(PlantLists):
    """Lists without end; see the module.

    Attributes:
        seed: of all of them.
    """

    seed: int = 1

    def of_market(self, number: int) -> tuple[PlantedAlpha, ...]:
        """The plants of market `number`, from 0; their strengths are dealt as those of a written list are."""
        drawn = enumerate(draw(self.seed, number))
        return tuple(PlantedAlpha(text, self.dealt(position, number), tier) for position, (text, tier) in drawn)

    def to_dict(self) -> dict[str, Any]:
        """All that decides what is planted, as JSON-ready values."""
        return {"drawn": self.seed, "strengths": list(self.strengths)}


def plants_by_name(name: str, seed: int) -> PlantLists:
    """Plants of a built-in list, from a file, or drawn by the race's seed.

    Raises:
        BadInput: no such file, no such JSON, or a plant that cannot be planted.
    """
    return DrawnPlants(DRAWN, (), STRENGTHS, seed) if name == DRAWN else load_plants(name)


@lru_cache(maxsize=64)
def draw(seed: int, number: int) -> tuple[tuple[str, str], ...]:
    """(expression, tier) of the plants of one market."""
    random = np.random.default_rng(np.random.SeedSequence([seed, number, 0xD4A3]))
    market = make_market(int(random.integers(2**31)), INSTRUMENTS, DAYS, ())
    found: list[tuple[str, str]] = []
    held: list[NDArray[np.float64]] = []
    with Evaluator(market.panel, threads=1, memory=64 << 20) as evaluator:
        for tier in OPERATORS_OF:
            tried = candidates(random, tier)
            for _ in range(2):
                node, ranks = next(
                    (node, ranks)
                    for node in tried
                    if (ranks := signal_ranks(evaluator, node)) is not None
                    and all(abs(mean_correlation(ranks, other)) < ALIKE for other in held)
                )
                found.append((to_text(node), tier))
                held.append(ranks)
    return tuple(found)


def candidates(random: np.random.Generator, tier: str) -> Iterator[Node]:
    """Expressions of a tier that can be planted, in the order in which they are drawn."""
    grammar = Grammar(HELD, settings=SearchSettings(longest_lookback=LONGEST_LOOKBACK))
    low, high = OPERATORS_OF[tier]
    for _ in range(TRIES):
        node = grammar.sample(random, int(random.integers(low, high + 1)))
        if node is not None and tier == "T4":
            node = exchanged(random, node)
        if node is None or not low <= _operators(node) <= high:
            continue
        try:
            check_plantable(to_text(node), tier)
        except BadInput:
            continue
        yield node
    raise RuntimeError(f"{TRIES} draws gave too few plants of tier {tier}")


def exchanged(random: np.random.Generator, node: Node) -> Node | None:
    """The expression with an operator over days exchanged for one of `UNDRAWN`; None where it has none."""
    slots = OPERATORS[UNDRAWN[0]].slots
    places = [
        (path, part)
        for path, part in walk_paths(node)
        if isinstance(part, Call) and OPERATORS[part.operator].slots == slots
    ]
    if not places:
        return None
    path, part = places[int(random.integers(len(places)))]
    name = UNDRAWN[int(random.integers(len(UNDRAWN)))]
    return canonical(replace_at(node, path, Call(name, part.arguments)))


def signal_ranks(evaluator: Evaluator, node: Node) -> NDArray[np.float64] | None:
    """Ranks on some days, [days, instruments]; None where it could not be handed over."""
    (trial,) = evaluator.evaluate_many([node])
    low, high = TURNOVER
    if trial.missing > MOST_MISSING or not low <= trial.metrics.turnover <= high:
        return None
    return ranks_of(evaluator.engine.evaluate(node)[DAYS // 2 :: EVERY], evaluator.panel.universe[DAYS // 2 :: EVERY])


def _operators(node: Node) -> int:
    """Of an expression, a leading minus not counted."""
    return operator_count(node) - (isinstance(node, Call) and node.operator == "reverse")
