"""`random`: independent samples of the grammar. The comparison that every learner must beat."""

from __future__ import annotations

from alpha_pipeline.expression import Node
from alpha_pipeline.generate.searcher import Searcher

TRIES = 200
"""Samples in a row without a new expression after which the space counts as exhausted."""


class RandomSearch(Searcher):
    """Samples the grammar; learns nothing."""

    name = "random"

    def ask(self, count: int) -> list[Node]:
        """`count` new samples; fewer when `TRIES` samples in a row were known already."""
        asked: list[Node] = []
        failures = 0
        while len(asked) < count and failures < TRIES:
            node = self.draw()
            failures = 0 if node is not None and self.take(node, asked) else failures + 1
        return asked

    def draw(self) -> Node | None:
        """One sample."""
        return self.grammar.sample(self.random)
