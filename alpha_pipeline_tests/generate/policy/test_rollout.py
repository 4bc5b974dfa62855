"""Sampling and training see the same policy: masks, priors, probabilities, counts."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from alpha_pipeline.generate import Grammar, SearchSettings
from alpha_pipeline.generate.memory.memory import SUMMARY
from alpha_pipeline.generate.policy.network import KINDS, PolicyNetwork, one_thread
from alpha_pipeline.generate.policy.rollout import Written, judge, log_policy, padded, retrace, sampled_log_probs, write
from alpha_pipeline.generate.space.prefix import PrefixSpace
from alpha_pipeline_tests.generate.toy import FIELDS

NOTHING = np.zeros(SUMMARY, np.float32)


def network_for(space: PrefixSpace, kind: str = "gru", spread: float = 0.0, valued: bool = False) -> PolicyNetwork:
    """A network; with a spread, one that has strong opinions."""
    random = torch.Generator().manual_seed(1)
    network = PolicyNetwork(space.context_sizes, len(space.vocabulary), SUMMARY, 16, kind, valued, random)
    if spread:
        with torch.no_grad():
            for weight in network.parameters():
                weight.normal_(0.0, spread, generator=random)
    return network


def sampled(space: PrefixSpace, network: PolicyNetwork, count: int, temperature: float = 1.0) -> list[Written]:
    with one_thread():
        return write(space, network, NOTHING, count, temperature, torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def space() -> PrefixSpace:
    return PrefixSpace(Grammar(FIELDS))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_training_finds_the_probabilities_of_sampling(space: PrefixSpace, kind: str, temperature: float) -> None:
    network = network_for(space, kind, spread=0.3)
    written = sampled(space, network, 40, temperature)
    judged = judge(network, padded(written))
    torch.testing.assert_close(judged.log_probs.detach(), sampled_log_probs(written), rtol=1e-4, atol=1e-4)
    one = judge(network, padded(written[:1]))  # what stands beside a sequence changes nothing
    torch.testing.assert_close(one.log_probs[:, 0], judged.log_probs[: len(one.log_probs), 0], rtol=1e-4, atol=1e-4)


def test_what_is_illegal_has_no_probability_and_gives_no_gradient(space: PrefixSpace) -> None:
    network = network_for(space, spread=0.3)
    decisions = padded(sampled(space, network, 20))
    logits = network(decisions.contexts, decisions.summary)[0].detach().requires_grad_()
    found = log_policy(logits, decisions.priors, decisions.temperature)
    illegal = torch.isinf(decisions.priors)
    assert bool(illegal[decisions.decided].any())
    assert bool((found.exp()[illegal] == 0).all())
    assert bool(torch.isfinite(found[~illegal]).all())
    found.gather(-1, decisions.tokens[..., None]).sum().backward()
    assert logits.grad is not None
    assert bool((logits.grad[illegal] == 0).all())


def test_forced_tokens_are_no_decisions(space: PrefixSpace) -> None:
    for each in sampled(space, network_for(space, spread=0.3), 30):
        assert all(np.isfinite(prior).sum() > 1 for prior in each.priors)
        assert all(math.isfinite(prior[token]) for prior, token in zip(each.priors, each.tokens, strict=True))
        lengths = {len(each.contexts), len(each.priors), len(each.tokens), len(each.log_probs)}
        assert lengths == {len(each.tokens)}


def test_padding_counts_nowhere(space: PrefixSpace) -> None:
    network = network_for(space, spread=0.3, valued=True)
    written = sampled(space, network, 20)
    judged, decided = judge(network, padded(written)), padded(written).decided
    assert decided.sum(0).tolist() == [len(each.tokens) for each in written]
    for found in (judged.log_probs, judged.entropy, judged.values):
        assert bool((found[~decided] == 0).all())
    assert bool((judged.entropy[decided] > 0).all())
    assert bool((judged.entropy[decided] <= 1 + 1e-6).all())


def test_a_trace_of_the_tokens_is_what_was_written(space: PrefixSpace) -> None:
    network, compared = network_for(space, spread=0.3), 0
    for each in sampled(space, network, 120):
        assert each.node is not None
        tokens = space.encode(each.node)
        assert tokens is not None
        again = retrace(space, tokens, NOTHING)
        assert again.node == each.node
        assert all(np.isfinite(prior).sum() > 1 for prior in again.priors)
        if again.tokens == each.tokens:  # arguments may have been sorted
            compared += 1
            assert again.contexts == each.contexts
            assert all(np.array_equal(left, right) for left, right in zip(again.priors, each.priors, strict=True))
    assert compared > 5


def test_samples_come_as_often_as_the_policy_says() -> None:
    """χ² over a space of some hundred expressions, under a policy with opinions."""
    space = PrefixSpace(Grammar(["returns"], settings=SearchSettings(deepest=1, most_operators=1)))
    network = network_for(space, spread=0.5)
    written = sampled(space, network, 6_000)
    kinds: dict[tuple[int, ...], Written] = {}
    for each in written:
        kinds.setdefault(tuple(each.tokens), each)
    counts = Counter(tuple(each.tokens) for each in written)
    likely = judge(network, padded(list(kinds.values()))).log_probs.sum(0).exp().detach().double().numpy()
    expected = likely * len(written)
    common = expected >= 5
    assert likely.sum() <= 1 + 1e-5
    observed = np.array([counts[kind] for kind in kinds], np.float64)
    rest = [len(written) - observed[common].sum()], [len(written) - expected[common].sum()]
    assert common.sum() > 20
    assert chisquare(np.append(observed[common], rest[0]), np.append(expected[common], rest[1])).pvalue > 1e-3


def test_the_first_policy_is_nearly_the_prior(space: PrefixSpace) -> None:
    written = sampled(space, network_for(space), 30)
    decisions = padded(written)
    prior = decisions.priors.gather(-1, decisions.tokens[..., None])[..., 0]
    found = sampled_log_probs(written)
    torch.testing.assert_close(found, prior, rtol=0.1, atol=0.2)


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    seen = []

    def fail() -> None:
        with one_thread():
            seen.append(torch.get_num_threads())
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert seen == [1]
    assert torch.get_num_threads() == before


def test_making_a_network_leaves_the_global_source_alone(space: PrefixSpace) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    network_for(space)
    assert torch.equal(torch.rand(1), expected)
