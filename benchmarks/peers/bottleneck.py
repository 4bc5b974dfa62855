"""bottleneck where it has the operator, NumPy where not: float32 [dates, instruments], one thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import bottleneck as bn
import numpy as np
import numpy.typing as npt

from benchmarks.twelve import TWELVE

Matrix = npt.NDArray[np.float32]


class Bottleneck:
    """The operators."""

    def rank(self, x: Matrix) -> Any:
        valid = np.isfinite(x).sum(axis=1, keepdims=True)
        return ((bn.nanrankdata(x, axis=1) - 1) / (valid - 1)).astype(np.float32)

    def scale(self, x: Matrix) -> Any:
        return x / np.nansum(np.abs(x), axis=1, keepdims=True)

    def delta(self, x: Matrix, days: int) -> Any:
        out = np.full_like(x, np.nan)
        out[days:] = x[days:] - x[:-days]
        return out

    def sum(self, x: Matrix, days: int) -> Any:
        return bn.move_sum(x, days, min_count=1, axis=0)

    def mean(self, x: Matrix, days: int) -> Any:
        return bn.move_mean(x, days, min_count=1, axis=0)

    def std(self, x: Matrix, days: int) -> Any:
        return bn.move_std(x, days, min_count=2, axis=0)

    def highest(self, x: Matrix, days: int) -> Any:
        return bn.move_max(x, days, min_count=1, axis=0)

    def lowest(self, x: Matrix, days: int) -> Any:
        return bn.move_min(x, days, min_count=1, axis=0)

    def days_since_highest(self, x: Matrix, days: int) -> Any:
        return bn.move_argmax(x, days, min_count=1, axis=0)

    def ts_rank(self, x: Matrix, days: int) -> Any:
        return bn.move_rank(x, days, min_count=1, axis=0)

    def decay(self, x: Matrix, days: int) -> Any:
        filled = np.nan_to_num(x)
        out = filled * np.float32(days)
        for age in range(1, days):
            out[age:] += filled[:-age] * np.float32(days - age)
        return out / np.float32(days * (days + 1) / 2)

    def corr(self, x: Matrix, y: Matrix, days: int) -> Any:
        missing = np.isnan(x) | np.isnan(y)
        a, b = np.where(missing, np.nan, x).astype(np.float64), np.where(missing, np.nan, y).astype(np.float64)
        a, b = a - bn.nanmean(a, axis=0), b - bn.nanmean(b, axis=0)

        def mean(values: Any) -> Any:
            return bn.move_mean(values, days, min_count=2, axis=0)

        both = mean(a * b) - mean(a) * mean(b)
        return (both / (self.std(a, days) * self.std(b, days))).astype(np.float32)

    def if_above(self, x: Matrix, y: Matrix, then: float, otherwise: float) -> Any:
        return np.where(x > y, np.float32(then), np.float32(otherwise))


def runners(fields: Mapping[str, Matrix], threads: int) -> dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]]:
    """By expression: how it is run, and how its result becomes [dates, instruments]."""
    operators = Bottleneck()
    return {name: (partial(program, operators, fields), lambda x: x) for name, (_, program) in TWELVE.items()}
