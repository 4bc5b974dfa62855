"""A generator whose proposals a critic sifts before they are evaluated.

Each proposal is handed on with a probability that rises with its score, never below a floor; a tenth is handed on
unseen, and how well the critic does is measured on that tenth alone. What is refused counts as proposed: it is not
asked for again. A proposal whose mirror image was evaluated is always handed on: its figures are known.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import Node
from alpha_pipeline.generate.base import FloatArray, Learner, Scored, Verdict
from alpha_pipeline.generate.critic.features import Features, Rows
from alpha_pipeline.generate.critic.models import Answers, Critic, Predictions
from alpha_pipeline.generate.critic.quality import area_under_curve, brier, rank_correlation
from alpha_pipeline.generate.reward import Reward
from alpha_pipeline.generate.searcher import Searcher

LARGEST_WEIGHT = 5.0
"""Of 1 / probability."""
RECENT = 512
"""Proposals whose scores say what is a good one."""
MOST_AT_ONCE = 4_096


@dataclass(frozen=True)
class CriticSettings:
    """How proposals are sifted.

    Args:
        free: share of proposals handed on unseen.
        least: smallest probability of being handed on.
        keep: share of proposals with a score so good that they are always handed on.
        power: how fast the probability falls below that score, as (score / that score) ** power.
        first: answers before the first fit; until then all is handed on.
        growth: how many times as many answers, before the next fit.
        most: answers that a fit learns from, the latest.
    """

    free: float = 0.1
    least: float = 0.15
    keep: float = 0.1
    power: float = 1.0
    first: int = 200
    growth: float = 1.4
    most: int = 6_000

    def __post_init__(self) -> None:
        usable = {
            "free": 0 < self.free <= 1,
            "least": 0 < self.least <= 1,
            "keep": 0 < self.keep <= 1,
            "power": 0 < self.power <= 100,
            "first": 20 <= self.first <= 1_000_000,
            "growth": 1 < self.growth <= 100,
            "most": 20 <= self.most <= 1_000_000,
        }
        for name, good in usable.items():
            if not good:
                raise BadInput(f"{name} is {getattr(self, name)!r}", "settings of the critic", "use a share above 0")


class Criticised(Searcher):
    """`inner`, sifted; see the module.

    Attributes:
        refused: how many were not handed on.
    """

    def __init__(self, inner: Searcher, seed: int = 0, settings: CriticSettings | None = None) -> None:
        super().__init__(inner.grammar, seed, inner.memory)
        self.inner, self.settings = inner, settings or CriticSettings()
        self.name, self.batch = f"{inner.name}_critic", inner.batch
        self._verdicts: list[Verdict] = []
        self.refused = 0
        self._features, self._critic = Features(inner.grammar), Critic()
        self._ready: list[Node] = []  # made by the inner generator, not judged yet
        self._share = 1.0  # running share of what is handed on
        self._good = 0.0  # score from which on all is handed on
        self._recent: deque[Rows] = deque(maxlen=RECENT)
        self._waiting: dict[Node, tuple[Rows, float, bool, FloatArray | None]] = {}
        self._rows: list[Rows] = []
        self._weights: list[FloatArray] = []
        self._answers: list[Answers] = []
        self._told, self._next_fit = 0, self.settings.first
        self._foretold: list[FloatArray] = []  # predictions for the free ones, [4] each
        self._came: list[Answers] = []

    @property
    def learners(self) -> list[Learner]:
        """The inner generator's."""
        return self.inner.learners

    @property
    def verdicts(self) -> Sequence[Verdict]:
        return self._verdicts

    def ask(self, count: int) -> list[Node]:
        """`count` proposals that were handed on; fewer only when the inner generator finds no more."""
        asked: list[Node] = []
        while len(asked) < count:
            wanted = count - len(asked)
            more = min(int(np.ceil(wanted / self._share)), MOST_AT_ONCE) - len(self._ready)
            if more > 0:
                self._ready += self.inner.ask(more)
                self.repeats = self.inner.repeats
            if not self._ready:
                break
            judged, handed = self._judge(self._ready, wanted)
            self._ready = self._ready[judged:]
            asked += handed
        return asked

    def learn(self, results: Sequence[Scored], rewards: Sequence[Reward]) -> None:
        """The inner generator learns; then the critic, from what it judged."""
        self.inner.learn(results, rewards)
        answers = Answers.of(results, rewards, self.memory)
        judged = np.array([result.node in self._waiting for result in results])
        known = [self._waiting.pop(result.node) for result in results if result.node in self._waiting]
        if known:
            rows, probabilities, _, _ = zip(*known, strict=True)
            own = answers.at(judged)
            self._rows.append(np.array(rows))
            self._weights.append(np.array([self._weight(each) for each in probabilities]))
            self._answers.append(own)
            free = np.array([unseen and foretold is not None for _, _, unseen, foretold in known])
            if free.any():
                self._came.append(own.at(free))
                self._foretold += [foretold for _, _, unseen, foretold in known if unseen and foretold is not None]
            self._told += len(known)
        if self._told >= self._next_fit:
            self._fit()
        inner = self.inner.history[-1].figures if self.inner.history else {}
        self.note(rewards, {**inner, **self.figures()})

    def weights(self, results: Sequence[Scored]) -> FloatArray:
        """1 / probability of having been handed on, at most 5, [n]: what the inner generator proposed, undistorted.

        For what is not told yet; 1 where it was not judged.
        """
        held = [self._waiting.get(result.node) for result in results]
        return np.array([1.0 if each is None else self._weight(each[1]) for each in held])

    def figures(self) -> dict[str, float]:
        """How much is refused, and how good the predictions were on what was handed on unseen; NaN: not known yet."""
        shares = {"critic_refused": float(self.refused), "critic_handed_share": self._share}
        if not self._came:
            return {**shares, "critic_free": 0.0}
        foretold, came = np.array(self._foretold), Answers.joined(self._came)
        found = {"critic_free": float(len(came))}
        for column, name in ((0, "degenerate"), (1, "redundant"), (3, "passing")):
            truth = getattr(came, name)
            found[f"critic_auc_{name}"] = area_under_curve(foretold[:, column], truth)
            found[f"critic_brier_{name}"] = brier(foretold[:, column], truth)
            found[f"critic_share_{name}"] = float(truth.mean())
        usable = ~came.degenerate
        found["critic_rank_turnover"] = rank_correlation(foretold[usable, 2], came.turnover[usable])
        return {**shares, **found}

    def _judge(self, nodes: Sequence[Node], wanted: int) -> tuple[int, list[Node]]:
        """(how many were judged, those handed on): in order, until as many are handed on as wanted."""
        archive = self.memory.archive
        rows = self._features(nodes, [archive.members[place].node for place in archive.elite])
        mirrored = {member.node for member in archive.members if member.node in self.memory.seen}
        foretold = self._critic.predict(rows) if self._critic.fitted else None
        probabilities = self.probabilities(foretold) if foretold is not None else np.ones(len(nodes))
        table = None if foretold is None else _table(foretold)
        coins = self.random.random((len(nodes), 2))
        handed: list[Node] = []
        judged = 0
        for place, node in enumerate(nodes):
            if len(handed) == wanted:
                break
            judged += 1
            known = node in mirrored
            probability = 1.0 if known else float(probabilities[place])
            free = bool(coins[place, 0] < self.settings.free) and not known
            through = free or bool(coins[place, 1] < probability)
            self._verdicts.append(Verdict(node, probability, free, through))
            self._recent.append(rows[place])
            self._share += 0.02 * (through - self._share)
            if through:
                handed.append(node)
                self._waiting[node] = (rows[place], probability, free, None if table is None else table[place])
        self.refused += judged - len(handed)
        return judged, handed

    def probabilities(self, foretold: Predictions) -> FloatArray:
        """With which proposals are handed on if they are seen, [n]."""
        score = foretold.score()
        ratio = np.minimum(score / self._good, 1.0) if self._good > 0 else np.ones(len(score))
        return np.asarray(np.maximum(ratio**self.settings.power, self.settings.least))

    def _weight(self, probability: float) -> float:
        overall = self.settings.free + (1 - self.settings.free) * probability
        return min(1 / overall, LARGEST_WEIGHT)

    def _fit(self) -> None:
        """New models, from the latest answers; and what a good score is under them."""
        last = slice(-self.settings.most, None)
        self._rows, self._weights = [np.concatenate(self._rows)[last]], [np.concatenate(self._weights)[last]]
        self._answers = [Answers.joined(self._answers).at(last)]
        self._critic.fit(self._rows[0], self._answers[0], self._weights[0])
        self._next_fit = int(np.ceil(self._told * self.settings.growth))
        scores = self._critic.predict(np.array(self._recent)).score()
        self._good = float(np.quantile(scores, 1 - self.settings.keep))


def _table(foretold: Predictions) -> FloatArray:
    """[n, 4]: degenerate, redundant, turnover, passing."""
    return np.column_stack([foretold.degenerate, foretold.redundant, foretold.turnover, foretold.passing])
