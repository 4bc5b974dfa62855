"""Policies on disk; see `keepsakes` for the files.

A file holds the weights, the optimiser's moments, the states of both sources of random numbers, and how much the policy
has learned from. What a run remembers is not in it, nor what it breeds from: a policy goes on in a new run with an
empty memory, and the same samples follow bit for bit where the memory is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from alpha_pipeline.errors import BadInput
from alpha_pipeline.generate.keepsakes import AGAIN, read, write

if TYPE_CHECKING:
    from alpha_pipeline.generate.policy.learner import PolicyLearner

FORMAT = "policy 1"
"""Of the file; one with another is not read."""

NETWORK, OPTIMISER, SAMPLING = "network.", "optimiser.", "sampling"


def save(learner: PolicyLearner, path: Path) -> None:
    """Write a learner's policy to a file, whole or not at all."""
    tensors = {NETWORK + name: weight for name, weight in learner.network.state_dict().items()}
    for number, moments in learner.optimiser.state_dict()["state"].items():
        tensors |= {f"{OPTIMISER}{number}.{name}": moment for name, moment in moments.items()}
    tensors[SAMPLING] = learner.sampling.get_state()
    told = {
        "format": FORMAT,
        **_identity(learner),
        "settings": asdict(learner.settings),
        "counters": learner.counters(),
        "random": learner.random.bit_generator.state,
    }
    write(path, {name: tensor.numpy() for name, tensor in tensors.items()}, told)


def load(learner: PolicyLearner, path: Path, resume: bool) -> None:
    """Give a learner the policy of a file; it is left as it was where the file does not fit.

    Args:
        learner: of the same kind, vocabulary and network.
        path: of the file.
        resume: take the states of the random numbers as well; else the learner keeps those of its own seed.

    Raises:
        BadInput: no such file, a broken one, or one of another kind, vocabulary, network or format.
    """
    arrays, told = read(path, FORMAT)
    tensors = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
    for name, ours in _identity(learner).items():
        if told.get(name) != ours:
            what = f"its {name} is not this learner's: {_difference(told.get(name), ours)}"
            raise BadInput(what, str(path), AGAIN)
    weights, moments = _under(tensors, NETWORK), _moments(tensors)
    if _shapes(weights) != _shapes(learner.network.state_dict()):
        raise BadInput("its network has other shapes than this learner's", str(path), AGAIN)
    if not all(bool(torch.isfinite(each).all()) for each in tensors.values()):
        raise BadInput("the file is broken (it holds numbers that are not finite)", str(path), AGAIN)
    own = [weight.shape for weight in learner.network.parameters()]
    of_all = list(moments) == list(range(len(own))) or not moments
    if not of_all or any(_shapes(each) != _shapes_of(own[number]) for number, each in moments.items()):
        raise BadInput("its optimiser's moments do not fit its network", str(path), AGAIN)
    sampling, drawing = torch.Generator(), np.random.default_rng(0)
    try:
        sampling.set_state(tensors[SAMPLING])
        drawing.bit_generator.state = told["random"]
        learner.recount(told["counters"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise BadInput(f"the file is broken ({error})", str(path), AGAIN) from error
    learner.network.load_state_dict(weights)
    groups = learner.optimiser.state_dict()["param_groups"]
    learner.optimiser.load_state_dict({"state": moments, "param_groups": groups})
    if resume:
        learner.sampling, learner.random = sampling, drawing


def _identity(learner: PolicyLearner) -> dict[str, Any]:
    """What must agree for a policy to fit."""
    tokens = list(learner.space.vocabulary.tokens)
    return {"kind": learner.name, "vocabulary": tokens, "contexts": list(learner.space.context_sizes)}


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _moments(tensors: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """The optimiser's state by number of the parameter, rising."""
    found: dict[int, dict[str, Tensor]] = {}
    for name, moment in _under(tensors, OPTIMISER).items():
        number, _, kind = name.partition(".")
        found.setdefault(int(number) if number.isdecimal() else -1, {})[kind] = moment
    return dict(sorted(found.items()))


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def _shapes_of(parameter: torch.Size) -> dict[str, torch.Size]:
    """Of the moments that Adam keeps for a parameter."""
    return {"step": torch.Size([]), "exp_avg": parameter, "exp_avg_sq": parameter}


def _difference(theirs: object, ours: object) -> str:
    """Where two descriptions differ, in few words."""
    if isinstance(theirs, list) and isinstance(ours, list) and set(theirs) != set(ours):
        missing = [str(each) for each in ours if each not in theirs]
        extra = [str(each) for each in theirs if each not in ours]
        return f"it lacks {', '.join(missing[:5]) or 'nothing'} and has {', '.join(extra[:5]) or 'nothing'} besides"
    return f"{theirs!r} against {ours!r}"
