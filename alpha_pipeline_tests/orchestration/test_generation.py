"""The graph run for real on a small market: counts that add up, files that read back, runs that repeat."""

from __future__ import annotations

import json
import re
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from alpha_pipeline.export.select import correlation
from alpha_pipeline.expression import parse
from alpha_pipeline.market.panel import Panel
from alpha_pipeline.orchestration.assets.validation import asset_name
from alpha_pipeline.orchestration.launch import Finished, Launcher
from alpha_pipeline.validate import FUNNEL
from alpha_pipeline_tests.orchestration.conftest import small_launcher

Mined = tuple[Launcher, str, Finished]


def exported(finished: Finished) -> list[dict[str, Any]]:
    """The rows of a run's JSON export."""
    rows: list[dict[str, Any]] = json.loads(Path(finished.metadata["export_set"]["json"]).read_text())
    return rows


def test_every_stage_takes_what_the_one_before_let_through(mined: Mined) -> None:
    _, _, finished = mined
    counts = [finished.metadata[asset_name(n, stage)] for n, stage in enumerate(FUNNEL, start=1)]
    assert counts[0]["in"] == finished.metadata["candidate_batch"]["proposed"] == 96
    for earlier, later in pairwise(counts):
        assert later["in"] == earlier["out"]
    for counted in counts:
        assert counted["in"] - counted["out"] == sum(counted["reasons"].values())
    assert finished.metadata["export_set"]["exported"] <= counts[-1]["out"]


def test_the_run_exports_something_and_it_is_labelled(mined: Mined) -> None:
    _, key, finished = mined
    rows = exported(finished)
    assert rows
    assert len(rows) == finished.metadata["export_set"]["exported"]
    for row in rows:
        assert row["provenance"]["label"] == "SYNTHETIC"
        assert row["provenance"]["generation_run"] == key
        assert row["provenance"]["price_level"] == "PASS"
        assert row["metrics"]["sharpe"] >= 1.25
        assert row["metrics"]["fitness"] >= 1.0
        assert row["validation_status"] == "PASSED"
        assert any("SYNTHETIC" in warning for warning in row["provenance"]["warnings"])


def test_exported_alphas_differ_from_each_other(mined: Mined) -> None:
    launcher, key, finished = mined
    run = launcher.workbench.run(key)
    trials = run.evaluator.evaluate_many([parse(row["expression"]) for row in exported(finished)])
    for position, one in enumerate(trials):
        for other in trials[:position]:
            assert abs(correlation(one, other)) <= 0.7 + 1e-9


def test_the_ledger_holds_every_trial_and_every_verdict_once(mined: Mined) -> None:
    launcher, key, finished = mined
    trials, verdicts = launcher.workbench.ledger.trials(key), launcher.workbench.ledger.verdicts(key)
    assert trials["alpha_id"].n_unique() == trials.height == 96
    assert not verdicts.select("alpha_id", "stage").is_duplicated().any()
    passed = verdicts.filter(pl.col("passed")).group_by("stage").len().sort("stage")
    out = [finished.metadata[asset_name(n, s)]["out"] for n, s in enumerate(FUNNEL, 1)]
    assert passed["len"].to_list() == [*out, finished.metadata["export_set"]["exported"]]
    losers = verdicts.filter((pl.col("name") == "export_set") & ~pl.col("passed"))
    assert losers["reason"].str.contains("correlated above 0.7 with alpha_").all()
    assert losers.height == out[-1] - finished.metadata["export_set"]["exported"]
    assert (
        launcher.workbench.ledger.pool(launcher.workbench.run(key).record.pool_key).height
        == finished.metadata["export_set"]["exported"]
    )


def test_a_second_run_exports_nothing_like_the_first(mined: Mined) -> None:
    launcher, first, finished = mined
    key = launcher.new_run()
    assert key != first
    again = launcher.generate(key, launcher.ensure_panel()[0])
    before = {row["alpha_id"] for row in exported(finished)}
    assert before.isdisjoint(row["alpha_id"] for row in exported(again))
    assert again.metadata["stage_6_correlation"]["in"] > again.metadata["stage_6_correlation"]["out"]


def without_times(path: Path) -> str:
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", path.read_text())


def test_the_same_seed_in_two_empty_homes_gives_the_same_bytes(tmp_path: Path) -> None:
    """Whatever the number of threads and worker processes and the memory; only timestamps may differ."""
    texts = []
    for name, threads, workers, memory in (("one", 1, 1, "256MiB"), ("two", 4, 2, "1GiB")):
        launcher = small_launcher(tmp_path / name, threads=threads, workers=workers, memory=memory)
        key = launcher.new_run()
        finished = launcher.generate(key, launcher.ensure_panel()[0])
        files = [Path(finished.metadata["export_set"][form]) for form in ("json", "csv")]
        verdicts = launcher.workbench.ledger.verdicts(key)
        trials = launcher.workbench.ledger.trials(key)
        texts.append([*map(without_times, files), verdicts.write_csv(), trials.write_csv()])
    assert texts[0] == texts[1]


def test_a_partition_run_again_gives_the_same_export(tmp_path: Path) -> None:
    """Its own earlier alphas do not stand in its way."""
    launcher = small_launcher(tmp_path)
    version, _ = launcher.ensure_panel()
    key = launcher.new_run()
    first = launcher.generate(key, version)
    text = without_times(Path(first.metadata["export_set"]["json"]))
    again = launcher.generate(key, version)
    assert without_times(Path(again.metadata["export_set"]["json"])) == text
    assert launcher.workbench.ledger.trials(key).height == 96


def test_the_panel_is_made_once(mined: Mined) -> None:
    launcher, _, _ = mined
    version, ingested = launcher.ensure_panel()
    assert ingested is None
    panel = launcher.workbench.home.panel()
    assert panel.version == version
    assert isinstance(panel, Panel)
    assert np.isfinite(panel.pnl_returns[-1]).any()


def test_a_stage_can_be_run_by_another_process(mined: Mined) -> None:
    """A fresh workbench finds the run's pins in the lake and judges the same."""
    launcher, key, _ = mined
    other = small_launcher(launcher.workbench.home.root)
    run = other.workbench.run(key)
    assert run.record == launcher.workbench.run(key).record
    rows = other.workbench.lake.scan("stage_7_performance").filter(pl.col("generation_run") == key).collect()
    candidates = [run.revive(text) for text in rows["expression"]]
    again = FUNNEL[6].judge(candidates, run.bench)
    assert [f.passed for f in again] == rows["passed"].to_list()
    assert [f.value for f in again] == rows["value"].to_list()


def test_runs_go_on_counting_when_the_dagster_instance_is_deleted(tmp_path: Path) -> None:
    launcher = small_launcher(tmp_path, candidates=16)
    key = launcher.new_run()
    launcher.generate(key, launcher.ensure_panel()[0])
    launcher.instance.dispose()
    shutil.rmtree(launcher.workbench.home.dagster)
    assert key == "run-0001"
    assert small_launcher(tmp_path).new_run() == "run-0002"
