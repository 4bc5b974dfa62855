"""The contract of every operator that runs here, each on random calls of it; and that planted bugs break it.

The tables below hold every exception, with its reason. `pytest -k <operator>` runs all checks of one operator.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alpha_pipeline.engine import engine as engine_module
from alpha_pipeline.engine.kernels import KERNELS, Kernel
from alpha_pipeline.expression import OPERATORS, Constant, Field, ValueType
from alpha_pipeline.expression.scale import ScaleRule, Stripped
from alpha_pipeline.expression.units import Bare, Kept, UnitRule
from alpha_pipeline_tests.engine import checks
from alpha_pipeline_tests.engine.cases import NAMES, Case, Matrix, random_case

MILD = ["plain", "ties", "steps"]  # flavours that multiplied with themselves are neither infinite nor 0
SEEDS = st.integers(0, 2**32 - 1)
HERE = [name for name, operator in OPERATORS.items() if not operator.elsewhere]

VALUE_OF_NOTHING: dict[str, str] = {
    "add": "filter=true reads a missing value as 0",
    "subtract": "filter=true reads a missing value as 0",
    "multiply": "filter=true reads a missing value as 1",
    "is_nan": "answers that question",
    "is_not_nan": "answers that question",
    "is_finite": "answers that question",
    "is_not_finite": "answers that question",
    "to_nan": "reverse=true makes a value of what is missing",
    "replace": "`nan` may be among what is replaced",
    "bucket": "NANGroup=true has a bucket for what is missing",
    "ts_count_nans": "counts what is missing",
}
"""Operators that give a value where no input ever had one, and why."""

FILLS: dict[str, str] = {
    "group_backfill": "fills gaps from the others of the group",
    "group_extra": "fills gaps from the others of the group",
}
"""Operators that give an instrument without values one made of others' values, and why."""

PLAIN_NUMBERS = "compares its input with plain numbers, or puts them in its place"
CURVED = "the platform keeps the unit through a function that is no straight line"
RATIO = "the platform keeps the unit although numbers lose it"

UNIT_BY_CONVENTION: dict[str, str] = {
    "multiply": "filter=true reads a missing value as 1, of no unit",
    "group_normalize": "constantCheck=true leaves some groups as they are",
    "power": "its second input is a plain number",
    "signed_power": "its second input is a plain number",
    "ts_regression": "some of its results have the unit of y over x, or their squares",
    "ts_moment": "the platform keeps the unit, not its k-th power",
    "vec_powersum": "the platform keeps the unit, not its power",
    "ts_delta_limit": "one input bounds the other: both are in the same unit, or the bound means nothing",
    "ts_target_tvr_delta_limit": "one input bounds the other: both are in the same unit, or the bound means nothing",
    **dict.fromkeys(("exp", "sigmoid", "tanh", "arc_sin", "arc_cos", "arc_tan", "s_log_1p"), CURVED),
    **dict.fromkeys(("floor", "ceiling", "round", "fraction", "round_down"), CURVED),
    **dict.fromkeys(
        ("to_nan", "nan_out", "clamp", "replace", "tail", "left_tail", "right_tail", "vec_filter"), PLAIN_NUMBERS
    ),
    **dict.fromkeys(("normalize", "hump_decay", "jump_decay"), PLAIN_NUMBERS),
    **dict.fromkeys(("log_diff", "scale_down", "vec_ir", "vec_skewness", "vec_kurtosis"), RATIO),
}
"""Operators whose platform unit is not what numbers do, and why."""

SCALE_EXCEPTIONS: dict[str, str] = {
    "multiply": "filter=true reads a missing value as 1, of no price level",
    "vec_filter": "looks for plain numbers: for nan, as it is declared to do, at any price level",
}
"""Operators whose price-scale rule does not hold for all attributes, and why."""


def random_of(name: str, seed: int) -> np.random.Generator:
    """Another stream for each operator, the same in every run."""
    return np.random.default_rng([seed, *name.encode()])


@pytest.mark.parametrize("name", HERE)
@settings(max_examples=10)
@given(seed=SEEDS)
def test_kernel_is_plain_kernel(name: str, seed: int) -> None:
    checks.assert_matches_plain(random_case(random_of(name, seed), name, constants=True))


@pytest.mark.parametrize("name", HERE)
@settings(max_examples=3)
@given(seed=SEEDS)
def test_no_future(name: str, seed: int) -> None:
    random = random_of(name, seed)
    checks.assert_causal(random_case(random, name, constants=True), random)


@pytest.mark.parametrize("name", HERE)
@settings(max_examples=4)
@given(seed=SEEDS)
def test_missing_values(name: str, seed: int) -> None:
    random = random_of(name, seed)
    case = random_case(random, name)
    checks.assert_keeps_missing(case)
    if name not in VALUE_OF_NOTHING:
        checks.assert_nothing_of_nothing(case, random, alone=name not in FILLS)


@pytest.mark.parametrize("name", HERE)
@settings(max_examples=4)
@given(seed=SEEDS)
def test_units_and_price_scale_are_what_numbers_do(name: str, seed: int) -> None:
    random = random_of(name, seed)
    case = random_case(random, name, flavour=str(random.choice(MILD)), infinite=False)
    if name not in SCALE_EXCEPTIONS:
        checks.assert_scale_rule(case, random)
    if name not in UNIT_BY_CONVENTION:
        checks.assert_unit_rule(case, random)


@pytest.mark.parametrize("name", HERE)
def test_blocks_do_not_matter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = random_case(random_of(name, 5), name, (23, 67), "heavy")
    whole = case.run()
    monkeypatch.setattr(engine_module, "WORTH_SPLITTING", 1)
    for threads in (2, 3):
        assert checks.same_bits(case.run(threads), whole)


@pytest.mark.parametrize("name", [name for name in HERE if name in KERNELS and KERNELS[name].broadcasts])
def test_one_row_stands_for_all(name: str) -> None:
    """A number in the place of a matrix is a matrix of that number."""
    random = random_of(name, 6)
    for _ in range(6):
        case = random_case(random, name, flavour="plain")
        for position in case.operator.numeric_positions[1:]:
            field = case.call.arguments[position]
            assert isinstance(field, Field)
            for number in (-1.0, 0.0, 0.5, 2.0, 3.0):
                full = case.changed(lambda name, x: np.full_like(x, number) if name == field.name else x)  # noqa: B023
                arguments = list(case.call.arguments)
                arguments[position] = Constant(number)
                row = dataclasses.replace(case, call=case.call.over(arguments))
                np.testing.assert_allclose(row.run(), full.run(), rtol=1e-6)  # NumPy's power rounds a square otherwise


def test_every_vector_result_has_a_kernel() -> None:
    assert {name for name in HERE if OPERATORS[name].result is ValueType.VECTOR} <= set(KERNELS)
    assert set(KERNELS) <= set(HERE)


def test_exceptions_are_needed() -> None:
    """Nothing stands in a table above that would pass anyway."""

    def passes(name: str, check: Callable[[Case, np.random.Generator], None]) -> bool:
        for seed in range(30):
            random = random_of(name, seed)
            try:
                check(random_case(random, name, flavour=MILD[seed % len(MILD)], infinite=False), random)
            except AssertionError:
                return False
        return True

    def nothing(case: Case, random: np.random.Generator) -> None:
        checks.assert_nothing_of_nothing(case, random, alone=True)

    assert [name for name in {**VALUE_OF_NOTHING, **FILLS} if passes(name, nothing)] == []
    assert [name for name in UNIT_BY_CONVENTION if passes(name, checks.assert_unit_rule)] == []


# -- the checks themselves: planted bugs must not pass ----------------------------------------------------------------


def _sum_of(values: Matrix, window: int) -> Matrix:
    total = np.cumsum(values.astype(np.float64), axis=0)
    total[window:] -= total[:-window].copy()
    return total.astype(np.float32)


TRUE_MEAN, TRUE_NEUTRALIZE = KERNELS["ts_mean"], KERNELS["group_neutralize"]


def _looks_ahead(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    """A mean whose window is centred: it holds tomorrow."""
    tomorrow = np.concatenate((x[1:], x[-1:]))
    TRUE_MEAN.run(np.ascontiguousarray(tomorrow), window, needed, out, lo, hi)


def _knows_the_whole(x: Matrix, out: Matrix, lo: int, hi: int) -> None:
    """Right within tolerance, but scaled by the largest value of all days on the way."""
    with np.errstate(all="ignore"):
        largest = np.nanmax(np.where(np.isfinite(x), np.abs(x), 0)) or np.float32(1)
        out[lo:hi] = -(x[lo:hi] / largest) * largest


def _poisoned(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    """A running sum that one NaN spoils for ever."""
    out[:, lo:hi] = _sum_of(x, window)[:, lo:hi]


def _drifting(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    """A running sum that forgets missing values but not the rounding of what has left."""
    counted = _sum_of(np.isfinite(x).astype(np.float32), window)
    total = _sum_of(np.where(np.isfinite(x), x, np.float32(0)), window)
    out[:, lo:hi] = np.where(counted >= needed, total, np.nan)[:, lo:hi]


def _invents(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    """A mean that is 0 where there is nothing to average."""
    TRUE_MEAN.run(x, window, needed, out, lo, hi)
    block = out[:, lo:hi]
    block[np.isnan(block)] = 0


def _fills_today(x: Matrix, offsets: np.ndarray, out: Matrix, lo: int, hi: int) -> None:
    """x less its group's mean, and 0, the average, for who has no value."""
    TRUE_NEUTRALIZE.run(x, offsets, out, lo, hi)
    block = out[lo:hi]
    block[np.isnan(block)] = 0


def _failures(name: str, check: Callable[[Case, np.random.Generator], None], flavours: list[str]) -> int:
    """In how many of 30 cases a check fails."""
    failed = 0
    for seed in range(30):
        random = random_of(name, seed)
        case = random_case(random, name, (30, 8), flavours[seed % len(flavours)])
        try:
            with np.errstate(all="ignore"):
                check(case, random)
        except AssertionError:
            failed += 1
    return failed


def _matches(case: Case, random: np.random.Generator) -> None:
    checks.assert_matches_plain(case)


def _keeps(case: Case, random: np.random.Generator) -> None:
    checks.assert_keeps_missing(case)


def _nothing(case: Case, random: np.random.Generator) -> None:
    checks.assert_nothing_of_nothing(case, random, alone=True)


@pytest.mark.parametrize(
    ("name", "kernel", "check", "least", "flavours"),
    [
        ("ts_mean", Kernel("columns", _looks_ahead), checks.assert_causal, 20, NAMES),
        ("ts_mean", Kernel("columns", _looks_ahead), _matches, 20, NAMES),
        ("reverse", Kernel("rows", _knows_the_whole), checks.assert_causal, 5, NAMES),
        ("ts_sum", Kernel("columns", _poisoned), _matches, 20, NAMES),
        ("ts_sum", Kernel("columns", _drifting), _matches, 5, ["outliers"]),
        ("ts_mean", Kernel("columns", _invents), _nothing, 30, NAMES),
        ("ts_mean", Kernel("columns", _invents), _matches, 20, NAMES),
        ("group_neutralize", Kernel("rows", _fills_today), _keeps, 20, NAMES),
        ("group_neutralize", Kernel("rows", _fills_today), _nothing, 20, NAMES),
    ],
)
def test_planted_kernels_are_caught(
    name: str,
    kernel: Kernel,
    check: Callable[[Case, np.random.Generator], None],
    least: int,
    flavours: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert _failures(name, check, flavours) == 0
    monkeypatch.setitem(KERNELS, name, kernel)
    assert _failures(name, check, flavours) >= least


@pytest.mark.parametrize(("name", "rule"), [("ts_std_dev", Bare()), ("divide", Kept()), ("ts_zscore", Kept())])
def test_planted_unit_rules_are_caught(name: str, rule: UnitRule, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _failures(name, checks.assert_unit_rule, MILD) == 0
    monkeypatch.setitem(OPERATORS, name, dataclasses.replace(OPERATORS[name], unit=rule))
    assert _failures(name, checks.assert_unit_rule, MILD) >= 15


@pytest.mark.parametrize(("name", "rule"), [("ts_sum", Stripped()), ("divide", Stripped()), ("rank", Stripped())])
def test_planted_scale_rules_are_caught(name: str, rule: ScaleRule, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _failures(name, checks.assert_scale_rule, MILD) == 0
    monkeypatch.setitem(OPERATORS, name, dataclasses.replace(OPERATORS[name], scale=rule))
    assert _failures(name, checks.assert_scale_rule, MILD) >= 15
