"""What generators have in common: a memory, a source of random numbers, and the bookkeeping of ask and tell."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from alpha_pipeline.expression import Node, canonical
from alpha_pipeline.generate.base import Learner, Round, Scored, Verdict
from alpha_pipeline.generate.memory.memory import Memory
from alpha_pipeline.generate.reward import Reward
from alpha_pipeline.generate.space.grammar import Grammar


class Searcher(ABC):
    """A generator; see `base.Generator` for what callers may expect.

    Args:
        grammar: the search space, with its bounds.
        seed: of every random choice.
        memory: of the run. Under `auto` several searchers share one: then `auto` tells it, and each arm learns from
            what it asked for.
    """

    name: str
    batch: int | None = None

    def __init__(self, grammar: Grammar, seed: int, memory: Memory) -> None:
        self.grammar, self.memory = grammar, memory
        self.random = np.random.default_rng(seed)
        self.history: list[Round] = []
        self.repeats = 0

    @property
    def learners(self) -> list[Learner]:
        """Those in it whose knowledge can be kept for other runs."""
        return []

    @property
    def verdicts(self) -> Sequence[Verdict]:
        """What a critic did with its proposals, in order; nothing where there is none."""
        return ()

    @abstractmethod
    def ask(self, count: int) -> list[Node]:
        """`count` canonical expressions, never proposed before in this run; fewer only when none can be found."""

    def tell(self, results: Sequence[Scored]) -> None:
        """The figures of what was asked, in the order of the ask."""
        if results:
            self.learn(results, self.memory.add(results))

    def learn(self, results: Sequence[Scored], rewards: Sequence[Reward]) -> None:
        """Learn from own proposals that the memory has taken in, and what they were paid; learners add to it."""
        self.note(rewards, {})

    def note(self, rewards: Sequence[Reward], figures: Mapping[str, float]) -> None:
        """Keep a round of the history: the means of the reward's terms, and further figures."""
        totals = [reward.total for reward in rewards]
        names = dict.fromkeys(name for reward in rewards for name in reward.terms)
        means = {
            f"reward_{name}": sum(reward.terms.get(name, 0.0) for reward in rewards) / len(rewards) for name in names
        }
        self.history.append(
            Round(
                len(self.history),
                len(rewards),
                max(totals),
                sum(totals) / len(totals),
                self.memory.passing,
                {**means, **figures},
            )
        )

    def take(self, node: Node, asked: list[Node]) -> bool:
        """Put an expression into the ask, unless it was proposed before (which is counted) or may not be proposed."""
        node = canonical(node)
        if self.grammar.problem(node) is not None:
            return False
        if node in self.memory.seen:
            self.repeats += 1
            return False
        self.memory.seen.add(node)
        asked.append(node)
        return True
