"""Writing expressions with a policy, and asking it again how likely it finds what was written.

Both go through `log_policy`: the same mask, prior and temperature at sampling and in training. Tokens that are the only
legal one are taken without asking the policy; they are no decisions, and appear in no loss, count or context but the
previous token's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from alpha_pipeline.expression import Node
from alpha_pipeline.generate.policy.losses import normalised_entropy
from alpha_pipeline.generate.policy.network import PolicyNetwork, State, rows
from alpha_pipeline.generate.space.prefix import Derivation, PrefixSpace

Row = npt.NDArray[np.float32]


@dataclass(slots=True, eq=False)
class Written:
    """One expression as the decisions that made it; t of them.

    Attributes:
        summary: of the pool at the time, [s].
        temperature: at which they were sampled.
        contexts: where each was taken, t tuples of integers.
        priors: log prior at each, t rows [v], −∞ where a token is illegal.
        tokens: what was taken, t.
        log_probs: of the tokens when they were sampled, t; empty for what was not sampled.
        node: what they make, canonical; None until the last is taken.
    """

    summary: Row
    temperature: float = 1.0
    contexts: list[tuple[int, ...]] = field(default_factory=list)
    priors: list[Row] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    node: Node | None = None


@dataclass(frozen=True, slots=True)
class Decisions:
    """Sequences padded to one length, for training; n of at most t.

    Attributes:
        contexts: [t, n, c] int64.
        priors: [t, n, v] float32; 0 in the padding.
        tokens: [t, n] int64.
        decided: [t, n] boolean; False in the padding.
        temperature: [n].
        summary: of the pool, [n, s].
    """

    contexts: Tensor
    priors: Tensor
    tokens: Tensor
    decided: Tensor
    temperature: Tensor
    summary: Tensor


@dataclass(frozen=True, slots=True)
class Judged:
    """What a policy says of sequences, [t, n] each, 0 in the padding.

    Attributes:
        log_probs: of the tokens taken.
        entropy: of the distributions they were taken from, normalised.
        values: reward expected before each decision; 0 without a value head.
    """

    log_probs: Tensor
    entropy: Tensor
    values: Tensor


def log_policy(logits: Tensor, priors: Tensor, temperature: Tensor) -> Tensor:
    """log π over tokens, [..., n, v]: logits over the temperature, plus the log prior, normalised; −∞ where illegal.

    A high temperature gives back the prior, not the uniform distribution.

    Args:
        logits, priors: [..., n, v].
        temperature: [n].
    """
    return torch.log_softmax(logits / temperature[:, None] + priors, dim=-1)


@torch.no_grad()
def write(
    space: PrefixSpace,
    network: PolicyNetwork,
    summary: Row,
    count: int,
    temperature: float,
    random: torch.Generator,
) -> list[Written]:
    """`count` expressions sampled from the policy, side by side."""
    pool = torch.from_numpy(summary)
    written = [Written(summary, temperature) for _ in range(count)]
    growing = [space.begin() for _ in range(count)]
    live = list(range(count))
    state: State = None
    while True:
        places = [place for place in live if _advance(growing[place], written[place])]
        if len(places) < len(live):
            index = {place: row for row, place in enumerate(live)}
            state = rows(state, torch.tensor([index[place] for place in places], dtype=torch.int64))
            live = places
        if not live:
            break
        contexts = torch.from_numpy(np.array([written[place].contexts[-1] for place in live], np.int64))
        priors = torch.from_numpy(np.array([written[place].priors[-1] for place in live]))
        logits, _, state = network(contexts[None], pool, state)
        log_probs = log_policy(logits[0], priors, torch.full((len(live),), temperature))
        tokens = torch.multinomial(log_probs.exp(), 1, generator=random)
        taken = log_probs.gather(1, tokens)[:, 0].tolist()
        for place, token, log_prob in zip(live, tokens[:, 0].tolist(), taken, strict=True):
            written[place].tokens.append(token)
            written[place].log_probs.append(log_prob)
            growing[place].take(token)
    for each, derivation in zip(written, growing, strict=True):
        each.node = derivation.node()
    return written


def retrace(space: PrefixSpace, tokens: Sequence[int], summary: Row) -> Written:
    """The decisions behind the tokens of a whole expression, forced ones among them, as `PrefixSpace.encode` gives."""
    written, growing = Written(summary), space.begin()
    for token in tokens:
        if growing.forced is None:
            written.contexts.append(growing.context())
            written.priors.append(growing.legal()[1])
            written.tokens.append(token)
        growing.take(token)
    written.node = growing.node()
    return written


def _advance(growing: Derivation, written: Written) -> bool:
    """Take forced tokens up to the next decision and note where that stands; False where there is none."""
    while not growing.done:
        forced = growing.forced
        if forced is None:
            written.contexts.append(growing.context())
            written.priors.append(growing.legal()[1])
            return True
        growing.take(forced)
    return False


def padded(sequences: Sequence[Written]) -> Decisions:
    """Sequences side by side."""
    count, steps = len(sequences), max(len(each.tokens) for each in sequences)
    width, tokens = len(sequences[0].contexts[0]), len(sequences[0].priors[0])
    contexts = np.zeros((steps, count, width), np.int64)
    priors = np.zeros((steps, count, tokens), np.float32)
    taken = np.zeros((steps, count), np.int64)
    decided = np.zeros((steps, count), np.bool_)
    for column, each in enumerate(sequences):
        length = len(each.tokens)
        contexts[:length, column] = each.contexts
        priors[:length, column] = each.priors
        taken[:length, column] = each.tokens
        decided[:length, column] = True
    temperature = np.array([each.temperature for each in sequences], np.float32)
    summary = np.array([each.summary for each in sequences])
    return Decisions(*map(torch.from_numpy, (contexts, priors, taken, decided, temperature, summary)))


def sampled_log_probs(sequences: Sequence[Written]) -> Tensor:
    """log π of the tokens as they were sampled, [t, n], 0 in the padding."""
    found = torch.zeros(max(len(each.tokens) for each in sequences), len(sequences))
    for column, each in enumerate(sequences):
        found[: len(each.log_probs), column] = torch.tensor(each.log_probs)
    return found


def judge(network: PolicyNetwork, decisions: Decisions) -> Judged:
    """What the policy says of the decisions, with gradients."""
    logits, values, _ = network(decisions.contexts, decisions.summary)
    found = log_policy(logits, decisions.priors, decisions.temperature)
    nothing = torch.zeros_like(values)
    log_probs = found.gather(-1, decisions.tokens[..., None])[..., 0]
    legal = torch.isfinite(decisions.priors).sum(-1)
    entropy = normalised_entropy(found, legal)
    decided = decisions.decided
    return Judged(*(torch.where(decided, each, nothing) for each in (log_probs, entropy, values)))
