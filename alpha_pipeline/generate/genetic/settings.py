"""How the genetic search spends its proposals."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GeneticSettings:
    """How proposals are spent; shares are of what is left after sign corrections, and need not sum to 1.

    Args:
        population: parents of all islands together; None for a third of the budget, 40 to 400:
            blends live off unrelated material (measured on markets kept apart for tuning: 48, 65, 84 and 72 alphas for
            sizes of 50, 83, 160 and 220 at a budget of 500).
        founded: whether the first population is drawn from the grammar; else it is what others put into the memory.
        islands: that share it.
        migrate_every: rounds between migrations.
        migrants: share of an island that goes on to the next one.
        pareto: survivors and parents by NSGA-II; else by reward.
        tournament: contestants per parent.
        elites: share of parents drawn from the grid of elites instead.
        blend_exportable: whether blends may be made of two that are exportable by themselves. They make a stronger one,
            which then stands for both where only unrelated ones are kept: neither can be seen any more.
        enough: exportable unrelated expressions after which the search deepens: blends end, and small changes are made
            of any parent, not only of what resembles nothing exportable. More than a run hands over, or the blends of
            a short run would end too soon.
        blend, crossover, subtree, point, window, hoist, wrap, immigrant: relative rates of the ways to make a child.
    """

    population: int | None = None
    founded: bool = True
    islands: int = 4
    migrate_every: int = 5
    migrants: float = 0.05
    pareto: bool = True
    tournament: int = 2
    elites: float = 0.2
    blend: float = 0.35
    blend_exportable: bool = False
    enough: int = 150
    crossover: float = 0.15
    subtree: float = 0.12
    point: float = 0.08
    window: float = 0.06
    hoist: float = 0.04
    wrap: float = 0.12
    immigrant: float = 0.08

    def sized(self, budget: int) -> int:
        """The population for a budget."""
        return self.population if self.population is not None else min(max(budget // 3, 40), 400)
