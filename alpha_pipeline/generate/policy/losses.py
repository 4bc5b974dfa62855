"""Advantages and losses of the policy learners: pure functions of tensors, nothing is sampled or stepped here.

Shapes: n sequences of at most t decisions over v tokens. A decision is a token that was chosen among several legal
ones; `decided` [t, n] marks them, and what it does not mark (padding) enters no loss and no count. All float32.
"""

from __future__ import annotations

import torch
from torch import Tensor

LEAST_SPREAD = 1e-6
"""Standard deviation of rewards below which they count as equal: there is nothing to learn from them."""


def leave_one_out(rewards: Tensor, scaled: bool = False) -> Tensor:
    """Advantages R_i − mean of the other rewards, [n]; 0 for a single reward.

    Kool, van Hoof, Welling 2019, "Buy 4 REINFORCE samples, get a baseline for free!", eq. 8: the others' mean is a
    baseline that does not depend on the own sample, so the gradient stays unbiased.

    Args:
        rewards: [n].
        scaled: divide by the standard deviation (over n − 1) of the rewards; then all 0 where they are equal.
    """
    count = len(rewards)
    if count < 2:
        return torch.zeros_like(rewards)
    advantages = (rewards - rewards.mean()) * (count / (count - 1))
    if not scaled:
        return advantages
    spread = rewards.std()
    return advantages / spread if float(spread) > LEAST_SPREAD else torch.zeros_like(rewards)


def risk_seeking(rewards: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Advantages R_i − q of the rewards from the (1 − share) quantile q on, 0 below it.

    Petersen et al. 2021, "Deep symbolic regression", eq. 1 and 2: the gradient of the expected reward of the best
    share of the samples.

    Args:
        rewards: [n].
        share: of the samples that teach, above 0, at most 1.

    Returns:
        (advantages [n], which ones are kept, boolean [n]); the loss is a mean over the kept ones.
    """
    quantile = torch.quantile(rewards, 1.0 - share)
    kept = rewards >= quantile
    return torch.where(kept, rewards - quantile, torch.zeros_like(rewards)), kept


def policy_gradient(log_probs: Tensor, advantages: Tensor, kept: Tensor | None = None) -> Tensor:
    """−mean of A_i · log π(sequence i), a scalar (Williams 1992, REINFORCE); the mean is over `kept` where given.

    Args:
        log_probs: [n], of whole sequences.
        advantages: [n], without gradient.
        kept: boolean [n].
    """
    count = len(log_probs) if kept is None else max(int(kept.sum()), 1)
    return -(advantages * log_probs).sum() / count


def self_imitation(log_probs: Tensor, rewards: Tensor, baseline: float) -> Tensor:
    """−mean of log π(sequence i) · max(R_i − baseline, 0), a scalar.

    Oh et al. 2018, "Self-imitation learning", eq. 2: old sequences teach only as far as they did better than expected.

    Args:
        log_probs: [n], under the policy as it is now.
        rewards: [n].
    """
    return -(log_probs * (rewards - baseline).clamp(min=0.0)).mean()


def clipped(log_probs: Tensor, old: Tensor, advantages: Tensor, decided: Tensor, clip: float) -> Tensor:
    """−mean over decisions of min(ρA, clip(ρ, 1 − ε, 1 + ε)A) with ρ = π/π_old, a scalar.

    Schulman et al. 2017, "Proximal policy optimization algorithms", eq. 7.

    Args:
        log_probs, old: [t, n], of the tokens taken, now and when they were sampled.
        advantages: [t, n], without gradient.
        decided: [t, n].
        clip: ε.
    """
    ratio = (log_probs - old).exp()
    gain = torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
    return -mean_over(gain, decided)


def clip_fraction(log_probs: Tensor, old: Tensor, decided: Tensor, clip: float) -> Tensor:
    """Share of decisions whose ratio is outside [1 − ε, 1 + ε], a scalar; arguments as for `clipped`."""
    ratio = (log_probs - old).exp()
    return mean_over(((ratio - 1).abs() > clip).float(), decided)


def approximate_kl(log_probs: Tensor, old: Tensor, decided: Tensor) -> Tensor:
    """Mean over decisions of ρ − 1 − log ρ, a scalar, 0 or more: KL(π_old, π) estimated from samples of π_old.

    Schulman 2020, "Approximating KL divergence" (the estimator k3).
    """
    change = log_probs - old
    return mean_over(change.exp() - 1 - change, decided)


def generalised_advantages(rewards: Tensor, values: Tensor, decided: Tensor, decay: float) -> tuple[Tensor, Tensor]:
    """Advantages and value targets of decisions that lead to one reward at the end, without discount.

    Schulman et al. 2016, "High-dimensional continuous control using generalized advantage estimation", eq. 16 with
    γ = 1: A_t = Σ_l λ^l δ_{t+l}, δ_t = V_{t+1} − V_t, and R − V_t at the last decision.

    Args:
        rewards: [n], paid after the last decision.
        values: [t, n], of the state before each decision.
        decided: [t, n], a run of ones from the start of each column.
        decay: λ; 1 gives R − V_t, 0 gives δ_t.

    Returns:
        (A, A + V), each [t, n], 0 where nothing was decided.
    """
    steps, count = values.shape
    advantages = torch.zeros_like(values)
    following, carried = rewards, values.new_zeros(count)
    for step in reversed(range(steps)):
        here = decided[step]
        found = following - values[step] + decay * carried
        carried = torch.where(here, found, carried)
        following = torch.where(here, values[step], following)
        advantages[step] = torch.where(here, found, torch.zeros_like(found))
    return advantages, torch.where(decided, advantages + values, torch.zeros_like(values))


def value_loss(values: Tensor, targets: Tensor, decided: Tensor) -> Tensor:
    """½ mean over decisions of (V − target)², a scalar; arguments [t, n], targets without gradient."""
    return 0.5 * mean_over((values - targets) ** 2, decided)


def normalised_entropy(log_policy: Tensor, legal: Tensor) -> Tensor:
    """Entropy of each distribution over log(number of legal tokens), [...]: 1 is uniform, 0 where one is legal.

    Otherwise decisions among many would be kept open at the cost of those among few.

    Args:
        log_policy: [..., v], log π, −∞ where a token is illegal.
        legal: [...], how many are legal.
    """
    finite = log_policy.clamp(min=-1e4)  # 0 · −∞ is NaN, and its gradient too
    entropy = -(finite.exp() * finite).sum(-1)
    return torch.where(legal > 1, entropy / legal.clamp(min=2).log(), torch.zeros_like(entropy))


def mean_over(each: Tensor, decided: Tensor) -> Tensor:
    """Mean of [t, n] over what was decided, a scalar; 0 where nothing was."""
    return torch.where(decided, each, torch.zeros_like(each)).sum() / decided.sum().clamp(min=1)
