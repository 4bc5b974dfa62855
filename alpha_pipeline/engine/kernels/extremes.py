"""Running extremes along time: ts_max, ts_min, ts_arg_max, ts_arg_min; and today's x against them, where only finite
values count: ts_scale, ts_min_diff, ts_max_diff, ts_min_max_diff, ts_min_max_cps.

Van Herk's method: cut time into blocks as long as the window. Any window is the end of one block and the beginning of
the next, so its maximum is the larger of a backward running maximum over the one and a forward one over the other: two
comparisons a cell whatever the window, and no branches. Minima are maxima of the mirrored values. The position of the
extreme is found the same way, on 64-bit integers that hold the value's order above and the day below, so that of equal
values the most recent is the largest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.jit import njit

Wide: TypeAlias = NDArray[np.float64]

WIDTH = 256
NAN = np.float32(np.nan)
LOWEST = np.float32(-np.inf)
NO_KEY = np.int64(-(2**63))
LOW_HALF = np.int64(0xFFFFFFFF)
MAGNITUDE = np.int32(0x7FFFFFFF)
INFINITE_BITS = np.int32(0x7F800000)
MINUS_ZERO = np.int32(-(2**31))
ZERO = np.int32(0)


@njit
def _extreme(x: Matrix, window: int, needed: int, sign: float, out: Matrix, lo: int, hi: int) -> None:
    mirror = np.float32(sign)
    length = min(window, len(x))
    backward = np.empty((length + 1, WIDTH), np.float32)  # row i: maximum of the last block from its day i on
    state = np.zeros((2, WIDTH), np.float32)  # valid values in the window; forward maximum
    nothing = np.full(WIDTH, NAN, np.float32)
    for left in range(lo, hi, WIDTH):
        width = min(WIDTH, hi - left)
        backward[:] = LOWEST
        state[0] = np.float32(0)
        for start in range(0, len(x), length):
            state[1] = LOWEST
            for i in range(min(length, len(x) - start)):
                t = start + i
                entering = x[t, left : left + width]
                leaving = x[t - window, left : left + width] if t >= window else nothing[:width]
                result = out[t, left : left + width]
                before = backward[i + 1]
                for j in range(width):
                    value = entering[j] * mirror
                    enters, leaves = value == value, leaving[j] == leaving[j]
                    count = state[0, j] + (np.float32(1 if enters else 0) - np.float32(1 if leaves else 0))
                    value = value if enters else LOWEST
                    largest = state[1, j]
                    largest = value if value > largest else largest
                    state[0, j], state[1, j] = count, largest
                    earlier = before[j]
                    largest = earlier if earlier > largest else largest
                    result[j] = largest * mirror if count >= needed else NAN
            if start + length < len(x):
                for i in range(length - 1, 0, -1):
                    entering = x[start + i, left : left + width]
                    after, here = backward[i + 1], backward[i]
                    for j in range(width):
                        value = entering[j] * mirror
                        value = value if value == value else LOWEST
                        largest = after[j]
                        here[j] = value if value > largest else largest


@njit
def _days_since(x: Matrix, window: int, needed: int, flip: int, out: Matrix, lo: int, hi: int) -> None:
    bits = x.view(np.int32)
    mirror = np.int32(flip)  # 0, or −1 to reverse the order
    length = min(window, len(x))
    backward = np.empty((length + 1, WIDTH), np.int64)
    forward = np.empty(WIDTH, np.int64)
    valid = np.empty(WIDTH, np.int32)
    missing = np.full(WIDTH, MAGNITUDE, np.int32)  # the bits of a NaN
    for left in range(lo, hi, WIDTH):
        width = min(WIDTH, hi - left)
        backward[:] = NO_KEY
        valid[:] = 0
        for start in range(0, len(x), length):
            forward[:] = NO_KEY
            for i in range(min(length, len(x) - start)):
                t = start + i
                day = np.int64(t)
                entering = bits[t, left : left + width]
                leaving = bits[t - window, left : left + width] if t >= window else missing[:width]
                result = out[t, left : left + width]
                before = backward[i + 1]
                for j in range(width):
                    b = entering[j]
                    enters, leaves = (b & MAGNITUDE) <= INFINITE_BITS, (leaving[j] & MAGNITUDE) <= INFINITE_BITS
                    b = ZERO if b == MINUS_ZERO else b
                    order = (b ^ ((b >> np.int32(31)) & MAGNITUDE)) ^ mirror
                    key = (np.int64(order) << 32) | day
                    key = key if enters else NO_KEY
                    largest = forward[j]
                    largest = key if key > largest else largest
                    forward[j] = largest
                    count = valid[j] + (np.int32(1 if enters else 0) - np.int32(1 if leaves else 0))
                    valid[j] = count
                    earlier = before[j]
                    largest = earlier if earlier > largest else largest
                    result[j] = np.float32(np.int32(day - (largest & LOW_HALF))) if count >= needed else NAN
            if start + length < len(x):
                for i in range(length - 1, 0, -1):
                    day = np.int64(start + i)
                    entering = bits[start + i, left : left + width]
                    after, here = backward[i + 1], backward[i]
                    for j in range(width):
                        b = entering[j]
                        enters = (b & MAGNITUDE) <= INFINITE_BITS
                        b = ZERO if b == MINUS_ZERO else b
                        order = (b ^ ((b >> np.int32(31)) & MAGNITUDE)) ^ mirror
                        key = (np.int64(order) << 32) | day
                        key = key if enters else NO_KEY
                        largest = after[j]
                        here[j] = key if key > largest else largest


def _max(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    _extreme(x, window, needed, 1.0, out, lo, hi)


def _min(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    _extreme(x, window, needed, -1.0, out, lo, hi)


def _arg_max(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    _days_since(x, window, needed, 0, out, lo, hi)


def _arg_min(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    _days_since(x, window, needed, -1, out, lo, hi)


Formula: TypeAlias = Callable[[Wide, Wide, Wide, float], Wide]  # of x, smallest, largest, attribute


def _against(formula: Formula) -> Kernel:
    """A kernel of today's x, the window's smallest and largest finite values and one attribute."""

    def run(x: Matrix, window: int, needed: int, attribute: float, out: Matrix, lo: int, hi: int) -> None:
        for left in range(lo, hi, WIDTH):
            right = min(left + WIDTH, hi)
            tile = x[:, left:right].copy()
            tile[~np.isfinite(tile)] = NAN
            least, most = np.empty_like(tile), np.empty_like(tile)
            _extreme(tile, window, needed, -1.0, least, 0, right - left)
            _extreme(tile, window, needed, 1.0, most, 0, right - left)
            with np.errstate(all="ignore"):
                found = formula(tile.astype(np.float64), least.astype(np.float64), most.astype(np.float64), attribute)
                out[:, left:right] = found

    return Kernel("columns", run)


def _without_attribute(kernel: Kernel) -> Kernel:
    def run(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
        kernel.run(x, window, needed, 0.0, out, lo, hi)

    return Kernel(kernel.axis, run)


def _scaled(x: Wide, least: Wide, most: Wide, constant: float) -> Wide:
    reach = most - least
    reach[reach == 0] = np.nan
    return (x - least) / reach + constant


KERNELS: dict[str, Kernel] = {
    "ts_max": Kernel("columns", _max),
    "ts_min": Kernel("columns", _min),
    "ts_arg_max": Kernel("columns", _arg_max),
    "ts_arg_min": Kernel("columns", _arg_min),
    "ts_scale": _against(_scaled),
    "ts_min_diff": _without_attribute(_against(lambda x, least, most, _: x - least)),
    "ts_max_diff": _without_attribute(_against(lambda x, least, most, _: x - most)),
    "ts_min_max_diff": _against(lambda x, least, most, f: x - f * (least + most)),
    "ts_min_max_cps": _against(lambda x, least, most, f: (least + most) - f * x),
}
