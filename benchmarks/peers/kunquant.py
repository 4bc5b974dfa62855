"""KunQuant: each expression compiled with g++ into a library of its own, float32, on as many threads as asked for.

Its fast statistics let one missing value spoil a running sum for good, so they are off (`no_fast_stat`); a window
that holds a missing value has no result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from KunQuant.Driver import KunCompilerConfig
from KunQuant.jit import cfake
from KunQuant.Op import Builder, ConstantOp, Input, Output, Rank, Scale
from KunQuant.ops import (
    BackRef,
    DecayLinear,
    GreaterThan,
    Select,
    TsArgMax,
    TsRank,
    WindowedAvg,
    WindowedCorrelation,
    WindowedMax,
    WindowedMin,
    WindowedStddev,
    WindowedSum,
)
from KunQuant.runner import KunRunner
from KunQuant.Stage import Function

from benchmarks.twelve import FIELDS, TWELVE

LANES = 8
"""Instruments side by side in its layout "STs", [instruments / 8, dates, 8]; their number must be a multiple."""


class KunQuant:
    """The operators, on nodes of its graph."""

    def rank(self, x: Any) -> Any:
        return Rank(x)

    def scale(self, x: Any) -> Any:
        return Scale(x)

    def delta(self, x: Any, days: int) -> Any:
        return x - BackRef(x, days)

    def sum(self, x: Any, days: int) -> Any:
        return WindowedSum(x, days)

    def mean(self, x: Any, days: int) -> Any:
        return WindowedAvg(x, days)

    def std(self, x: Any, days: int) -> Any:
        return WindowedStddev(x, days)

    def highest(self, x: Any, days: int) -> Any:
        return WindowedMax(x, days)

    def lowest(self, x: Any, days: int) -> Any:
        return WindowedMin(x, days)

    def days_since_highest(self, x: Any, days: int) -> Any:
        return days - TsArgMax(x, days)

    def ts_rank(self, x: Any, days: int) -> Any:
        return TsRank(x, days)

    def decay(self, x: Any, days: int) -> Any:
        return DecayLinear(x, days)

    def corr(self, x: Any, y: Any, days: int) -> Any:
        return WindowedCorrelation(x, days, y)

    def if_above(self, x: Any, y: Any, then: float, otherwise: float) -> Any:
        return Select(GreaterThan(x, y), ConstantOp(then), ConstantOp(otherwise))


def compile_all(operators: KunQuant) -> Any:
    """One library with a module for each expression."""
    functions = []
    for name, (_, program) in TWELVE.items():
        builder = Builder()
        with builder:
            Output(program(operators, {field: Input(field) for field in FIELDS}), "out")
        config = KunCompilerConfig(
            input_layout="STs", output_layout="STs", blocking_len=LANES, options={"no_fast_stat": True}
        )
        functions.append((name, Function(builder.ops), config))
    return cfake.compileit(functions, "twelve", cfake.CppCompilerConfig())


def runners(
    fields: Mapping[str, npt.NDArray[np.float32]], threads: int
) -> dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]]:
    """By expression: how it is run, and how its result becomes [dates, instruments]."""
    dates, instruments = fields["close"].shape
    library = compile_all(KunQuant())
    executor = KunRunner.createSingleThreadExecutor() if threads == 1 else KunRunner.createMultiThreadExecutor(threads)
    own = {
        name: np.ascontiguousarray(values.reshape(dates, instruments // LANES, LANES).transpose(1, 0, 2))
        for name, values in fields.items()
    }

    def task(name: str) -> Callable[[], Any]:
        module = library.getModule(name)
        text = TWELVE[name][0].replace("adv20", "volume")
        used = {field: own[field] for field in FIELDS if field in text}
        out = np.empty((instruments // LANES, dates, LANES), np.float32)
        return lambda: KunRunner.runGraph(executor, module, used, 0, dates, {"out": out})["out"]

    def back(x: Any) -> Any:
        return x.transpose(1, 0, 2).reshape(dates, instruments)

    return {name: (task(name), back) for name in TWELVE}
