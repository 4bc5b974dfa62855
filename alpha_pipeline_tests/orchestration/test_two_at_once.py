"""Two generation runs at the same time in two processes on one home."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from alpha_pipeline.ledger import pool_correlation
from alpha_pipeline_tests.orchestration.conftest import small_launcher


def mine(home: Path, version: str) -> tuple[str, int]:
    """(key, alphas exported) of one run: what `alpha-pipeline mine` does."""
    launcher = small_launcher(home, threads=1, candidates=64)
    key = launcher.new_run()
    return key, launcher.generate(key, version).metadata["export_set"]["exported"]


@contextmanager
def processes(count: int) -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def test_both_succeed_and_the_pool_holds_no_two_alike(tmp_path: Path) -> None:
    """The same seed in both, so that they want to export the same alphas: each is let in once."""
    launcher = small_launcher(tmp_path)
    version, _ = launcher.ensure_panel()
    with processes(2) as pool:
        jobs = [pool.submit(mine, tmp_path, version) for _ in range(2)]
        done = dict(job.result(timeout=120) for job in jobs)
    assert sorted(done) == ["run-0001", "run-0002"]

    ledger = launcher.workbench.ledger
    key = launcher.workbench.run("run-0001").record.pool_key
    held = ledger.pool(key)
    assert held["alpha_id"].is_unique().all()
    counts = dict(held.group_by("generation_run").len().rows())
    assert {run: counts.get(run, 0) for run in done} == done
    assert sum(done.values()) > 0
    pairs = pool_correlation(ledger.pool_pnl(key), ledger.pool_pnl(key)).filter(
        pl.col("alpha_id") != pl.col("pool_alpha_id")
    )
    assert pairs["correlation"].abs().max() <= 0.7 + 1e-9
    for run in done:
        assert ledger.trials(run).height == 64
