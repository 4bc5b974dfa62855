"""A planted target for learners of policies: an expression is good where it holds a certain operator."""

from __future__ import annotations

import zlib

import numpy as np

from alpha_pipeline.expression import Call, Node, to_text, walk
from alpha_pipeline.generate import Grammar, Memory, Scored, Searcher, SearchSettings
from alpha_pipeline.generate.policy.learner import PolicyLearner
from alpha_pipeline.generate.policy.ppo import Ppo, PPOSettings
from alpha_pipeline.generate.policy.reinforce import Reinforce, ReinforceSettings
from alpha_pipeline_tests.generate.toy import FIELDS

TARGET = "ts_corr"
SETTINGS = SearchSettings(budget=2_000, deepest=4, most_operators=5)


def hits(node: Node) -> bool:
    """Whether a tree is what is planted."""
    return any(isinstance(part, Call) and part.operator == TARGET for part in walk(node))


def scored(node: Node) -> Scored:
    """Noise of its own for every tree; with a Sharpe ratio of 2.5 where it hits, of 0 elsewhere."""
    pnl = np.random.default_rng(zlib.crc32(to_text(node).encode())).standard_normal(60)
    sharpe = 2.5 if hits(node) else 0.0
    pnl = ((pnl - pnl.mean()) / pnl.std() + sharpe / np.sqrt(250)) * 0.01
    return Scored(node, to_text(node), sharpe, pnl, 0.3, sharpe, 0.1 * sharpe, 1.0)


def learner(kind: type[PolicyLearner], seed: int = 1, memory: Memory | None = None, bred: float = 0.0) -> PolicyLearner:
    """One with a small space to search, by its own samples alone unless a share is bred."""
    grammar, memory = Grammar(FIELDS, settings=SETTINGS), memory or Memory(SETTINGS)
    if kind is Ppo:
        return Ppo(grammar, seed, memory, PPOSettings(bred=bred))
    return Reinforce(grammar, seed, memory, ReinforceSettings(bred=bred))


def train(generator: Searcher, batches: int) -> list[list[Node]]:
    """Asks of 64, answered."""
    asks = []
    for _ in range(batches):
        asks.append(generator.ask(64))
        generator.tell([scored(node) for node in asks[-1]])
    return asks
