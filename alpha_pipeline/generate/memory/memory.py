"""What a run remembers of its proposals, and pays for new ones. One memory per run, whoever searches in it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from alpha_pipeline.expression import Call, Node, walk
from alpha_pipeline.generate.base import FloatArray, Scored, SearchSettings
from alpha_pipeline.generate.memory.archive import Archive
from alpha_pipeline.generate.memory.elites import Elites
from alpha_pipeline.generate.memory.marginal import marginal_sharpe
from alpha_pipeline.generate.memory.styles import STYLE_PROBES, dominant_styles
from alpha_pipeline.generate.reward import USUAL, Reward, RewardWeights, correlation_penalty, meets, own_terms
from alpha_pipeline.thresholds import Thresholds

SUMMARY = 7 + len(STYLE_PROBES)
"""Length of `Memory.summary`."""

Pair = tuple[str, str]


class Memory:
    """Everything a search may know of its own past, on the search window.

    Args:
        settings: bounds of the search.
        limits: what counts as exportable.
        pool: daily profit of alphas accepted before, [k, search days].
        styles: daily profit of the style probes, [8, search days]; see `styles`.
        weights: of the reward's terms.
        capacity: members the archive holds; None for 5 to a proposal of the budget's third, 200 to 2,000.

    Attributes:
        seen: every expression proposed in the run; who asks adds to it.
        archive: the best distinct ones, oriented to a positive Sharpe ratio.
        elites: the best of every kind of behaviour.
        pairs: how often an operator was proposed right inside another one.
        told: results so far.
        passing: those of them that meet the thresholds.
    """

    def __init__(
        self,
        settings: SearchSettings | None = None,
        limits: Thresholds | None = None,
        pool: FloatArray | None = None,
        styles: FloatArray | None = None,
        weights: RewardWeights = USUAL,
        capacity: int | None = None,
    ) -> None:
        self.settings, self.limits = settings or SearchSettings(), limits or Thresholds()
        self.pool, self.styles, self.weights = pool, styles, weights
        capacity = capacity or 5 * min(max(self.settings.budget // 3, 40), 400)
        self.seen: set[Node] = set()
        self.archive = Archive(self.settings, self.limits, pool, capacity, weights)
        self.elites = Elites(self.settings.most_operators, styles)
        self.pairs: Counter[Pair] = Counter()
        self.told = 0
        self.degenerate = 0
        self.passing = 0

    def add(self, results: Sequence[Scored]) -> list[Reward]:
        """The rewards of a batch, each against the memory as it was before, then the batch is taken in.

        So a proposal is paid alike whatever stands beside it, and for what it adds, never for what is already held.
        """
        terms = [own_terms(result, self.settings, self.limits, self.weights) for result in results]
        usable = [place for place, each in enumerate(terms) if "degenerate" not in each]
        if usable:
            pnl = np.array([results[place].pnl for place in usable])
            base = np.array([sum(terms[place].values()) for place in usable])
            penalty = correlation_penalty(self.archive.likeness(pnl, base), self.weights)
            marginal = self._marginal(pnl)
            for row, place in enumerate(usable):
                terms[place]["correlation"] = -float(penalty[row])
                terms[place]["novelty"] = self.weights.novelty * self.novelty(results[place].node)
                if marginal is not None:
                    terms[place]["marginal"] = self.weights.marginal * math.tanh(float(marginal[row]))
        self.elites.add(self.archive.add(results))
        self.pairs.update(pair for result in results for pair in operator_pairs(result.node))
        self.told += len(results)
        self.degenerate += len(results) - len(usable)
        self.passing += sum(meets(result, self.limits) for result in results)
        return [Reward.of(each) for each in terms]

    def novelty(self, node: Node) -> float:
        """Mean of 1 / √(1 + times proposed) over the operator pairs of a tree, 0 to 1; 0 where it has none."""
        pairs = operator_pairs(node)
        return sum(1 / math.sqrt(1 + self.pairs[pair]) for pair in pairs) / len(pairs) if pairs else 0.0

    def summary(self) -> npt.NDArray[np.float32]:
        """The state of the search as a policy sees it, float32 [SUMMARY], each about 0 to 1.

        How much was told, degenerate share, passing share, size of the elite, best and mean reward of the best ten,
        size of the pool; then the share of the elite in each style.
        """
        archive, told = self.archive, max(self.told, 1)
        best = [member.base for member in archive.members[:10]] or [0.0]
        styles = dominant_styles(archive.pnl(archive.elite), self.styles) if archive.elite else np.zeros(0, np.int64)
        shares = np.bincount(styles, minlength=len(STYLE_PROBES)) / max(len(styles), 1)
        figures = [
            math.log1p(self.told) / 10,
            self.degenerate / told,
            self.passing / told,
            math.log1p(len(archive.elite)) / 5,
            max(best),
            sum(best) / len(best),
            math.log1p(0 if self.pool is None else len(self.pool)) / 5,
        ]
        return np.concatenate([figures, shares]).astype(np.float32)

    def _marginal(self, pnl: FloatArray) -> FloatArray | None:
        """What each profit adds to the pool and the elite; None where the term has no weight."""
        if self.weights.marginal == 0:
            return None
        held = [] if self.pool is None else [self.pool]
        if self.archive.elite:
            held.append(self.archive.pnl(self.archive.elite))
        return marginal_sharpe(np.concatenate(held) if held else np.zeros((0, pnl.shape[1])), pnl)


def operator_pairs(node: Node) -> list[Pair]:
    """(operator, operator right inside it) for every such place of a tree."""
    return [
        (part.operator, inner.operator)
        for part in walk(node)
        if isinstance(part, Call)
        for inner in part.arguments
        if isinstance(inner, Call)
    ]
