"""Advantages and losses against vectors worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from alpha_pipeline.generate.policy import losses


def tensor(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


def close(found: Tensor, expected: Tensor | float) -> None:
    torch.testing.assert_close(found, torch.as_tensor(expected, dtype=torch.float32), rtol=1e-5, atol=1e-6)


def test_leave_one_out() -> None:
    """Rewards 1, 2, 6: the others' means are 4, 3.5 and 1.5; the deviation over n − 1 is √7."""
    close(losses.leave_one_out(tensor(1, 2, 6)), tensor(-3, -1.5, 4.5))
    close(losses.leave_one_out(tensor(1, 2, 6), scaled=True), tensor(-3, -1.5, 4.5) / math.sqrt(7))
    close(losses.leave_one_out(tensor(0.3, 0.3, 0.3), scaled=True), tensor(0, 0, 0))
    close(losses.leave_one_out(tensor(5)), tensor(0))


def test_risk_seeking() -> None:
    """Of 0, 1, 2, 3, 4 the quantile 0.75 is 3: two are kept, with 0 and 1 above it."""
    advantages, kept = losses.risk_seeking(tensor(0, 4, 2, 3, 1), 0.25)
    close(advantages, tensor(0, 1, 0, 0, 0))
    assert kept.tolist() == [False, True, False, True, False]
    log_probs = tensor(-1, -2, -3, -4, -5).requires_grad_()
    loss = losses.policy_gradient(log_probs, advantages, kept)
    close(loss, 1.0)  # −(1 · −2 + 0 · −4) / 2
    loss.backward()
    assert log_probs.grad is not None
    close(log_probs.grad, tensor(0, -0.5, 0, 0, 0))


def test_policy_gradient() -> None:
    close(losses.policy_gradient(tensor(-1, -2), tensor(3, -1)), 0.5)  # −(−3 + 2) / 2


def test_self_imitation() -> None:
    """Rewards 0.5 and 0.1 over a baseline of 0.2: only the first teaches, by 0.3."""
    close(losses.self_imitation(tensor(-2, -7), tensor(0.5, 0.1), 0.2), 0.3)


def test_clipped() -> None:
    """Ratios 1.5, 0.5, 1.5, 0.5 with advantages 1, 1, −1, −1 and ε = 0.2: 1.2, 0.5, −1.5, −0.8; the last is padding."""
    ratios = tensor(1.5, 0.5, 1.5, 0.5, 9.0)
    old = tensor(-1, -2, -3, -0.5, 0)[None]
    now = old + ratios.log()
    advantages = tensor(1, 1, -1, -1, 100)[None]
    decided = torch.tensor([[True, True, True, True, False]])
    close(losses.clipped(now, old, advantages, decided, 0.2), -(1.2 + 0.5 - 1.5 - 0.8) / 4)
    close(losses.clip_fraction(now, old, decided, 0.2), 1.0)
    close(losses.clip_fraction(now, old, decided, 0.5001), 0.0)
    expected = sum(ratio - 1 - math.log(ratio) for ratio in (1.5, 0.5, 1.5, 0.5)) / 4
    close(losses.approximate_kl(now, old, decided), expected)


def test_clipped_has_no_gradient_beyond_the_clip() -> None:
    now = tensor(0.5, -0.5, 0.5, -0.5)[None].requires_grad_()
    advantages = tensor(1, 1, -1, -1)[None]
    losses.clipped(now, torch.zeros(1, 4), advantages, torch.ones(1, 4, dtype=torch.bool), 0.2).backward()
    assert now.grad is not None
    close(now.grad, tensor(0, -math.exp(-0.5), math.exp(0.5), 0)[None] / 4)


def test_generalised_advantages() -> None:
    """Values 1, 2, 4 and reward 10: δ = 1, 2, 6. With λ = 0.5: A = 1 + 0.5 · 5 = 3.5, 2 + 0.5 · 6 = 5, 6."""
    values = torch.tensor([[1.0, 3.0], [2.0, 7.0], [4.0, 9.0]])
    decided = torch.tensor([[True, True], [True, False], [True, False]])
    rewards = tensor(10, 1)
    advantages, targets = losses.generalised_advantages(rewards, values, decided, 0.5)
    close(advantages, torch.tensor([[3.5, -2.0], [5.0, 0.0], [6.0, 0.0]]))
    close(targets, torch.tensor([[4.5, 1.0], [7.0, 0.0], [10.0, 0.0]]))
    close(losses.generalised_advantages(rewards, values, decided, 1.0)[0][:, 0], tensor(9, 8, 6))
    close(losses.generalised_advantages(rewards, values, decided, 0.0)[0][:, 0], tensor(1, 2, 6))


def test_value_loss() -> None:
    decided = torch.tensor([[True, True, False]])
    close(losses.value_loss(tensor(1, 2, 3)[None], tensor(2, 5, 99)[None], decided), 2.5)  # ½ (1 + 9) / 2


def test_normalised_entropy() -> None:
    """Uniform over 2 of 3 is 1, as is uniform over 3; a forced token 0; (¼, ¾) is 0.8113 bits of 1."""
    low = -math.inf
    log_policy = torch.tensor(
        [
            [math.log(0.5), math.log(0.5), low],
            [math.log(1 / 3)] * 3,
            [0.0, low, low],
            [math.log(0.25), math.log(0.75), low],
        ]
    ).requires_grad_()
    found = losses.normalised_entropy(log_policy, torch.tensor([2, 3, 1, 2]))
    close(found, tensor(1, 1, 0, 0.811278))
    found.sum().backward()
    assert log_policy.grad is not None
    assert bool(log_policy.grad.isfinite().all())


def test_means_leave_out_what_was_not_decided() -> None:
    close(losses.mean_over(tensor(1, math.nan)[None], torch.tensor([[True, False]])), 1.0)
    close(losses.mean_over(tensor(math.inf)[None], torch.tensor([[False]])), 0.0)


@pytest.mark.parametrize("scaled", [False, True])
def test_leave_one_out_sums_to_nothing(scaled: bool) -> None:
    rewards = torch.randn(64, generator=torch.Generator().manual_seed(1))
    close(losses.leave_one_out(rewards, scaled).sum(), 0.0)
