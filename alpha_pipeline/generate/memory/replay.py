"""What a policy practises on again: the best of what it was told, no two of which earn alike.

generators.md §4: of the rewards, the best quarter is admitted; a candidate stays out where its daily profit resembles
that of a better entry, and takes the place of the worse ones that it resembles. So |correlation| between any two
entries is below the limit at all times.

Self-imitation (Oh et al. 2018) or an off-policy loss may learn from entries, whoever proposed them; ratios of PPO may
not, since no recent policy sampled them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alpha_pipeline.expression import Node
from alpha_pipeline.generate.base import FloatArray
from alpha_pipeline.generate.memory.profits import Profits
from alpha_pipeline.generate.reward import FEWEST_COMMON_DAYS, standardised

OFFERED = 4
"""Entries from which `Replay.diverse` takes the one that is least like those it has."""


@dataclass(frozen=True, eq=False)
class Entry:
    """An expression to practise on.

    Attributes:
        tokens: that write it, from its derivation or from `PrefixSpace.encode`.
        node: the expression.
        reward: when it was told.
        pnl: daily profit, [search days]; NaN where the lookback is not yet filled.
    """

    tokens: tuple[int, ...]
    node: Node
    reward: float
    pnl: FloatArray


class Replay:
    """The best distinct entries; see the module.

    Args:
        capacity: entries held at most; the worst goes first.
        correlation: |correlation| of daily profit at which two entries are alike.
        share: of the last `capacity` rewards told, the best that are admitted.

    Attributes:
        entries: best first; of equal rewards the one told first.
    """

    def __init__(self, capacity: int = 1_000, correlation: float = 0.7, share: float = 0.25) -> None:
        self.capacity, self.correlation, self.share = capacity, correlation, share
        self.entries: list[Entry] = []
        self._slots: list[int] = []  # of the entries, in `_profits` and `_among`
        self._rewards: deque[float] = deque(maxlen=capacity)
        self._profits: Profits | None = None
        self._among: FloatArray = np.zeros((0, 0))  # |correlation|, by slot

    def __len__(self) -> int:
        """Entries held."""
        return len(self.entries)

    @property
    def bar(self) -> float:
        """The reward that admits, of those told so far; −∞ before any."""
        return float(np.quantile(self._rewards, 1 - self.share)) if self._rewards else -np.inf

    def add(self, told: Sequence[Entry]) -> None:
        """Take in what was told.

        A profit with too few finite days to compare, or that never changes, is left out: nothing would resemble it.
        """
        self._rewards.extend(entry.reward for entry in told)
        bar = self.bar
        good = [entry for entry in told if entry.reward >= bar and _comparable(entry.pnl)]
        if not good:
            return
        good.sort(key=lambda entry: -entry.reward)
        slots = self._correlated(good)
        held = list(zip(self._slots, self.entries, strict=True))
        for slot, entry in zip(slots, good, strict=True):
            alike = [(other, was) for other, was in held if self._among[slot, other] >= self.correlation]
            if not any(was.reward >= entry.reward for _, was in alike):
                gone = {other for other, _ in alike}
                held = [(other, was) for other, was in held if other not in gone]
                held.append((slot, entry))
        held.sort(key=lambda pair: -pair[1].reward)  # keeps the order of equal ones
        held = held[: self.capacity]
        kept = {slot for slot, _ in held}
        assert self._profits is not None
        self._profits.let_go(np.array([slot for slot in (*self._slots, *slots) if slot not in kept], np.int64))
        self._slots, self.entries = [slot for slot, _ in held], [entry for _, entry in held]

    def sample(self, random: np.random.Generator, count: int) -> list[Entry]:
        """`count` entries, uniformly and without repetition; all of them where there are fewer."""
        drawn = random.choice(len(self.entries), min(count, len(self.entries)), replace=False)
        return [self.entries[int(place)] for place in drawn]

    def diverse(self, random: np.random.Generator, count: int) -> list[Entry]:
        """`count` entries of low mutual correlation, without repetition; all of them where there are fewer.

        Each is the least like those taken before it, by the largest |correlation|, of `OFFERED` drawn at random.
        """
        left = [int(place) for place in random.permutation(len(self.entries))]
        taken: list[int] = []
        while left and len(taken) < count:
            offered = left[:OFFERED]
            slots = np.array(self._slots, np.int64)
            likest = self._among[np.ix_(slots[offered], slots[taken])].max(axis=1, initial=0.0)
            place = offered[int(likest.argmin())]
            taken.append(place)
            left.remove(place)
            # Those passed over go to the back, so that the next offer is a new one.
            passed = [other for other in offered if other != place]
            left = [other for other in left if other not in passed] + passed
        return [self.entries[place] for place in taken]

    def _correlated(self, entries: Sequence[Entry]) -> list[int]:
        """Slots for the entries, their correlations worked out."""
        pnl = np.array([entry.pnl for entry in entries])
        if self._profits is None:
            self._profits = Profits(pnl.shape[1])
        slots = self._profits.add(pnl)
        self._among = np.pad(self._among, (0, len(self._profits) - len(self._among)))
        crossed = self._profits.resembling(slots)
        self._among[:, slots] = crossed.T
        self._among[slots, :] = crossed
        return [int(slot) for slot in slots]


def _comparable(pnl: FloatArray) -> bool:
    return bool(np.isfinite(pnl).sum() >= FEWEST_COMMON_DAYS and standardised(pnl[None]).any())
