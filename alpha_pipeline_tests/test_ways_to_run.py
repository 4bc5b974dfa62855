"""Five hundred random expressions, however they are run: one by one, as a batch, in tiles, from a store, in several
processes, by torch. The figures are the same; torch's within its stated tolerance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

import pytest

from alpha_pipeline.engine import pieces
from alpha_pipeline.evaluator import Evaluator, Trial, held_data
from alpha_pipeline.expression import Node
from alpha_pipeline.generate import SearchSettings, make_generator
from alpha_pipeline_tests.engine.panels import random_panel

COUNT = 500
PANEL = random_panel(seed=4, days=320, instruments=60)
RELATIVE, FLOOR = 1e-5, 1e-6  # of torch; a ratio that is nearly 0 has no digits of its own


@pytest.fixture(scope="module")
def nodes() -> list[Node]:
    found = make_generator("random", 17, sorted(held_data(PANEL)), "user", SearchSettings(budget=COUNT)).ask(COUNT)
    assert len(set(found)) == COUNT
    return found


def figures(trials: list[Trial]) -> list[tuple[object, ...]]:
    """All that a trial says, the gate's figures and the daily profit too."""
    return [
        (each.alpha_id, each.missing, each.first_day, each.sealed.metrics, each.sealed.pnl.tobytes()) for each in trials
    ]


@pytest.fixture(scope="module")
def batched(nodes: list[Node]) -> list[Trial]:
    with Evaluator(PANEL, threads=2) as evaluator:
        return evaluator.evaluate_many(nodes)


def test_the_expressions_are_worth_comparing(batched: list[Trial]) -> None:
    assert sum(each.metrics.days > 0 and each.metrics.turnover > 0 for each in batched) > 0.6 * COUNT
    assert len({each.metrics.sharpe for each in batched}) > 0.6 * COUNT


def test_one_by_one(nodes: list[Node], batched: list[Trial]) -> None:
    with Evaluator(PANEL, threads=1, memory=0) as evaluator:
        assert figures([evaluator.evaluate(node) for node in nodes]) == figures(batched)


@pytest.fixture
def small_pieces() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "TILE_CELLS", 320 * 16)
        patch.setattr(pieces, "BLOCK_CELLS", 60 * 30)
        yield


def test_in_tiles_and_blocks(nodes: list[Node], batched: list[Trial], small_pieces: None) -> None:
    with Evaluator(PANEL, threads=2) as evaluator:
        assert figures(evaluator.evaluate_many(nodes)) == figures(batched)


def test_from_a_store(nodes: list[Node], batched: list[Trial], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alpha_pipeline.engine.engine.COPY_SECONDS", 1e-5)  # or it would not pay on so small a panel
    for first in (True, False):
        with Evaluator(PANEL, threads=2, memory=0, store=f"disk:{tmp_path}") as evaluator:
            assert figures(evaluator.evaluate_many(nodes)) == figures(batched)
            assert evaluator.store is not None
            assert (evaluator.store.counts.stored > 100) if first else (evaluator.store.counts.hits > 100)


def test_in_several_processes(nodes: list[Node], batched: list[Trial]) -> None:
    with Evaluator(PANEL, threads=2, workers=2) as evaluator:
        assert figures(evaluator.evaluate_many(nodes)) == figures(batched)


def test_by_torch(nodes: list[Node], batched: list[Trial]) -> None:
    with Evaluator(PANEL, device="torch-cpu") as evaluator:
        trials = evaluator.evaluate_many(nodes)
    for mine, theirs in zip(batched, trials, strict=True):
        for window, metrics in mine.sealed.metrics.items():
            told = astuple(theirs.sealed.metrics[window])
            assert told == pytest.approx(astuple(metrics), rel=RELATIVE, abs=FLOOR), mine.expression
