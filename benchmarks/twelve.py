"""The twelve expressions that engines are compared by, as texts and as functions of any engine's own operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

FIELDS = ("open", "high", "low", "close", "vwap", "volume")


class Operators(Protocol):
    """An engine's operators on its own kind of value, which must also take `+ - * /`."""

    def rank(self, x: Any) -> Any:
        """Across instruments."""

    def scale(self, x: Any) -> Any:
        """Divided by the sum of its absolute values across instruments."""

    def delta(self, x: Any, days: int) -> Any: ...

    def sum(self, x: Any, days: int) -> Any: ...

    def mean(self, x: Any, days: int) -> Any: ...

    def std(self, x: Any, days: int) -> Any: ...

    def highest(self, x: Any, days: int) -> Any: ...

    def lowest(self, x: Any, days: int) -> Any: ...

    def days_since_highest(self, x: Any, days: int) -> Any: ...

    def ts_rank(self, x: Any, days: int) -> Any: ...

    def decay(self, x: Any, days: int) -> Any: ...

    def corr(self, x: Any, y: Any, days: int) -> Any: ...

    def if_above(self, x: Any, y: Any, then: float, otherwise: float) -> Any:
        """then where x > y, else otherwise."""


Fields = Mapping[str, Any]
Program = Callable[[Operators, Fields], Any]


def _nested(o: Operators, f: Fields) -> Any:
    volume = o.rank(f["volume"] / o.mean(f["volume"], 20))
    return o.rank(o.ts_rank(o.decay(o.corr(o.rank(o.delta(f["vwap"], 3)), volume, 15), 8), 20)) * -1.0


TWELVE: dict[str, tuple[str, Program]] = {
    "e01": ("rank(close)", lambda o, f: o.rank(f["close"])),
    "e02": (
        "rank(ts_sum(close, 20) / ts_std_dev(close, 20))",
        lambda o, f: o.rank(o.sum(f["close"], 20) / o.std(f["close"], 20)),
    ),
    "e03": (
        "ts_corr(rank(close), rank(volume), 10)",
        lambda o, f: o.corr(o.rank(f["close"]), o.rank(f["volume"]), 10),
    ),
    "e04": ("ts_rank(close, 60)", lambda o, f: o.ts_rank(f["close"], 60)),
    "e05": (
        "ts_decay_linear(rank(ts_delta(close, 5)), 10)",
        lambda o, f: o.decay(o.rank(o.delta(f["close"], 5)), 10),
    ),
    "e06": ("ts_arg_max(close, 30)", lambda o, f: o.days_since_highest(f["close"], 30)),
    "e07": ("-1 * ts_corr(open, volume, 10)", lambda o, f: o.corr(f["open"], f["volume"], 10) * -1.0),
    "e08": (
        "rank(close - vwap) / rank(close + vwap)",
        lambda o, f: o.rank(f["close"] - f["vwap"]) / o.rank(f["close"] + f["vwap"]),
    ),
    "e09": (
        "ts_max(high, 20) - ts_min(low, 20)",
        lambda o, f: o.highest(f["high"], 20) - o.lowest(f["low"], 20),
    ),
    "e10": ("scale(ts_delta(close, 5) * volume)", lambda o, f: o.scale(o.delta(f["close"], 5) * f["volume"])),
    "e11": (
        "if_else(close > ts_mean(close, 20), -1, 1) * rank(volume)",
        lambda o, f: o.if_above(f["close"], o.mean(f["close"], 20), -1.0, 1.0) * o.rank(f["volume"]),
    ),
    "e12": (
        "-rank(ts_rank(ts_decay_linear(ts_corr(rank(ts_delta(vwap, 3)), rank(volume / adv20), 15), 8), 20))",
        _nested,
    ),
}
