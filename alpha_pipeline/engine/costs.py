"""What operators cost to run, roughly, in copies of a float32 panel: for plans, never for results.

Figures are those of docs/performance.md, rounded, for an operator inside a tile or a block of rows. They decide what is
worth keeping and in which order a batch runs; a wrong one costs time only.
"""

from __future__ import annotations

from functools import lru_cache

from alpha_pipeline.engine.kernels import KERNELS
from alpha_pipeline.expression import OPERATORS, Call, Constant, Node

CELLWISE, BY_COLUMNS, BY_ROWS, PLAIN = 0.5, 5.0, 3.0, 100.0
COPY_SECONDS = 2e-10  # for a cell of a panel that is copied
WORTH = 3.0  # what is cheaper to make is not worth keeping a matrix for

_KNOWN = {
    "signed_power": 4.0,
    "power": 4.0,
    "log": 2.0,
    "exp": 6.0,
    "sigmoid": 8.0,
    "tanh": 4.0,
    "ts_delay": 0.5,
    "ts_delta": 0.6,
    "ts_sum": 3.5,
    "ts_mean": 3.5,
    "ts_arg_max": 9.0,
    "ts_arg_min": 9.0,
    "ts_corr": 8.0,
    "ts_covariance": 8.0,
    "ts_regression": 12.0,
    "rank": 13.0,
    "quantile": 40.0,
    "group_rank": 16.0,
    "group_zscore": 4.0,
    "group_scale": 4.0,
}
_A_DAY = {"ts_rank": 0.3}
"""Operators whose cost grows with the window."""


def own_cost(call: Call) -> float:
    """Of the operator alone, its inputs being there."""
    operator = OPERATORS[call.operator]
    daily = _A_DAY.get(call.operator)
    if daily is not None and operator.window_position is not None:
        window = call.arguments[operator.window_position]
        return 6.0 + daily * (window.value if isinstance(window, Constant) else 20.0)
    known = _KNOWN.get(call.operator)
    if known is not None:
        return known
    kernel = KERNELS.get(call.operator)
    if kernel is None:
        return PLAIN
    if operator.across == "cells":
        return CELLWISE
    return BY_COLUMNS if kernel.axis == "columns" else BY_ROWS


@lru_cache(maxsize=1 << 16)
def cost(node: Node) -> float:
    """Of a whole tree, each operator counted as often as it is written."""
    if not isinstance(node, Call):
        return 0.0
    return own_cost(node) + sum(cost(argument) for argument in node.arguments)
