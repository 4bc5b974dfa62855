"""The policy network: which token next, given where in the tree the next one stands, what was written and the pool.

Deep symbolic regression (Petersen et al. 2021) is the model: a small recurrent net over the decisions, fed with the
parent, the sibling and what is left; its outputs are added to a log prior that is −∞ where the grammar forbids a token.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import torch
from torch import Tensor, nn

State: TypeAlias = "Tensor | tuple[Tensor, Tensor] | None"
"""Of the recurrent net after a step, [1, n, width] each; None at the start of a sequence, and without such a net."""

START = 0.01
"""Standard deviation of what feeds the logits at the start: the first policy is the prior, all but."""
KINDS = ("gru", "lstm", "none")


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread, put back after: the nets are too small to split, and sums must not depend on the split."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class PolicyNetwork(nn.Module):
    """Logits over tokens from places in a derivation.

    Args:
        sizes: how many values each integer of a context takes.
        tokens: size of the vocabulary.
        summary: length of the pool's summary.
        width: of the embedding and the recurrent state.
        kind: "gru", "lstm", or "none" for a policy that sees the place alone.
        valued: with a value head.
        random: of the first weights.
    """

    starts: Tensor

    def __init__(
        self,
        sizes: Sequence[int],
        tokens: int,
        summary: int,
        width: int,
        kind: str,
        valued: bool,
        random: torch.Generator,
    ) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):  # modules draw their first weights from the global source
            self.places = nn.Embedding(sum(sizes), width)
            self.pool = nn.Linear(summary, width)
            self.recurrent = {"gru": nn.GRU, "lstm": nn.LSTM}[kind](width, width) if kind != "none" else None
            self.direct = nn.Embedding(sum(sizes), tokens)
            self.output = nn.Linear(width, tokens)
            self.value = nn.Linear(width, 1) if valued else None
        self.register_buffer("starts", torch.tensor([0, *sizes[:-1]]).cumsum(0), persistent=False)
        with torch.no_grad():
            for name, weight in self.named_parameters():
                small = name.startswith(("direct", "output", "value", "pool"))
                weight.normal_(0.0, START if small else width**-0.5, generator=random)
                if "bias" in name:
                    weight.zero_()

    def forward(self, contexts: Tensor, summary: Tensor, state: State = None) -> tuple[Tensor, Tensor, State]:
        """Logits [t, n, v] and values [t, n] of contexts [t, n, c] int64, and the recurrent state after them.

        Args:
            summary: [s], or [n, s] where it differs between sequences.
            state: before the first step.
        """
        places = contexts + self.starts
        seen = torch.tanh(self.places(places).sum(-2) + self.pool(summary))
        hidden = seen
        if self.recurrent is not None:
            carried, state = self.recurrent(seen, state)
            hidden = carried + seen
        logits = self.output(hidden) + self.direct(places).sum(-2)
        values = self.value(hidden).squeeze(-1) if self.value is not None else logits.new_zeros(logits.shape[:-1])
        return logits, values, state


def rows(state: State, kept: Tensor) -> State:
    """The recurrent state of some of the sequences."""
    if state is None:
        return None
    return state[:, kept] if isinstance(state, Tensor) else (state[0][:, kept], state[1][:, kept])
