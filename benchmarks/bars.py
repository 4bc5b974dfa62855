"""What the engine is held to: each bar, where its figure comes from, and why it is missed where it is.

`rows` reads the figures that the benchmarks found, by module. A bar is missed without a word only if `REASONS` has no
text of its name; it is then printed as such.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Results = Mapping[str, Any]

REASONS: dict[str, str] = {}
"""By name of a bar: the measured reason why it is missed, and the next idea. Not shown while the bar is met."""

GIB = 2.0**30


@dataclass(frozen=True)
class Bar:
    """A figure and its limit.

    Attributes:
        module: whose results it is read from; without them the bar is left open.
        read: the figure; None where it could not be measured.
        least: the figure must be at least the bar, not at most.
    """

    name: str
    unit: str
    bar: float
    module: str
    read: Callable[[Any], float | None]
    least: bool = False


@dataclass(frozen=True)
class Row:
    """A bar as measured; `passed` is None where it could not be."""

    name: str
    value: float | None
    unit: str
    bar: float
    passed: bool | None
    reason: str
    least: bool

    def to_dict(self) -> dict[str, Any]:
        """As in build/bench.json."""
        names = ("name", "value", "unit", "bar", "passed", "reason")
        return {name: getattr(self, name) for name in names}


def _worst(*names: str, windows: tuple[int, ...] = (20, 252)) -> Callable[[Any], float]:
    """The dearest of some operators at some windows, through the engine."""

    def read(found: Any) -> float:
        return max(
            float(row["engine"]) for row in found["operators"] if row["name"] in names and row["window"] in windows
        )

    return read


def _rank(continuous: bool) -> Callable[[Any], float]:
    def read(found: Any) -> float:
        return max(float(row["copies"]) for row in found["rows"] if row["continuous"] is continuous)

    return read


def _run(found: Any) -> Any:
    """The mining run that bars are read from: real prices where they are."""
    return found.get("real", found["embedded"])


def _reaching(found: Any) -> float:
    """Share of proposals that reach stage 6."""
    run = _run(found)
    return 100 * float(run["stages"][5]["in"]) / float(run["proposed"])


def _peak(name: str) -> Callable[[Any], float | None]:
    def read(found: Any) -> float | None:
        return float(found[name]) / GIB if name in found else None

    return read


BARS = (
    Bar("delay, delta", "M", 1.3, "operators", _worst("ts_delay", "ts_delta")),
    Bar("mean, sum", "M", 4.5, "operators", _worst("ts_mean", "ts_sum")),
    Bar("standard deviation", "M", 5.0, "operators", _worst("ts_std_dev")),
    Bar("max, min", "M", 6.5, "operators", _worst("ts_max", "ts_min")),
    Bar("correlation", "M", 8.0, "operators", _worst("ts_corr")),
    Bar("arg_max of 30 days", "M", 13.0, "operators", _worst("ts_arg_max", windows=(30,))),
    Bar("ts_rank of 60 days", "M", 24.0, "operators", _worst("ts_rank", windows=(60,))),
    Bar("exact rank, continuous signals", "M", 14.0, "rank", _rank(True)),
    Bar("exact rank, any distribution", "M", 24.0, "rank", _rank(False)),
    Bar("backtest, market", "M", 3.5, "operators", lambda found: found["backtest"]["market"]["copies"]),
    Bar("backtest, 70 groups", "M", 5.0, "operators", lambda found: found["backtest"]["70 groups"]["copies"]),
    Bar(
        "z-score alpha with backtest, one thread", "ms", 10.0, "operators", lambda found: found["alphas"]["zscore"]["1"]
    ),
    Bar(
        "rank(delta) alpha with backtest, two threads",
        "ms",
        10.0,
        "operators",
        lambda found: found["alphas"]["rank of delta"]["2"],
    ),
    Bar("twelve expressions with backtest, mean", "ms", 12.0, "expressions", lambda found: found["mean"]["ms"]),
    Bar("times faster than the best peer", "×", 7.0, "expressions", lambda found: found["times_faster"], least=True),
    Bar("population, each, CPU", "ms", 14.0, "population", lambda found: found["cpu_ms"]),
    Bar("population, each, wall", "ms", 8.0, "population", lambda found: found["ms"]),
    Bar("screen, each", "ms", 0.3, "screen", lambda found: found["cpu_ms"]),
    Bar(
        "candidates an hour, whole funnel",
        "",
        200_000,
        "mining",
        lambda found: _run(found)["candidates_per_hour"],
        least=True,
    ),
    Bar(
        "share of distinct candidates",
        "%",
        100,
        "mining",
        lambda found: 100 * _run(found)["distinct"] / _run(found)["proposed"],
        least=True,
    ),
    Bar("operators of a candidate, mean", "", 5, "mining", lambda found: _run(found)["mean_operators"], least=True),
    Bar("candidates that reach stage 6", "%", 80, "mining", _reaching, least=True),
    Bar("peak memory, TOP3000 × 1,511 days, 2 GiB for arrays", "GiB", 4.0, "memory", _peak("2GiB")),
    Bar("peak memory, the same with --memory 1.5GiB", "GiB", 3.5, "memory", _peak("1.5GiB")),
    Bar("process start to first alpha, warm", "s", 1.0, "startup", lambda found: found["first_alpha_seconds"]),
    Bar("warm-up that was done before", "s", 1.0, "startup", lambda found: found["warmup_again_seconds"]),
)


def rows(results: Results) -> list[Row]:
    """All bars of which the module was measured."""
    found = []
    for bar in BARS:
        if bar.module not in results:
            continue
        value = bar.read(results[bar.module])
        passed = None if value is None else (value >= bar.bar if bar.least else value <= bar.bar)
        reason = ""
        if passed is None:
            reason = "not measured: what it is compared with is not here"
        elif not passed:
            reason = REASONS.get(bar.name, "no reason is written down")
        found.append(Row(bar.name, value, bar.unit, bar.bar, passed, reason, bar.least))
    return found


def verdict(row: Row) -> str:
    """pass, MISS, or a dash."""
    return "–" if row.passed is None else "pass" if row.passed else "MISS"


def figure(value: float | None, unit: str) -> str:
    """A figure with its unit."""
    if value is None:
        return "–"
    digits = 0 if abs(value) >= 1000 else 2 if abs(value) < 1 or unit in ("GiB", "s") else 1
    return f"{value:,.{digits}f} {unit}".strip()


def printed(found: list[Row]) -> str:
    """The table for a terminal."""
    lines = [f"{'':52} {'measured':>12} {'bar':>14}"]
    for row in found:
        limit = f"{'≥' if row.least else '≤'} {figure(row.bar, row.unit)}"
        lines.append(f"{row.name:52} {figure(row.value, row.unit):>12} {limit:>14}  {verdict(row)}")
        if row.reason:
            lines.append(f"{'':6}{row.reason}")
    return "\n".join(lines)
