"""How good predictions were: pure functions of what was predicted and what came."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from alpha_pipeline.generate.base import FloatArray


def area_under_curve(predicted: FloatArray, came: npt.NDArray[np.bool_]) -> float:
    """Chance that one that came was predicted higher than one that did not, ties for a half; [n] each.

    NaN where all or none came. Hanley and McNeil 1982: the Mann-Whitney statistic over the number of pairs.
    """
    positive = int(came.sum())
    negative = len(came) - positive
    if not positive or not negative:
        return float("nan")
    ranks = rankdata(predicted)
    return float((ranks[came].sum() - positive * (positive + 1) / 2) / (positive * negative))


def brier(predicted: FloatArray, came: npt.NDArray[np.bool_]) -> float:
    """Mean squared error of probabilities, [n] each (Brier 1950); NaN of none."""
    return float(((predicted - came) ** 2).mean()) if len(came) else float("nan")


def rank_correlation(predicted: FloatArray, came: FloatArray) -> float:
    """Spearman's, of [n] each; NaN of fewer than two, or where one side is all the same."""
    if len(came) < 2 or predicted.min() == predicted.max() or came.min() == came.max():
        return float("nan")
    return float(np.corrcoef(rankdata(predicted), rankdata(came))[0, 1])
