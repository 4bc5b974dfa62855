"""Which arm plays next: discounted Gaussian Thompson sampling with floors. It knows nothing of searches.

With γ the discount, y the gain per cost of a turn, and σ the deviation of all arms' y, discounted alike:

    n ← γ n + played,   s ← γ s + played · y,   μ = s / (n + 1),   drawn ~ N(μ, σ² / (n + 1))

The arm with the largest draw plays (Thompson 1933; discounted: Raj and Kalyani 2017, arXiv:1707.09727). All arms forget
with every turn, so what has not played for long is uncertain again. The prior mean is 0 and counts as one turn: what
always earns 1 comes to n / (n + 1), 0.97 at the most.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from alpha_pipeline.generate.base import FloatArray


@dataclass(frozen=True, slots=True)
class Choice:
    """An arm, and why.

    Attributes:
        arm: its position.
        drawn: what was drawn for every arm, NaN where it was left out; the unit is gain per cost.
        floor: it plays because it had less than its share.
    """

    arm: int
    drawn: tuple[float, ...]
    floor: bool


class Bandit:
    """Chooses among arms by what they earned lately.

    Args:
        floors: the least share of the cost that each arm gets, 0 to 1; more than 1 in all is scaled to 1.
        discount: γ, above 0, at most 1.

    Attributes:
        count, total: n and s of each arm.
        spent: the cost of each arm so far, nothing forgotten.
    """

    def __init__(self, floors: Sequence[float], discount: float = 0.97) -> None:
        self.floors: FloatArray = np.array(floors) / max(1.0, float(np.sum(floors)))
        self.discount = discount
        self.count: FloatArray = np.zeros(len(floors))
        self.total: FloatArray = np.zeros(len(floors))
        self.spent: FloatArray = np.zeros(len(floors))
        self._turns = self._sum = self._squares = 0.0

    def means(self) -> FloatArray:
        """μ of each arm."""
        return np.asarray(self.total / (self.count + 1))

    def scale(self) -> float:
        """σ; 1 before anything is known, or while all turns earned the same."""
        if self._turns == 0:
            return 1.0
        mean = self._sum / self._turns
        variance = self._squares / self._turns - mean**2
        return math.sqrt(variance) if variance > 1e-12 * max(mean**2, 1e-300) else 1.0

    def choose(self, random: np.random.Generator, able: Collection[int], evenly: bool = False) -> Choice:
        """The next arm among those that are able.

        An arm below its floor goes first, the one that got least; so the floors hold to within a turn, at any time.

        Args:
            random: one number is drawn per arm, able or not, whatever comes of it.
            able: positions of the arms that may play, at least one.
            evenly: let the arm that got least play in any case: what the bandit is compared with.
        """
        drawn = random.normal(self.means(), self.scale() / np.sqrt(self.count + 1))
        held = np.isin(np.arange(len(drawn)), list(able))
        short = held & (self.spent < self.floors * self.spent.sum())
        told = tuple(np.where(held, drawn, np.nan).tolist())
        if evenly or short.any():
            among = held if evenly else short
            return Choice(int(np.where(among, self.spent, np.inf).argmin()), told, not evenly)
        return Choice(int(np.where(held, drawn, -np.inf).argmax()), told, False)

    def tell(self, arm: int, gain: float, cost: float) -> None:
        """What a turn earned, and what it cost (above 0)."""
        earned = gain / cost
        for totals in (self.count, self.total):
            totals *= self.discount
        self.count[arm] += 1
        self.total[arm] += earned
        self.spent[arm] += cost
        self._turns = self.discount * self._turns + 1
        self._sum = self.discount * self._sum + earned
        self._squares = self.discount * self._squares + earned**2
