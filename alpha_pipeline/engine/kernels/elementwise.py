"""Cell by cell: arithmetic, comparisons, the choice between two values.

NumPy's ufuncs are as fast as memory here and release the GIL, so arithmetic is theirs; what they lack (three-valued
comparison, choice, powers in which NaN stays NaN) is compiled or patched below. Blocks are cut into strips of rows that
stay in the second-level cache.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.jit import njit

STRIP = 50_000  # cells: three operands take 0.6 MB
NAN = np.float32(np.nan)
ONE = np.float32(1)
ZERO = np.float32(0)


def _rows(x: Matrix, lo: int, hi: int) -> Matrix:
    """Rows [lo, hi) of a matrix, or the one row that stands for all."""
    return x[lo:hi] if len(x) > 1 else x


def _in_strips(function: Callable[..., Any]) -> Kernel:
    """A kernel from a function of array strips that writes to `out`."""

    def run(*arguments: Any) -> None:
        *inputs, out, lo, hi = arguments
        with np.errstate(all="ignore"):
            rows = max(1, STRIP // max(1, out.shape[1]))
            for start in range(lo, hi, rows):
                stop = min(start + rows, hi)
                function(*(_rows(x, start, stop) for x in inputs), out=out[start:stop])

    return Kernel("rows", run, broadcasts=True)


def _log(x: Matrix, out: Matrix) -> None:
    zero = x == 0
    np.log(x, out=out)
    np.copyto(out, NAN, where=zero)  # log(0) is -inf to NumPy


PLAIN_POWERS: dict[float, Callable[..., Any]] = {-1.0: np.reciprocal, 0.5: np.sqrt, 1.0: np.positive, 2.0: np.square}
"""Constant powers that need no logarithm; they are ten times as fast, and keep NaN."""


def _power(x: Matrix, y: Matrix, out: Matrix) -> None:
    plain = PLAIN_POWERS.get(float(y[0, 0])) if len(y) == 1 and (y == y[0, 0]).all() else None
    if plain is not None:
        plain(x, out=out)
        return
    missing = np.isnan(x) | np.isnan(y)
    np.power(x, y, out=out)
    np.copyto(out, NAN, where=missing)  # NaN^0 and 1^NaN are 1 to NumPy


def _signed_power(x: Matrix, y: Matrix, out: Matrix) -> None:
    _power(np.abs(x), y, out)
    np.multiply(out, np.sign(x), out=out)


@njit
def _less(x: Matrix, y: Matrix, or_equal: bool, out: Matrix, lo: int, hi: int) -> None:
    step_x, step_y = int(len(x) > 1), int(len(y) > 1)
    for t in range(lo, hi):
        a, b, o = x[t * step_x], y[t * step_y], out[t]
        if or_equal:
            for j in range(len(o)):
                p, q = a[j], b[j]
                o[j] = (ONE if p <= q else ZERO) if (p == p) & (q == q) else NAN
        else:
            for j in range(len(o)):
                p, q = a[j], b[j]
                o[j] = (ONE if p < q else ZERO) if (p == p) & (q == q) else NAN


@njit
def _equal(x: Matrix, y: Matrix, wanted: bool, out: Matrix, lo: int, hi: int) -> None:
    step_x, step_y = int(len(x) > 1), int(len(y) > 1)
    same = ONE if wanted else ZERO
    different = ZERO if wanted else ONE
    for t in range(lo, hi):
        a, b, o = x[t * step_x], y[t * step_y], out[t]
        for j in range(len(o)):
            p, q = a[j], b[j]
            o[j] = (same if p == q else different) if (p == p) & (q == q) else NAN


@njit
def _if_else(condition: Matrix, x: Matrix, y: Matrix, out: Matrix, lo: int, hi: int) -> None:
    step_c, step_x, step_y = int(len(condition) > 1), int(len(x) > 1), int(len(y) > 1)
    for t in range(lo, hi):
        c, a, b, o = condition[t * step_c], x[t * step_x], y[t * step_y], out[t]
        for j in range(len(o)):
            # both sides are loaded first, so that the choice is one masked move
            p, chosen, other = c[j], a[j], b[j]
            o[j] = chosen if (p == p) & (p != ZERO) else other


def _comparison(compiled: Callable[..., Any], flag: bool, swap: bool = False) -> Kernel:
    def run(x: Matrix, y: Matrix, out: Matrix, lo: int, hi: int) -> None:
        first, second = (y, x) if swap else (x, y)
        compiled(first, second, flag, out, lo, hi)

    return Kernel("rows", run, broadcasts=True)


KERNELS: dict[str, Kernel] = {
    "add": _in_strips(np.add),
    "subtract": _in_strips(np.subtract),
    "multiply": _in_strips(np.multiply),
    "divide": _in_strips(np.divide),
    "power": _in_strips(_power),
    "signed_power": _in_strips(_signed_power),
    "reverse": _in_strips(np.negative),
    "abs": _in_strips(np.abs),
    "log": _in_strips(_log),
    "sign": _in_strips(np.sign),
    "max": _in_strips(np.maximum),
    "min": _in_strips(np.minimum),
    "less": _comparison(_less, False),
    "less_equal": _comparison(_less, True),
    "greater": _comparison(_less, False, swap=True),
    "greater_equal": _comparison(_less, True, swap=True),
    "equal": _comparison(_equal, True),
    "not_equal": _comparison(_equal, False),
    "if_else": Kernel("rows", _if_else, broadcasts=True),
}
