"""Policies kept in files: resumed bit for bit, and refused where they do not fit."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from alpha_pipeline.errors import BadInput
from alpha_pipeline.generate import Grammar, Memory
from alpha_pipeline.generate.keepsakes import TOLD
from alpha_pipeline.generate.policy.learner import PolicyLearner
from alpha_pipeline.generate.policy.ppo import Ppo
from alpha_pipeline.generate.policy.reinforce import Reinforce, ReinforceSettings
from alpha_pipeline_tests.generate.policy.targets import SETTINGS, learner, train


def state(generator: PolicyLearner) -> list[object]:
    """All that a checkpoint is to keep."""
    moments = generator.optimiser.state_dict()["state"]
    tensors = [
        *generator.network.state_dict().items(),
        *((f"{number} {name}", value) for number, each in moments.items() for name, value in sorted(each.items())),
        ("sampling", generator.sampling.get_state()),
    ]
    held = [(name, hashlib.sha256(value.numpy().tobytes()).hexdigest()) for name, value in tensors]
    return [held, generator.random.bit_generator.state, generator.counters()]


@pytest.mark.parametrize("kind", [Reinforce, Ppo])
def test_training_goes_on_bit_for_bit(kind: type[PolicyLearner], tmp_path: Path) -> None:
    first = learner(kind)
    train(first, 4)
    first.save(tmp_path / "policy.safetensors")
    second = learner(kind, seed=99, memory=copy.deepcopy(first.memory))
    second.load(tmp_path / "policy.safetensors", resume=True)
    assert second.trained == 256
    assert train(first, 4) == train(second, 4)
    assert state(first) == state(second)


def test_the_same_policy_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        generator = learner(Reinforce)
        train(generator, 2)
        generator.save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_without_resuming_the_own_seed_decides(tmp_path: Path) -> None:
    trained = learner(Reinforce)
    train(trained, 2)
    trained.save(tmp_path / "policy")
    found = []
    for seed in (1, 2, 1):
        other = learner(Reinforce, seed)
        other.load(tmp_path / "policy")
        found.append(other.ask(20))
    assert found[0] == found[2] != found[1]


def test_a_new_policy_can_be_kept_before_it_learned(tmp_path: Path) -> None:
    fresh = learner(Ppo)
    fresh.save(tmp_path / "deep" / "policy")
    again = learner(Ppo, 5)
    again.load(tmp_path / "deep" / "policy", resume=True)
    assert state(again) == state(fresh)


def refused(path: Path, generator: PolicyLearner, words: str) -> None:
    before = state(generator)
    with pytest.raises(BadInput, match=words):
        generator.load(path, resume=True)
    assert state(generator) == before


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy"
    generator = learner(Reinforce)
    generator.save(path)
    refused(path, learner(Ppo), "its kind is not this learner's: 'reinforce' against 'ppo'")
    fewer = Reinforce(Grammar(["close", "volume", "returns"], settings=SETTINGS), 1, Memory(SETTINGS))
    refused(path, fewer, "it lacks nothing and has .*group:industry")
    wider = Reinforce(fewer.grammar, 1, Memory(SETTINGS), ReinforceSettings(width=32))
    fewer.save(path)
    refused(path, wider, "other shapes")
    refused(tmp_path / "none", generator, "no such file")
    path.write_bytes(b"no policy at all")
    refused(path, generator, "it cannot be read")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "policy 2"}, "its format is .policy 2."),
        ({"counters": {}}, "broken .'trained'"),
        ({"counters": "nonsense"}, "broken"),
        ({"random": {"bit_generator": "Other"}}, "broken"),
    ],
)
def test_broken_contents_are_refused(tmp_path: Path, change: dict[str, object], words: str) -> None:
    generator = learner(Reinforce)
    generator.save(tmp_path / "policy")
    with safe_open(tmp_path / "policy", framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        told = json.loads(file.metadata()[TOLD]) | change
    save_file(tensors, tmp_path / "changed", {TOLD: json.dumps(told)})
    refused(tmp_path / "changed", learner(Reinforce, 7), words)
    save_file(tensors, tmp_path / "changed", {TOLD: "[1]"})
    refused(tmp_path / "changed", generator, "its format is .1., not")
    save_file(tensors, tmp_path / "changed")
    refused(tmp_path / "changed", generator, "it cannot be read")


def test_missing_states_are_refused(tmp_path: Path) -> None:
    generator = learner(Reinforce)
    train(generator, 1)
    generator.save(tmp_path / "policy")
    with safe_open(tmp_path / "policy", framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        texts = file.metadata()
    for lost, words in (("sampling", "broken"), ("network.output.bias", "other shapes")):
        save_file({name: value for name, value in tensors.items() if name != lost}, tmp_path / "changed", texts)
        refused(tmp_path / "changed", learner(Reinforce, 7), words)
    for wrong in (torch.zeros(3), None):
        changed = {name: value for name, value in tensors.items() if name != "optimiser.0.exp_avg"}
        if wrong is not None:
            changed["optimiser.0.exp_avg"] = wrong
        save_file(changed, tmp_path / "changed", texts)
        refused(tmp_path / "changed", learner(Reinforce, 7), "optimiser")
    for broken in ("network.output.bias", "optimiser.0.exp_avg"):
        changed = {name: value.clone() for name, value in tensors.items()}
        changed[broken].view(-1)[0] = torch.nan
        save_file(changed, tmp_path / "changed", texts)
        refused(tmp_path / "changed", learner(Reinforce, 7), "not finite")
