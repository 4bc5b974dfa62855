"""Kernels that run sixteen columns at a time: at any width and place, on hard data, to the last bit where that is told.

The contract of every operator is tested on matrices narrower than sixteen columns, which are padded; these are wider.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alpha_pipeline.engine.evaluation import setting_values
from alpha_pipeline.engine.kernels import KERNELS, columns, running
from alpha_pipeline.expression import DEFAULT_CHOICES, OPERATORS
from alpha_pipeline_tests.engine import checks
from alpha_pipeline_tests.engine.cases import case_of, random_case, random_matrix

Matrix = npt.NDArray[np.float32]

BY_COLUMNS = [
    *("ts_delta", "ts_returns", "ts_sum", "ts_mean", "ts_decay_linear", "ts_std_dev", "ts_zscore", "ts_av_diff"),
    *("ts_ir", "ts_corr", "ts_covariance", "ts_max", "ts_min", "ts_arg_max", "ts_arg_min", "ts_scale", "ts_min_diff"),
    *("ts_max_diff", "ts_min_max_diff", "ts_min_max_cps", "ts_rank"),
]
COMPARING = ["ts_delta", "ts_returns", "ts_max", "ts_min", "ts_arg_max", "ts_arg_min", "ts_rank"]
"""These add nothing up. What others make of ±3e38 and 1 is known better than the plain kernel's float64 sums do."""
SEEDS = st.integers(0, 2**32 - 1)

HARD = {
    "1e12 passes through": lambda random, shape: np.where(
        random.random(shape) < 0.03, 1e12, random.normal(0, 1, shape)
    ),
    "sixty octaves": lambda random, shape: random.normal(0, 1, shape) * 2.0 ** random.integers(-30, 30, shape),
    "denormals": lambda random, shape: random.integers(-9, 9, shape) * 2.0**-149,
    "near the largest": lambda random, shape: random.choice([-3e38, 3e38, 1.0], shape),
    "cents at 400,000": lambda random, shape: 400_000 + random.integers(-3, 4, shape) * 0.03125,
    "constants": lambda random, shape: np.repeat(random.choice([0.1, 7.3, 1e-7], (1, shape[1])), shape[0], 0),
    "zeros of both signs": lambda random, shape: np.where(
        random.random(shape) < 0.02, random.choice([-0.0, 0.0], shape), random.normal(size=shape)
    ),
    "few levels": lambda random, shape: random.integers(-2, 2, shape) * 0.1,
}
"""Data that sums, spreads and comparisons go wrong on."""


def hard_matrix(random: np.random.Generator, shape: tuple[int, int], kind: str) -> Matrix:
    """With gaps, runs of missing days and infinite cells."""
    x = np.array(HARD[kind](random, shape), np.float32)
    if random.random() < 0.7:
        x[random.random(shape) < random.choice([0.05, 0.5])] = np.nan
        x[: shape[0] // 3, random.integers(shape[1])] = np.nan
        x[random.random(shape) < 0.02] = np.inf
        x[random.random(shape) < 0.02] = -np.inf
    return x


def run(name: str, inputs: list[Matrix], window: int, needed: int, lo: int, hi: int) -> Matrix:
    """The kernel on columns lo … hi − 1; the others hold 7."""
    out = np.full(inputs[0].shape, 7, np.float32)
    KERNELS[name].run(*inputs, window, needed, *settings_of(name), out, lo, hi)
    assert (np.delete(out, np.s_[lo:hi], axis=1) == 7).all(), f"{name} writes beside its columns"
    return out[:, lo:hi]


def settings_of(name: str) -> list[Any]:
    return setting_values(OPERATORS[name], (), DEFAULT_CHOICES)


@pytest.mark.parametrize("name", BY_COLUMNS)
@settings(max_examples=8)
@given(seed=SEEDS)
def test_wide_matrices_are_as_the_plain_kernel_says(name: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = (int(random.integers(1, 40)), int(random.integers(16, 50)))
    checks.assert_matches_plain(random_case(random, name, shape))


@pytest.mark.parametrize("name", BY_COLUMNS)
@settings(max_examples=12)
@given(seed=SEEDS, kind=st.sampled_from(sorted(HARD)))
def test_hard_data(name: str, seed: int, kind: str) -> None:
    if kind == "near the largest" and name not in COMPARING:
        kind = "few levels"
    random = np.random.default_rng(seed)
    shape = (int(random.integers(1, 60)), int(random.integers(1, 40)))
    inputs = [hard_matrix(random, shape, kind) for _ in OPERATORS[name].numeric_positions]
    checks.assert_matches_plain(case_of(name, *inputs, window=int(random.integers(1, shape[0] + 8))))


@pytest.mark.parametrize("name", BY_COLUMNS)
def test_place_and_width_do_not_matter(name: str) -> None:
    """A column's result is the same to the bit alone, among others, in a tile of its own, and in strided memory."""
    random = np.random.default_rng(11)
    for kind in ("heavy", "ties", "high and tight"):
        inputs = [random_matrix(random, (50, 83), kind) for _ in OPERATORS[name].numeric_positions]
        whole = run(name, inputs, 9, 2, 0, 83)
        for lo, hi in ((0, 16), (5, 21), (40, 83), (3, 4), (70, 80), (1, 18)):
            assert checks.same_bits(run(name, inputs, 9, 2, lo, hi), whole[:, lo:hi]), (name, kind, lo, hi)
            tiles = [np.ascontiguousarray(x[:, lo:hi]) for x in inputs]
            assert checks.same_bits(run(name, tiles, 9, 2, 0, hi - lo), whole[:, lo:hi]), (name, kind, lo, hi)
        strided = [np.repeat(x, 2, axis=1)[:, ::2] for x in inputs]
        assert checks.same_bits(run(name, strided, 9, 2, 0, 83), whole)


def exact_sums(x: Matrix, window: int, weighted: bool) -> Matrix:
    """Sums in whole numbers, rounded once to float64 and once to float32; NaN where no day is valid."""
    out = np.full(x.shape, np.nan, np.float32)
    for t in range(len(x)):
        for j in range(x.shape[1]):
            total, count = Fraction(0), 0
            for day in range(max(0, t - window + 1), t + 1):
                if np.isfinite(x[day, j]):
                    total += Fraction(float(x[day, j])) * (window - (t - day) if weighted else 1)
                    count += 1
            if count:
                with np.errstate(over="ignore"):
                    out[t, j] = float(total * 2 / (window * (window + 1)) if weighted else total)
    return out


def wrong_sums(seed: int) -> int:
    """How many sums are further from the exact one than rounding twice explains."""
    random = np.random.default_rng(seed)
    wrong = 0
    for kind in ("1e12 passes through", "cents at 400,000", "few levels", "denormals"):
        x = hard_matrix(random, (60, 19), kind)
        for window in (1, 7, 33):
            for name in ("ts_sum", "ts_decay_linear"):
                got, expected = run(name, [x], window, 1, 0, 19), exact_sums(x, window, name == "ts_decay_linear")
                near = (np.nextafter(got, -np.inf) <= expected) & (expected <= np.nextafter(got, np.inf))
                wrong += int((~(near | (np.isnan(got) & np.isnan(expected)))).sum())
    return wrong


def test_sums_are_exact() -> None:
    assert wrong_sums(12) == 0


def test_sums_that_are_not_watched_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: the plain sum is taken to be exact whatever the values."""
    monkeypatch.setattr(running, "_apart", lambda parts: 2**31 - 1)
    assert wrong_sums(12) > 0


def test_the_quick_sum_and_the_careful_one_agree_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(13)
    x = random_matrix(random, (300, 40), "plain", infinite=True)
    quick = {name: run(name, [x], 20, 1, 0, 40) for name in ("ts_sum", "ts_mean", "ts_decay_linear")}
    monkeypatch.setattr(running, "_apart", lambda parts: -1)
    for name, result in quick.items():
        assert checks.same_bits(run(name, [x], 20, 1, 0, 40), result), name


@pytest.mark.parametrize("window", [1, 2, 3, 4, 5, 8, 21, 200])
def test_ranks_are_exact(window: int) -> None:
    """Against counts, for windows shorter than the days ranked at a time and longer than the history."""
    random = np.random.default_rng(window)
    for kind in ("few levels", "cents at 400,000", "sixty octaves", "near the largest", "zeros of both signs"):
        x = hard_matrix(random, (47, 18), kind)
        got = run("ts_rank", [x], window, 1, 0, 18)
        for t in range(len(x)):
            held = x[max(0, t - window + 1) : t + 1]
            others = (~np.isnan(held)).sum(axis=0) - 1
            below = 2 * (held < x[t]).sum(axis=0) + (held == x[t]).sum(axis=0) - 1
            expected = np.where(others > 0, np.float32(0.5) * below.astype(np.float32) / np.fmax(others, 1), 0.5)
            expected = np.where(np.isnan(x[t]), np.nan, expected).astype(np.float32)
            assert checks.same_bits(got[t], expected), (window, kind, t)


@pytest.mark.parametrize("available", [True, False])
def test_inverse_root(available: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight digits, with and without the processor's estimate."""
    if available and not columns.AVAILABLE:
        pytest.skip("this processor has no AVX-512")
    monkeypatch.setattr(columns, "AVAILABLE", available)
    load, store, inverse_root = columns.load, columns.store, columns.inverse_root

    @numba.njit
    def roots(x: Any, out: Any) -> None:
        for t in range(len(x)):
            store(out, t, 0, inverse_root(load(x, t, 0)))

    x = 10.0 ** np.random.default_rng(14).uniform(-290, 300, (500, 16))
    x[0] = 0.0
    out = np.empty_like(x)
    roots(x, out)
    np.testing.assert_allclose(out[1:] * np.sqrt(x[1:]), 1.0, atol=1e-8)
    assert (out[0] * x[0] == 0).all()


def test_strict_windows_count_what_is_valid() -> None:
    random = np.random.default_rng(15)
    x = random_matrix(random, (60, 30), "plain")
    for name in ("ts_mean", "ts_max", "ts_arg_min", "ts_rank", "ts_scale"):
        checks.assert_matches_plain(dataclasses.replace(case_of(name, x, window=7), strict=True))
