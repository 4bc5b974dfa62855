"""What a daily profit adds to those held: the gain in Sharpe ratio of the best combination."""

from __future__ import annotations

import numpy as np

from alpha_pipeline.backtest.metrics import DAYS_PER_YEAR
from alpha_pipeline.generate.base import FloatArray
from alpha_pipeline.generate.reward import standardised

RIDGE = 0.1
"""Added to the variances, which are 1: the correlations of a few hundred days are not to be taken at their word."""


def marginal_sharpe(held: FloatArray, new: FloatArray) -> FloatArray:
    """By how much each new profit would raise the annual Sharpe ratio of the best long-only addition to what is held.

    With profits scaled to variance 1, means m and correlations C (ridged), the best combination has the squared ratio
    q = m'C⁻¹m; a further profit with mean μ and correlations c adds (μ − c'C⁻¹m)² / (1 − c'C⁻¹c), by the inverse of a
    partitioned matrix. Where μ − c'C⁻¹m is negative it would be sold short: it adds nothing.

    Args:
        held: [k, days], NaN where there is no profit; these days count as its mean.
        new: [n, days], likewise.

    Returns:
        [n], 0 or more; never the value of the combination itself, which says nothing of the new profit.
    """
    if not len(new):
        return np.zeros(0)
    days = new.shape[1]
    scaled, mean = standardised(new), _daily_ratio(new)
    if not len(held):
        return np.asarray(np.sqrt(DAYS_PER_YEAR / (1 + RIDGE)) * np.maximum(mean, 0.0))
    held_scaled, held_mean = standardised(held), _daily_ratio(held)
    among = held_scaled @ held_scaled.T / days + RIDGE * np.eye(len(held))
    cross = held_scaled @ scaled.T / days
    solved = np.linalg.solve(among, np.column_stack([held_mean, cross]))
    quality = float(held_mean @ solved[:, 0])
    alone = np.maximum(mean - cross.T @ solved[:, 0], 0.0)
    own = np.maximum(1 + RIDGE - (cross * solved[:, 1:]).sum(axis=0), RIDGE)
    return np.asarray(np.sqrt(DAYS_PER_YEAR) * (np.sqrt(quality + alone**2 / own) - np.sqrt(quality)))


def _daily_ratio(rows: FloatArray) -> FloatArray:
    """Mean over deviation of the finite days of each row; 0 where it does not vary."""
    held = np.isfinite(rows)
    count = np.maximum(held.sum(axis=1), 1)
    mean = np.where(held, rows, 0.0).sum(axis=1) / count
    deviation = np.sqrt(np.where(held, (rows - mean[:, None]) ** 2, 0.0).sum(axis=1) / count)
    return np.asarray(np.divide(mean, deviation, out=np.zeros(len(rows)), where=deviation > 1e-15))
