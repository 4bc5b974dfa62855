"""Generators of candidate expressions behind one ask/tell protocol.

GENERATORS      name → how it is made
Grammar         the typed search space they all draw from, derived from the registered operators
reward          what a learner is paid for, from search-window figures only
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from types import MappingProxyType

from alpha_pipeline.errors import BadInput
from alpha_pipeline.generate.base import FloatArray, Generator, Round, Scored, SearchSettings, check_proposals
from alpha_pipeline.generate.genetic.search import GeneticSearch, GeneticSettings
from alpha_pipeline.generate.random_search import RandomSearch
from alpha_pipeline.generate.space.grammar import Grammar
from alpha_pipeline.thresholds import Thresholds

GENERATORS: MappingProxyType[str, Callable[[Grammar, int, Thresholds | None, FloatArray | None], Generator]] = (
    MappingProxyType(
        {
            "random": lambda grammar, seed, limits, pool: RandomSearch(grammar, seed, limits),
            "genetic": lambda grammar, seed, limits, pool: GeneticSearch(grammar, seed, limits=limits, pool=pool),
        }
    )
)


def make_generator(
    name: str,
    seed: int,
    fields: Collection[str],
    profile: str = "user",
    settings: SearchSettings | None = None,
    pool: FloatArray | None = None,
    limits: Thresholds | None = None,
) -> Generator:
    """A generator by name.

    Args:
        name: one of `GENERATORS`.
        seed: of every random choice, 0 or more.
        fields: names of the fields and groups that the panel holds.
        profile: the account whose operators may be used.
        settings: bounds of the search, the budget among them.
        pool: daily profit of alphas accepted before on the search days, [k, days], for generators that avoid them.
        limits: what counts as exportable; the stages judge by the same.

    Raises:
        BadInput: unknown name or profile, a negative seed, or fields that nothing can be made of.
    """
    if name not in GENERATORS:
        raise BadInput(f"unknown generator {name!r}", "--generator", f"use one of {', '.join(GENERATORS)}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise BadInput(f"seed is {seed!r}", "--seed", "use a whole number from 0")
    return GENERATORS[name](Grammar(fields, profile, settings), seed, limits, pool)


__all__ = [
    "GENERATORS",
    "Generator",
    "GeneticSearch",
    "GeneticSettings",
    "Grammar",
    "RandomSearch",
    "Round",
    "Scored",
    "SearchSettings",
    "Thresholds",
    "check_proposals",
    "make_generator",
]
