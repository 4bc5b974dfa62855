"""Transformational operators: buckets, and values held until a condition (`tail` is among the elementwise ones)."""

from __future__ import annotations

import numpy as np

from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.expression.operators.texts import edges_of

STRIP = 50_000  # cells at a time
NAN = np.float32(np.nan)


def bucket_labels(edges: int, skip_begin: bool, skip_end: bool, skip_both: bool, nan_group: bool) -> Matrix:
    """Float32 labels [edges + 2] by place: below all edges, the intervals, above all, NaN; NaN where skipped."""
    following = edges - 1
    labels = np.full(edges + 2, NAN, np.float32)
    labels[1:-2] = np.arange(following)
    for place, wanted in ((0, not (skip_begin or skip_both)), (-2, not (skip_end or skip_both)), (-1, nan_group)):
        if wanted:
            labels[place] = following
            following += 1
    return labels


def _bucket(
    x: Matrix,
    range_text: str,
    edges_text: str,
    skip_begin: bool,
    skip_end: bool,
    skip_both: bool,
    nan_group: bool,
    out: Matrix,
    lo: int,
    hi: int,
) -> None:
    edges = edges_of(range_text, edges_text)
    labels = bucket_labels(len(edges), skip_begin, skip_end, skip_both, nan_group)
    rows = max(1, STRIP // max(1, out.shape[1]))
    for start in range(lo, hi, rows):
        strip = x[start : min(start + rows, hi)]
        places = np.searchsorted(edges, strip)
        places[np.isnan(strip)] = len(edges) + 1
        out[start : start + len(strip)] = labels[places]


def _trade_when(x: Matrix, y: Matrix, z: Matrix, out: Matrix, lo: int, hi: int) -> None:
    step_x, step_y, step_z = (int(len(each) > 1) for each in (x, y, z))
    held = np.full(hi - lo, NAN, np.float32)
    for t in range(len(out)):
        np.copyto(held, y[t * step_y, lo:hi], where=x[t * step_x, lo:hi] > 0)
        np.copyto(held, NAN, where=z[t * step_z, lo:hi] > 0)
        out[t, lo:hi] = held


KERNELS: dict[str, Kernel] = {
    "bucket": Kernel("rows", _bucket),
    "trade_when": Kernel("columns", _trade_when, broadcasts=True),
}
