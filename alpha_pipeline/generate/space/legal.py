"""What may follow in a state of a derivation, and how likely it is before anything is learned.

Priors are those of Deep Symbolic Optimization (`dso.prior`: UniformArityPrior and SoftLengthPrior), over the tokens
that are legal in the state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from alpha_pipeline.errors import BadInput

Mask = npt.NDArray[np.bool_]
LogPrior = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Priors:
    """What is likely before anything is learned.

    Args:
        length_centre: operators and fields at which expressions are let end; None for no prior on length.
        length_scale: how softly. After `t` of them, before the centre, a field that would end the expression loses
            (t − centre)² / (2 · scale) of log probability; after the centre, every operator does.
        arity: whether fields, operators of one input, of two and of three are equally likely as kinds.
        weights: whether operators of one arity share it by the grammar's `WEIGHTS`, and units of the whole by `ROOTS`.
    """

    length_centre: float | None = 10.0
    length_scale: float = 5.0
    arity: bool = True
    weights: bool = True

    def __post_init__(self) -> None:
        if not self.length_scale > 0:
            raise BadInput(f"length_scale is {self.length_scale!r}", "priors", "use a number above 0")

    def of_length(self, length: int) -> float:
        """What a token of the discouraged kind loses after `length` operators and fields."""
        return 0.0 if self.length_centre is None else -((length - self.length_centre) ** 2) / (2 * self.length_scale)


class Legal:
    """The legal tokens of a state; shared by every derivation that comes there.

    Args:
        size: tokens of the vocabulary.
        tokens: the legal ones.
        logs: their log prior but for length, up to a constant.
        arities: their arity where they are fields or operators, which length bears on; None for other tokens.

    Attributes:
        tokens: the legal tokens, rising.
        mask: [size]; not to be written to.
    """

    __slots__ = ("_arities", "_logs", "_priors", "_size", "mask", "tokens")

    def __init__(
        self, size: int, tokens: Sequence[int], logs: Sequence[float], arities: Sequence[int] | None = None
    ) -> None:
        order = sorted(range(len(tokens)), key=lambda place: tokens[place])
        self.tokens = tuple(tokens[place] for place in order)
        self.mask: Mask = np.zeros(size, np.bool_)
        self.mask[list(self.tokens)] = True
        self.mask.flags.writeable = False
        self._size = size
        self._logs = np.array([logs[place] for place in order])
        self._arities = None if arities is None else np.array([arities[place] for place in order])
        self._priors: dict[tuple[int, bool], tuple[LogPrior, npt.NDArray[np.float64]]] = {}

    def prior(self, priors: Priors, length: int, last: bool) -> tuple[LogPrior, npt.NDArray[np.float64]]:
        """The log prior [size], normalised, −inf where illegal; and the running sum of it over `tokens`, for draws.

        Args:
            priors: the settings; the same ones at every call.
            length: operators and fields before this one.
            last: whether this is the only open nonterminal.
        """
        centre = priors.length_centre
        if self._arities is None or centre is None or length == centre or (length < centre and not last):
            length, last = -1, False
        elif length > centre:
            last = False
        known = self._priors.get((length, last))
        if known is None:
            known = self._priors[length, last] = self._find_prior(priors, length, last)
        return known

    def _find_prior(self, priors: Priors, length: int, last: bool) -> tuple[LogPrior, npt.NDArray[np.float64]]:
        logs = self._logs
        if length >= 0 and self._arities is not None:
            discouraged = self._arities == 0 if last else self._arities > 0
            logs = logs + np.where(discouraged, priors.of_length(length), 0.0)
        logs = logs - logs.max(initial=-np.inf)
        shares = np.exp(logs)
        running = np.cumsum(shares)
        log_prior = np.full(self._size, -np.inf, np.float32)
        log_prior[list(self.tokens)] = logs - np.log(running[-1])
        log_prior.flags.writeable = False
        return log_prior, running / running[-1]
