"""Cell by cell: arithmetic, comparisons, logic, the choice between two values.

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


def _in_strips(function: Callable[..., Any], matrices: int, broadcasts: bool = True) -> Kernel:
    """A kernel from a function of `matrices` array strips, then attributes and choices, that writes to `out`."""

    def run(*arguments: Any) -> None:
        *inputs, out, lo, hi = arguments
        rest = inputs[matrices:]
        with np.errstate(all="ignore"):
            rows = max(1, STRIP // max(1, out.shape[1]))
            for start in range(lo, hi, rows):
                stop = min(start + rows, hi)
                strips = (_rows(x, start, stop) for x in inputs[:matrices])
                function(*strips, *rest, out=out[start:stop])

    return Kernel("rows", run, broadcasts)


def _at_once(function: Callable[..., Any]) -> Kernel:
    """A kernel of one ufunc, which needs no room between its inputs and `out`: nothing is gained by strips."""

    def run(*arguments: Any) -> None:
        *inputs, out, lo, hi = arguments
        with np.errstate(all="ignore"):
            function(*(_rows(x, lo, hi) for x in inputs), out=out[lo:hi])

    return Kernel("rows", run, broadcasts=True)


def _filtered(function: Callable[..., Any]) -> Kernel:
    """A sum or difference whose NaN count as 0 where the attribute `filter` is set."""

    def fill(x: Matrix, y: Matrix, out: Matrix) -> None:
        function(_filled(x, ZERO), _filled(y, ZERO), out=out)

    plain, filling = _at_once(function), _in_strips(fill, 2)

    def run(x: Matrix, y: Matrix, filtered: bool, out: Matrix, lo: int, hi: int) -> None:
        (filling if filtered else plain).run(x, y, out, lo, hi)

    return Kernel("rows", run, broadcasts=True)


def _filled(x: Matrix, value: np.float32) -> Matrix:
    return np.where(np.isnan(x), value, x)


def _multiply_filled(x: Matrix, y: Matrix, value: np.float32, out: Matrix) -> None:
    np.multiply(_filled(x, value), _filled(y, value), out=out)


def _multiply(x: Matrix, y: Matrix, filtered: bool, reading: str, out: Matrix, lo: int, hi: int) -> None:
    if filtered:
        FILLED_PRODUCT.run(x, y, ONE if reading == "one" else ZERO, out, lo, hi)
    else:
        PRODUCT.run(x, y, out, lo, hi)


PRODUCT, FILLED_PRODUCT = _at_once(np.multiply), _in_strips(_multiply_filled, 2)


def _in_double(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of one matrix worked out in float64: what is too small or too large for float32 becomes 0 or inf."""

    def run(x: Matrix, out: Matrix) -> None:
        np.copyto(out, function(x.astype(np.float64)), casting="same_kind")

    return run


def _finite(x: Matrix, out: Matrix) -> None:
    np.copyto(out, x)
    np.copyto(out, NAN, where=~np.isfinite(x))


def _tail(x: Matrix, lower: float, upper: float, newval: float, out: Matrix) -> None:
    inside = (x > np.float32(lower)) & (x < np.float32(upper))
    np.copyto(out, x)
    np.copyto(out, np.float32(newval), where=inside)


def _not_nan(x: Matrix, out: Matrix) -> None:
    np.equal(x, x, out=out)


def _not_finite(x: Matrix, out: Matrix) -> None:
    np.copyto(out, ~np.isfinite(x))


def _log(x: Matrix, out: Matrix) -> None:
    zero = x == 0
    np.log(x, out=out)
    if zero.any():
        np.copyto(out, NAN, where=zero)  # log(0) is -inf to NumPy


PLAIN_POWERS: dict[float, Callable[..., Any]] = {-1.0: np.reciprocal, 0.5: np.sqrt, 1.0: np.positive, 2.0: np.square}
"""Powers that need no logarithm: ten times as fast, NaN stays NaN, and rounded once."""


def _power(x: Matrix, y: Matrix, out: Matrix) -> None:
    """`out` is neither x nor y. A cell's bits do not depend on its neighbours: a strip is cut anywhere."""
    plain = PLAIN_POWERS.get(float(y[0, 0])) if len(y) == 1 and (y == y[0, 0]).all() else None
    if plain is not None:
        plain(x, out=out)
        return
    missing, lowest = np.isnan(x) | np.isnan(y), x == -np.inf
    if lowest.any():
        missing |= lowest & np.isfinite(y) & (y % 1 != 0)
    np.power(x, y, out=out)
    np.copyto(out, NAN, where=missing)  # NaN^0, 1^NaN and (−inf)^0.5 are numbers to NumPy
    for exponent, function in PLAIN_POWERS.items():
        chosen = y == np.float32(exponent)
        if chosen.any():
            function(x, out=out, where=chosen)


def _signed_power(x: Matrix, y: Matrix, out: Matrix) -> None:
    if len(y) == 1 and (y == np.float32(2)).all():
        np.multiply(x, np.abs(x), out=out)
    else:
        raised = np.empty_like(out)
        _power(np.abs(x), y, raised)
        _sign(x, out, 0, len(out))
        np.multiply(out, raised, out=out)
    np.add(out, ZERO, out=out)  # of −0: +0, however it came about


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


@njit
def _logic(x: Matrix, y: Matrix, either: bool, out: Matrix, lo: int, hi: int) -> None:
    """Logic of two conditions: true is what is not 0, NaN if either is."""
    step_x, step_y = int(len(x) > 1), int(len(y) > 1)
    for t in range(lo, hi):
        a, b, o = x[t * step_x], y[t * step_y], out[t]
        for j in range(len(o)):
            p, q = a[j], b[j]
            one, other = p != ZERO, q != ZERO
            o[j] = (ONE if (one & other) | (either & (one | other)) else ZERO) if (p == p) & (q == q) else NAN


@njit
def _extreme(x: Matrix, y: Matrix, largest: bool, out: Matrix, lo: int, hi: int) -> None:
    """The larger or the smaller of two; of zeros of both signs +0, whichever comes first."""
    step_x, step_y = int(len(x) > 1), int(len(y) > 1)
    for t in range(lo, hi):
        a, b, o = x[t * step_x], y[t * step_y], out[t]
        for j in range(len(o)):
            p, q = a[j], b[j]
            o[j] = (p if (p > q) == largest else q) + ZERO if (p == p) & (q == q) else NAN


@njit
def _sign(x: Matrix, out: Matrix, lo: int, hi: int) -> None:
    step = int(len(x) > 1)
    for t in range(lo, hi):
        a, o = x[t * step], out[t]
        for j in range(len(o)):
            p = a[j]
            found = ONE if p > ZERO else (-ONE if p < ZERO else ZERO)
            o[j] = found if p == p else NAN


def _comparison(compiled: Callable[..., Any], flag: bool, swap: bool = False) -> Kernel:
    def run(x: Matrix, y: Matrix, out: Matrix, lo: int, hi: int) -> None:
        first, second = (y, x) if swap else (x, y)
        compiled(first, second, flag, out, lo, hi)

    return Kernel("rows", run, broadcasts=True)


def _not(x: Matrix, out: Matrix, lo: int, hi: int) -> None:
    _equal(x, np.zeros((1, out.shape[1]), np.float32), True, out, lo, hi)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


KERNELS: dict[str, Kernel] = {
    "add": _filtered(np.add),
    "subtract": _filtered(np.subtract),
    "multiply": Kernel("rows", _multiply, broadcasts=True),
    "divide": _at_once(np.divide),
    "power": _in_strips(_power, 2),
    "signed_power": _in_strips(_signed_power, 2),
    "max": _comparison(_extreme, True),
    "min": _comparison(_extreme, False),
    "reverse": _at_once(np.negative),
    "inverse": _at_once(np.reciprocal),
    "abs": _at_once(np.abs),
    "log": _in_strips(_log, 1),
    "sqrt": _at_once(np.sqrt),
    "sign": Kernel("rows", _sign, broadcasts=True),
    "exp": _in_strips(_in_double(np.exp), 1),
    "sigmoid": _in_strips(_in_double(_sigmoid), 1),
    "tanh": _at_once(np.tanh),
    "floor": _at_once(np.floor),
    "ceiling": _at_once(np.ceil),
    "purify": _in_strips(_finite, 1),
    "pasteurize": _in_strips(_finite, 1, broadcasts=False),
    "tail": _in_strips(_tail, 1),
    "less": _comparison(_less, False),
    "less_equal": _comparison(_less, True),
    "greater": _comparison(_less, False, swap=True),
    "greater_equal": _comparison(_less, True, swap=True),
    "equal": _comparison(_equal, True),
    "not_equal": _comparison(_equal, False),
    "and": _comparison(_logic, False),
    "or": _comparison(_logic, True),
    "not": Kernel("rows", _not, broadcasts=True),
    "negate": Kernel("rows", _not, broadcasts=True),
    "is_nan": _in_strips(np.isnan, 1),
    "is_not_nan": _in_strips(_not_nan, 1),
    "is_finite": _in_strips(np.isfinite, 1),
    "is_not_finite": _in_strips(_not_finite, 1),
    "if_else": Kernel("rows", _if_else, broadcasts=True),
}
