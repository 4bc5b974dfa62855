"""What every kernel is held to, as functions of a kernel, so that planted bugs can be put through the same checks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from alpha_pipeline.engine.kernels import Kernel
from alpha_pipeline.expression import OPERATORS, Operator, Slot

Matrix = npt.NDArray[np.float32]

FLAVOURS: dict[str, Callable[[np.random.Generator, tuple[int, int]], npt.NDArray[Any]]] = {
    "plain": lambda random, shape: random.normal(0, 1, shape),
    "ties": lambda random, shape: random.integers(-2, 3, shape),
    "signed zeros": lambda random, shape: random.choice([-1.0, -0.0, 0.0, 1.0], shape),
    "constant columns": lambda random, shape: np.broadcast_to(random.lognormal(3, 2, shape[1]), shape),
    "steps": lambda random, shape: np.repeat(random.normal(100, 9, (-(-shape[0] // 6), shape[1])), 6, 0)[: shape[0]],
    "high and tight": lambda random, shape: 400_000 + np.cumsum(random.normal(0, 0.2, shape), axis=0),
    "level shift": lambda random, shape: (
        np.where(np.arange(shape[0])[:, None] < shape[0] // 2, 1e6, 1) + random.normal(0, 0.01, shape)
    ),
    "outliers": lambda random, shape: np.where(random.random(shape) < 0.05, 1e15, random.normal(0, 1, shape)),
    "heavy": lambda random, shape: random.standard_cauchy(shape) ** 3,
    "tiny": lambda random, shape: random.normal(0, 1e-20, shape),
}


def random_matrix(random: np.random.Generator, shape: tuple[int, int], flavour: str) -> Matrix:
    """float32 matrix of a flavour with missing and infinite cells, a column without data and one with late data."""
    values = np.array(FLAVOURS[flavour](random, shape), dtype=np.float32)
    values[random.random(shape) < random.choice([0.0, 0.1, 0.6])] = np.nan
    if random.random() < 0.5:
        values[random.random(shape) < 0.03] = np.inf
        values[random.random(shape) < 0.03] = -np.inf
    values[:, random.integers(shape[1])] = np.nan
    values[: shape[0] // 2, random.integers(shape[1])] = np.nan
    return values


def random_codes(random: np.random.Generator, instruments: int) -> npt.NDArray[np.int32]:
    """Non-decreasing group codes, with groups of one name."""
    steps = np.concatenate(([0], random.random(instruments - 1) < random.choice([0.1, 0.5, 1.0])))
    return np.cumsum(steps).astype(np.int32)


def matrices_of(operator: Operator) -> int:
    return len(operator.numeric_positions)


def run(
    kernel: Kernel,
    operator: Operator,
    inputs: list[Matrix],
    *,
    window: int = 1,
    codes: npt.NDArray[np.int32] | None = None,
    strict: bool = False,
    blocks: int = 1,
) -> Matrix:
    """The kernel's result, filled in blocks."""
    waiting = iter(inputs)
    arguments: list[Any] = []
    for slot in operator.slots:
        if slot is Slot.WINDOW:
            arguments += [window, window if strict else operator.minimum]
        elif slot is Slot.GROUP:
            assert codes is not None
            arguments.append(
                np.concatenate((np.flatnonzero(np.diff(codes, prepend=-1)), [len(codes)])).astype(np.int32)
            )
        else:
            arguments.append(next(waiting))
    out = np.full(inputs[0].shape, 12345.0, np.float32)
    length = out.shape[0 if kernel.axis == "rows" else 1]
    bounds = np.linspace(0, length, blocks + 1).astype(int).tolist()
    for lo, hi in pairwise(bounds):
        kernel.run(*arguments, out, lo, hi)
    return out


def plain(
    operator: Operator,
    inputs: list[Matrix],
    *,
    window: int = 1,
    codes: npt.NDArray[np.int32] | None = None,
    strict: bool = False,
) -> Matrix:
    """The plain kernel's result on the same values, rounded to float32."""
    waiting = (x.astype(np.float64) for x in inputs)
    arguments: list[Any] = []
    for slot in operator.slots:
        arguments.append(window if slot is Slot.WINDOW else codes if slot is Slot.GROUP else next(waiting))
    with np.errstate(all="ignore"):
        keywords = {"strict": strict} if Slot.WINDOW in operator.slots else {}
        expected = np.asarray(operator.plain(*arguments, **keywords)).astype(np.float32)
    if operator.keeps_missing:
        expected[np.logical_or.reduce([np.isnan(x) for x in inputs])] = np.nan
    return expected


def assert_matches_plain(kernel: Kernel, name: str, inputs: list[Matrix], **how: Any) -> None:
    """Same missing cells, same infinities, values within float32's tolerance of what the operator adds up."""
    operator = OPERATORS[name]
    got, expected = run(kernel, operator, inputs, **how), plain(operator, inputs, **how)
    assert np.array_equal(np.isnan(got), np.isnan(expected)), f"{name} {how}: missing cells differ"
    allowed = 2e-5 * np.abs(np.where(np.isfinite(expected), expected, 0)) + 2e-6 * _unit(operator, inputs, how)
    with np.errstate(invalid="ignore"):
        close = (got == expected) | np.isnan(expected) | (np.abs(got.astype(np.float64) - expected) <= allowed)
    assert close.all(), f"{name} {how}: {got[~close][:3]} instead of {expected[~close][:3]}"


def _unit(operator: Operator, inputs: list[Matrix], how: dict[str, Any]) -> npt.NDArray[np.float64]:
    """What a rounding error is measured against: for results that are differences, what was subtracted."""
    finite = [np.where(np.isfinite(x), x, 0).astype(np.float64) for x in inputs]
    one = np.ones(inputs[0].shape)
    if operator.name == "ts_covariance":
        spread = [plain(OPERATORS["ts_std_dev"], [x], window=how["window"]) for x in inputs]
        return np.nan_to_num(np.abs(spread[0].astype(np.float64) * spread[1]), posinf=0.0)
    if operator.name in ("ts_zscore", "ts_corr", "zscore", "log"):
        return one
    if operator.name in ("group_neutralize",):
        return np.abs(finite[0]).max(axis=1, keepdims=True) * one * 0.05  # 2e-6 of it is float32's own rounding
    if operator.name in ("ts_sum", "ts_mean", "ts_decay_linear"):
        sizes = plain(OPERATORS["ts_sum"], [np.abs(finite[0]).astype(np.float32)], window=how["window"])
        return 1e-8 * sizes.astype(np.float64)  # the plain kernel's own rounding, in float64
    return 0.0 * one


def assert_causal(kernel: Kernel, name: str, inputs: list[Matrix], random: np.random.Generator, **how: Any) -> None:
    """Change everything after a day, or cut it off: nothing up to that day moves by a bit."""
    operator = OPERATORS[name]
    whole = run(kernel, operator, inputs, **how)
    rows = len(whole)
    for day in {0, rows // 2, max(0, rows - 2)}:
        changed = [np.array(x) for x in inputs]
        for x in changed:
            after = x[day + 1 :]
            after[...] = random.choice(np.array([np.nan, np.inf, -1e30, 0.0, 5.0], np.float32), after.shape)
        got = run(kernel, operator, changed, **how)
        assert same_bits(got[: day + 1], whole[: day + 1]), f"{name} {how}: day {day} moved with the days after it"
        got = run(kernel, operator, [np.array(x[: day + 1]) for x in inputs], **how)
        assert same_bits(got, whole[: day + 1]), f"{name} {how}: day {day} moved when the days after it were cut off"


def same_bits(a: Matrix, b: Matrix) -> bool:
    """Equal bit for bit, any NaN being equal to any."""
    missing = np.isnan(a)
    return np.array_equal(missing, np.isnan(b)) and np.array_equal(
        a[~missing].view(np.int32), b[~missing].view(np.int32)
    )
