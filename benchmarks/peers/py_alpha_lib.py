"""py-alpha-lib: its compiled module, called as its Python layer does (that layer needs Python 3.12 to be read).

float64, one instrument after the other. Its own `scale` divides by the sum over all days; ours here is by day.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.twelve import TWELVE

SKIP_MISSING = 1
"""The flag with which windows use the valid values they hold."""


def compiled() -> ModuleType:
    """The Rust module, without the package around it."""
    package = importlib.util.find_spec("alpha")
    if package is None or package.origin is None:
        raise ImportError("no package alpha")
    path = next((Path(package.origin).parent / "algo").glob("_algo*"))
    loader = importlib.machinery.ExtensionFileLoader("_algo", str(path))
    spec = importlib.util.spec_from_file_location("_algo", path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


class PyAlphaLib:
    """The operators, on float64 [instruments · dates]."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.algo = compiled()
        self.algo.set_ctx(groups=shape[1], flags=SKIP_MISSING)

    def _call(self, name: str, *arguments: Any) -> Any:
        out = np.empty_like(arguments[0])
        getattr(self.algo, name)(out, *arguments)
        return out

    def rank(self, x: Any) -> Any:
        return self._call("cc_rank", x)

    def scale(self, x: Any) -> Any:
        matrix = x.reshape(self.shape[1], self.shape[0])
        return (matrix / np.nansum(np.abs(matrix), axis=0)).ravel()

    def delta(self, x: Any, days: int) -> Any:
        return x - self._call("ref", x, days)

    def sum(self, x: Any, days: int) -> Any:
        return self._call("sum", x, days)

    def mean(self, x: Any, days: int) -> Any:
        return self._call("ma", x, days)

    def std(self, x: Any, days: int) -> Any:
        return self._call("stddev", x, days)

    def highest(self, x: Any, days: int) -> Any:
        return self._call("hhv", x, days)

    def lowest(self, x: Any, days: int) -> Any:
        return self._call("llv", x, days)

    def days_since_highest(self, x: Any, days: int) -> Any:
        return self._call("hhvbars", x, days)

    def ts_rank(self, x: Any, days: int) -> Any:
        return self._call("rank", x, days)

    def decay(self, x: Any, days: int) -> Any:
        return self._call("lwma", x, days)

    def corr(self, x: Any, y: Any, days: int) -> Any:
        return self._call("corr2", x, y, days)

    def if_above(self, x: Any, y: Any, then: float, otherwise: float) -> Any:
        return np.where(x > y, then, otherwise)


def runners(
    fields: Mapping[str, npt.NDArray[np.float32]], threads: int
) -> dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]]:
    """By expression: how it is run, and how its result becomes [dates, instruments]."""
    shape = fields["close"].shape
    operators = PyAlphaLib((shape[0], shape[1]))
    own = {name: np.ascontiguousarray(values.T, dtype=np.float64).ravel() for name, values in fields.items()}

    def back(x: Any) -> Any:
        return x.reshape(shape[1], shape[0]).T

    return {name: (partial(program, operators, own), back) for name, (_, program) in TWELVE.items()}
