"""`ppo`: proximal policy optimisation (Schulman et al. 2017, eq. 7 and 9) with generalised advantages (Schulman et al.
2016, eq. 16, γ = 1), and self-imitation of what was found before (Oh et al. 2018, eq. 2).

Ratios compare the policy with the one that sampled, a few steps ago. Replayed sequences were sampled by none that is
known, or by no policy at all, and never pass through them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from alpha_pipeline.generate.memory.memory import Memory
from alpha_pipeline.generate.policy import losses
from alpha_pipeline.generate.policy.learner import PolicyLearner
from alpha_pipeline.generate.policy.rollout import Written, judge, padded, sampled_log_probs
from alpha_pipeline.generate.policy.settings import PolicySettings
from alpha_pipeline.generate.space.grammar import Grammar


@dataclass(frozen=True)
class PPOSettings(PolicySettings):
    """Of `Ppo`.

    Args:
        epochs: steps of the optimiser per batch.
        clip: ε of the ratios.
        decay: λ of the advantages.
        value: weight of the value loss.
    """

    epochs: int = 4
    clip: float = 0.2
    decay: float = 0.95
    value: float = 0.5


class Ppo(PolicyLearner):
    """Clipped policy gradient with a learned value; see the module."""

    name = "ppo"
    valued = True

    def __init__(self, grammar: Grammar, seed: int, memory: Memory, settings: PPOSettings | None = None) -> None:
        self.own = settings or PPOSettings()
        super().__init__(grammar, seed, memory, self.own)

    def update(self, written: Sequence[Written], rewards: Tensor) -> dict[str, float]:
        """`epochs` steps from a batch, with a share of replay."""
        settings, count = self.own, len(written)
        replayed, paid = self.replayed(count)
        decisions = padded([*written, *replayed])
        decided = decisions.decided[:, :count]
        old = torch.zeros(decided.shape)
        sampled = sampled_log_probs(written)
        old[: len(sampled)] = sampled
        with torch.no_grad():
            values = judge(self.network, decisions).values[:, :count]
        advantages, targets = losses.generalised_advantages(rewards, values, decided, settings.decay)
        spread = advantages[decided].std(unbiased=False)
        advantages = (advantages - losses.mean_over(advantages, decided)) / (spread + 1e-8)
        figures: dict[str, float] = {}
        for _ in range(settings.epochs):
            judged = judge(self.network, decisions)
            now, entropy = judged.log_probs[:, :count], losses.mean_over(judged.entropy[:, :count], decided)
            surrogate = losses.clipped(now, old, advantages, decided, settings.clip)
            value = losses.value_loss(judged.values[:, :count], targets, decided)
            imitation = surrogate.new_zeros(())
            if replayed:
                imitation = losses.self_imitation(judged.log_probs[:, count:].sum(0), paid, self.usual)
            loss = surrogate + settings.value * value + settings.imitation * imitation - self.pressure * entropy
            norm = self.step(loss)
            figures = {
                "loss": float(loss.detach()),
                "value_loss": float(value.detach()),
                "imitation": float(imitation.detach()),
                "entropy": float(entropy.detach()),
                "gradient_norm": norm,
                "clip_fraction": float(losses.clip_fraction(now.detach(), old, decided, settings.clip)),
                "approximate_kl": float(losses.approximate_kl(now.detach(), old, decided)),
            }
        return figures | {
            "advantage_deviation": float(spread),
            "replay_share": len(replayed) / (len(replayed) + count),
        }
