"""ts_quantile: today's rank in its window through the inverse distribution function of the driver."""

from __future__ import annotations

import numpy as np

from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.engine.kernels.memory import counted
from alpha_pipeline.engine.kernels.moments import zscore
from alpha_pipeline.engine.kernels.time_rank import rank
from alpha_pipeline.expression.operators.time_series_scores import distribution, inverse_distribution

STRIP = 64  # rows at a time


def _quantile(
    x: Matrix, window: int, needed: int, driver: str, quantile_over_time: str, out: Matrix, lo: int, hi: int
) -> None:
    by_rank = quantile_over_time == "rank"
    if by_rank:
        rank(x, window, needed, 0.0, out, lo, hi)
    else:
        zscore(x, window, max(needed, 2), out, lo, hi)
    held = counted(~np.isnan(x[:, lo:hi]) if by_rank else np.isfinite(x[:, lo:hi]), window)
    with np.errstate(all="ignore"):
        for t in range(0, len(x), STRIP):
            n = held[t : t + STRIP].astype(np.float64)
            told = out[t : t + STRIP, lo:hi].astype(np.float64)
            if by_rank:
                halves = 2 * np.maximum(n - 1, 1)  # ranks are whole halves over n − 1: float32 has lost digits of them
                share = 1 / n + np.rint(told * halves) / halves * (1 - 2 / n)
                out[t : t + STRIP, lo:hi] = inverse_distribution(driver, share)
            else:
                out[t : t + STRIP, lo:hi] = distribution(driver, told * np.sqrt((n - 1) / n))


KERNELS: dict[str, Kernel] = {"ts_quantile": Kernel("columns", _quantile)}
