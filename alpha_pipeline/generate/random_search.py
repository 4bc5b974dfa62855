"""`random`: independent samples of the grammar. The comparison that every learner must beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from alpha_pipeline.expression import Node
from alpha_pipeline.generate.base import Round, Scored
from alpha_pipeline.generate.reward import base_rewards, meets
from alpha_pipeline.generate.space.grammar import Grammar
from alpha_pipeline.thresholds import Thresholds

TRIES = 200
"""Samples in a row without a new expression after which the space counts as exhausted."""


class RandomSearch:
    """Samples the grammar; learns nothing."""

    name = "random"

    def __init__(self, grammar: Grammar, seed: int, limits: Thresholds | None = None) -> None:
        self.grammar = grammar
        self.limits = limits or Thresholds()
        self.history: list[Round] = []
        self._random = np.random.default_rng(seed)
        self._seen: set[Node] = set()
        self._passing = 0

    def ask(self, count: int) -> list[Node]:
        """`count` new samples; fewer when `TRIES` samples in a row were known already."""
        asked: list[Node] = []
        failures = 0
        while len(asked) < count and failures < TRIES:
            node = self.grammar.sample(self._random)
            if node is None or node in self._seen:
                failures += 1
                continue
            failures = 0
            self._seen.add(node)
            asked.append(node)
        return asked

    def tell(self, results: Sequence[Scored]) -> None:
        """Keeps the history; the search itself does not change."""
        if not results:
            return
        rewards = base_rewards(results, self.grammar.settings, self.limits)
        self._passing += sum(meets(result, self.limits) for result in results)
        self.history.append(
            Round(len(self.history), len(results), float(rewards.max()), float(rewards.mean()), self._passing)
        )
