"""What the Dagster UI shows of a run: the chart, tables, log lines; and the job that adds runs."""

from __future__ import annotations

import base64
import logging
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpha_pipeline import progress
from alpha_pipeline.errors import BadInput
from alpha_pipeline.orchestration.charts import as_markdown, cumulative_profit, nice_step
from alpha_pipeline.orchestration.listings import table
from alpha_pipeline.orchestration.new_runs import add_generation_runs
from alpha_pipeline.orchestration.reporting import reporting
from alpha_pipeline_tests.orchestration.conftest import small_launcher

DATES = np.arange("2019-11-01", "2021-02-01", dtype="datetime64[D]")
SVG = "{http://www.w3.org/2000/svg}"


def picture(markdown: str) -> ElementTree.Element:
    head = "base64,"
    return ElementTree.fromstring(base64.b64decode(markdown[markdown.index(head) + len(head) : -1]))


def test_the_chart_shows_every_line_inside_its_frame() -> None:
    rng = np.random.default_rng(1)
    profits = {"alpha_<1>": rng.normal(0, 1e-3, len(DATES)), "alpha_2": np.full(len(DATES), -1e-3)}
    title = "SYNTHETIC best & brightest"
    markdown = as_markdown(cumulative_profit(DATES, profits, title), title)
    drawing = picture(markdown)
    texts = [element.text for element in drawing.iter(f"{SVG}text")]
    assert {"SYNTHETIC best & brightest", "alpha_<1>", "alpha_2", "2020", "2021", "0 %"} <= set(texts)
    lines = [element.attrib["points"].split() for element in drawing.iter(f"{SVG}polyline")]
    assert len(lines) == 2
    points = np.array([[float(v) for v in point.split(",")] for line in lines for point in line])
    assert points[:, 0].min() >= 58
    assert points[:, 0].max() <= 820 - 150
    assert points[:, 1].min() >= 34
    assert points[:, 1].max() <= 330 - 40
    assert len(markdown) < 20_000


def test_the_chart_draws_nothing_and_missing_days_too() -> None:
    assert list(ElementTree.fromstring(cumulative_profit(DATES, {}, "none")).iter(f"{SVG}polyline")) == []
    gap = np.full(len(DATES), np.nan)
    assert "nan" not in cumulative_profit(DATES, {"a": gap}, "gap")


@given(st.floats(1e-6, 1e6))
def test_steps_are_round_and_no_smaller_than_wanted(least: float) -> None:
    step = nice_step(least)
    assert least * (1 - 1e-9) <= step <= least * 2.5 * (1 + 1e-9)
    assert f"{step:e}"[0] in "125"


def test_tables_take_what_metadata_can_hold() -> None:
    made = table({"name": "string", "value": "float"}, [["a", float("nan")], ["b", 1 / 3], ["c", None]])
    assert [record.data["value"] for record in made.records] == ["nan", 0.3333, None]


def test_progress_is_logged_where_nobody_listens(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("reporting")

    def work() -> None:
        with reporting(log):
            listener = progress.current()
            listener.begin("mining", 100)
            for _ in range(100):
                listener.advance(1, "best so far 1.0")
            listener.end()

    with caplog.at_level(logging.INFO, "reporting"):
        work()
        assert len(caplog.messages) == 11
        assert caplog.messages[-1] == "mining: 100 of 100, best so far 1.0"
        caplog.clear()
        with progress.listening(_Quiet()):
            work()
        assert caplog.messages == []


class _Quiet(progress.Silent):
    pass


def test_a_job_adds_runs_for_dagsters_own_commands(tmp_path: Path) -> None:
    instance = small_launcher(tmp_path).instance

    def add(*keys: str) -> None:
        config = {"ops": {"add_partitions": {"config": {"keys": list(keys)}}}}
        add_generation_runs.execute_in_process(run_config=config, instance=instance)

    add("run-a", "run-b")
    add("run-b", "run-c")
    assert sorted(instance.get_dynamic_partitions("generation_run")) == ["run-a", "run-b", "run-c"]
    with pytest.raises(BadInput, match="not a valid key"):
        add("run-d", "Run,E")
    assert len(instance.get_dynamic_partitions("generation_run")) == 3
