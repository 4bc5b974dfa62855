"""Policies on disk: safetensors files, which hold numbers and texts and nothing that is run.

A file holds the weights, the optimiser's moments, the states of both sources of random numbers, and how much the policy
has learned from. What a run remembers is not in it: a policy goes on in a new run with an empty memory, and the same
asks follow bit for bit where the memory is the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from alpha_pipeline.errors import BadInput

if TYPE_CHECKING:
    from alpha_pipeline.generate.policy.learner import PolicyLearner

FORMAT = 1
"""Of the file; one with another number is not read."""

NETWORK, OPTIMISER, SAMPLING = "network.", "optimiser.", "sampling"
RETRAIN = "train a new policy, or take a file that was made with the same fields, profile and settings"


def save(learner: PolicyLearner, path: Path) -> None:
    """Write a learner's policy to a file, whole or not at all."""
    tensors = {NETWORK + name: weight for name, weight in learner.network.state_dict().items()}
    for number, moments in learner.optimiser.state_dict()["state"].items():
        tensors |= {f"{OPTIMISER}{number}.{name}": moment for name, moment in moments.items()}
    tensors[SAMPLING] = learner.sampling.get_state()
    texts = {
        "format": str(FORMAT),
        **_identity(learner),
        "settings": json.dumps(asdict(learner.settings)),
        "counters": json.dumps(learner.counters()),
        "random": json.dumps(learner.random.bit_generator.state),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial, texts)
    partial.replace(path)


def load(learner: PolicyLearner, path: Path, resume: bool) -> None:
    """Give a learner the policy of a file; it is left as it was where the file does not fit.

    Args:
        learner: of the same kind, vocabulary and network.
        path: of the file.
        resume: take the states of the random numbers as well; else the learner keeps those of its own seed.

    Raises:
        BadInput: no such file, a broken one, or one of another kind, vocabulary, network or format.
    """
    tensors, texts = _read(path)
    if texts.get("format") != str(FORMAT):
        raise BadInput(f"format {texts.get('format')!r} of a policy, not {FORMAT}", str(path), RETRAIN)
    for name, ours in _identity(learner).items():
        if texts.get(name) != ours:
            what = f"its {name} is not this learner's: {_difference(texts.get(name), ours)}"
            raise BadInput(what, str(path), RETRAIN)
    weights = _under(tensors, NETWORK)
    shapes = {name: weight.shape for name, weight in learner.network.state_dict().items()}
    if {name: weight.shape for name, weight in weights.items()} != shapes:
        raise BadInput("its network has other shapes than this learner's", str(path), RETRAIN)
    moments: dict[int, dict[str, Tensor]] = {}
    for name, moment in _under(tensors, OPTIMISER).items():
        number, _, kind = name.partition(".")
        moments.setdefault(int(number), {})[kind] = moment
    try:
        counters, state = json.loads(texts["counters"]), json.loads(texts["random"])
        learner.recount(counters)
        if resume:
            learner.random.bit_generator.state = state
            learner.sampling.set_state(tensors[SAMPLING])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise BadInput(f"the file is broken ({error})", str(path), RETRAIN) from error
    learner.network.load_state_dict(weights)
    groups = learner.optimiser.state_dict()["param_groups"]
    learner.optimiser.load_state_dict({"state": moments, "param_groups": groups})


def _identity(learner: PolicyLearner) -> dict[str, str]:
    """What must agree for a policy to fit."""
    return {
        "kind": learner.name,
        "vocabulary": json.dumps(learner.space.vocabulary.tokens),
        "contexts": json.dumps(list(learner.space.context_sizes)),
    }


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            texts: dict[str, str] = file.metadata() or {}
            return {name: file.get_tensor(name) for name in file.keys()}, texts  # noqa: SIM118
    except FileNotFoundError as error:
        raise BadInput("no such file", str(path), "give the path of a policy that a run has saved") from error
    except (SafetensorError, OSError) as error:
        raise BadInput(f"not a readable policy ({error})", str(path), RETRAIN) from error


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _difference(theirs: str | None, ours: str) -> str:
    """Where two descriptions differ, in few words."""
    try:
        found: Any = json.loads(theirs or "null")
        wanted: Any = json.loads(ours)
    except ValueError:
        return f"{theirs!r} against {ours!r}"
    if isinstance(found, list) and isinstance(wanted, list) and set(found) != set(wanted):
        missing = [str(each) for each in wanted if each not in found]
        extra = [str(each) for each in found if each not in wanted]
        return f"it lacks {', '.join(missing[:5]) or 'nothing'} and has {', '.join(extra[:5]) or 'nothing'} besides"
    return f"{found!r} against {wanted!r}"
