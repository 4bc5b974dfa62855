"""What may follow in a state of a derivation, and how likely it is before anything is learned.

The priors follow Deep Symbolic Optimization (`dso.prior`: UniformArityPrior and SoftLengthPrior; generators.md §1),
over the tokens that are legal in the state. Theirs on length counts tokens so far, and after the centre discourages
every operator alike. Here many nonterminals have no field, so that this would not end them; ours counts the operators
that the expression will have at least, the reserve of what is open included, and so prefers the shorter way on.
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
        length_centre: operators around which expressions end; None for no prior on length.
        length_scale: how softly. A token after which the expression has `n` operators at least loses
            (n − centre)² / (2 · scale) of log probability where n is above the centre, or where the token ends it.
        arity: whether fields, operators of one input and operators of more are equally likely as kinds. As in DSO,
            each operator's share is of all that the grammar has, so that where few of a kind are legal that kind is
            rare; fields share theirs among the legal ones.
        weights: whether operators of one arity share it by the grammar's `WEIGHTS`, and units of the whole by `ROOTS`.
    """

    length_centre: float | None = 3.0
    length_scale: float = 2.0
    arity: bool = True
    weights: bool = True

    def __post_init__(self) -> None:
        if not self.length_scale > 0:
            raise BadInput(f"length_scale is {self.length_scale!r}", "priors", "use a number above 0")


@dataclass(frozen=True, slots=True)
class Option:
    """A token that may follow where there is room for it.

    Attributes:
        token: its position in the vocabulary.
        cost: operators that it takes at least, itself and its subtrees.
        log: its log prior but for length; fields' shares are taken out by `Legal`.
        arity: its subtrees; None where it is no field and no operator.
    """

    token: int
    cost: int = 0
    log: float = 0.0
    arity: int | None = None


class Legal:
    """The legal tokens of a state; shared by every derivation that comes there.

    Args:
        size: tokens of the vocabulary.
        options: what is legal, by rising token.
        priors: how likely each is.

    Attributes:
        tokens: the legal tokens, rising.
        mask: [size]; not to be written to.
    """

    __slots__ = ("_costs", "_ends", "_known", "_logs", "_priors", "_size", "mask", "tokens")

    def __init__(self, size: int, options: Sequence[Option], priors: Priors) -> None:
        self.tokens = tuple(option.token for option in options)
        self.mask: Mask = np.zeros(size, np.bool_)
        self.mask[list(self.tokens)] = True
        self.mask.flags.writeable = False
        self._size, self._priors = size, priors
        self._costs = np.array([option.cost for option in options], np.float64)
        self._ends = np.array([option.arity == 0 for option in options], np.bool_)
        self._logs = np.array([option.log for option in options], np.float64)
        if priors.arity and self._ends.any():
            self._logs[self._ends] -= np.log(self._ends.sum())
        self._known: dict[tuple[int, bool], tuple[LogPrior, npt.NDArray[np.float64]]] = {}

    def prior(self, operators: int, last: bool) -> tuple[LogPrior, npt.NDArray[np.float64]]:
        """The log prior and its running sum.

        Args:
            operators: that the expression has at least, but for this token's.
            last: whether nothing else is open.

        Returns:
            Log prior [size], normalised, −inf where illegal, not to be written to; running sum of the prior over
            `tokens`, ending at 1, for draws.
        """
        known = self._known.get((operators, last))
        if known is None:
            known = self._known[operators, last] = self._find_prior(operators, last)
        return known

    def _find_prior(self, operators: int, last: bool) -> tuple[LogPrior, npt.NDArray[np.float64]]:
        logs, centre = self._logs, self._priors.length_centre
        if centre is not None:
            beyond = operators + self._costs - centre
            counted = np.where(self._ends & last, np.abs(beyond), np.maximum(beyond, 0.0))
            logs = logs - counted**2 / (2 * self._priors.length_scale)
        shares = np.exp(logs - logs.max(initial=-np.inf))
        total = shares.sum()
        log_prior = np.full(self._size, -np.inf, np.float32)
        log_prior[list(self.tokens)] = np.log(shares / total)
        log_prior.flags.writeable = False
        return log_prior, np.cumsum(shares) / total
