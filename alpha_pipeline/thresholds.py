"""The numbers that an alpha is held against: one class, for the stages that judge and the generators that aim."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The numbers of the eight stages; all are settings.

    Attributes:
        depth: operators inside one another.
        seconds: time for the execution sample.
        missing: share of non-finite universe cells.
        correlation: |Pearson| of daily profit with any accepted alpha.
        common_days: days two alphas must share for their correlation to count.
        sharpe, fitness: lowest accepted.
        turnover_low, turnover_high: accepted range.
        profile: the platform account that exports are written for.
    """

    depth: int = 10
    seconds: float = 5.0
    missing: float = 0.05
    correlation: float = 0.7
    common_days: int = 250
    sharpe: float = 1.25
    fitness: float = 1.0
    turnover_low: float = 0.01
    turnover_high: float = 0.7
    profile: str = "user"

    def met_by(self, sharpe: float, fitness: float, turnover: float) -> bool:
        """Whether the figures of performance are good enough."""
        return sharpe >= self.sharpe and fitness >= self.fitness and self.turnover_low <= turnover <= self.turnover_high
