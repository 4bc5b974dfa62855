"""Operators along time: the worked examples of BRAIN's documentation, other libraries' figures, and properties.

The examples of the docstrings and the contract of every operator (no look-ahead, missing values, fast against plain on
small data) are tested elsewhere; here are what they do not say, and long windows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import signal, stats

from alpha_pipeline.engine.kernels import KERNELS
from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import OPERATORS, Choices

NAN, INF = np.nan, np.inf
Matrix = npt.NDArray[np.float64]


def column(*newest_last: float) -> Matrix:
    return np.array(newest_last, dtype=np.float64)[:, None]


def newest_first(*values: float) -> Matrix:
    return column(*values[::-1])


def plain(name: str, *arguments: Any, choices: Choices | None = None, **attributes: Any) -> Matrix:
    return OPERATORS[name].run_plain(arguments, list(attributes.items()), choices or Choices())


def today(name: str, *arguments: Any, **attributes: Any) -> float:
    return float(plain(name, *arguments, **attributes)[-1, 0])


GOLDEN = [  # operator, arguments, attributes, today's value: BRAIN's own examples
    ("ts_delay", (newest_first(2, 3, 5, 6, 3, 8, 10), 6), {}, 10),
    ("ts_delta", (newest_first(2, 3, 5, 6, 3, 8, 10), 6), {}, -8),
    ("ts_product", (column(1.01, 0.99, 1.02, 1, 1.03), 5), {}, 1.0505),
    ("ts_returns", (column(4, 9), 1), {}, 1.25),
    ("ts_returns", (column(4, 9), 1), {"mode": 2}, 10 / 13),
    ("ts_zscore", (newest_first(100, 0, 50, 60, 25), 5), {}, 1.5725),
    ("ts_zscore", (column(10, 12, 11, 13, 15), 5), {}, 1.6275),
    ("ts_av_diff", (newest_first(6, 2, 8, 5, 9, NAN), 6), {}, 0),
    ("ts_rank", (newest_first(100, 0, 200), 3), {}, 0.5),
    ("ts_rank", (column(10, 12, 11, 15, 13), 5), {}, 0.75),
    ("ts_scale", (newest_first(6, 2, 8, 5, 9, 4), 6), {"constant": 1}, 1.5714),
    ("ts_corr", (column(2, 3, 5, 6, 3, 8, 10), column(100, 190, 150, 180, 210, 220, 240), 7), {}, 0.6891),
    ("ts_covariance", (column(2, 4, 6, 8, 10), column(1, 3, 5, 7, 9), 5), {}, 8),
    ("ts_decay_linear", (column(2, 4, 6, 8, 10), 3), {}, 8.6667),
    ("ts_weighted_decay", (column(4, 6),), {"k": 0.25}, 4.5),
    ("ts_count_nans", (column(100, NAN, NAN, 200), 4), {}, 2),
    ("hump", (column(5, 2),), {"hump": 0.75}, 3.5),
]

OWN = [  # the same, worked out by hand where the documentation has none, with missing values and ties
    ("ts_rank", (column(1, 2, 2), 3), {"constant": 0.5}, 1.25),
    ("ts_rank", (column(NAN, NAN, 2), 3), {"constant": 0.5}, 1.0),
    ("ts_scale", (column(4, 4), 2), {"constant": 1}, NAN),
    ("ts_decay_linear", (column(6, NAN, 12), 3), {"dense": True}, (6 * 1 + 12 * 3) / 4),
    ("ts_decay_linear", (column(6, 12), 3), {"dense": True}, (6 * 2 + 12 * 3) / 5),
    ("ts_decay_linear", (column(6, NAN, 12), 3), {}, (6 * 1 + 12 * 3) / 6),
    ("ts_decay_exp_window", (column(8, NAN, 4), 3), {"factor": 0.5}, (4 + 2) / 1.25),
    ("ts_median", (column(NAN, 3, INF, 9), 4), {}, 6),
    ("ts_percentage", (column(1, 2, 3, 10), 4), {"percentage": 1}, 10),
    ("ts_percentage", (column(1, 2, 3, 10), 4), {"percentage": 0.75}, 4.75),
    ("ts_moment", (column(1, 3), 2), {"k": 2}, 1),
    ("ts_moment", (column(1, 3), 2), {"k": 1}, 0),
    ("ts_moment", (column(1, 3), 2), {"k": 0}, 1),
    ("ts_kurtosis", (column(2, 2, 2), 3), {}, NAN),
    ("ts_ir", (column(2, 2, 2), 3), {}, NAN),
    ("ts_entropy", (column(0, 1, 2, 3), 4), {"buckets": 4}, np.log(4)),
    ("ts_entropy", (column(7, 7), 2), {}, 0),
    ("ts_min_diff", (column(5, -INF, 7), 3), {}, 2),
    ("ts_min_max_diff", (column(2, 10, 4), 3), {"f": 1}, -8),
    ("ts_min_max_cps", (column(2, 10, 4), 3), {"f": 1}, 8),
    ("ts_backfill", (column(7, NAN, NAN, NAN), 3), {}, NAN),
    ("ts_backfill", (column(7, 8, NAN), 3), {"k": 2}, 7),
    ("ts_backfill", (column(7, 8, 9), 3), {"k": 2}, 9),
    ("ts_backfill", (column(7, 0, NAN), 3), {}, 0),
    ("ts_backfill", (column(7, 0, NAN), 3), {"ignore": "NAN 0"}, 7),
    ("ts_backfill", (column(7, 0, NAN), 3), {"ignore": "0"}, 7),
    ("kth_element", (column(7, NAN, 9), 3), {"k": 1}, 9),
    ("kth_element", (column(7, NAN, 9), 3), {"k": 2}, 7),
    ("kth_element", (column(7, NAN, 9), 3), {"k": 2, "ignore": ""}, NAN),
    ("kth_element", (column(7, NAN, 9), 3), {"k": 3}, NAN),
    ("last_diff_value", (column(3, 5, 4, 4), 3), {}, 5),
    ("last_diff_value", (column(3, 5, 4, 4), 2), {}, NAN),
    ("last_diff_value", (column(3, NAN), 2), {}, NAN),
    ("days_from_last_change", (newest_first(2, 2, 2, 7, 5, 16, 1),), {}, 2),
    ("days_from_last_change", (column(3, 3, 3),), {}, 2),
    ("days_from_last_change", (column(3, NAN, 3),), {}, 2),
    ("days_from_last_change", (column(3, NAN, 4),), {}, 0),
    ("keep", (column(1, 2, 3, 4), column(6, 7, 7, 7)), {"period": 2}, 4),
    ("keep", (column(1, 2, 3, 4), column(6, 7, 7, 7)), {"period": 1}, NAN),
    ("keep", (column(1, 2), column(NAN, NAN)), {}, NAN),
    ("hump_decay", (column(5, NAN, 6),), {"p": 9}, 6),
    ("hump_decay", (column(5, 6),), {"p": 0.1, "relative": True}, 5),
    ("jump_decay", (column(0, 10), 5), {"stddev": False, "sensitivity": 1}, 1),
    ("jump_decay", (column(NAN, 10), 5), {"stddev": False, "sensitivity": 1}, 10),
    ("jump_decay", (column(0, 10), 1), {"stddev": False, "sensitivity": 1}, 10),
    ("filter", (column(1, NAN, 1),), {"h": "1,2", "t": "0.5"}, 1),
    ("ts_delta_limit", (column(0, 100), column(50, -50)), {"limit_volume": 0.2}, 10),
    ("ts_delta_limit", (column(0, NAN, 100), column(50, 50, 50)), {}, 100),
    ("ts_co_skewness", (column(1, 1), column(1, 2), 2), {}, NAN),
    ("ts_vector_neut", (column(1, 2), column(0, 0), 2), {}, NAN),
    ("ts_theilsen", (column(3, 3), column(1, 2), 2), {}, NAN),
    ("ts_poly_regression", (column(1, 5), column(2, 2), 2), {"k": 3}, 2),
]


@pytest.mark.parametrize(("name", "arguments", "attributes", "expected"), GOLDEN + OWN)
def test_golden(name: str, arguments: tuple[Any, ...], attributes: dict[str, Any], expected: float) -> None:
    assert today(name, *arguments, **attributes) == pytest.approx(expected, abs=5e-5, nan_ok=True)


def test_turnover_of_a_holding() -> None:
    """BRAIN prints 0.022 for these values, in no said order: it holds newest last and newest first."""
    for values in (column(105, 102, 99, 101, 100), newest_first(105, 102, 99, 101, 100)):
        assert today("inst_tvr", values, 5) == pytest.approx(0.022, abs=5e-4)


def test_choices() -> None:
    ranks = newest_first(8, 10, 4, 6, 5, 3, 2)
    assert plain("ts_quantile", ranks, 7, choices=Choices(quantile_over_time="zscore"))[-1, 0] == pytest.approx(
        0.82, abs=0.01
    )
    shifted = 1 / 7 + 5 / 6 * (1 - 2 / 7)
    assert today("ts_quantile", ranks, 7) == pytest.approx(stats.norm.ppf(shifted))
    assert today("ts_quantile", ranks, 7, driver="cauchy") == pytest.approx(stats.cauchy.ppf(shifted))
    assert today("ts_quantile", ranks, 7, driver="uniform") == pytest.approx(shifted - 0.5)
    days = newest_first(2, 2, 2, 7, 5, 16, 1)
    assert plain("days_from_last_change", days, choices=Choices(days_from_change="one"))[-1, 0] == 3


def test_a_text_of_anything_else_is_refused() -> None:
    with pytest.raises(BadInput, match='Got invalid value for attribute "ignore"'):
        plain("ts_backfill", column(1, NAN), 2, ignore="NAN, zero")
    with pytest.raises(BadInput, match='Got invalid value for attribute "h"'):
        plain("filter", column(1, NAN), h="a")


# -- against other libraries ------------------------------------------------------------------------------------------


@pytest.fixture
def draws() -> tuple[Matrix, Matrix, Matrix]:
    random = np.random.default_rng(11)
    x = random.normal(5, 2, (30, 4))
    return x, 0.7 * x + random.normal(0, 1, x.shape), random.normal(0, 1, x.shape)


def test_regression_is_scipys(draws: tuple[Matrix, Matrix, Matrix]) -> None:
    x, y, _ = draws
    for lag in (0, 3):
        for j in range(x.shape[1]):
            a, b = y[-12:, j], x[-12 - lag : len(x) - lag, j]
            line = stats.linregress(b, a)
            errors = a - line.intercept - line.slope * b
            expected = [
                errors[-1],
                line.intercept,
                line.slope,
                line.intercept + line.slope * b[-1],
                (errors**2).sum(),
                12 * a.var(),
                line.rvalue**2,
                (errors**2).sum() / 10,
                line.stderr,
                line.intercept_stderr,
            ]
            found = [plain("ts_regression", y, x, 12, lag=lag, rettype=kind)[-1, j] for kind in range(10)]
            np.testing.assert_allclose(found, expected)


def test_estimate_needs_no_y_of_today() -> None:
    y, x = column(2, 4, 6, NAN), column(1, 2, 3, 4)
    assert today("ts_regression", y, x, 4, rettype=3) == pytest.approx(8)
    assert np.isnan(today("ts_regression", y, x, 4))
    step = plain("ts_step", 1.0)
    assert step[-1, 0] == 1
    assert OPERATORS["ts_step"].plain(2.0, shape=(4, 2))[-1].tolist() == [8, 8]


Oracle = Callable[..., float]
ONE_INPUT: dict[str, Oracle] = {
    "ts_skewness": stats.skew,
    "ts_kurtosis": stats.kurtosis,
    "ts_median": np.median,
    "ts_product": np.prod,
    "ts_ir": lambda x: x.mean() / x.std(),
}


@pytest.mark.parametrize("name", ONE_INPUT)
def test_moments_are_scipys(name: str, draws: tuple[Matrix, Matrix, Matrix]) -> None:
    found = plain(name, draws[0], 9)
    for t in (5, 8, 29):
        held = draws[0][max(0, t - 8) : t + 1]
        np.testing.assert_allclose(found[t], [ONE_INPUT[name](held[:, j]) for j in range(4)])


def test_pairs_are_scipys(draws: tuple[Matrix, Matrix, Matrix]) -> None:
    x, y, z = draws
    slopes, errors = plain("ts_theilsen", x, y, 10)[-1], plain("ts_poly_regression", y, x, 10, k=2)[-1]
    partial, triple = plain("ts_partial_corr", x, y, z, 10)[-1], plain("ts_triple_corr", x, y, z, 10)[-1]
    for j in range(4):
        a, b, c = (each[-10:, j] for each in (x, y, z))
        assert slopes[j] == pytest.approx(stats.theilslopes(b, a)[0])
        assert errors[j] == pytest.approx(b[-1] - np.polyval(np.polyfit(a, b, 2), a[-1]))
        rests = [each - np.polyval(np.polyfit(c, each, 1), c) for each in (a, b)]
        assert partial[j] == pytest.approx(np.corrcoef(*rests)[0, 1])
        assert triple[j] == pytest.approx((stats.zscore(a) * stats.zscore(b) * stats.zscore(c)).mean())
    np.testing.assert_allclose(plain("ts_co_skewness", y, x, 10), plain("ts_triple_corr", y, x, x, 10))
    np.testing.assert_allclose(plain("ts_co_skewness", x, x, 10), plain("ts_skewness", x, 10))
    np.testing.assert_allclose(plain("ts_co_kurtosis", x, x, 10), plain("ts_kurtosis", x, 10) + 3)


def test_filter_is_scipys(draws: tuple[Matrix, Matrix, Matrix]) -> None:
    found = plain("filter", draws[2], h="0.2, 0.3, -0.1", t="0.5, -0.2")
    np.testing.assert_allclose(found, signal.lfilter([0.2, 0.3, -0.1], [1, -0.5, 0.2], draws[2], axis=0))


# -- properties --------------------------------------------------------------------------------------------------------


def test_what_is_left_is_at_right_angles(draws: tuple[Matrix, Matrix, Matrix]) -> None:
    x, y, _ = draws
    share = (x[-10:] * y[-10:]).sum(axis=0) / (y[-10:] ** 2).sum(axis=0)
    left = x[-10:] - share * y[-10:]
    np.testing.assert_allclose((left * y[-10:]).sum(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(plain("ts_vector_neut", x, y, 10)[-1], left[-1])
    np.testing.assert_allclose(plain("ts_vector_proj", x, y, 10)[-1], x[-1] - left[-1])


def test_hump_keeps_what_moves_little(draws: tuple[Matrix, Matrix, Matrix]) -> None:
    x = draws[2]
    x[7, 1], x[20, 2] = NAN, INF
    y = plain("hump", x, hump=0.1)
    limit = 0.1 * np.where(np.isfinite(x), np.abs(x), 0).sum(axis=1)
    for t in range(1, len(x)):
        for j in range(x.shape[1]):
            if not np.isfinite(x[t, j]):
                assert np.isnan(y[t, j])
            elif np.isnan(y[t - 1, j]):
                assert y[t, j] == x[t, j]
            elif abs(x[t, j] - y[t - 1, j]) <= limit[t]:
                assert y[t, j] == y[t - 1, j]
            else:
                assert y[t, j] == pytest.approx(y[t - 1, j] + np.sign(x[t, j] - y[t - 1, j]) * limit[t])


def turnovers(y: Matrix) -> Matrix:
    both = ~np.isnan(y[1:]) & ~np.isnan(y[:-1])
    traded, held = np.abs(np.diff(y, axis=0)), np.abs(y[:-1])
    return np.where(both, traded, 0).sum(axis=1) / np.where(both, held, 0).sum(axis=1)


@pytest.mark.parametrize("name", ["ts_target_tvr_decay", "ts_target_tvr_hump", "ts_target_tvr_delta_limit"])
def test_turnover_is_what_was_aimed_at(name: str) -> None:
    random = np.random.default_rng(3)
    x = random.normal(0, 1, (60, 200))
    x[random.random(x.shape) < 0.05] = NAN
    inputs = (x, np.full(x.shape, 30.0)) if name.endswith("limit") else (x,)
    found = turnovers(plain(name, *inputs, target_tvr=0.2))
    np.testing.assert_allclose(found, 0.2, rtol=0.02 if name.endswith("hump") else 1e-9)
    none = plain(name, *inputs, target_tvr=0.0)
    assert np.nanmax(turnovers(none)) < 1e-12
    if name != "ts_target_tvr_hump":  # as much as there is; a hump's limit also bounds how far it moves
        np.testing.assert_allclose(plain(name, *inputs, target_tvr=99.0), x)


def test_humps_limit_is_the_best_there_is() -> None:
    """Against trying ten thousand limits."""
    random = np.random.default_rng(8)
    for _ in range(30):
        x = random.normal(0, 1, (2, int(random.integers(1, 9))))
        target = float(random.uniform(0, 2))
        lowest, highest = np.sort(random.random(2))
        found = turnovers(plain("ts_target_tvr_hump", x, lambda_min=lowest, lambda_max=highest, target_tvr=target))
        size = np.abs(x[1]).sum()
        limits = np.linspace(lowest, highest, 10_000)[:, None] * size
        tried = (limits * (np.abs(x[1] - x[0]) > limits)).sum(axis=1) / np.abs(x[0]).sum()
        assert abs(found[0] - target) <= np.abs(tried - target).min() + 1e-3


# -- fast kernels where the contract's small data does not reach: long windows, several tiles, long gaps ---------------

ATTRIBUTES: dict[str, list[Any]] = {
    "ts_decay_linear": [True],
    "ts_rank": [0.25],
    "ts_scale": [0.0],
    "ts_percentage": [0.3],
    "ts_moment": [3.0],
    "ts_entropy": [10.0],
    "ts_decay_exp_window": [0.95, True],
    "ts_quantile": ["gaussian", "rank"],
    "ts_regression": [2.0, 0.0],
    "ts_backfill": [2.0, "NAN"],
    "kth_element": [30.0, "NAN"],
}
UNSCALED = ("ts_av_diff", "ts_ir", "ts_median", "ts_skewness", "ts_kurtosis", "ts_product", "ts_count_nans")


@pytest.mark.parametrize("name", [*ATTRIBUTES, *UNSCALED, "last_diff_value", "ts_min_diff"])
def test_long_windows(name: str) -> None:
    random = np.random.default_rng(4)
    operator = OPERATORS[name]
    shape, window = (420, 300), 252
    x = np.exp(np.cumsum(random.normal(0, 0.02, shape), axis=0)).astype(np.float32)
    x[random.random(shape) < 0.05] = NAN
    x[100:380, 3] = NAN
    x[:, 4] = np.round(x[:, 4])
    x[200:, 5] = 7
    inputs = [x, np.cumsum(random.normal(0, 1, shape), axis=0).astype(np.float32)][: len(operator.numeric_positions)]
    columns = [0, 1, 2, 3, 4, 5, 255, 256, 299]
    for needed, strict in ((operator.minimum, False), (window, True)):
        out = np.full(shape, 12345.0, np.float32)
        KERNELS[name].run(*inputs, window, needed, *ATTRIBUTES.get(name, []), out, 0, shape[1])
        names = [each.name for each in operator.attributes]
        given = dict(zip(names, ATTRIBUTES.get(name, []), strict=False))
        wide = [each[:, columns].astype(np.float64) for each in inputs]
        with np.errstate(all="ignore"):
            expected = operator.run_plain([*wide, window], list(given.items()), strict=strict).astype(np.float32)
        np.testing.assert_allclose(out[:, columns], expected, rtol=2e-5, atol=2e-6)


def test_regression_on_a_line_leaves_no_error() -> None:
    """Also after an outlier has left the window, at a high level and with a lag."""
    step = np.arange(400, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)
    y = (400_000 + 3 * step).astype(np.float32)
    y[50] = 1e15
    out = np.empty_like(y)
    for kind, expected in ((0, 0.0), (2, 3.0), (4, 0.0), (6, 1.0), (8, 0.0)):
        KERNELS["ts_regression"].run(y, step, 20, 2, 0.0, float(kind), out, 0, 3)
        np.testing.assert_allclose(out[80:], expected, atol=1e-6)
    KERNELS["ts_regression"].run(y, step, 20, 2, 500.0, 0.0, out, 0, 3)
    assert np.isnan(out).all()
