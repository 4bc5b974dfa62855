"""What is predicted of an expression, by gradient-boosted trees over its features.

Histogram-based boosting (Friedman 2001; Ke et al. 2017), scikit-learn's, imported at the first fit. One thread, no
random subsample, no early stop: the same rows give the same trees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from alpha_pipeline.generate.base import FloatArray, Scored
from alpha_pipeline.generate.critic.features import Rows
from alpha_pipeline.generate.memory.memory import Memory
from alpha_pipeline.generate.reward import Reward, is_degenerate, meets

LEAST_TURNOVER = 1e-4
FEWEST_OF_A_CLASS = 3
"""Answers of either class; with fewer the prediction is their share."""
SOME = 0.01
"""Added to the chance of passing."""
TREES: dict[str, Any] = {
    "max_iter": 40,
    "max_leaf_nodes": 8,
    "max_bins": 32,
    "learning_rate": 0.1,
    "min_samples_leaf": 10,
    "l2_regularization": 1.0,
    "early_stopping": False,
    "random_state": 0,
}
"""Small trees: 40 at rate 0.1 did as well as 80 at 0.05, and fewer leaves or only the last 1,500 rows no better."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What evaluations showed, [n] each.

    Attributes:
        degenerate: no figures to speak of.
        redundant: the largest |correlation| of profit with the pool and better ones is above the limit.
        turnover: NaN where degenerate.
        passing: Sharpe, fitness, turnover and coverage are good enough.
    """

    degenerate: npt.NDArray[np.bool_]
    redundant: npt.NDArray[np.bool_]
    turnover: FloatArray
    passing: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.degenerate)

    @classmethod
    def of(cls, results: Sequence[Scored], rewards: Sequence[Reward], memory: Memory) -> Answers:
        """The answers of a batch.

        The correlation is read off the reward's term, which was measured against the memory before the batch: the
        term begins at 0.5, so a limit below that cannot be told, nor any where the term has no weight.
        """
        weight, limit = memory.weights.correlation, memory.limits.correlation
        penalty = np.array([-reward.terms.get("correlation", 0.0) for reward in rewards])
        correlation = 0.5 + 0.5 * penalty / weight if weight > 0 else np.zeros(len(rewards))
        degenerate = np.array([is_degenerate(result, memory.limits) for result in results], bool)
        turnover = np.array([result.turnover for result in results], float)
        return cls(
            degenerate=degenerate,
            redundant=correlation > max(limit, 0.5) + 1e-9,
            turnover=np.where(degenerate, np.nan, turnover),
            passing=np.array([meets(result, memory.limits) for result in results], bool),
        )

    @classmethod
    def joined(cls, parts: Sequence[Answers]) -> Answers:
        """All of them, in order."""
        names = ("degenerate", "redundant", "turnover", "passing")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def at(self, places: npt.NDArray[np.bool_] | slice) -> Answers:
        """Some of them."""
        return Answers(self.degenerate[places], self.redundant[places], self.turnover[places], self.passing[places])


@dataclass(frozen=True, slots=True)
class Predictions:
    """Of each expression, [n]: three probabilities, and turnover as a fraction."""

    degenerate: FloatArray
    redundant: FloatArray
    turnover: FloatArray
    passing: FloatArray

    def score(self) -> FloatArray:
        """How likely it is of use: it passes, and nothing like it is held. `passing` knows of turnover.

        Where next to nothing passes the other two still count.
        """
        return (self.passing + SOME) * (1 - self.redundant) * (1 - self.degenerate)


class Critic:
    """The models of a run."""

    def __init__(self) -> None:
        self._models: dict[str, Any] = {}

    @property
    def fitted(self) -> bool:
        return bool(self._models)

    def fit(self, rows: Rows, answers: Answers, weights: FloatArray) -> None:
        """Learn from evaluations alone, [n] rows of `Features`; `weights` are theirs."""
        from sklearn.ensemble import (  # type: ignore[import-untyped]
            HistGradientBoostingClassifier,
            HistGradientBoostingRegressor,
        )

        with _one_thread():
            for name in ("degenerate", "redundant", "passing"):
                came = getattr(answers, name)
                if min(came.sum(), len(came) - came.sum()) < FEWEST_OF_A_CLASS:
                    self._models[name] = float(np.average(came, weights=weights))
                else:
                    self._models[name] = HistGradientBoostingClassifier(**TREES).fit(rows, came, weights)
            known = ~answers.degenerate
            self._models["turnover"] = 0.0
            if known.any():
                target = np.log(np.maximum(answers.turnover[known], LEAST_TURNOVER))
                model = HistGradientBoostingRegressor(**TREES)
                self._models["turnover"] = model.fit(rows[known], target, weights[known])

    def predict(self, rows: Rows) -> Predictions:
        """What to expect of expressions; after a fit."""
        with _one_thread():
            return Predictions(
                self._probability("degenerate", rows),
                self._probability("redundant", rows),
                np.exp(self._value(self._models["turnover"], rows, "predict")),
                self._probability("passing", rows),
            )

    def _probability(self, name: str, rows: Rows) -> FloatArray:
        found = self._value(self._models[name], rows, "predict_proba")
        return found if found.ndim == 1 else np.asarray(found[:, 1])

    @staticmethod
    def _value(model: Any, rows: Rows, method: str) -> FloatArray:
        if isinstance(model, float):
            return np.full(len(rows), model)
        return np.asarray(getattr(model, method)(rows), np.float64)


def _one_thread() -> Any:
    """A context in which scikit-learn uses one thread; what was set before is set again after it."""
    return _controller().limit(limits=1, user_api="openmp")


@cache
def _controller() -> Any:
    """Kept, as looking for the loaded libraries takes milliseconds; made after scikit-learn's are."""
    import sklearn.ensemble  # type: ignore[import-untyped]  # noqa: F401
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()
