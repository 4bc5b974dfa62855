"""Measures of predictions, against hand-counted cases and scikit-learn and SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from alpha_pipeline.generate.critic.quality import area_under_curve, brier, rank_correlation


def test_by_hand() -> None:
    predicted, came = np.array([0.9, 0.4, 0.4, 0.1]), np.array([True, False, True, False])
    # Of four pairs three are in order and one is a tie.
    assert area_under_curve(predicted, came) == 3.5 / 4
    assert brier(predicted, came) == pytest.approx((0.01 + 0.16 + 0.36 + 0.01) / 4)
    assert rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([5.0, 9.0, 7.0])) == pytest.approx(0.5)


def test_against_scikit_learn_and_scipy() -> None:
    from scipy.stats import spearmanr
    from sklearn.metrics import brier_score_loss, roc_auc_score

    random = np.random.default_rng(3)
    predicted, came = np.round(random.random(300), 1), random.random(300) < 0.3
    assert area_under_curve(predicted, came) == pytest.approx(roc_auc_score(came, predicted))
    assert brier(predicted, came) == pytest.approx(brier_score_loss(came, predicted))
    other = np.round(random.random(300), 1)
    assert rank_correlation(predicted, other) == pytest.approx(spearmanr(predicted, other).statistic)


def test_what_cannot_be_measured_is_nan() -> None:
    assert math.isnan(area_under_curve(np.array([0.1, 0.2]), np.array([True, True])))
    assert math.isnan(area_under_curve(np.zeros(0), np.zeros(0, bool)))
    assert math.isnan(brier(np.zeros(0), np.zeros(0, bool)))
    assert math.isnan(rank_correlation(np.array([1.0, 1.0]), np.array([1.0, 2.0])))
    assert math.isnan(rank_correlation(np.array([1.0]), np.array([2.0])))
