"""Who races: every generator, hill climbing, ablations, and random search as long as what a learner proposes.

An arm is a generator under the same grammar, limits and evaluator as all others. `matched` draws from the grammar
numbers of operators as the learners of the same race and market proposed them, all together, and `matched_<arm>` as one
arm did: what such an arm is beaten by was learnt from the market and not just a better length (evaluation protocol:
length-matched random search).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import Node, canonical, operator_count
from alpha_pipeline.generate import (
    GENERATORS,
    Grammar,
    Memory,
    RewardWeights,
    Searcher,
    SearchSettings,
    Thresholds,
    searcher,
)
from alpha_pipeline.generate.base import FloatArray
from alpha_pipeline.generate.hill_climb import HillClimb
from alpha_pipeline.generate.random_search import RandomSearch
from alpha_pipeline.generate.reward import USUAL
from alpha_pipeline.generate.space.drawn import Drawn

MATCHED = "matched"
BASELINES = frozenset({"random", "hill", MATCHED})
"""Arms that learn nothing that lengths should be matched to."""

Lengths = Mapping[int, int]
"""Number of operators → proposals that had it."""


@dataclass(frozen=True)
class Setting:
    """What an arm is made from; the same for all arms of a market, but for `lengths`.

    Attributes:
        grammar: the search space, with the budget.
        limits: what counts as accepted.
        seed: of the arm's random choices.
        styles: see `Memory`.
        lengths: of the arm that this one is matched to.
    """

    grammar: Grammar
    limits: Thresholds
    seed: int
    styles: FloatArray | None
    lengths: Lengths

    def memory(self, weights: RewardWeights = USUAL) -> Memory:
        """A fresh memory."""
        return Memory(self.grammar.settings, self.limits, None, self.styles, weights)


Maker = Callable[[Setting], Searcher]


class MatchedSearch(RandomSearch):
    """Random search that draws its numbers of operators from given ones."""

    name = MATCHED
    TRIES_FOR_LENGTH = 30

    def __init__(self, grammar: Grammar, seed: int, memory: Memory, lengths: Lengths) -> None:
        super().__init__(grammar, seed, memory)
        self._lengths = sorted(lengths)
        self._drawn = Drawn([float(lengths[length]) for length in self._lengths])

    def draw(self) -> Node | None:
        """A sample of the number of operators drawn; the nearest of several where the canonical form has fewer."""
        wanted = self._lengths[self._drawn(self.random)]
        nearest: Node | None = None
        for _ in range(self.TRIES_FOR_LENGTH):
            sampled = self.grammar.sample(self.random, wanted)
            if sampled is None:
                continue
            node = canonical(sampled)
            if operator_count(node) == wanted:
                return node
            if nearest is None or abs(operator_count(node) - wanted) < abs(operator_count(nearest) - wanted):
                nearest = node
        return nearest


def without(generator: str, **weights: float) -> Maker:
    """An ablation: a generator under other weights of the reward."""
    return lambda setting: searcher(generator, setting.grammar, setting.seed, setting.memory(replace(USUAL, **weights)))


def with_settings(generator: str, settings: Callable[[], Any]) -> Maker:
    """An ablation: a generator under other settings of its own; `settings` is called when the arm is made."""

    def make(setting: Setting) -> Searcher:
        made = searcher(generator, setting.grammar, setting.seed, setting.memory())
        return type(made)(setting.grammar, setting.seed, setting.memory(), settings())  # type: ignore[call-arg]

    return make


def with_critic(generator: str) -> Maker:
    """A generator whose proposals are sifted before they are evaluated."""

    def make(setting: Setting) -> Searcher:
        from alpha_pipeline.generate.critic import criticised  # scikit-learn takes a second to import

        return criticised(searcher(generator, setting.grammar, setting.seed, setting.memory()), setting.seed)

    return make


def uniform() -> Any:
    """`auto` without its bandit."""
    from alpha_pipeline.generate.scheduler import AutoSettings  # it imports the registry

    return AutoSettings(uniform=True)


def unbred() -> Any:
    """`reinforce` by its own samples alone."""
    from alpha_pipeline.generate.policy.reinforce import ReinforceSettings  # it imports torch

    return ReinforceSettings(bred=0.0)


ARMS: dict[str, Maker] = {
    "hill": lambda setting: HillClimb(setting.grammar, setting.seed, setting.memory()),
    "genetic_no_diversity": without("genetic", correlation=0.0),
    "genetic_critic": with_critic("genetic"),
    "reinforce_critic": with_critic("reinforce"),
    "reinforce_alone": with_settings("reinforce", unbred),
    "auto_uniform": with_settings("auto", uniform),
}
"""Name → how it is made: what races beside the generators. An ablation is one more line."""


def arm_names() -> list[str]:
    """All arms there are; `matched_<arm>` goes with each of them that learns."""
    return [*GENERATORS, *(name for name in ARMS if name not in GENERATORS), MATCHED]


def check_arms(names: Sequence[str]) -> None:
    """Refuse arms that cannot race together.

    Raises:
        BadInput: an unknown arm, one named twice, or one matched to an arm that does not race.
    """
    known = arm_names()
    if not names:
        raise BadInput("there is no arm", "--arms", f"use some of {', '.join(known)}")
    for name in names:
        if name not in known and matched_to(name) not in known:
            raise BadInput(f"unknown arm {name!r}", "--arms", f"use some of {', '.join(known)}, matched_<arm>")
        if names.count(name) > 1:
            raise BadInput(f"{name} is named twice", "--arms", "name each arm once")
    for name in names:
        if is_matched(name) and not models_of(name, names):
            missing = matched_to(name) or "an arm that learns"
            raise BadInput(f"{name} has nobody to be matched to", "--arms", f"let {missing} race as well")


def is_matched(name: str) -> bool:
    """Whether an arm runs after those whose lengths it copies."""
    return name == MATCHED or name.startswith(f"{MATCHED}_")


def matched_to(name: str) -> str | None:
    """The arm that `matched_<arm>` copies."""
    return name.removeprefix(f"{MATCHED}_") if name.startswith(f"{MATCHED}_") else None


def models_of(name: str, racing: Sequence[str]) -> list[str]:
    """The arms whose lengths a matched arm copies, among those that race."""
    model = matched_to(name)
    learners = [arm for arm in racing if arm not in BASELINES and not is_matched(arm)]
    return learners if model is None else [arm for arm in racing if arm == model and not is_matched(arm)]


def pooled(lengths: Sequence[Lengths]) -> dict[int, int]:
    """Lengths of several arms together."""
    total: Counter[int] = Counter()
    for each in lengths:
        total.update(each)
    return dict(sorted(total.items()))


def make_arm(name: str, setting: Setting) -> Searcher:
    """A fresh generator for an arm."""
    if is_matched(name):
        return MatchedSearch(setting.grammar, setting.seed, setting.memory(), setting.lengths)
    if name in ARMS:
        return ARMS[name](setting)
    return searcher(name, setting.grammar, setting.seed, setting.memory())


def grammar_for(fields: frozenset[str], limits: Thresholds, budget: int, days: int) -> Grammar:
    """The search space of every arm: the one that `mine` searches; in a short market, less lookback."""
    deepest = max(1, min(SearchSettings.deepest, limits.depth))
    longest = max(30, min(SearchSettings.longest_lookback, days // 4))
    settings = SearchSettings(budget=budget, deepest=deepest, longest_lookback=longest)
    return Grammar(fields, limits.profile, settings)


def lengths_of(nodes: Sequence[Node]) -> dict[int, int]:
    """Numbers of operators of proposals."""
    counts = np.array([operator_count(node) for node in nodes], dtype=np.int64)
    return {int(length): int(number) for length, number in zip(*np.unique(counts, return_counts=True), strict=True)}
