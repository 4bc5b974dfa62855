"""Every kernel against the plain one of its operator, and against the future."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alpha_pipeline.engine.kernels import KERNELS, Kernel
from alpha_pipeline.expression import OPERATORS, ValueType
from alpha_pipeline_tests.engine import checks

SEEDS = st.integers(0, 2**32 - 1)
FLAVOURS = sorted(checks.FLAVOURS)
WITH_WINDOW = [name for name, operator in OPERATORS.items() if operator.window_position is not None]


def test_every_operator_has_a_kernel() -> None:
    wanted = {name for name, o in OPERATORS.items() if o.result in (ValueType.MATRIX, ValueType.BOOLEAN)}
    assert set(KERNELS) == wanted


@pytest.mark.parametrize("name", list(KERNELS))
@settings(max_examples=40)
@given(seed=SEEDS)
def test_kernel_is_plain_kernel(name: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    operator = OPERATORS[name]
    shape = (int(random.integers(1, 40)), int(random.integers(1, 25)))
    inputs = [
        checks.random_matrix(random, shape, str(random.choice(FLAVOURS))) for _ in range(checks.matrices_of(operator))
    ]
    checks.assert_matches_plain(
        KERNELS[name],
        name,
        inputs,
        window=int(random.integers(1, shape[0] + 6)),
        codes=checks.random_codes(random, shape[1]),
        strict=bool(random.random() < 0.3),
    )


@pytest.mark.parametrize("name", list(KERNELS))
@settings(max_examples=8)
@given(seed=SEEDS)
def test_kernel_sees_no_future(name: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    operator = OPERATORS[name]
    shape = (int(random.integers(2, 60)), int(random.integers(1, 40)))
    inputs = [
        checks.random_matrix(random, shape, str(random.choice(FLAVOURS))) for _ in range(checks.matrices_of(operator))
    ]
    window, codes = int(random.integers(1, shape[0] + 6)), checks.random_codes(random, shape[1])
    checks.assert_causal(KERNELS[name], name, inputs, random, window=window, codes=codes)


@pytest.mark.parametrize("name", list(KERNELS))
def test_blocks_do_not_matter(name: str) -> None:
    random = np.random.default_rng(5)
    operator = OPERATORS[name]
    inputs = [checks.random_matrix(random, (70, 533), "heavy") for _ in range(checks.matrices_of(operator))]
    how = {"window": 20, "codes": checks.random_codes(random, 533)}
    whole = checks.run(KERNELS[name], operator, inputs, **how)
    for blocks in (2, 3, 7):
        assert checks.same_bits(checks.run(KERNELS[name], operator, inputs, **how, blocks=blocks), whole)


@pytest.mark.parametrize("name", [name for name, kernel in KERNELS.items() if kernel.broadcasts])
def test_one_row_stands_for_all(name: str) -> None:
    random = np.random.default_rng(6)
    operator = OPERATORS[name]
    inputs = [checks.random_matrix(random, (40, 9), "plain") for _ in range(checks.matrices_of(operator))]
    for number in (-1.0, 0.0, 0.5, 2.0, 3.0):
        row = np.full((1, 9), number, np.float32)
        for position in range(1, len(inputs)):
            short = [row if i == position else x for i, x in enumerate(inputs)]
            full = [np.repeat(row, 40, 0) if i == position else x for i, x in enumerate(inputs)]
            got, expected = (checks.run(KERNELS[name], operator, x) for x in (short, full))
            np.testing.assert_allclose(got, expected, rtol=1e-6)  # NumPy's power rounds a square differently


@pytest.mark.parametrize("window", [2, 5, 20, 252])
@pytest.mark.parametrize("level", [1e-3, 100.0, 400_000.0])
def test_constant_window_does_not_vary(window: int, level: float) -> None:
    """After any past, a window of equal values has a deviation of exactly 0, and no z-score or correlation."""
    random = np.random.default_rng(7)
    x = (level * np.exp(np.cumsum(random.normal(0, 0.05, (600, 4)), axis=0))).astype(np.float32)
    x[300:] = np.float32(level * 1.1)
    y = random.normal(0, 1, x.shape).astype(np.float32)
    settled = slice(300 + window - 1, None)
    assert (checks.run(KERNELS["ts_std_dev"], OPERATORS["ts_std_dev"], [x], window=window)[settled] == 0).all()
    assert np.isnan(checks.run(KERNELS["ts_zscore"], OPERATORS["ts_zscore"], [x], window=window)[settled]).all()
    assert np.isnan(checks.run(KERNELS["ts_corr"], OPERATORS["ts_corr"], [x, y], window=window)[settled]).all()
    mean = checks.run(KERNELS["ts_mean"], OPERATORS["ts_mean"], [x], window=window)[settled]
    assert (mean == x[settled]).all()


def test_zeros_sum_to_zero_after_anything() -> None:
    random = np.random.default_rng(8)
    x = random.standard_cauchy((500, 8)).astype(np.float32)
    x[100, 0], x[120, 1] = 1e18, np.inf
    x[200:] = 0.0
    for name in ("ts_sum", "ts_mean", "ts_decay_linear", "ts_std_dev"):
        assert (checks.run(KERNELS[name], OPERATORS[name], [x], window=20)[219:] == 0).all(), name


def test_long_windows_on_real_lengths() -> None:
    """1,260 days: errors do not pile up."""
    random = np.random.default_rng(9)
    x = (50 * np.exp(np.cumsum(random.normal(0, 0.03, (1260, 3)), axis=0))).astype(np.float32)
    y = random.lognormal(13, 1, x.shape).astype(np.float32)
    x[random.random(x.shape) < 0.05] = np.nan
    for name in WITH_WINDOW:
        inputs = [x, y][: checks.matrices_of(OPERATORS[name])]
        checks.assert_matches_plain(KERNELS[name], name, inputs, window=252)


def test_wide_rows_are_ranked_exactly() -> None:
    """More columns than a tile, a strip or a block of keys; ties, infinities, missing values."""
    from scipy.stats import rankdata

    random = np.random.default_rng(10)
    for flavour in ("plain", "ties", "heavy"):
        x = checks.random_matrix(random, (70, 3001), flavour)
        got = checks.run(KERNELS["rank"], OPERATORS["rank"], [x])
        for t in range(len(x)):
            valid = ~np.isnan(x[t])
            expected = (rankdata(x[t, valid]) - 1) / (valid.sum() - 1)
            np.testing.assert_allclose(got[t, valid], expected, atol=1e-7)
            assert np.isnan(got[t, ~valid]).all()


# -- the checks themselves: planted bugs must not pass ----------------------------------------------------------------


def _sum_of(values: checks.Matrix, window: int) -> checks.Matrix:
    total = np.cumsum(values.astype(np.float64), axis=0)
    total[window:] -= total[:-window].copy()
    return total.astype(np.float32)


def _looks_ahead(x: checks.Matrix, window: int, needed: int, out: checks.Matrix, lo: int, hi: int) -> None:
    """A mean whose window is centred: it holds tomorrow."""
    tomorrow = np.concatenate((x[1:], x[-1:]))
    KERNELS["ts_mean"].run(np.ascontiguousarray(tomorrow), window, needed, out, lo, hi)


def _knows_the_whole(x: checks.Matrix, out: checks.Matrix, lo: int, hi: int) -> None:
    """Right within tolerance, but scaled by the largest value of all days on the way."""
    with np.errstate(all="ignore"):
        largest = np.nanmax(np.where(np.isfinite(x), np.abs(x), 0)) or np.float32(1)
        out[lo:hi] = -(x[lo:hi] / largest) * largest


def _poisoned(x: checks.Matrix, window: int, needed: int, out: checks.Matrix, lo: int, hi: int) -> None:
    """A running sum that one NaN spoils for ever."""
    out[:, lo:hi] = _sum_of(x, window)[:, lo:hi]


def _drifting(x: checks.Matrix, window: int, needed: int, out: checks.Matrix, lo: int, hi: int) -> None:
    """A running sum that forgets missing values but not the rounding of what has left."""
    counted = _sum_of(np.isfinite(x).astype(np.float32), window)
    total = _sum_of(np.where(np.isfinite(x), x, np.float32(0)), window)
    out[:, lo:hi] = np.where(counted >= needed, total, np.nan)[:, lo:hi]


def _failures(kernel: Kernel, name: str, check: str) -> int:
    failed = 0
    for seed in range(30):
        random = np.random.default_rng(seed)
        x = checks.random_matrix(random, (40, 8), FLAVOURS[seed % len(FLAVOURS)])
        try:
            if check == "causal":
                checks.assert_causal(kernel, name, [x], random, window=5)
            else:
                checks.assert_matches_plain(kernel, name, [x], window=5)
        except AssertionError:
            failed += 1
    return failed


def test_planted_bugs_are_caught() -> None:
    with np.errstate(all="ignore"):
        assert _failures(Kernel("columns", _looks_ahead), "ts_mean", "causal") >= 25
        assert _failures(Kernel("columns", _looks_ahead), "ts_mean", "plain") >= 25
        assert _failures(Kernel("rows", _knows_the_whole), "reverse", "causal") >= 5
        assert _failures(Kernel("columns", _poisoned), "ts_sum", "plain") >= 25
        assert _failures(Kernel("columns", _drifting), "ts_sum", "plain") >= 3
    assert _failures(KERNELS["ts_sum"], "ts_sum", "causal") == _failures(KERNELS["ts_sum"], "ts_sum", "plain") == 0
