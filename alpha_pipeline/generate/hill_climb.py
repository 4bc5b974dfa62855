"""`hill`: mutation of one expression at a time, uphill only, from fresh starts: what learning has to beat at least.

1. A start is the best of `STARTS` samples of the grammar.
2. Neighbours of the current expression are proposed, `batch` at a time; the first that is paid more takes its place.
3. After `patience` neighbours in a row without one, the hill is done, and a new start is drawn.

Rewards are the memory's, so what resembles a better expression of an earlier hill is paid less.
Source: first-improvement hill climbing with random restarts (Russell and Norvig, Artificial Intelligence, section 4.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alpha_pipeline.expression import Node
from alpha_pipeline.generate.base import Scored
from alpha_pipeline.generate.memory.memory import Memory
from alpha_pipeline.generate.reward import Reward
from alpha_pipeline.generate.searcher import Searcher
from alpha_pipeline.generate.space import variation
from alpha_pipeline.generate.space.drawn import Drawn
from alpha_pipeline.generate.space.grammar import Grammar, negated

STARTS = 16
"""Samples of which the best is climbed from."""
TRIES = 400
"""Attempts in a row without a new expression after which a hill, or the space, counts as exhausted."""
WAYS = ("subtree", "point", "window", "hoist", "wrap", "negate")


@dataclass(frozen=True)
class HillSettings:
    """How hills are climbed.

    Args:
        patience: neighbours without an improvement before a new start.
        subtree, point, window, hoist, wrap, negate: relative rates of the changes.
    """

    patience: int = 96
    subtree: float = 0.3
    point: float = 0.25
    window: float = 0.15
    hoist: float = 0.1
    wrap: float = 0.15
    negate: float = 0.05


class HillClimb(Searcher):
    """Hill climbing; see the module.

    Args:
        grammar, seed, memory: see `Searcher`.
        settings: rates and patience.
    """

    name = "hill"
    batch = STARTS

    def __init__(self, grammar: Grammar, seed: int, memory: Memory, settings: HillSettings | None = None) -> None:
        super().__init__(grammar, seed, memory)
        self.settings = settings or HillSettings()
        self._way = Drawn([getattr(self.settings, way) for way in WAYS])
        self._current: tuple[Node, float, float] | None = None  # expression, turnover, reward
        self._failed = 0
        self._hills = 0

    def ask(self, count: int) -> list[Node]:
        """`count` neighbours, or samples where a hill begins; fewer when `TRIES` attempts in a row gave none."""
        asked: list[Node] = []
        failures = 0
        while len(asked) < count and failures < TRIES:
            node = self._neighbour() if self._current is not None else self.grammar.sample(self.random)
            failures = 0 if node is not None and self.take(node, asked) else failures + 1
            if failures == TRIES and self._current is not None:  # nothing new is near: go elsewhere
                self._current, failures = None, 0
        return asked

    def learn(self, results: Sequence[Scored], rewards: Sequence[Reward]) -> None:
        """Step up, or give the hill up."""
        if self._current is None:
            best = max(range(len(results)), key=lambda place: rewards[place].total)  # the first of equals
            self._stand_on(results[best], rewards[best])
            self._hills += 1
        else:
            better = (place for place, reward in enumerate(rewards) if reward.total > self._height)
            place = next(better, None)
            if place is not None:
                self._stand_on(results[place], rewards[place])
            else:
                self._failed += len(results)
                if self._failed >= self.settings.patience:
                    self._current = None
        self.note(rewards, {"hills": float(self._hills)})

    @property
    def _height(self) -> float:
        assert self._current is not None
        return self._current[2]

    def _stand_on(self, result: Scored, reward: Reward) -> None:
        self._current, self._failed = (result.node, result.turnover, reward.total), 0

    def _neighbour(self) -> Node | None:
        assert self._current is not None
        node, turnover, _ = self._current
        way = WAYS[self._way(self.random)]
        if way == "negate":
            return negated(node)
        if way == "wrap":
            return variation.wrap(self.random, self.grammar, node, turnover)
        changes = {
            "subtree": variation.subtree,
            "point": variation.point,
            "window": variation.window,
            "hoist": variation.hoist,
        }
        return changes[way](self.random, self.grammar, node)
