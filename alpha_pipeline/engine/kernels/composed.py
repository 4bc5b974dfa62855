"""Kernels put together from others and from NumPy, so that nothing is compiled for them: means of ranks, ranks by side,
jumps beside a deviation, turnover over a window.

Other kernels give float32. Where a difference is made of ranks, their exact values are found again: a rank among n is
a whole number of halves over n − 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.kernels import moments, running, time_rank
from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.engine.kernels.memory import counted
from alpha_pipeline.engine.kernels.rank import rank_columns

WIDTH = 64  # columns at a time, with all their days
STRIP = 50_000  # cells at a time, of whole rows
NAN = np.float32(np.nan)

Wide: TypeAlias = NDArray[np.float64]


def _tiles(lo: int, hi: int) -> Iterator[slice]:
    for left in range(lo, hi, WIDTH):
        yield slice(left, min(left + WIDTH, hi))


def _strips(lo: int, hi: int, columns: int) -> Iterator[slice]:
    rows = max(1, STRIP // max(1, columns))
    for start in range(lo, hi, rows):
        yield slice(start, min(start + rows, hi))


def _exact(ranks: Matrix, count: NDArray[Any]) -> Wide:
    """Ranks 0 to 1 among `count` values, without float32's rounding."""
    halves = 2.0 * np.maximum(count - 1, 1)
    exact: Wide = np.rint(ranks * halves) / halves
    return exact


def _ranked(x: Matrix) -> Wide:
    """Exact ranks of each row."""
    ranks = np.empty_like(x)
    rank_columns(x, ranks, 0, len(x), 0, x.shape[1])
    return _exact(ranks, (~np.isnan(x)).sum(axis=1, keepdims=True))


def _means_apart(ranks: Wide) -> Wide:
    """Geometric less arithmetic mean over the first axis."""
    apart: Wide = np.prod(ranks, axis=0) ** (1 / len(ranks)) - ranks.mean(axis=0)
    return apart


def _rank_means(*arguments: Any) -> None:
    *inputs, out, lo, hi = arguments
    for rows in _strips(lo, hi, out.shape[1]):
        out[rows] = _means_apart(np.stack([_ranked(x[rows]) for x in inputs]))


def _ts_rank_means(*arguments: Any) -> None:
    *inputs, window, needed, out, lo, hi = arguments
    for columns in _tiles(lo, hi):
        ranks = []
        for x in inputs:
            tile = x[:, columns].copy()
            told = np.empty_like(tile)
            time_rank.rank(tile, window, needed, 0.0, told, 0, tile.shape[1])
            ranks.append(_exact(told, counted(~np.isnan(tile), window)))
        out[:, columns] = _means_apart(np.stack(ranks))


def _rank_by_side(x: Matrix, rate: float, scale: float, out: Matrix, lo: int, hi: int) -> None:
    with np.errstate(all="ignore"):
        for rows in _strips(lo, hi, out.shape[1]):
            values = x[rows]
            above, below = _ranked(np.where(values > 0, values, NAN)), _ranked(np.where(values < 0, -values, NAN))
            ranks = np.where(values > 0, above, np.where(values < 0, 0 - below, values))
            total = np.nansum(np.abs(ranks), axis=1, keepdims=True)
            out[rows] = scale * ranks / np.where(total > 0, total, np.nan)


def _jump_decay(
    x: Matrix,
    window: int,
    needed: int,
    stddev: bool,
    sensitivity: float,
    force: float,
    out: Matrix,
    lo: int,
    hi: int,
) -> None:
    for columns in _tiles(lo, hi):
        tile = x[:, columns].copy()
        valid = np.isfinite(tile)
        values = np.where(valid, tile, NAN).astype(np.float64)
        change = np.full(values.shape, np.nan)
        if window > 1:
            np.subtract(values[1:], values[:-1], out=change[1:])
        limit: NDArray[Any] = np.ones((1, 1))
        if stddev:
            limit = np.empty_like(tile)
            moments.KERNELS["ts_std_dev"].run(tile, window, 1, limit, 0, tile.shape[1])
        damped = np.where(np.abs(change) > sensitivity * limit, values - change + force * change, values)
        out[:, columns] = np.where(counted(valid, window) >= needed, damped, np.nan)


def _turnover(x: Matrix, window: int, needed: int, out: Matrix, lo: int, hi: int) -> None:
    for columns in _tiles(lo, hi):
        tile = x[:, columns]
        valid = np.isfinite(tile)
        values = np.where(valid, tile, NAN).astype(np.float64)
        changes, sizes, traded, held = (np.full(tile.shape, NAN) for _ in range(4))
        changes[1:] = np.abs(values[1:] - values[:-1])
        sizes[1:] = np.where(np.isnan(changes[1:]), NAN, np.abs(values[1:]))
        if window > 1:
            running.KERNELS["ts_sum"].run(changes, window - 1, 1, traded, 0, tile.shape[1])
            running.KERNELS["ts_sum"].run(sizes, window - 1, 1, held, 0, tile.shape[1])
        told = (held > 0) & (counted(valid, window) >= needed)
        out[:, columns] = np.where(told, traded / np.where(held > 0, held, 1), NAN)


KERNELS: dict[str, Kernel] = {
    "rank_gmean_amean_diff": Kernel("rows", _rank_means),
    "ts_rank_gmean_amean_diff": Kernel("columns", _ts_rank_means),
    "rank_by_side": Kernel("rows", _rank_by_side),
    "jump_decay": Kernel("columns", _jump_decay),
    "inst_tvr": Kernel("columns", _turnover),
}
