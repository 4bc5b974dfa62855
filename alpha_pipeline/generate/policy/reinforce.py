"""`reinforce`: REINFORCE (Williams 1992) with leave-one-out baselines (Kool et al. 2019, eq. 8) or risk-seeking
(Petersen et al. 2021, eq. 2), and self-imitation of what was found before (Oh et al. 2018, eq. 2).

A derivation is deterministic and paid at its end, so the reward itself is the unbiased return of every decision and
nothing has to be learned about states: QuantFactor REINFORCE (Zhao et al. 2024) makes that case for this problem.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from alpha_pipeline.generate.memory.memory import Memory
from alpha_pipeline.generate.policy import losses
from alpha_pipeline.generate.policy.learner import PolicyLearner
from alpha_pipeline.generate.policy.rollout import Written, judge, padded
from alpha_pipeline.generate.policy.settings import PolicySettings
from alpha_pipeline.generate.space.grammar import Grammar


@dataclass(frozen=True)
class ReinforceSettings(PolicySettings):
    """Of `Reinforce`.

    Args:
        risk: share of a batch that teaches, the best of it; None for all of it with leave-one-out baselines.
        scaled: whether leave-one-out advantages are divided by their standard deviation.
        rehearsals: further steps from replay alone after each batch: samples of a policy that has moved on may not be
            used again, but replay may.
    """

    risk: float | None = None
    scaled: bool = True
    rehearsals: int = 2


class Reinforce(PolicyLearner):
    """Policy gradient from whole rewards; see the module."""

    name = "reinforce"

    def __init__(self, grammar: Grammar, seed: int, memory: Memory, settings: ReinforceSettings | None = None) -> None:
        self.own = settings or ReinforceSettings()
        super().__init__(grammar, seed, memory, self.own)

    def update(self, written: Sequence[Written], rewards: Tensor) -> dict[str, float]:
        """One step from a batch and a share of replay."""
        replayed, paid = self.replayed(len(written))
        decisions = padded([*written, *replayed])
        judged = judge(self.network, decisions)
        sums = judged.log_probs.sum(0)
        own, old = sums[: len(written)], sums[len(written) :]
        if self.own.risk is None:
            advantages, kept = losses.leave_one_out(rewards, self.own.scaled), None
        else:
            advantages, kept = losses.risk_seeking(rewards, self.own.risk)
        gradient = losses.policy_gradient(own, advantages, kept)
        entropy = judged.entropy[:, : len(written)]
        imitation = losses.self_imitation(old, paid, self.usual) if len(replayed) else gradient.new_zeros(())
        loss = gradient + self.own.imitation * imitation - self.pressure * entropy.sum(0).mean()
        norm = self.step(loss)
        for _ in range(self.own.rehearsals):
            self._rehearse(len(written))
        decided = decisions.decided[:, : len(written)]
        return {
            "loss": float(loss.detach()),
            "imitation": float(imitation.detach()),
            "entropy": float(losses.mean_over(entropy, decided).detach()),
            "gradient_norm": norm,
            "advantage_deviation": float(advantages.std()) if len(written) > 1 else 0.0,
            "replay_share": len(replayed) / (len(replayed) + len(written)),
        }

    def _rehearse(self, count: int) -> None:
        """One step from as much replay as goes with `count` own samples."""
        replayed, paid = self.replayed(count)
        if replayed:
            judged = judge(self.network, padded(replayed))
            imitation = losses.self_imitation(judged.log_probs.sum(0), paid, self.usual)
            self.step(self.own.imitation * imitation - self.pressure * judged.entropy.sum(0).mean())
