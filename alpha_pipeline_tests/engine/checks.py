"""What every operator is held to, as functions of a case, so that planted bugs can be put through the same checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from alpha_pipeline.engine.kernels.kernel import Cells
from alpha_pipeline.expression import Unit
from alpha_pipeline.expression.units import MONEY, PRICE, PURE, SHARES
from alpha_pipeline_tests.engine.cases import Case, Matrix

Wide: TypeAlias = npt.NDArray[np.float64]

NUDGE = 1e-9  # relative; float32 values lie 6e-8 apart, so that order and ties stay as they are
ROUNDING = 2.0**-52  # relative; between two float64
OUTLIER = 1e9  # values as large are outliers, not what is usual in an input


def same_bits(a: Matrix, b: Matrix) -> bool:
    """Equal bit for bit, any NaN being equal to any."""
    missing = np.isnan(a)
    return np.array_equal(missing, np.isnan(b)) and np.array_equal(
        a[~missing].view(np.int32), b[~missing].view(np.int32)
    )


def assert_matches_plain(case: Case) -> None:
    """Same missing cells, same infinities, and values within float32's tolerance.

    Where more than that is lost, it may be no more than float64 loses in sums of such inputs, and what the plain kernel
    itself makes of inputs that differ in the tenth digit (equal values staying equal). A result that an outlier had a
    part in may also be as far off as if the outlier's rounding had been added to each value that it was added to.
    """
    with np.errstate(all="ignore"):
        got, exact = case.run(), case.plain()
        expected = exact.astype(np.float32)
        far = ~_close(got, expected, np.zeros(1))
        if not far.any():
            return
        others = [_changed(case, _nudge(phase)) for phase in range(5)]
        moved = np.max([np.abs(other - exact) for other in others], axis=0)
        touched = ~np.isclose(_changed(case, _without_outliers), exact, rtol=1e-12, atol=0, equal_nan=True)
        rounded = [_changed(case, _rounded(np.random.default_rng(seed))) for seed in range(5)] if touched.any() else []
        for other in rounded:
            moved = np.where(touched, np.fmax(moved, np.abs(other - exact)), moved)
        unsure = np.logical_or.reduce([np.isnan(other) != np.isnan(exact) for other in others])
        allowed = 20 * np.where(np.isnan(moved), 0, moved) + 1e-14 * _largest(case)
        far &= ~_close(got, expected, allowed) & ~unsure
    assert not far.any(), f"{case}: {got[far][:3]} instead of {expected[far][:3]} at {np.argwhere(far)[:3].tolist()}"


def _close(got: Matrix, expected: Matrix, more: Wide) -> npt.NDArray[np.bool_]:
    allowed = 2e-5 * np.abs(np.where(np.isfinite(expected), expected, 0)) + 3e-45 + more
    equal = (got == expected) | (np.isnan(got) & np.isnan(expected))
    within = np.abs(got.astype(np.float64) - expected) <= allowed
    return np.asarray(equal | (within & ~np.isnan(got) & ~np.isnan(expected)))


def _largest(case: Case) -> float:
    """The largest size of the numeric inputs' usual values."""
    held = [case.data.fields[name].ravel() for name in case.numeric if name in case.data.fields]
    held += [case.data.vectors[name].values for name in case.numeric if name in case.data.vectors]
    sizes = np.abs(np.concatenate(held)) if held else np.zeros(0)
    return float(sizes[sizes < OUTLIER].max(initial=0.0))


def _nudge(phase: float) -> Callable[[Wide], Wide]:
    """Move every value a little, equal ones equally."""
    return lambda wide: wide * (1 + NUDGE * np.sin(1e3 * np.arctan(wide) + phase))


def _without_outliers(wide: Wide) -> Wide:
    return np.where(np.isfinite(wide) & (np.abs(wide) >= OUTLIER), np.nan, wide)


def _rounded(random: np.random.Generator) -> Callable[[Wide], Wide]:
    """Add the rounding of an input's largest outlier to each of its values: what a sum of the two loses."""

    def rounded(wide: Wide) -> Wide:
        largest = np.abs(wide[np.isfinite(wide)]).max(initial=0.0)
        return wide + ROUNDING * largest * random.uniform(-1, 1, wide.shape) if largest >= OUTLIER else wide

    return rounded


def _changed(case: Case, change: Callable[[Wide], Wide]) -> Wide:
    """The plain result on inputs whose values, float64, are changed."""
    other = case.changed(lambda name, x: x)
    for name in case.numeric:
        if name in other.data.fields:
            other.data.fields[name] = change(case.data.fields[name].astype(np.float64))  # type: ignore[assignment]
        else:
            cells = case.data.vectors[name]
            values = change(cells.values.astype(np.float64))
            other.data.vectors[name] = Cells(values, cells.offsets)  # type: ignore[arg-type]
    return other.plain()


def assert_causal(case: Case, random: np.random.Generator) -> None:
    """Change everything after a day, or cut it off: nothing up to that day moves by a bit."""
    if not case.data.fields and not case.data.vectors:
        return  # nothing but a panel's groups, which have no dates
    whole = case.run()
    rows, columns = case.data.shape
    for day in {0, rows // 2, max(0, rows - 2)}:

        def scrambled(name: str, x: Matrix, day: int = day) -> Matrix:
            after = x[day + 1 :]
            codes = name.startswith("g")
            values = [0.0, 1.0] if codes else [np.nan, np.inf, -1e30, 0.0, 5.0]
            after[...] = random.choice(np.array(values, np.float32), after.shape)
            return x

        def other_events(name: str, cells: Cells, day: int = day) -> Cells:
            known = cells.offsets[: (day + 1) * columns + 1]
            counts = random.poisson(1.0, (rows - day - 1) * columns)
            offsets = np.concatenate((known, known[-1] + np.cumsum(counts))).astype(np.int64)
            values = np.concatenate((cells.values[: known[-1]], random.normal(0, 9, int(counts.sum()))))
            return Cells(values.astype(np.float32), offsets)

        def cut(name: str, cells: Cells, day: int = day) -> Cells:
            offsets = cells.offsets[: (day + 1) * columns + 1]
            return Cells(cells.values[: offsets[-1]], offsets)

        got = case.changed(scrambled, other_events).run()
        assert same_bits(got[: day + 1], whole[: day + 1]), f"{case}: day {day} moved with the days after it"
        got = case.changed(lambda name, x, day=day: x[: day + 1], cut).run()  # type: ignore[misc]
        assert same_bits(got, whole[: day + 1]), f"{case}: day {day} moved when the days after it were cut off"


def missing_today(case: Case) -> npt.NDArray[np.bool_]:
    """Where any of the numeric inputs is missing: NaN, or a cell without events."""
    found = np.zeros(case.data.shape, np.bool_)
    for name in case.numeric:
        if name in case.data.fields:
            found |= np.isnan(case.data.fields[name])
        else:
            found |= np.diff(case.data.vectors[name].offsets).reshape(case.data.shape) == 0
    return found


def assert_keeps_missing(case: Case) -> None:
    """What is declared to pass on a NaN of today does."""
    if case.operator.passes_missing(case.call.attributes):
        invented = missing_today(case) & ~np.isnan(case.run())
        assert not invented.any(), f"{case}: a value at {np.argwhere(invented)[:3].tolist()}, an input is missing there"


def without_data(case: Case, column: int | None) -> Case:
    """The case without any value of one instrument, or of all; groups go where they are the only inputs."""
    chosen = slice(None) if column is None else slice(column, column + 1)
    numeric = case.numeric

    def blank(name: str, x: Matrix) -> Matrix:
        if name in numeric or not numeric:
            x[:, chosen] = np.nan
        return x

    def empty(name: str, cells: Cells) -> Cells:
        counts = np.diff(cells.offsets).reshape(case.data.shape)
        kept = counts.copy()
        kept[:, chosen] = 0
        values = cells.values[np.repeat((kept > 0).reshape(-1), counts.reshape(-1))]
        return Cells(values, np.concatenate(([0], np.cumsum(kept))).astype(np.int64))

    return case.changed(blank, empty)


def assert_nothing_of_nothing(case: Case, random: np.random.Generator, alone: bool) -> None:
    """No value where there never was one: for all instruments, and (`alone`) for one among others that have values."""
    if not case.numeric and (case.data.groups or not case.data.fields):
        return  # a panel's own groups are never missing, nor is a number
    for column in (None, int(random.integers(case.data.shape[1]))):
        if column is None or alone:
            result = without_data(case, column).run()
            found = ~np.isnan(result if column is None else result[:, column])
            whose = "anybody" if column is None else f"column {column}"
            assert not found.any(), f"{case}: values out of nothing for {whose}"


# -- rules of unit and of price scale against numbers ------------------------------------------------------------------

VOCABULARY = (PURE, PRICE, SHARES, MONEY, Unit(price=-1))
FACTORS = (8.0, 0.25, 8.0, 0.25, 1.0)  # of the base units; powers of two, so that nothing is rounded


def _scaled(case: Case, factors: list[npt.NDArray[np.float64]]) -> Case:
    """The case with numeric input i times factors[i], one factor a column."""
    named = dict(zip(case.numeric, factors, strict=True))

    def vector(name: str, cells: Cells) -> Cells:
        columns = np.tile(np.arange(case.data.shape[1]), case.data.shape[0])
        each = np.repeat(named[name][columns], np.diff(cells.offsets))
        return Cells((cells.values * each).astype(np.float32), cells.offsets)

    return case.changed(lambda name, x: x * named.get(name, 1.0), vector)


def assert_unit_rule(case: Case, random: np.random.Generator) -> None:
    """Measured in units 8 times as small (prices) or 4 times as large (shares), results are as the unit says."""
    operator, inputs = case.operator, len(case.numeric)
    if not inputs:
        return
    once = case.run().astype(np.float64)
    for _ in range(4):
        one = VOCABULARY[random.integers(len(VOCABULARY))]
        units = [one] * inputs
        if random.random() < 0.5:
            units = [VOCABULARY[i] for i in random.integers(0, len(VOCABULARY), inputs)]
        result = operator.infer_unit(units, [False] * inputs)
        if not isinstance(result, Unit) or result.group:
            continue
        columns = np.ones(case.data.shape[1])
        again = _scaled(case, [_factor(unit) * columns for unit in units]).run()
        _assert_multiplied(case, once, again, _factor(result) * columns, f"inputs {units}, result {result}")


def _factor(unit: Unit) -> float:
    return float(np.prod([factor**exponent for factor, exponent in zip(FACTORS, unit, strict=True)]))


def assert_scale_rule(case: Case, random: np.random.Generator) -> None:
    """Each instrument's prices times its own constant: results are multiplied as the price-scale rule says."""
    inputs = len(case.numeric)
    if not inputs:
        return
    once = case.run().astype(np.float64)
    constants: npt.NDArray[np.float64] = np.exp2(random.integers(-2, 4, case.data.shape[1]).astype(np.float64))
    for _ in range(4):
        exponents = [float(e) for e in random.integers(-1, 2, inputs)]
        if random.random() < 0.5:
            exponents = [exponents[0]] * inputs
        result = case.operator.scale.infer(exponents, [None] * inputs)
        if result is None:
            continue
        again = _scaled(case, [np.power(constants, exponent) for exponent in exponents]).run()
        _assert_multiplied(case, once, again, np.power(constants, result), f"inputs {exponents}, result {result}")


def _assert_multiplied(
    case: Case, once: npt.NDArray[np.float64], again: Matrix, factors: npt.NDArray[np.float64], what: str
) -> None:
    with np.errstate(all="ignore"):
        expected = (once * factors).astype(np.float32)
        close = _close(again, expected, np.zeros(1))
    assert close.all(), f"{case}: {what}: {again[~close][:3]} instead of {expected[~close][:3]}"
