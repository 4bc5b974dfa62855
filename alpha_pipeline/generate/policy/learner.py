"""What the policy learners share: asking by sampling the policy, replay, and how a step of the optimiser is taken.

A learner adds the loss of its own samples. What was proposed by other means (bred, or the mirror image of a strong
loser) or by other searchers has no place in it: that teaches through the replay alone, by self-imitation.

Part of every ask is bred: the samples are the population of a genetic search, whose offspring go into the archive and
so into the replay (neural-guided population seeding: Mundhenk et al. 2021, algorithm 1). A policy finds parts that
earn, and hardly ever writes two of them side by side; breeding adds them up, and mends what is nearly right.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from alpha_pipeline.expression import Node
from alpha_pipeline.generate.base import FloatArray, Learner, Scored
from alpha_pipeline.generate.genetic.search import GeneticSearch
from alpha_pipeline.generate.genetic.settings import GeneticSettings
from alpha_pipeline.generate.memory.memory import SUMMARY, Memory
from alpha_pipeline.generate.memory.replay import diverse
from alpha_pipeline.generate.policy import checkpoint
from alpha_pipeline.generate.policy.network import PolicyNetwork, one_thread
from alpha_pipeline.generate.policy.rollout import Written, retrace, write
from alpha_pipeline.generate.policy.settings import PolicySettings
from alpha_pipeline.generate.reward import Reward, correlations
from alpha_pipeline.generate.searcher import Searcher
from alpha_pipeline.generate.space.grammar import Grammar
from alpha_pipeline.generate.space.prefix import PrefixSpace

TRIES = 400
"""Samples in a row without a new expression after which the space counts as exhausted."""
HOTTEST, WARMER, COOLER = 8.0, 1.25, 0.9
"""Temperature: its bound, and what it is multiplied by after mostly known samples, and after mostly new ones."""
FEWEST_DRAWN = 16
"""Samples drawn at once at least: a step of the net costs nearly the same for one as for many."""
PRESSURE, STIFFER = (1e-3, 3.0), 1.2
"""Weight of the entropy: its bounds, and what it is multiplied or divided by at an update."""
REMEMBERED = 0.9
"""Of the running mean of rewards, what stays at an update."""
SEEDED = GeneticSettings(founded=False, immigrant=0.0)
"""Of the genetic search inside: what is new comes from the policy."""
COUNTED = ("trained", "temperature", "pressure", "usual")
"""Attributes that a checkpoint keeps."""


class PolicyLearner(Searcher):
    """A policy that proposes by sampling; see the module.

    Attributes:
        trained: evaluations that the policy has learned from, by replay those of others too, and in earlier runs.
        temperature: of sampling; above 1 after the policy repeated itself.
    """

    valued = False

    def __init__(self, grammar: Grammar, seed: int, memory: Memory, settings: PolicySettings) -> None:
        super().__init__(grammar, seed, memory)
        self.settings = settings
        self.batch = round(settings.batch / (1 - settings.bred))
        self.space = PrefixSpace(grammar, settings.priors)
        weights, samples, bred = (int(each) for each in np.random.SeedSequence(seed).generate_state(3, np.uint64) >> 1)
        self.sampling = torch.Generator().manual_seed(samples)
        self.network = PolicyNetwork(
            self.space.context_sizes,
            len(self.space.vocabulary),
            SUMMARY,
            settings.width,
            settings.kind,
            self.valued,
            torch.Generator().manual_seed(weights),
        )
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=settings.rate)
        self.trained, self.temperature, self._told = 0, 1.0, 0
        self.pressure = 0.03
        """Weight of the entropy (Haarnoja et al. 2018 adapt theirs likewise), raised while entropy is below its aim."""
        self.usual = 0.0
        """Running mean of rewards: what self-imitation must beat."""
        self._breeder = GeneticSearch(grammar, bred, memory, SEEDED) if settings.bred else None
        self._waiting: dict[Node, Written] = {}
        self._held: tuple[FloatArray, FloatArray] | None = None  # profits and rewards of the elite at the last ask
        self._drawn = self._known = 0  # samples since the last round, and those of them that were known before

    @property
    def learners(self) -> list[Learner]:
        return [self]

    def ask(self, count: int) -> list[Node]:
        """`count` new expressions; fewer when `TRIES` samples in a row gave none."""
        asked: list[Node] = []
        if self.settings.mirror:
            for loser in self.memory.archive.to_negate():
                if len(asked) < count and loser.node not in self.memory.seen:
                    self.take(loser.node, asked)
            self.memory.archive.mark_proposed(set(asked))
        if self._breeder is not None and self.memory.archive.members:
            before = self._breeder.repeats
            asked += self._breeder.ask(min(round(self.settings.bred * count), count - len(asked)))
            self.repeats += self._breeder.repeats - before
        summary, archive = self.memory.summary(), self.memory.archive
        if archive.elite:
            base = np.array([archive.members[place].base for place in archive.elite])
            self._held = archive.pnl(archive.elite).copy(), base
        failures = 0
        while len(asked) < count and failures < TRIES:
            wanted = max(count - len(asked), FEWEST_DRAWN)
            with one_thread():
                block = write(self.space, self.network, summary, wanted, self.temperature, self.sampling)
            drawn = known = 0
            for each in block[: count - len(asked)]:
                assert each.node is not None
                drawn += 1
                if self.take(each.node, asked):
                    self._waiting[asked[-1]] = each
                    failures = 0
                else:
                    known, failures = known + 1, failures + 1
            self._drawn, self._known = self._drawn + drawn, self._known + known
            change = WARMER if 2 * known > drawn else COOLER
            self.temperature = min(max(self.temperature * change, 1.0), HOTTEST)
        return asked

    def learn(self, results: Sequence[Scored], rewards: Sequence[Reward]) -> None:
        """An update for every `batch` of the own samples among the results, all of which may be bred from."""
        if self._breeder is not None:
            self._breeder.learn(results, rewards)
        own: list[tuple[Written, float]] = []
        for result, paid in zip(results, self.pay(results, rewards), strict=True):
            written = self._waiting.pop(result.node, None)
            if written is not None and written.tokens:
                own.append((written, paid))
        figures: dict[str, float] = {}
        with one_thread():
            for first in range(0, len(own), self.settings.batch):
                part = own[first : first + self.settings.batch]
                totals = torch.tensor([paid for _, paid in part])
                self.usual = REMEMBERED * self.usual + (1 - REMEMBERED) * float(totals.mean())
                figures = self.update([written for written, _ in part], totals)
                change = STIFFER if figures["entropy"] < self.settings.entropy else 1 / STIFFER
                self.pressure = min(max(self.pressure * change, PRESSURE[0]), PRESSURE[1])
        self.trained, self._told = self.trained + self.memory.told - self._told, self.memory.told
        figures |= {
            "temperature": self.temperature,
            "entropy_weight": self.pressure,
            "repeats": self._known / max(self._drawn, 1),
            "bred": 1 - len(own) / len(results),
            "decisions": sum(len(written.tokens) for written, _ in own) / max(len(own), 1),
        }
        self._drawn = self._known = 0
        self.note(rewards, figures)

    def pay(self, results: Sequence[Scored], rewards: Sequence[Reward]) -> list[float]:
        """Rewards less what the elite held of each at the last ask: max over it of |ρ| · its reward, where above 0.

        The reward's own term leaves alone whatever is better than the elite, so that a policy stays where luck pays
        best. This one lets a niche that was found pay for what is better or different there only.
        """
        paid = [reward.total for reward in rewards]
        usable = [place for place, reward in enumerate(rewards) if "degenerate" not in reward.terms]
        if self._held is not None and usable:
            profits, base = self._held
            likeness = np.abs(correlations(np.array([results[place].pnl for place in usable]), profits))
            held = np.round((likeness * np.maximum(base, 0.0)).max(axis=1), 10)
            for place, already in zip(usable, held.tolist(), strict=True):
                paid[place] -= self.settings.crowding * already
        return paid

    @abstractmethod
    def update(self, written: Sequence[Written], rewards: Tensor) -> dict[str, float]:
        """Learn from own samples and their rewards, [n]. Returns figures for the curves."""

    def replayed(self, count: int) -> tuple[list[Written], Tensor]:
        """What goes with `count` own samples: unlike ones of the best of the archive, and their rewards now.

        The archive holds every expression in the orientation in which it earns, and its rewards hold the correlation
        with better ones; see `memory.replay` for how a batch is kept varied.
        """
        share, archive = self.settings.replay, self.memory.archive
        found: list[Written] = []
        paid: list[float] = []
        summary = self.memory.summary()
        for place in diverse(archive, self.random, round(count * share / (1 - share))).tolist():
            tokens = self.space.encode(archive.members[place].node)
            if tokens is not None:
                found.append(retrace(self.space, tokens, summary))
                paid.append(float(archive.rewards[place]))
        return found, torch.tensor(paid)

    def step(self, loss: Tensor) -> float:
        """One step of the optimiser down a loss. Returns the norm of the gradient before it was clipped."""
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.longest_step)
        self.optimiser.step()
        return float(norm)

    def save(self, path: Path) -> None:
        """Keep the policy in a file; see `checkpoint`."""
        checkpoint.save(self, path)

    def load(self, path: Path, resume: bool = False) -> None:
        """Go on from the policy in a file; see `checkpoint.load`.

        Raises:
            BadInput: the file is broken, or of another search space.
        """
        checkpoint.load(self, path, resume)

    def counters(self) -> dict[str, float]:
        """What is counted while learning, for a checkpoint."""
        return {name: getattr(self, name) for name in COUNTED}

    def recount(self, counters: Mapping[str, float]) -> None:
        """Take over what `counters` gave, all or nothing.

        Raises:
            KeyError, TypeError, ValueError: it did not give that.
        """
        found = {name: float(counters[name]) for name in COUNTED}
        self.trained, self._told = int(found["trained"]), self.memory.told
        self.temperature, self.pressure, self.usual = found["temperature"], found["pressure"], found["usual"]
