"""polars_ta, operator by operator over instruments or days, as its own code generator lays them out.

A frame of one row for each instrument and day, sorted by both; missing data is null, windows use what they hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import polars_ta
import polars_ta.prefix.wq as wq

from benchmarks.twelve import TWELVE

polars_ta.MIN_SAMPLES = 1


class PolarsTa:
    """The operators, on polars Series."""

    def __init__(self, dates: int, instruments: int) -> None:
        self.keys = pl.DataFrame(
            {
                "asset": np.repeat(np.arange(instruments, dtype=np.int32), dates),
                "date": np.tile(np.arange(dates, dtype=np.int32), instruments),
            }
        )

    def _over(self, key: str, expression: pl.Expr, *columns: pl.Series) -> pl.Series:
        named = [column.alias(name) for name, column in zip("xy", columns, strict=False)]
        return self.keys.with_columns(named).select(expression.over(key).alias("out"))["out"]

    def rank(self, x: Any) -> Any:
        return self._over("date", wq.cs_rank(pl.col("x")), x)

    def scale(self, x: Any) -> Any:
        return self._over("date", wq.cs_scale(pl.col("x")), x)

    def delta(self, x: Any, days: int) -> Any:
        return self._over("asset", wq.ts_delta(pl.col("x"), days), x)

    def sum(self, x: Any, days: int) -> Any:
        return self._over("asset", wq.ts_sum(pl.col("x"), days), x)

    def mean(self, x: Any, days: int) -> Any:
        return self._over("asset", wq.ts_mean(pl.col("x"), days), x)

    def std(self, x: Any, days: int) -> Any:
        return self._over("asset", wq.ts_std_dev(pl.col("x"), days), x)

    def highest(self, x: Any, days: int) -> Any:
        return self._over("asset", wq.ts_max(pl.col("x"), days), x)

    def lowest(self, x: Any, days: int) -> Any:
        return self._over("asset", wq.ts_min(pl.col("x"), days), x)

    def days_since_highest(self, x: Any, days: int) -> Any:
        return self._over("asset", wq.ts_arg_max(pl.col("x"), days), x)

    def ts_rank(self, x: Any, days: int) -> Any:
        return self._over("asset", wq.ts_rank(pl.col("x"), days), x)

    def decay(self, x: Any, days: int) -> Any:
        return self._over("asset", wq.ts_decay_linear(pl.col("x"), days), x)

    def corr(self, x: Any, y: Any, days: int) -> Any:
        return self._over("asset", wq.ts_corr(pl.col("x"), pl.col("y"), days), x, y)

    def if_above(self, x: Any, y: Any, then: float, otherwise: float) -> Any:
        frame = pl.DataFrame({"x": x, "y": y})
        chosen = pl.when(pl.col("x") > pl.col("y")).then(pl.lit(then, pl.Float32)).otherwise(otherwise)
        return frame.select(chosen.alias("out"))["out"]


def runners(
    fields: Mapping[str, npt.NDArray[np.float32]], threads: int
) -> dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]]:
    """By expression: how it is run, and how its result becomes [dates, instruments]."""
    shape = fields["close"].shape
    operators = PolarsTa(*shape)
    own = {
        name: pl.Series(name, np.ascontiguousarray(values.T).ravel()).fill_nan(None) for name, values in fields.items()
    }

    def back(x: Any) -> Any:
        return x.cast(pl.Float32).fill_null(float("nan")).to_numpy().reshape(shape[1], shape[0]).T

    return {name: (partial(program, operators, own), back) for name, (_, program) in TWELVE.items()}
