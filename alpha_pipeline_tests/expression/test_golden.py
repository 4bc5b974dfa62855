"""The worked examples of BRAIN's documentation, through the plain kernels; hand-made ones where it has none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from alpha_pipeline.expression import OPERATORS, Slot

NAN, INF = np.nan, np.inf


def column(*newest_last: float) -> np.ndarray:
    return np.array(newest_last, dtype=np.float64)[:, None]


def newest_first(*values: float) -> np.ndarray:
    return column(*values[::-1])


def row(*values: float) -> np.ndarray:
    return np.array([values], dtype=np.float64)


TIME_SERIES = [  # operator, inputs, window, today's value; those marked B are from BRAIN's documentation
    ("ts_delay", [newest_first(2, 3, 5, 6, 3, 8, 10)], 6, 10),  # B
    ("ts_delta", [newest_first(2, 3, 5, 6, 3, 8, 10)], 6, -8),  # B
    ("ts_zscore", [newest_first(100, 0, 50, 60, 25)], 5, 1.5725),  # B
    ("ts_zscore", [column(10, 12, 11, 13, 15)], 5, 1.6275),  # B
    ("ts_zscore", [column(4, 4, 4)], 3, NAN),
    ("ts_rank", [newest_first(100, 0, 200)], 3, 0.5),  # B
    ("ts_rank", [column(10, 12, 11, 15, 13)], 5, 0.75),  # B
    ("ts_rank", [column(1, 2, 2)], 3, 0.75),
    ("ts_rank", [column(NAN, NAN, 2)], 3, 0.5),
    ("ts_rank", [column(1, 2, NAN)], 3, NAN),
    ("ts_corr", [column(2, 3, 5, 6, 3, 8, 10), column(100, 190, 150, 180, 210, 220, 240)], 7, 0.6891),  # B
    ("ts_corr", [column(1, 1, 1), column(1, 2, 3)], 3, NAN),
    ("ts_covariance", [column(2, 4, 6, 8, 10), column(1, 3, 5, 7, 9)], 5, 8),  # B
    ("ts_decay_linear", [column(1, 6, 8, 10)], 3, 8.6667),  # B
    ("ts_decay_linear", [column(NAN, 6, NAN)], 3, 2),  # a missing value counts as 0: 2·6 / 6
    ("ts_sum", [column(1, NAN, 3)], 3, 4),
    ("ts_mean", [column(1, NAN, 3, INF)], 4, 2),
    ("ts_std_dev", [column(1, 3)], 2, 1),
    ("ts_std_dev", [column(NAN, 3)], 2, NAN),
    ("ts_std_dev", [column(0.1, 0.1, 0.1)], 3, 0),
    ("ts_max", [column(1, INF, 3)], 3, INF),
    ("ts_min", [column(1, NAN, 3)], 3, 1),
    ("ts_arg_max", [column(9, 5, 9, 1)], 4, 1),
    ("ts_arg_min", [column(1, 5, 9, 7)], 4, 3),
]

ROWS = [  # operator, row, expected row
    ("rank", (4, 3, 6, 10, 2), (0.5, 0.25, 0.75, 1, 0)),  # B
    ("rank", (1, 1, NAN, 3), (0.25, 0.25, NAN, 1)),
    ("rank", (INF, 5, -INF), (1, 0.5, 0)),
    ("rank", (NAN, 7), (NAN, 0.5)),
    ("zscore", (100, 0, 50, 60, 25), (1.5725, -1.3945, 0.0890, 0.3857, -0.6527)),  # B
    ("zscore", (2, 2), (NAN, NAN)),
    ("scale", (2, -3, 5), (0.2, -0.3, 0.5)),  # B
    ("scale", (0, 0), (NAN, NAN)),
    ("abs", (-1, 0, NAN), (1, 0, NAN)),
    ("log", (1, 0, -1), (0, NAN, NAN)),
    ("sign", (-2, 0, 3), (-1, 0, 1)),
    ("reverse", (-2, 0, 3), (2, 0, -3)),
]

PAIRS = [  # operator, x, y, expected
    ("signed_power", 3, 2, 9),  # B
    ("signed_power", -9, 0.5, -3),  # B
    ("power", -8, 1 / 3, NAN),
    ("power", -2, 2, 4),
    ("divide", 1, 0, INF),
    ("divide", -1, 0, -INF),
    ("divide", 0, 0, NAN),
    ("add", 1, NAN, NAN),
    ("subtract", 3, 5, -2),
    ("multiply", 3, 5, 15),
    ("max", 1, NAN, NAN),
    ("min", 1, 2, 1),
    ("max", 1, 2, 2),
    ("less", 1, 2, 1),
    ("less", 2, NAN, NAN),
    ("less_equal", 2, 2, 1),
    ("greater", 1, 2, 0),
    ("greater_equal", 2, 2, 1),
    ("equal", 2, 2, 1),
    ("not_equal", 2, 2, 0),
]

GROUPED = [  # operator, row, groups, expected
    ("group_neutralize", (3, 2, 6, 5, 8), (0, 0, 0, 0, 0), (-1.8, -2.8, 1.2, 0.2, 3.2)),  # B
    ("group_neutralize", (1, 3, 10, 20), (0, 0, 1, 1), (-1, 1, -5, 5)),
    ("group_scale", (10, 20, 30), (0, 0, 0), (0, 0.5, 1)),  # B
    ("group_scale", (5, 5, 7), (0, 0, 1), (NAN, NAN, NAN)),
    ("group_rank", (4, 3, 6, 10), (0, 0, 1, 1), (1, 0, 0, 1)),
    ("group_rank", (4, NAN), (0, 1), (0.5, NAN)),
]


@pytest.mark.parametrize(("name", "inputs", "window", "expected"), TIME_SERIES)
def test_time_series(name: str, inputs: list[np.ndarray], window: int, expected: float) -> None:
    today = OPERATORS[name].plain(*inputs, window)[-1, 0]
    np.testing.assert_allclose(today, expected, atol=5e-5)


@pytest.mark.parametrize(("name", "values", "expected"), ROWS)
def test_rows(name: str, values: tuple[float, ...], expected: tuple[float, ...]) -> None:
    np.testing.assert_allclose(OPERATORS[name].plain(row(*values))[0], expected, atol=5e-5)


@pytest.mark.parametrize(("name", "x", "y", "expected"), PAIRS)
def test_pairs(name: str, x: float, y: float, expected: float) -> None:
    np.testing.assert_allclose(OPERATORS[name].plain(row(x), row(y))[0, 0], expected)


@pytest.mark.parametrize(("name", "values", "groups", "expected"), GROUPED)
def test_groups(name: str, values: tuple[float, ...], groups: tuple[int, ...], expected: tuple[float, ...]) -> None:
    np.testing.assert_allclose(OPERATORS[name].plain(row(*values), np.array([groups], dtype=np.float64))[0], expected)


def test_choice() -> None:
    chosen = OPERATORS["if_else"].plain(row(1, 0, NAN, -2), row(1, 1, 1, 1), row(5, 5, 5, 5))
    assert chosen[0].tolist() == [1, 5, 5, 1]


NEVER_FINITE: frozenset[str] = frozenset()  # of normal noise in windows of five


@pytest.mark.parametrize("name", [n for n, o in OPERATORS.items() if "strict" in o.takes and n != "group_backfill"])
def test_strict_windows_need_every_value(name: str) -> None:
    operator = OPERATORS[name]
    random = np.random.default_rng(3)
    values: dict[Slot, Any] = {Slot.WINDOW: 5, Slot.GROUP: np.zeros((8, 2))}
    inputs = [values[slot] if slot in values else random.normal(size=(8, 2)) for slot in operator.slots]
    needed = [(each.name, max(each.type.lowest, 0.5)) for each in operator.attributes if each.required]
    strict = operator.run_plain(inputs, needed, strict=True)
    history = 5 + operator.history
    assert np.isnan(strict[:history]).all()
    assert np.isfinite(strict[history:]).all() == (name not in NEVER_FINITE)
