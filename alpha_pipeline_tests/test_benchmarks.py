"""The benchmarks' own arithmetic: bars, likeness of other engines, merged stacks, drawings. Nothing here is timed."""

from __future__ import annotations

import time
import xml.etree.ElementTree as ET
from collections import Counter

import numpy as np
import pytest

from alpha_pipeline.engine import Engine
from alpha_pipeline.engine.kernels import KERNELS
from alpha_pipeline.expression import OPERATORS, parse
from benchmarks import bars, flame, learning
from benchmarks.charts import Chart, sheet
from benchmarks.operators import operator_calls
from benchmarks.panels import random_panel
from benchmarks.peers import compare
from benchmarks.population import describe, population
from benchmarks.shares import Shares, measured
from benchmarks.timing import take_turns


def operators(engine: float) -> dict[str, object]:
    """What benchmarks.operators finds, all operators alike."""
    names = ("ts_delay", "ts_delta", "ts_mean", "ts_sum", "ts_std_dev", "ts_max", "ts_min", "ts_corr")
    rows = [{"name": name, "window": window, "engine": engine} for name in names for window in (20, 252)]
    rows += [
        {"name": "ts_arg_max", "window": 30, "engine": engine},
        {"name": "ts_rank", "window": 60, "engine": engine},
    ]
    return {
        "operators": rows,
        "backtest": {"market": {"copies": engine}, "70 groups": {"copies": engine}},
        "alphas": {"zscore": {"1": engine}, "rank of delta": {"2": engine}},
    }


def test_the_dearest_operator_and_window_count() -> None:
    results = operators(1.0)
    assert all(row.passed for row in bars.rows({"operators": results}))
    results["operators"][3]["engine"] = 1.4  # type: ignore[index]
    missed = [row for row in bars.rows({"operators": results}) if not row.passed]
    assert [(row.name, row.value) for row in missed] == [("delay, delta", 1.4)]
    assert missed[0].reason
    assert bars.verdict(missed[0]) == "MISS"


def test_some_bars_are_floors() -> None:
    run = {
        "candidates_per_hour": 199_999,
        "distinct": 9,
        "proposed": 10,
        "mean_operators": 5,
        "stages": [{"in": 8}] * 6,
    }
    found = {row.name: row.passed for row in bars.rows({"mining": {"embedded": run}})}
    assert found == {
        "candidates an hour, whole funnel": False,
        "share of distinct candidates": False,
        "operators of a candidate, mean": True,
        "candidates that reach stage 6": True,
    }


def test_without_peers_a_bar_is_open() -> None:
    rows = bars.rows({"expressions": {"mean": {"ms": 10.0}, "times_faster": None}})
    assert [(row.passed, bool(row.reason)) for row in rows] == [(True, False), (None, True)]
    assert rows[1].to_dict() == {
        "name": "times faster than the best peer",
        "value": None,
        "unit": "×",
        "bar": 7.0,
        "passed": None,
        "reason": rows[1].reason,
    }
    assert rows[1].name in bars.printed(rows)


def test_every_reason_is_of_a_bar() -> None:
    assert set(bars.REASONS) <= {bar.name for bar in bars.BARS}


def test_likeness_ignores_scale_and_sees_difference() -> None:
    ours = np.random.default_rng(1).normal(size=(400, 40)).astype(np.float32)
    assert compare(3 * ours + 7, ours) == pytest.approx({"filled": 1.0, "likeness": 1.0})
    assert compare(-ours, ours)["likeness"] == pytest.approx(-1.0)
    half = ours.copy()
    half[:, ::2] = np.nan
    assert compare(half, ours) == pytest.approx({"filled": 0.5, "likeness": 1.0})
    assert compare(np.full_like(ours, np.nan), ours) == {"filled": 0.0, "likeness": 0.0}


def test_stacks_are_merged_and_recursion_is_counted_once() -> None:
    root = flame.merge(Counter({("a", "b", "a", "b", "c"): 2, ("a", "d"): 3}))
    assert root.samples == 5
    assert root.calls["a"].samples == 5
    assert {name: frame.samples for name, frame in root.calls["a"].calls.items()} == {"b": 2, "d": 3}
    assert list(root.calls["a"].calls["b"].calls) == ["c"]
    drawn = ET.fromstring(flame.svg(root, "<one> & other"))
    assert len(drawn.findall(".//{*}title")) == 5


def test_charts_are_well_formed() -> None:
    chart = Chart("Days & nights", "x", "ms", [("wall", [(1, 2.0), (4, 9.5)]), ("CPU", [(1, 1.0), (4, 5.0)])], True)
    drawn = ET.fromstring(sheet([chart, chart, chart]))
    assert len(drawn.findall(".//{*}polyline")) == 6


def test_the_population_is_the_same_every_time() -> None:
    panel = random_panel(60, 12)
    nodes = population(panel, 60)
    assert nodes == population(panel, 60)
    found = describe(nodes)
    assert found["distinct"] == found["expressions"] == 60
    assert found["distinct_calls"] < found["calls"]


def test_all_searched_operators_are_measured() -> None:
    assert set(operator_calls(20)) == {name for name, operator in OPERATORS.items() if operator.searched}


def test_tasks_take_turns() -> None:
    order: list[str] = []
    found = take_turns({"one": lambda: order.append("one"), "other": lambda: order.append("other")}, 3)
    assert order == ["one", "other"] * 4
    assert found["one"].copies == found["one"].ms / found["one"].copy_ms


def test_clocks_count_each_second_once() -> None:
    shares = Shares()

    def burn(seconds: float) -> None:
        until = time.thread_time() + seconds
        while time.thread_time() < until:
            pass

    inner = shares.clocked("inner", lambda: burn(0.02))
    outer = shares.clocked("outer", lambda: (burn(0.01), inner(), inner()))
    outer()
    found = {name: (seconds, calls) for name, seconds, calls in shares.totals()}
    assert {name: calls for name, (_, calls) in found.items()} == {"outer": 1, "inner": 2}
    assert found["inner"][0] >= 0.04
    assert 0.01 <= found["outer"][0] < found["inner"][0]


def test_clocks_are_taken_away_again() -> None:
    before = {name: kernel.run for name, kernel in KERNELS.items()}
    with measured() as shares:
        engine = Engine(random_panel(30, 40))
        engine.evaluate(parse("rank(ts_delta(close, 5))"))
    assert {name for name, _, _ in shares.totals()} >= {"rank", "ts_delta"}
    assert {name: kernel.run for name, kernel in KERNELS.items()} == before


def test_training_is_shown_beside_random_search() -> None:
    figures = (2, 2, 500, 0.004, 0.004, 0.004, 1.5, None, None)
    points = [learning.Point("random", 1, 0, *figures), *(learning.Point("ppo", 1, at, *figures) for at in (0, 900))]
    drawing = ET.fromstring(learning.chart(points, "SYNTHETIC market"))
    lines = [line.attrib["points"].split() for line in drawing.iter("{http://www.w3.org/2000/svg}polyline")]
    assert [len(line) for line in lines] == [2, 2]
    assert lines[0][-1].split(",")[0] == lines[1][-1].split(",")[0]  # random all along, as far as training goes
    assert learning.row(points[2])[2:5] == ["900", "2 of 500", "0.4%"]
    assert learning.row(points[2])[-3:] == ["1.50", "–", "–"]
