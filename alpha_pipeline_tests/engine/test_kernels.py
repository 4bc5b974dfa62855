"""What single kernels are held to beside the contract: long and wide data, exact zeros."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from alpha_pipeline.engine.kernels import KERNELS
from alpha_pipeline.expression import OPERATORS
from alpha_pipeline_tests.engine.cases import case_of, random_matrix
from alpha_pipeline_tests.engine.checks import assert_matches_plain

WITH_WINDOW = [
    name
    for name in KERNELS
    if OPERATORS[name].category == "time_series"
    and OPERATORS[name].window_position is not None
    and not any(each.required for each in OPERATORS[name].attributes)
    and not OPERATORS[name].variadic
]


@pytest.mark.parametrize("window", [2, 5, 20, 252])
@pytest.mark.parametrize("level", [1e-3, 100.0, 400_000.0])
def test_constant_window_does_not_vary(window: int, level: float) -> None:
    """After any past, a window of equal values has a deviation of exactly 0, and no z-score or correlation."""
    random = np.random.default_rng(7)
    x = (level * np.exp(np.cumsum(random.normal(0, 0.05, (600, 4)), axis=0))).astype(np.float32)
    x[300:] = np.float32(level * 1.1)
    y = random.normal(0, 1, x.shape).astype(np.float32)
    settled = slice(300 + window - 1, None)
    assert (case_of("ts_std_dev", x, window=window).run()[settled] == 0).all()
    assert np.isnan(case_of("ts_zscore", x, window=window).run()[settled]).all()
    assert np.isnan(case_of("ts_corr", x, y, window=window).run()[settled]).all()
    mean = case_of("ts_mean", x, window=window).run()[settled]
    assert (mean == x[settled]).all()


def test_zeros_sum_to_zero_after_anything() -> None:
    random = np.random.default_rng(8)
    x = random.standard_cauchy((500, 8)).astype(np.float32)
    x[100, 0], x[120, 1] = 1e18, np.inf
    x[200:] = 0.0
    for name in ("ts_sum", "ts_mean", "ts_decay_linear", "ts_std_dev"):
        assert (case_of(name, x, window=20).run()[219:] == 0).all(), name


def test_long_windows_on_real_lengths() -> None:
    """1,260 days: errors do not pile up."""
    random = np.random.default_rng(9)
    x = (50 * np.exp(np.cumsum(random.normal(0, 0.03, (1260, 3)), axis=0))).astype(np.float32)
    y = random.lognormal(13, 1, x.shape).astype(np.float32)
    z = random.normal(0, 1, x.shape).astype(np.float32)
    x[random.random(x.shape) < 0.05] = np.nan
    for name in WITH_WINDOW:
        inputs = [x, y, z][: len(OPERATORS[name].numeric_positions)]
        assert_matches_plain(case_of(name, *inputs, window=252))


def test_wide_rows_are_ranked_exactly() -> None:
    """More columns than a tile, a strip or a block of keys; ties, infinities, missing values."""
    from scipy.stats import rankdata

    random = np.random.default_rng(10)
    for flavour in ("plain", "ties", "heavy"):
        x = random_matrix(random, (70, 3001), flavour)
        got = case_of("rank", x).run()
        for t in range(len(x)):
            valid = ~np.isnan(x[t])
            expected = (rankdata(x[t, valid]) - 1) / (valid.sum() - 1)
            np.testing.assert_allclose(got[t, valid], expected, atol=1e-7)
            assert np.isnan(got[t, ~valid]).all()


def test_theil_sen_is_scipys() -> None:
    """Windows that come and go with missing days, ties in x and in the slopes, jumps of the slope from day to day."""
    from scipy.stats import theilslopes

    random = np.random.default_rng(12)
    x, y = random.integers(0, 9, (400, 6)).astype(np.float32), random.standard_cauchy((400, 6)).astype(np.float32)
    y[:, 3:] = np.round(y[:, 3:])
    y[random.random(y.shape) < 0.1] = np.nan
    got = case_of("ts_theilsen", x, y, window=25).run()
    for t in range(30, 400, 7):
        for j in range(6):
            held = ~np.isnan(y[t - 24 : t + 1, j])
            expected = theilslopes(*(v[t - 24 : t + 1, j][held].astype(np.float64) for v in (y, x)))[0]
            np.testing.assert_allclose(got[t, j], expected, rtol=1e-6)


@pytest.mark.parametrize("degree", [1, 2, 5])
def test_polynomial_errors_are_numpys(degree: int) -> None:
    random = np.random.default_rng(13)
    x, y = random.normal(0, 1, (80, 3)).astype(np.float32), random.normal(0, 1, (80, 3)).astype(np.float32)
    y[40:60, 1] = np.nan
    case = case_of("ts_poly_regression", y, x, window=30)
    got = dataclasses.replace(case, call=dataclasses.replace(case.call, attributes=(("k", float(degree)),))).run()
    for t in range(35, 80):
        for j in range(3):
            a, b = (v[t - 29 : t + 1, j].astype(np.float64) for v in (x, y))
            held = ~np.isnan(b)
            if held[-1]:
                fitted = np.polynomial.Polynomial.fit(a[held], b[held], degree)(a[-1])
                np.testing.assert_allclose(got[t, j], b[-1] - fitted, rtol=1e-5, atol=1e-6)
