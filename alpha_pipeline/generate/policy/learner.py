"""What the policy learners share: asking by sampling the policy, replay, and how a step of the optimiser is taken.

A learner adds the loss of its own samples. What was proposed by other means (the mirror image of a strong loser) or by
other searchers has no place in it: that teaches through the replay alone, by self-imitation.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from alpha_pipeline.expression import Node
from alpha_pipeline.generate.base import Learner, Scored
from alpha_pipeline.generate.memory.memory import SUMMARY, Memory
from alpha_pipeline.generate.policy import checkpoint
from alpha_pipeline.generate.policy.network import PolicyNetwork, one_thread
from alpha_pipeline.generate.policy.rollout import Written, retrace, write
from alpha_pipeline.generate.reward import Reward
from alpha_pipeline.generate.searcher import Searcher
from alpha_pipeline.generate.space.grammar import Grammar
from alpha_pipeline.generate.space.prefix import PrefixSpace, Priors

TRIES = 400
"""Samples in a row without a new expression after which the space counts as exhausted."""
HOTTEST, WARMER, COOLER = 8.0, 1.25, 0.9
"""Temperature: its bound, and what it is multiplied by after mostly known samples, and after mostly new ones."""
FEWEST_DRAWN = 16
"""Samples drawn at once at least: a step of the net costs nearly the same for one as for many."""
REMEMBERED = 0.9
"""Of the running mean of rewards, what stays at an update."""


@dataclass(frozen=True)
class PolicySettings:
    """What the policy learners share.

    Args:
        batch: proposals that one update learns from.
        width: of the embeddings and the recurrent state.
        kind: of the recurrent net: "gru", "lstm" or "none".
        rate: learning rate of Adam (Kingma and Ba 2015).
        entropy: weight of the normalised entropy.
        longest_step: norm that gradients are clipped to.
        replay: share of replayed sequences in what an update learns from, below 1; 0 for none.
        imitation: weight of self-imitation.
        mirror: whether strong losers are proposed with the other sign.
        priors: of the token space.
    """

    batch: int = 64
    width: int = 64
    kind: str = "gru"
    rate: float = 2e-3
    entropy: float = 0.01
    longest_step: float = 0.5
    replay: float = 0.25
    imitation: float = 1.0
    mirror: bool = True
    priors: Priors = field(default_factory=Priors)


class PolicyLearner(Searcher):
    """A policy that proposes by sampling; see the module.

    Attributes:
        trained: evaluations that the policy has learned from, in earlier runs too.
        temperature: of sampling; above 1 after the policy repeated itself.
    """

    valued = False

    def __init__(self, grammar: Grammar, seed: int, memory: Memory, settings: PolicySettings) -> None:
        super().__init__(grammar, seed, memory)
        self.settings = settings
        self.batch = settings.batch
        self.space = PrefixSpace(grammar, settings.priors)
        weights, samples = (int(each) for each in np.random.SeedSequence(seed).generate_state(2, np.uint64) >> 1)
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
        self.trained, self.temperature = 0, 1.0
        self.usual = 0.0
        """Running mean of rewards: what self-imitation must beat."""
        self._waiting: dict[Node, Written] = {}
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
        summary = self.memory.summary()
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
        """An update for every `batch` of the own samples among the results."""
        own: list[tuple[Written, float]] = []
        for result, reward in zip(results, rewards, strict=True):
            written = self._waiting.pop(result.node, None)
            if written is not None and written.tokens:
                own.append((written, reward.total))
        figures: dict[str, float] = {}
        with one_thread():
            for first in range(0, len(own), self.settings.batch):
                part = own[first : first + self.settings.batch]
                paid = torch.tensor([pay for _, pay in part])
                self.usual = REMEMBERED * self.usual + (1 - REMEMBERED) * float(paid.mean())
                figures = self.update([written for written, _ in part], paid)
        self.trained += len(results)
        figures |= {
            "temperature": self.temperature,
            "repeats": self._known / max(self._drawn, 1),
            "decisions": sum(len(written.tokens) for written, _ in own) / max(len(own), 1),
        }
        self._drawn = self._known = 0
        self.note(rewards, figures)

    @abstractmethod
    def update(self, written: Sequence[Written], rewards: Tensor) -> dict[str, float]:
        """Learn from own samples and their rewards, [n]. Returns figures for the curves."""

    def replayed(self, count: int) -> tuple[list[Written], Tensor]:
        """What goes with `count` own samples: some of the best quarter of the archive, and their rewards now.

        The archive holds every expression in the orientation in which it earns, and its rewards hold the correlation
        with better ones: what resembles them is worth little, so that the best quarter is varied.
        """
        share, archive = self.settings.replay, self.memory.archive
        wanted = round(count * share / (1 - share))
        best = archive.by_reward()[: (len(archive.members) + 3) // 4]
        found: list[Written] = []
        paid: list[float] = []
        summary = self.memory.summary()
        for place in self.random.choice(best, min(wanted, len(best)), replace=False).tolist() if len(best) else ():
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
        return {"trained": self.trained, "temperature": self.temperature, "usual": self.usual}

    def recount(self, counters: Mapping[str, float]) -> None:
        """Take over what `counters` gave."""
        self.trained = int(counters["trained"])
        self.temperature, self.usual = float(counters["temperature"]), float(counters["usual"])
