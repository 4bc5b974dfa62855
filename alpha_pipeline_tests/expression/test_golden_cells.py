"""Operators that look at no other day: BRAIN's worked examples, hand-made ones, properties, and the fast kernels."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from alpha_pipeline.engine.evaluation import setting_values
from alpha_pipeline.engine.kernels import KERNELS
from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import OPERATORS, Choices, ValueType

NAN, INF = np.nan, np.inf
Given = dict[str, Any]


def run(name: str, *rows: Any, choices: Choices | None = None, **given: Any) -> list[float]:
    """One day's result of the plain kernel on rows of values."""
    inputs = [np.array([row], dtype=np.float64) for row in rows]
    return OPERATORS[name].run_plain(inputs, tuple(given.items()), choices or Choices())[0].tolist()


def vectors(*cells: tuple[float, ...]) -> np.ndarray:
    held = np.empty((1, len(cells)), dtype=object)
    for place, cell in enumerate(cells):
        held[0, place] = np.array(cell, dtype=np.float64)
    return held


# -- golden values; those marked B are from BRAIN's documentation ------------------------------------------------------

DAYS: list[tuple[str, Given, list[Any], list[float]]] = [
    ("signed_power", {}, [[3, -9], [2, 0.5]], [9, -3]),  # B
    ("multiply", {"filter": True}, [[5], [NAN]], [5]),  # B
    ("add", {"filter": True}, [[5, NAN, INF], [NAN, NAN, NAN]], [5, 0, INF]),
    ("subtract", {"filter": True}, [[5, NAN], [NAN, 2]], [5, -2]),
    ("subtract", {}, [[5, NAN], [NAN, 2]], [NAN, NAN]),
    ("inverse", {}, [[4, 0, NAN]], [0.25, INF, NAN]),
    ("sqrt", {}, [[9, -1]], [3, NAN]),
    ("round", {}, [[0.5, 1.5, -0.5, 2.4, INF]], [1, 2, -1, 2, INF]),
    ("fraction", {}, [[2.25, -2.25, 0]], [0.25, -0.25, 0]),
    ("round_down", {"f": 0.5}, [[1.7, -1.7]], [1.5, -2]),
    ("round_down", {"f": 0.0}, [[1.7]], [NAN]),
    ("arc_sin", {}, [[2]], [NAN]),
    ("arc_cos", {}, [[-1.1]], [NAN]),
    ("to_nan", {"value": 0.1}, [[0.1, 0.2, NAN]], [NAN, 0.2, NAN]),
    ("to_nan", {"value": 3.0, "reverse": True}, [[0, NAN]], [0, 3]),
    ("nan_out", {"lower": 0.1}, [[0.1, 0, NAN]], [0.1, NAN, NAN]),
    ("nan_out", {}, [[1, INF]], [1, INF]),
    ("clamp", {"lower": 0.0, "upper": 1.0}, [[-1, 0.5, 2, NAN]], [0, 0.5, 1, NAN]),
    ("clamp", {"upper": 1.0}, [[-1, 2]], [-1, 1]),
    ("clamp", {"lower": 0.0, "upper": 4.0, "inverse": True, "mask": "mean"}, [[1, 0, 5]], [2, 0, 5]),
    ("clamp", {"lower": 0.0, "upper": 4.0, "inverse": True, "mask": "NAN"}, [[1, 4]], [NAN, 4]),
    ("clamp", {"lower": 0.0, "upper": 4.0, "inverse": True, "mask": "-7"}, [[1, 4]], [-7, 4]),
    ("clamp", {"lower": 0.0, "upper": 4.0, "inverse": True}, [[1, 4]], [NAN, 4]),
    ("replace", {"target": "1,2", "dest": "2,1"}, [[1, 2, 3]], [2, 1, 3]),
    ("replace", {"target": "0.1 nan", "dest": "9"}, [[0.1, NAN, 3]], [9, 9, 3]),
    ("replace", {"target": "", "dest": ""}, [[1, NAN]], [1, NAN]),
    ("densify", {}, [[7, 3, NAN, 7]], [1, 0, NAN, 1]),
    ("pasteurize", {}, [[1, -INF, NAN]], [1, NAN, NAN]),
    ("and", {}, [[1, 0, 0, NAN, 2], [1, 1, NAN, 0, INF]], [1, 0, NAN, NAN, 1]),
    ("or", {}, [[1, 0, 1, NAN, 0], [0, 1, NAN, 1, 0]], [1, 1, NAN, NAN, 0]),
    ("not", {}, [[0, 3, NAN, -INF]], [1, 0, NAN, 0]),
    ("is_nan", {}, [[0, NAN, INF]], [0, 1, 0]),
    ("is_finite", {}, [[0, NAN, INF]], [1, 0, 0]),
    ("rank", {"rate": 0.0}, [[4, 3, 6, 10, 2]], [0.5, 0.25, 0.75, 1, 0]),  # B
    ("normalize", {}, [[3, 5, 6, 2]], [-1, 1, 2, -2]),  # B
    ("normalize", {"useStd": True}, [[3, 5, 6, 2]], [-0.5477, 0.5477, 1.0954, -1.0954]),  # B
    ("normalize", {"limit": 1.5}, [[3, 5, 6, 2]], [-1, 1, 1.5, -1.5]),  # B
    ("normalize", {"useStd": True}, [[3, 3]], [NAN, NAN]),
    ("normalize", {}, [[1, INF, 3]], [-1, NAN, 1]),
    ("scale", {}, [[2, -3, 5]], [0.2, -0.3, 0.5]),  # B
    ("scale", {"scale": 4.0}, [[2, -3, 5]], [0.8, -1.2, 2]),  # B
    ("scale", {"longscale": 4.0, "shortscale": 3.0}, [[2, -3, 6, 0]], [1, -3, 3, 0]),
    ("scale", {"longscale": 4.0}, [[2, -3, 6]], [1, -1, 3]),
    ("scale", {"longscale": 4.0}, [[0, 0]], [NAN, NAN]),
    ("scale", {"longscale": 4.0}, [[0, -2]], [0, -1]),
    ("scale_down", {}, [[15, 7, 0, 20]], [0.75, 0.35, 0, 1]),  # B
    ("scale_down", {"constant": 0.5}, [[0, 20]], [-0.5, 0.5]),
    ("scale_down", {}, [[2, 2]], [NAN, NAN]),
    ("winsorize", {"std": 1.0}, [[2, 4, 5, 6, 3, 8, 10]], [2.8178, 4, 5, 6, 3, 8, 8.0394]),  # B, cut to 2.81, 8.03
    ("winsorize", {"std": 1.0}, [[2, 3, 4, 5, 100]], [2, 3, 4, 5, 61.41295]),  # B
    ("winsorize", {}, [[2, 2]], [2, 2]),
    ("quantile", {"driver": "uniform"}, [[0.2, 0.5, -0.1, 0.8, 0.3]], [-0.15, 0.15, -0.3, 0.3, 0]),  # B less ½
    ("quantile", {"sigma": 2.0}, [[0.2, 0.5, -0.1, 0.8, 0.3]], [-0.7706, 0.7706, -1.6832, 1.6832, 0]),
    ("quantile", {"driver": "cauchy"}, [[1, 2, 3, NAN]], [-0.5774, 0, 0.5774, NAN]),
    ("quantile", {}, [[7, NAN]], [0, NAN]),
    ("truncate", {"maxPercent": 0.5}, [[3, 7, 20, 6]], [3, 7, 18, 6]),  # B
    ("truncate", {"maxPercent": 0.5}, [[1, -9]], [1, -5]),
    ("rank_by_side", {"scale": 2.0}, [[1, 5, -1, -5, 0]], [0, 1, 0, -1, 0]),
    ("rank_by_side", {}, [[3, -2]], [0.5, -0.5]),
    ("one_side", {}, [[1, 3]], [1, 3]),
    ("one_side", {"side": "short"}, [[1, 3, -2]], [-2, 0, -5]),
    ("vector_neut", {}, [[1, 2, 3], [3, 4, 5]], [-0.56, -0.08, 0.4]),  # B
    ("vector_proj", {}, [[1, 2, NAN], [3, 4, 5]], [1.32, 1.76, NAN]),
    ("vector_proj", {}, [[1, 2], [0, 0]], [NAN, NAN]),
    ("regression_proj", {}, [[3, 5, 7], [1, 2, 3]], [3, 5, 7]),
    ("regression_neut", {}, [[3, 5, 7, NAN], [1, 2, 3, 9]], [0, 0, 0, NAN]),
    ("regression_neut", {}, [[3, 5], [1, 1]], [NAN, NAN]),
    ("rank_gmean_amean_diff", {}, [[1, 2, NAN], [2, 1, 3], [1, 2, 3]], [-1 / 6, -0.5, NAN]),
    ("bucket", {"range": "0,1,0.1"}, [[0.05, 0.45, 0.9]], [0, 4, 8]),  # B
    ("bucket", {"range": "0,1,0.1"}, [[0.1, 0.7, 0.8, 0.80001, 1]], [0, 6, 7, 8, 9]),
    ("bucket", {"range": "0,1,0.1"}, [[0, -5, 1.1, INF, -INF, NAN]], [10, 10, 11, 11, 10, NAN]),
    ("bucket", {"range": "0,1,0.1", "NANGroup": True}, [[NAN]], [12]),
    ("bucket", {"buckets": "2,5,6,7,10", "skipBegin": True, "NANGroup": True}, [[2, 12, NAN]], [NAN, 4, 5]),
    ("bucket", {"buckets": "2,5,6,7,10", "skipEnd": True}, [[2, 3, 12]], [4, 0, NAN]),
    ("bucket", {"buckets": "0.5"}, [[0.5, 0.6]], [0, 1]),
    ("bucket", {"range": "0, 1, 0.4"}, [[0.4, 0.9, 1]], [0, 2, 2]),
    ("tail", {"lower": 1.0, "upper": 4.0, "newval": 9.0}, [[1, 2, 4, NAN]], [1, 9, 4, NAN]),
    ("left_tail", {"maximum": 3.0}, [[2, 3, 4]], [2, 3, NAN]),
]

READINGS: list[tuple[str, Choices, Given, list[Any], list[float]]] = [
    ("right_tail", Choices(), {"minimum": 6.0}, [[2, 3, 5, 6, 3, 8, 10]], [NAN, NAN, NAN, 6, NAN, 8, 10]),
    (
        "right_tail",  # B prints 6 as NaN
        Choices(tail_bound="drop"),
        {"minimum": 6.0},
        [[2, 3, 5, 6, 3, 8, 10]],
        [NAN, NAN, NAN, NAN, NAN, 8, 10],
    ),
    ("left_tail", Choices(tail_bound="drop"), {"maximum": 3.0}, [[2, 3, 4]], [2, NAN, NAN]),
    ("s_log_1p", Choices(), {}, [[9, -9]], [2.3026, -2.3026]),
    ("s_log_1p", Choices(log_1p="decimal"), {}, [[9]], [1]),  # B
    ("multiply", Choices(multiply_filter="zero"), {"filter": True}, [[5], [NAN]], [0]),
    ("nan_mask", Choices(), {}, [[1, 2, 3], [1, 0, -1]], [1, 2, NAN]),
    ("nan_mask", Choices(nan_mask="not_positive"), {}, [[1, 2, 3], [1, 0, -1]], [1, NAN, NAN]),
]

EVENTS: list[tuple[str, Given, tuple[float, ...], float]] = [
    ("vec_sum", {}, (2, 3, 5, 6, 3, 8, 10), 37),  # B
    ("vec_avg", {}, (2, 3, 5, 6, 3, 8, 10), 5.2857),  # B
    ("vec_avg", {}, (2, INF, NAN, 4), 3),
    ("vec_count", {}, (2, INF, NAN, 4), 3),
    ("vec_count", {}, (NAN,), NAN),
    ("vec_min", {}, (2, -INF, NAN), -INF),
    ("vec_max", {}, (2, 7, NAN), 7),
    ("vec_range", {}, (2, 7, INF), 5),
    ("vec_stddev", {}, (1, 3), 1),
    ("vec_stddev", {}, (0.1, 0.1, 0.1), 0),
    ("vec_ir", {}, (1, 3), 2),
    ("vec_ir", {}, (3,), NAN),
    ("vec_skewness", {}, (1, 2, 6), 0.5952),
    ("vec_kurtosis", {}, (1, 1, 3, 3), -2),
    ("vec_norm", {}, (-1, 2), 3),
    ("vec_choose", {"nth": 1}, (4, NAN, 6), NAN),
    ("vec_choose", {"nth": 2}, (4, NAN, 6), 6),
    ("vec_choose", {"nth": 3}, (4, NAN, 6), NAN),
    ("vec_percentage", {}, (9, 1, 2), 2),
    ("vec_percentage", {"percentage": 0.25}, (1, 2, 3, 5), 1.75),
    ("vec_percentage", {"percentage": 1.0}, (1, 2, NAN), 2),
    ("vec_powersum", {"constant": 3.0}, (1, 2), 9),
    ("vec_powersum", {"constant": 0.5}, (4, -1), NAN),
]


@pytest.mark.parametrize(("name", "given", "rows", "expected"), DAYS)
def test_days(name: str, given: Given, rows: list[Any], expected: list[float]) -> None:
    np.testing.assert_allclose(run(name, *rows, **given), expected, atol=5e-5)


@pytest.mark.parametrize(("name", "choices", "given", "rows", "expected"), READINGS)
def test_readings(name: str, choices: Choices, given: Given, rows: list[Any], expected: list[float]) -> None:
    np.testing.assert_allclose(run(name, *rows, choices=choices, **given), expected, atol=5e-5)


@pytest.mark.parametrize(("name", "given", "events", "expected"), EVENTS)
def test_events(name: str, given: Given, events: tuple[float, ...], expected: float) -> None:
    found = OPERATORS[name].run_plain([vectors(events, ())], tuple(given.items()))
    np.testing.assert_allclose(found[0], [expected, NAN], atol=5e-5)


def test_filtered_events_stay_a_vector() -> None:
    held = OPERATORS["vec_filter"].plain(vectors((2, 0, NAN, 5), (0,), ()))
    assert [cell.tolist() for cell in held[0]] == [[2, 5], [], []]
    held = OPERATORS["vec_filter"].plain(
        vectors(
            (0.1, NAN, 3),
        ),
        value="0.1",
    )
    assert np.isnan(held[0, 0][0])
    assert held[0, 0][1:].tolist() == [3]


def test_trade_when_holds_until_the_exit() -> None:
    enter = np.array([[0], [1], [0], [NAN], [1], [0], [1]], dtype=np.float64)
    value = np.array([[9], [2], [3], [4], [NAN], [6], [7]], dtype=np.float64)
    leave = np.array([[0], [0], [0], [NAN], [0], [0], [1]], dtype=np.float64)
    held = OPERATORS["trade_when"].run_plain([enter, value, leave])
    np.testing.assert_array_equal(held[:, 0], [NAN, 2, 2, 2, NAN, NAN, NAN])
    never = OPERATORS["trade_when"].run_plain([enter, value, np.array([[-1.0]])])
    np.testing.assert_array_equal(never[:, 0], [NAN, 2, 2, 2, NAN, NAN, 7])


def test_log_diff() -> None:
    x = np.array([[100], [110], [0], [5], [NAN], [5]], dtype=np.float64)
    found = OPERATORS["log_diff"].run_plain([x])[:, 0]
    np.testing.assert_allclose(found, [NAN, np.log(1.1), NAN, NAN, NAN, NAN])


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"range": "0,1,0.1", "buckets": "1,2"},
        {"range": "0,1"},
        {"range": "1,0,0.1"},
        {"range": "0,1,0"},
        {"range": "0,1,1e-9"},
        {"range": "a,b,c"},
        {"range": "0,nan,1"},
        {"buckets": "2,1"},
        {"buckets": "1,inf"},
    ],
)
def test_buckets_that_are_none_are_refused(given: Given) -> None:
    with pytest.raises(BadInput):
        run("bucket", [1, 2], **given)


def test_lists_that_do_not_fit_are_refused() -> None:
    with pytest.raises(BadInput, match="target has 2 numbers and dest 3"):
        run("replace", [1], target="1,2", dest="1,2,3")
    with pytest.raises(BadInput, match='attribute "target"'):
        run("replace", [1], target="one", dest="1")
    with pytest.raises(BadInput, match='attribute "mask"'):
        run("clamp", [1], lower=0.0, upper=2.0, inverse=True, mask="nearest")


# -- properties --------------------------------------------------------------------------------------------------------


@pytest.fixture
def days() -> np.ndarray:
    random = np.random.default_rng(21)
    x = random.normal(size=(30, 17))
    x[random.random(x.shape) < 0.2] = NAN
    return x


def test_sums_of_scaled_days(days: np.ndarray) -> None:
    scaled = OPERATORS["scale"].run_plain([days], (("scale", 3.0),))
    np.testing.assert_allclose(np.nansum(np.abs(scaled), axis=1), 3)
    sided = OPERATORS["scale"].run_plain([days], (("longscale", 2.0), ("shortscale", 5.0)))
    np.testing.assert_allclose(np.nansum(np.maximum(sided, 0), axis=1), 2)
    np.testing.assert_allclose(np.nansum(np.minimum(sided, 0), axis=1), -5)
    by_side = OPERATORS["rank_by_side"].run_plain([days])
    np.testing.assert_allclose(np.nansum(np.abs(by_side), axis=1), 1)


def test_what_is_left_has_nothing_of_what_was_taken(days: np.ndarray) -> None:
    y = np.roll(days, 1, axis=1)
    left = OPERATORS["vector_neut"].run_plain([days, y])
    np.testing.assert_allclose(np.nansum(left * y, axis=1), 0, atol=1e-12)
    left = OPERATORS["regression_neut"].run_plain([days, y])
    fit = OPERATORS["regression_proj"].run_plain([days, y])
    np.testing.assert_allclose(np.nansum(left * y, axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(np.nansum(left, axis=1), 0, atol=1e-12)
    np.testing.assert_allclose((left + fit)[~np.isnan(left)], days[~np.isnan(left)])


@pytest.mark.parametrize("driver", ["gaussian", "uniform", "cauchy"])
def test_quantile_keeps_order_and_symmetry(days: np.ndarray, driver: str) -> None:
    found = OPERATORS["quantile"].run_plain([days], (("driver", driver),))
    mirrored = OPERATORS["quantile"].run_plain([-days], (("driver", driver),))
    np.testing.assert_allclose(found, -mirrored, atol=1e-12)
    for row, result in zip(days, found, strict=True):
        valid = ~np.isnan(row)
        assert (np.argsort(row[valid]) == np.argsort(result[valid])).all()
        assert np.isfinite(result[valid]).all()


def test_winsorized_values_stay_between_their_bounds(days: np.ndarray) -> None:
    found = OPERATORS["winsorize"].run_plain([days], (("std", 1.5),))
    mean, deviation = np.nanmean(days, axis=1, keepdims=True), np.nanstd(days, axis=1, keepdims=True)
    inside = np.abs(days - mean) <= 1.5 * deviation
    np.testing.assert_array_equal(found[inside], days[inside])
    outside = ~inside & ~np.isnan(days)
    np.testing.assert_allclose((np.abs(found - mean) / deviation)[outside], 1.5)


# -- fast kernels ------------------------------------------------------------------------------------------------------

FAST: list[tuple[str, Given]] = [
    *((name, given) for name in ("add", "subtract", "multiply") for given in ({}, {"filter": True})),
    *((name, {}) for name in ("max", "min", "inverse", "sqrt", "exp", "sigmoid", "tanh", "floor", "ceiling")),
    *((name, {}) for name in ("purify", "pasteurize", "and", "or", "not", "negate")),
    *((name, {}) for name in ("is_nan", "is_not_nan", "is_finite", "is_not_finite", "densify", "trade_when")),
    ("tail", {"lower": -0.1, "upper": 0.7, "newval": 3.0}),
    ("rank", {"rate": 0.0}),
    ("scale", {}),
    ("scale", {"scale": 7.0}),
    ("scale", {"longscale": 2.0}),
    ("normalize", {}),
    ("normalize", {"useStd": True}),
    ("normalize", {"useStd": True, "limit": 0.5}),
    ("winsorize", {}),
    ("winsorize", {"std": 1.0}),
    *(("quantile", {"driver": driver, "sigma": 1.5}) for driver in ("gaussian", "uniform", "cauchy")),
    ("bucket", {"range": "-1,1,0.1"}),
    ("bucket", {"buckets": "-1,0,1", "NANGroup": True, "skipBegin": True}),
    ("bucket", {"buckets": "0", "skipEnd": True}),
    ("bucket", {"range": "0,0.7,0.1", "skipBoth": True, "NANGroup": True}),
]


def values_of(name: str, given: Given) -> list[Any]:
    """What follows the arguments of a fast kernel: all attributes, all choices."""
    return setting_values(OPERATORS[name], tuple(given.items()), Choices())


def random_days(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    flavour = random.integers(3)
    x = random.normal(size=shape) if flavour else random.standard_cauchy(shape)
    x = (np.round(x * 3) / 10 if flavour == 1 else x).astype(np.float32)  # ties, and values on the edges of buckets
    x[random.random(shape) < random.choice([0, 0.1, 0.7])] = NAN
    x[random.random(shape) < 0.02] = INF
    x[random.random(shape) < 0.02] = -INF
    x[:, 0] = NAN
    x[-1] = np.float32(0.1)
    return x


def filled(name: str, given: Given, inputs: list[Any], shape: tuple[int, int], blocks: int) -> np.ndarray:
    kernel = KERNELS[name]
    out = np.full(shape, 12345, np.float32)
    bounds = np.linspace(0, shape[kernel.axis == "columns"], blocks + 1).astype(int)
    for lo, hi in pairwise(bounds.tolist()):
        kernel.run(*inputs, *values_of(name, given), out, lo, hi)
    return out


@pytest.mark.parametrize(("name", "given"), FAST)
def test_fast_kernel_is_plain_kernel(name: str, given: Given) -> None:
    operator, kernel = OPERATORS[name], KERNELS[name]
    for seed in range(25):
        random = np.random.default_rng(seed)
        shape = (int(random.integers(1, 30)), int(random.integers(1, 20)))
        inputs = [random_days(random, shape) for _ in operator.slots]
        if name == "densify":
            inputs = [np.round(x) for x in inputs]
        plain = operator.run_plain([x.astype(np.float64) for x in inputs], tuple(given.items()))
        with np.errstate(over="ignore"):
            plain = plain.astype(np.float32)
        got = filled(name, given, inputs, shape, 1)
        np.testing.assert_allclose(got, plain, rtol=2e-6, atol=1e-6 if name == "normalize" else 1e-30)
        np.testing.assert_array_equal(filled(name, given, inputs, shape, 3), got)
        if kernel.broadcasts:
            rows = [np.full((1, shape[1]), number, np.float32) for number in random.normal(size=len(inputs))]
            for place in range(len(inputs)):
                short = [row if i == place else x for i, (x, row) in enumerate(zip(inputs, rows, strict=True))]
                full = [np.broadcast_to(x, shape).copy() for x in short]
                np.testing.assert_allclose(
                    filled(name, given, short, shape, 1), filled(name, given, full, shape, 1), rtol=1e-6
                )


FAST_EVENTS: list[tuple[str, Given]] = [
    *((each.name, {}) for each in OPERATORS.values() if each.category == "vector" and each.name != "vec_choose"),
    ("vec_choose", {"nth": 0}),
    ("vec_choose", {"nth": 2}),
    ("vec_percentage", {"percentage": 0.0}),
    ("vec_percentage", {"percentage": 0.9}),
    ("vec_powersum", {"constant": 0.5}),
    ("vec_filter", {"value": "0.1 2"}),
]


def random_events(random: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    counts = random.integers(0, random.choice([1, 3, 12]), shape)
    offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    events = random.normal(size=offsets[-1]) * 10
    events = (np.round(events) / 10 if random.random() < 0.5 else events).astype(np.float32)
    events[random.random(len(events)) < 0.1] = random.choice([NAN, INF, 0])
    cells = np.empty(shape, dtype=object)
    for place, cell in enumerate(np.ndindex(*shape)):
        cells[cell] = events[offsets[place] : offsets[place + 1]].astype(np.float64)
    return events, offsets, cells


@pytest.mark.parametrize(("name", "given"), FAST_EVENTS)
def test_fast_kernel_of_events_is_plain_kernel(name: str, given: Given) -> None:
    operator = OPERATORS[name]
    for seed in range(25):
        random = np.random.default_rng(seed)
        shape = (int(random.integers(1, 20)), int(random.integers(1, 9)))
        events, offsets, cells = random_events(random, shape)
        if operator.result is ValueType.VECTOR:
            values, bounds = KERNELS[name].run(events, offsets, *values_of(name, given))
            plain = operator.plain(cells, **given).reshape(-1)
            assert bounds.dtype == offsets.dtype
            np.testing.assert_array_equal(np.diff(bounds), [len(cell) for cell in plain])
            np.testing.assert_array_equal(values, np.concatenate(plain).astype(np.float32))
            continue
        expected = operator.run_plain([cells], tuple(given.items())).astype(np.float32)
        got = filled(name, given, [events, offsets], shape, 1)
        np.testing.assert_allclose(got, expected, rtol=2e-6, atol=1e-6)
        np.testing.assert_array_equal(filled(name, given, [events, offsets], shape, 3), got)


# -- what runs elsewhere -----------------------------------------------------------------------------------------------


def test_what_runs_elsewhere_says_so() -> None:
    elsewhere = {name: o.elsewhere for name, o in OPERATORS.items() if o.elsewhere}
    assert elsewhere["combo_a"] == elsewhere["in"] == elsewhere["reduce_ir"] == "in SuperAlphas only"
    assert elsewhere["inst_pnl"] == elsewhere["generalized_rank"] == "on the platform only"
    assert sum(name.startswith("reduce_") for name in elsewhere) == 14
    assert not any(name in KERNELS for name in elsewhere)
