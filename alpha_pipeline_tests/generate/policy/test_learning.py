"""The learners: that they learn, the same way every time, and do not spin when they repeat themselves."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import Call, Field, Node, to_text, walk
from alpha_pipeline.generate import Grammar, Memory, Reward, Scored, SearchSettings
from alpha_pipeline.generate.policy import learner as shared
from alpha_pipeline.generate.policy.learner import PolicyLearner
from alpha_pipeline.generate.policy.ppo import Ppo, PPOSettings
from alpha_pipeline.generate.policy.reinforce import Reinforce, ReinforceSettings
from alpha_pipeline.generate.policy.rollout import judge, padded, write
from alpha_pipeline_tests.generate.policy.targets import SETTINGS, hits, learner, scored, train
from alpha_pipeline_tests.generate.toy import FIELDS

LEARNERS = (Reinforce, Ppo)


@pytest.mark.parametrize("bred", [0.0, 0.5])
@pytest.mark.parametrize("kind", LEARNERS)
def test_a_planted_target_is_learned(kind: type[PolicyLearner], bred: float) -> None:
    """Of the first proposals one in ten hits; after 512 evaluations most do, of a policy alone or breeding."""
    generator = learner(kind, bred=bred)
    shares = [float(np.mean([hits(node) for node in ask])) for ask in train(generator, 8)]
    assert np.mean(shares[:2]) < 0.2
    assert np.mean(shares[-2:]) > 0.6
    assert generator.trained == 8 * 64
    entropies = [each.figures["entropy"] for each in generator.history]
    assert entropies[-1] < entropies[0]


@pytest.mark.parametrize("kind", ["leave-one-out", "risk-seeking", "ppo"])
def test_an_update_makes_the_better_likelier(kind: str) -> None:
    """Without replay and without pressure on the entropy, so that the own gradient alone is at work."""
    grammar, memory = Grammar(FIELDS, settings=SETTINGS), Memory(SETTINGS)
    generator: PolicyLearner
    if kind == "ppo":
        generator = Ppo(grammar, 1, memory, PPOSettings(replay=0.0))
    else:
        risk = 0.5 if kind == "risk-seeking" else None
        generator = Reinforce(grammar, 1, memory, ReinforceSettings(replay=0.0, risk=risk))
    generator.pressure = 0.0
    written = write(generator.space, generator.network, memory.summary(), 16, 1.0, generator.sampling)
    rewards = torch.linspace(0.0, 1.0, 16)
    before = judge(generator.network, padded(written)).log_probs.sum(0).detach()
    for _ in range(3):
        generator.update(written, rewards)
    gain = judge(generator.network, padded(written)).log_probs.sum(0).detach() - before
    assert float(gain[12:].mean()) > 0.1
    assert float(gain[12:].mean()) > float(gain[:4].mean()) + 0.2


@pytest.mark.parametrize("kind", LEARNERS)
def test_threads_and_the_global_source_change_nothing(kind: type[PolicyLearner]) -> None:
    found = []
    before = torch.get_num_threads()
    try:
        for threads, seed in ((1, 3), (2, 4)):
            torch.set_num_threads(threads)
            torch.manual_seed(seed)
            generator = learner(kind, bred=0.5)
            asks = train(generator, 3)
            found.append((asks, [weight.tolist() for weight in generator.network.state_dict().values()]))
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]


def test_proposals_do_not_depend_on_hash_seeds() -> None:
    program = (
        "from alpha_pipeline_tests.generate.policy.targets import *;"
        "from alpha_pipeline.generate.policy.reinforce import Reinforce;"
        "print([to_text(node) for ask in train(learner(Reinforce, bred=0.5), 2) for node in ask])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    here = [to_text(node) for ask in train(learner(Reinforce, bred=0.5), 2) for node in ask]
    assert found.stdout.strip() == str(here)


@pytest.mark.parametrize("kind", LEARNERS)
def test_curves(kind: type[PolicyLearner]) -> None:
    generator = learner(kind)
    train(generator, 2)
    figures = generator.history[-1].figures
    wanted = {
        "loss",
        "entropy",
        "entropy_weight",
        "gradient_norm",
        "advantage_deviation",
        "replay_share",
        "repeats",
        "decisions",
    }
    if kind is Ppo:
        wanted |= {"clip_fraction", "approximate_kl", "value_loss"}
    assert wanted <= set(figures)
    assert all(np.isfinite(value) for value in figures.values())
    assert figures["replay_share"] > 0.15


def test_a_policy_that_repeats_itself_warms_up() -> None:
    """All weight on one field and one operator: nearly every sample is known, until the temperature gives way."""
    generator = learner(Reinforce)
    with torch.no_grad():
        generator.network.output.bias[:] = torch.randn(
            len(generator.space.vocabulary), generator=torch.Generator().manual_seed(1)
        ).mul(12)
    asked = generator.ask(64)
    assert generator.temperature > 1.5
    assert generator.repeats > 64
    assert len(asked) == len(set(asked)) > 20
    with torch.no_grad():
        generator.network.output.bias.zero_()
    warm = generator.temperature
    for _ in range(5):
        generator.ask(64)
    assert 1.0 <= generator.temperature < warm


def test_an_exhausted_space_ends_the_ask() -> None:
    settings = SearchSettings(budget=2_000, deepest=1, most_operators=1)
    generator = Reinforce(Grammar(["returns"], settings=settings), 1, Memory(settings))
    total = 0
    while asked := generator.ask(200):
        total += len(asked)
    assert 50 < total < 1_000
    assert generator.repeats >= shared.TRIES


def test_strong_losers_are_proposed_with_the_other_sign_and_teach_through_replay_only() -> None:
    generator = learner(Reinforce)
    asked = generator.ask(64)
    figures = [scored(node) for node in asked]
    figures[5] = replace(figures[5], sharpe=-2.5, fitness=-2.5, returns=-0.3, pnl=-figures[5].pnl - 0.0016)
    generator.tell(figures)
    wanted = [member.node for member in generator.memory.archive.to_negate()]
    assert wanted
    again = generator.ask(64)
    assert again[: len(wanted)] == wanted
    assert all(node not in generator._waiting for node in wanted)
    generator.tell([scored(node) for node in again])
    assert generator.trained == 128


def test_what_others_proposed_is_no_own_sample() -> None:
    """Told of foreign expressions only, as an arm of several is, it learns nothing from them by policy gradient."""
    memory = Memory(SETTINGS)
    one, other = learner(Reinforce, 1, memory), learner(Reinforce, 2, memory)
    results = [scored(node) for node in other.ask(20)]
    weights = [weight.clone() for weight in one.network.parameters()]
    one.learn(results, memory.add(results))
    assert all(torch.equal(left, right) for left, right in zip(weights, one.network.parameters(), strict=True))


@pytest.mark.parametrize("kind", LEARNERS)
def test_a_share_is_bred_from_what_was_found(kind: type[PolicyLearner]) -> None:
    """The first ask has nothing to breed from; of later ones half are changes or sums of what is in the archive."""
    generator = learner(kind, bred=0.5)
    assert generator.batch == 128
    first, second = generator.ask(64), generator.ask(0)
    assert set(first) == set(generator._waiting)
    assert not second
    generator.tell([scored(node) for node in first])
    assert generator.history[-1].figures["bred"] == 0.0
    asked = generator.ask(64)
    sampled = [node for node in asked if node in generator._waiting]
    assert 28 <= len(sampled) <= 32
    generator.tell([scored(node) for node in asked])
    assert generator.history[-1].figures["bred"] == 1 - len(sampled) / 64
    assert generator.trained == 128
    assert not generator._waiting


def test_breeding_adds_up_what_a_policy_seldom_writes_side_by_side() -> None:
    """Two operators earn, unrelated: half as many samples, and more than twice as many proposals that hold both."""
    rows = np.random.default_rng(1).standard_normal((2, 400))
    rows = (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True) + 0.9 / np.sqrt(250)

    def held(node: Node) -> list[bool]:
        operators = {part.operator for part in walk(node) if isinstance(part, Call)}
        return ["ts_corr" in operators, "ts_arg_max" in operators]

    def earn(node: Node) -> Scored:
        noise = np.random.default_rng(zlib.crc32(to_text(node).encode())).standard_normal(400)
        pnl = rows[held(node)].sum(axis=0) + 0.2 * (noise - noise.mean())
        sharpe = float(pnl.mean() / pnl.std() * np.sqrt(250))
        return Scored(node, to_text(node), sharpe, pnl, 0.3, sharpe, 0.1, 1.0)

    def found(bred: float) -> int:
        settings = SearchSettings(budget=2_000, deepest=5, most_operators=12)
        own = ReinforceSettings(bred=bred)
        generator, count = Reinforce(Grammar(FIELDS, settings=settings), 1, Memory(settings), own), 0
        for _ in range(6):
            asked = generator.ask(64)
            count += sum(all(held(node)) for node in asked)
            generator.tell([earn(node) for node in asked])
        return count

    assert found(0.5) > 2 * found(0.0) > 0


def test_settings_reach_the_learner() -> None:
    generator = Reinforce(
        Grammar(FIELDS, settings=SETTINGS), 1, Memory(SETTINGS), ReinforceSettings(batch=32, risk=0.2, bred=0.0)
    )
    train(generator, 1)
    assert generator.batch == 32
    assert generator.history[0].figures["advantage_deviation"] >= 0
    assert [to_text(node) for node in generator.ask(3)]


def test_what_the_elite_holds_is_taken_off() -> None:
    """|ρ| of 1 and 0.6 with elites worth 0.4 and 0.5: 0.4 for the first's twin, 0.3 where the second counts more."""
    generator = Reinforce(Grammar(FIELDS, settings=SETTINGS), 1, Memory(SETTINGS), ReinforceSettings(crowding=1.0))
    days = np.arange(1, 401)
    first, second = np.sqrt(2) * np.sin(2 * np.pi * days / 20), np.sqrt(2) * np.cos(2 * np.pi * days / 20)
    generator._held = np.array([first, second]), np.array([0.4, 0.5])
    node = Field("returns")
    pnl = [-first, 0.5 * first + 0.6 * second + np.sqrt(0.39 * 2) * np.sin(2 * np.pi * days / 8)]
    results = [Scored(node, "x", 1.0, row, 0.2, 1.0, 0.1, 1.0) for row in pnl]
    results.append(Scored(node, "x", 0.0, np.zeros(0), 0.0, 0.0, 0.0, 0.0, "overflow"))
    rewards = [Reward.of({"sharpe": 0.7}), Reward.of({"sharpe": 0.6}), Reward.of({"degenerate": -0.5})]
    assert generator.pay(results, rewards) == pytest.approx([0.3, 0.3, -0.5])
    generator._held = None
    assert generator.pay(results, rewards) == [0.7, 0.6, -0.5]


def test_entropy_is_held() -> None:
    """Below its aim the weight of the entropy rises at every update, above it falls, within bounds."""
    low = Reinforce(Grammar(FIELDS, settings=SETTINGS), 1, Memory(SETTINGS), ReinforceSettings(entropy=1.0, bred=0.0))
    high = Reinforce(Grammar(FIELDS, settings=SETTINGS), 1, Memory(SETTINGS), ReinforceSettings(entropy=0.0, bred=0.0))
    start = low.pressure
    for generator in (low, high):
        train(generator, 2)
    assert low.pressure == pytest.approx(start * shared.STIFFER**2)
    assert high.pressure == pytest.approx(start / shared.STIFFER**2)
    low.pressure = shared.PRESSURE[1]
    train(low, 1)
    assert low.pressure == shared.PRESSURE[1]


@pytest.mark.parametrize(
    "wrong", [{"kind": "rnn"}, {"batch": 0}, {"width": 0}, {"rate": 0.0}, {"replay": 1.0}, {"bred": 1.0}]
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=str(next(iter(wrong.values())))):
        ReinforceSettings(**wrong)
