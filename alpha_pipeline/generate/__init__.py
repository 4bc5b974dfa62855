"""Generators of candidate expressions behind one ask/tell protocol.

GENERATORS      name → the class that searches
space/          what there is to search: the typed grammar, changes to trees, tokens
memory/         what a run remembers and pays: archive, grid of elites, replay, reward terms
genetic/        genetic programming
policy/         policy gradients
scheduler       all of them at once, the budget shared out by a bandit
critic/         refuses proposals that are likely to be of no use, before they are evaluated
reward          what a learner is paid for, from search-window figures only
propose         the mining loop
"""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module
from types import MappingProxyType

from alpha_pipeline.errors import BadInput
from alpha_pipeline.generate.base import FloatArray, Generator, Learner, Round, Scored, SearchSettings, check_proposals
from alpha_pipeline.generate.memory.memory import Memory
from alpha_pipeline.generate.reward import USUAL, Reward, RewardWeights
from alpha_pipeline.generate.searcher import Searcher
from alpha_pipeline.generate.space.grammar import Grammar
from alpha_pipeline.thresholds import Thresholds

GENERATORS: MappingProxyType[str, str] = MappingProxyType(
    {
        "random": "random_search.RandomSearch",
        "genetic": "genetic.search.GeneticSearch",
        "reinforce": "policy.reinforce.Reinforce",
        "ppo": "policy.ppo.Ppo",
        "auto": "scheduler.Auto",
    }
)
"""Name → module and class, imported when one is made: torch takes a second."""


def searcher(name: str, grammar: Grammar, seed: int, memory: Memory) -> Searcher:
    """A generator by name, searching in a memory that others may share.

    Raises:
        BadInput: unknown name.
    """
    if name not in GENERATORS:
        raise BadInput(f"unknown generator {name!r}", "--generator", f"use one of {', '.join(GENERATORS)}")
    module, _, kind = GENERATORS[name].rpartition(".")
    made: Searcher = getattr(import_module(f"alpha_pipeline.generate.{module}"), kind)(grammar, seed, memory)
    return made


def make_generator(
    name: str,
    seed: int,
    fields: Collection[str],
    profile: str = "user",
    settings: SearchSettings | None = None,
    pool: FloatArray | None = None,
    limits: Thresholds | None = None,
    styles: FloatArray | None = None,
    weights: RewardWeights = USUAL,
    critic: bool = False,
) -> Searcher:
    """A generator by name, with a memory of its own.

    Args:
        name: one of `GENERATORS`.
        seed: of every random choice, 0 or more.
        fields: names of the fields and groups that the panel holds.
        profile: the account whose operators may be used.
        settings: bounds of the search, the budget among them.
        pool: daily profit of alphas accepted before on the search days, [k, days], for generators that avoid them.
        limits: what counts as exportable; the stages judge by the same.
        styles: daily profit of the style probes on the search days, [8, days]; see `memory.styles`.
        weights: of the reward's terms.
        critic: whether proposals are sifted before they are evaluated; see `critic`.

    Raises:
        BadInput: unknown name or profile, a negative seed, or fields that nothing can be made of.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise BadInput(f"seed is {seed!r}", "--seed", "use a whole number from 0")
    memory = Memory(settings, limits, pool, styles, weights)
    made = searcher(name, Grammar(fields, profile, settings), seed, memory)
    if not critic:
        return made
    from alpha_pipeline.generate.critic import criticised  # scikit-learn takes a second to import

    return criticised(made, seed)


__all__ = [
    "GENERATORS",
    "Generator",
    "Grammar",
    "Learner",
    "Memory",
    "Reward",
    "RewardWeights",
    "Round",
    "Scored",
    "SearchSettings",
    "Searcher",
    "Thresholds",
    "check_proposals",
    "make_generator",
    "searcher",
]
