"""Each stage at its threshold, in order, and what a rejection says."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from alpha_pipeline.backtest import SimulationSettings
from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.market.panel import Panel
from alpha_pipeline.validate import FUNNEL, Bench, Nearest, Thresholds, checks, count, judge_fully

NAMES = ["syntax", "types", "complexity", "execution", "finite", "correlation", "performance", "export"]


def bench_on(panel: Panel, nearest: Nearest | None = None, **thresholds: float) -> Bench:
    """A bench whose pool answers the same for everything."""
    found = nearest or Nearest(None, None, None)
    return Bench(Evaluator(panel), lambda trials: {t.alpha_id: found for t in trials}, Thresholds(**thresholds))


@pytest.fixture(scope="module")
def bench(small_panel: Panel) -> Bench:
    return bench_on(small_panel)


def rejected_at(text: str, bench: Bench) -> dict[str, str]:
    """Stage name → reason, of the stages that reject."""
    _, verdicts = judge_fully(text, bench)
    return {v.name: str(v.reason) for v in verdicts if not v.passed}


def test_the_funnel_is_the_contract() -> None:
    assert [stage.name for stage in FUNNEL] == NAMES


@pytest.mark.parametrize(
    ("text", "stage", "reason"),
    [
        ("rank(close", "syntax", "expected `)`"),
        ("ts_maen(close, 5)", "types", "did you mean `ts_mean`"),
        ("rank(sector)", "types", "Grouping data used outside of group operator at column 6"),
        ("ts_mean(close, 0)", "types", "from 1 to 9999, found 0 at column 16"),
        ("1 + 2", "types", "the expression is a constant"),
        ("tanh(" * 11 + "returns" + ")" * 11, "complexity", "deeper than 10"),
        ("log(-close)", "finite", "more than 5% NaN or infinite"),
        ("ts_mean(returns, 2000)", "types", "Cumulative lookback of expression exceeds available history"),
        ("sign(close)", "performance", "Sharpe below 1.25"),
        ("returns", "performance", "turnover above 70%"),
        ("ts_max(high, 20) / close", "export", "has no operator `ts_max`"),
        ("1 / close", "export", "PRICE_LEVEL: depends on the level"),
        ("ts_zscore(0.1 * close / close, 10)", "export", "PRICE_LEVEL: rests on how prices round"),
    ],
)
def test_a_fault_is_found_by_its_stage(text: str, stage: str, reason: str, bench: Bench) -> None:
    assert reason in rejected_at(text, bench)[stage]


def test_depth_ten_passes_and_eleven_does_not(bench: Bench) -> None:
    assert "complexity" not in rejected_at("tanh(" * 10 + "returns" + ")" * 10, bench)
    assert "complexity" in rejected_at("tanh(" * 11 + "returns" + ")" * 11, bench)


def test_stages_that_cannot_be_reached_are_not_answered(bench: Bench) -> None:
    assert [v.name for v in judge_fully("rank(", bench)[1]] == ["syntax"]
    assert [v.name for v in judge_fully("rank(5)", bench)[1]] == ["syntax", "types", "complexity"]
    assert [v.name for v in judge_fully("returns", bench)[1]] == NAMES


def test_slow_expressions_are_rejected(small_panel: Panel) -> None:
    assert "ran longer than" in rejected_at("rank(returns)", bench_on(small_panel, seconds=0.0))["execution"]


@pytest.mark.parametrize(
    ("nearest", "reason"),
    [
        (Nearest(0.7, "alpha_x", 400), None),
        (Nearest(0.7001, "alpha_x", 400), "correlated above 0.7"),
        (Nearest(0.1, "alpha_x", 249), "fewer than 250 days in common"),
        (Nearest(None, None, None), None),
    ],
)
def test_correlation_with_the_pool(small_panel: Panel, nearest: Nearest, reason: str | None) -> None:
    found = rejected_at("-ts_delta(close, 5) / close", bench_on(small_panel, nearest)).get("correlation")
    assert found is None if reason is None else reason in str(found)


def test_performance_thresholds_are_inclusive(small_panel: Panel) -> None:
    text = "rank(ts_mean(returns, 60))"
    metrics = bench_on(small_panel).evaluator.evaluate(judge_fully(text, bench_on(small_panel))[0].node).metrics
    exactly = {
        "sharpe": metrics.sharpe,
        "fitness": metrics.fitness,
        "turnover_low": metrics.turnover,
        "turnover_high": metrics.turnover,
    }
    assert "performance" not in rejected_at(text, bench_on(small_panel, **exactly))
    for name, step in (("sharpe", 1e-9), ("fitness", 1e-9), ("turnover_low", 1e-9), ("turnover_high", -1e-9)):
        over = {**exactly, name: exactly[name] + step}
        assert "performance" in rejected_at(text, bench_on(small_panel, **over)), name


def test_reasons_are_counted_commonest_first(bench: Bench) -> None:
    verdicts = [judge_fully(text, bench)[1][1] for text in ("rank(5)", "rank(5)", "1 + 2", "rank(close)")]
    counted = count(verdicts)
    assert (counted.entered, counted.left) == (4, 1)
    assert list(counted.reasons.values()) == [2, 1]
    assert counted.to_dict()["in"] == 4


def test_checks_name_what_the_platform_names(bench: Bench) -> None:
    candidate, verdicts = judge_fully("-ts_delta(close, 5) / close", bench)
    found = {check.name: check.result for check in checks(candidate, verdicts, bench)}
    assert list(found) == [
        "LOW_SHARPE",
        "LOW_FITNESS",
        "LOW_TURNOVER",
        "HIGH_TURNOVER",
        "SELF_CORRELATION",
        "PRICE_LEVEL",
    ]
    assert found["PRICE_LEVEL"] == "PASS"
    assert checks(*judge_fully("rank(", bench), bench) == []


def test_a_short_lived_instrument_does_not_count_as_missing(small_panel: Panel) -> None:
    """Cells of instruments younger than the lookback are left out of stage 5's share."""
    panel = small_panel
    fields = {name: np.array(values) for name, values in panel.fields.items()}
    universe, age = np.array(panel.universe), np.array(panel.age)
    listed = 300  # the first 40 instruments come to the market on this day
    for values in fields.values():
        values[:listed, :40] = np.nan
    universe[:listed, :40] = False
    age[:listed, :40] = -1
    age[listed:, :40] = np.arange(len(age) - listed)[:, None]
    young = dataclasses.replace(panel, fields=fields, universe=universe, age=age)
    trial = Evaluator(young, SimulationSettings()).evaluate(
        judge_fully("ts_delta(close, 100)", bench_on(young))[0].node
    )
    assert trial.missing < 0.05
