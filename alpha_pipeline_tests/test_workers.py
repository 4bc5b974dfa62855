"""Worker processes: the same trials bit by bit, whoever dies; and nobody is left behind."""

from __future__ import annotations

import dataclasses
import gc
import logging
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alpha_pipeline.errors import BadInput
from alpha_pipeline.evaluator import Evaluator, Trial
from alpha_pipeline.expression import Node, TypeProblem
from alpha_pipeline.generate import make_generator
from alpha_pipeline.market.panel import Panel
from alpha_pipeline.market.panel_files import folder_of
from alpha_pipeline.workers import Workers
from alpha_pipeline_tests import odd_jobs


def bits(trial: Trial) -> bytes:
    """Everything in a trial."""
    arrays = (trial.pnl, trial.sealed.pnl)
    assert all(array.dtype == np.float64 for array in arrays)
    figures = (trial.missing, trial.first_day, trial.metrics, trial.sharpe_one_day_later, trial.sealed.metrics)
    words = (trial.alpha_id, trial.expression, trial.sealed.sharpe_one_day_later)
    return repr((words, figures)).encode() + b"".join(array.tobytes() for array in arrays)


def runs(process: int) -> bool:
    """Whether a process is there, and no zombie."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False)
    return found.stdout.strip() not in ("", "Z")


def none_left(processes: list[int]) -> bool:
    """Whether all of them end within some seconds."""
    end = time.monotonic() + 20
    while any(map(runs, processes)) and time.monotonic() < end:
        time.sleep(0.05)
    return not any(map(runs, processes))


@pytest.fixture(scope="module")
def stored(small_panel: Panel, tmp_path_factory: pytest.TempPathFactory) -> Panel:
    return small_panel.write(tmp_path_factory.mktemp("panels") / "small")


@pytest.fixture(scope="module")
def expressions(stored: Panel) -> list[Node]:
    """Random ones, as generators make them."""
    return make_generator("random", 7, sorted(stored.field_types()), "consultant").ask(96)


@pytest.fixture(scope="module")
def wanted(stored: Panel, expressions: list[Node]) -> list[bytes]:
    """Their trials, made in one process."""
    return [bits(trial) for trial in Evaluator(stored, threads=1).evaluate_many(expressions)]


@pytest.fixture(scope="module")
def evaluator(stored: Panel) -> Iterator[Evaluator]:
    """Two workers; every test has expressions of its own, as those evaluated before are not evaluated again."""
    with Evaluator(stored, threads=2, memory=256 << 20, workers=2) as made:
        yield made
    assert not made.workers.processes


def test_trials_are_the_same_bit_by_bit(evaluator: Evaluator, expressions: list[Node], wanted: list[bytes]) -> None:
    told: list[Trial] = []
    trials = evaluator.evaluate_many(expressions[:40], told.append)
    assert [bits(trial) for trial in trials] == wanted[:40]
    assert [trial.node for trial in trials] == [evaluator.identify(node)[1] for node in expressions[:40]]
    assert {trial.alpha_id for trial in told} == {trial.alpha_id for trial in trials}
    assert len(told) == 40
    assert len(evaluator.workers.processes) == 2
    assert evaluator.workers.peak_memory > 100 << 20
    assert not list(evaluator.workers.scratch.iterdir())  # the panel is opened where it lies


def test_a_killed_worker_costs_time_only(
    evaluator: Evaluator, expressions: list[Node], wanted: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    killed: list[int] = []

    def kill(trial: Trial) -> None:
        for process in evaluator.workers.processes if len(killed) < 2 else ():
            os.kill(process, signal.SIGKILL)
            killed.append(process)

    before = evaluator.workers.deaths
    with caplog.at_level(logging.WARNING):
        trials = evaluator.evaluate_many(expressions[40:64], kill)
    assert [bits(trial) for trial in trials] == wanted[40:64]
    assert evaluator.workers.deaths == before + 2
    assert sum("a worker process died" in record.message for record in caplog.records) == 1
    assert none_left(killed)


def test_an_interrupt_leaves_no_process(evaluator: Evaluator, expressions: list[Node], wanted: list[bytes]) -> None:
    processes: list[int] = []
    before = evaluator.workers.deaths

    def stop(trial: Trial) -> None:
        processes.extend(evaluator.workers.processes)
        for process in processes:
            os.kill(process, signal.SIGINT)  # as a terminal does; it is for the parent to say
        if len(processes) > 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluator.evaluate_many(expressions[64:80], stop)
    assert evaluator.workers.deaths == before  # nobody died of the signal
    assert processes
    assert not any(map(runs, processes))
    assert evaluator.workers.processes == []
    trials = evaluator.evaluate_many(expressions[64:80])
    assert [bits(trial) for trial in trials] == wanted[64:80]


def test_a_panel_in_memory_is_written_once_and_removed(
    small_panel: Panel, expressions: list[Node], wanted: list[bytes]
) -> None:
    assert folder_of(small_panel) is None
    evaluator = Evaluator(small_panel, threads=2, memory=256 << 20, workers=2)
    trials = evaluator.evaluate_many(expressions[80:])
    assert [bits(trial) for trial in trials] == wanted[80:]
    scratch, processes = evaluator.workers.scratch, evaluator.workers.processes
    assert folder_of(Panel.open(scratch / "panel")) == scratch / "panel"
    del evaluator, trials
    gc.collect()
    assert not any(map(runs, processes))
    assert not scratch.exists()


def test_what_was_derived_from_a_stored_panel_is_not_it(stored: Panel) -> None:
    assert folder_of(stored) is not None
    assert folder_of(stored.rows(0, len(stored.dates))) is None  # a version of its own
    assert folder_of(dataclasses.replace(stored, pnl_returns=np.array(stored.pnl_returns))) is None
    assert folder_of(dataclasses.replace(stored, universe=stored.universe[::-1])) is None


@pytest.fixture
def workers() -> Iterator[Workers[Any, Any]]:
    made: Workers[Any, Any] = Workers(2, odd_jobs.worker, lambda scratch: (scratch,))
    yield made
    made.close()


def test_a_worker_imports_its_work_and_nothing_of_this_program(workers: Workers[Any, Any]) -> None:
    assert {"pytest", "_pytest"} <= sys.modules.keys()
    answers = dict(workers.run(["modules", *range(3)], odd_jobs.at_home))
    assert "alpha_pipeline_tests.odd_jobs" in answers[0]
    assert not {"pytest", "_pytest", "dagster", "polars", "torch"} & set(answers[0])
    assert [answers[number] for number in (1, 2, 3)] == [0, 2, 4]


def test_a_job_that_kills_workers_is_done_here(workers: Workers[Any, Any]) -> None:
    answers = dict(workers.run([1, 2, "die", *range(10, 20)], odd_jobs.at_home))
    assert answers == dict(enumerate([2, 4, "survived", *range(20, 40, 2)]))
    assert workers.deaths == 2


def test_without_a_worker_that_comes_up_all_is_done_here() -> None:
    workers: Workers[Any, Any] = Workers(2, odd_jobs.stillborn, lambda scratch: (scratch,))
    assert dict(workers.run([1, 2, 3], odd_jobs.at_home)) == {0: 2, 1: 4, 2: 6}
    assert workers.deaths == 2
    workers.close()


def test_errors_come_through_as_they_are(workers: Workers[Any, Any]) -> None:
    with pytest.raises(BadInput, match="here: it is bad; mend it") as bad:
        list(workers.run([1, "bad input"], odd_jobs.at_home))
    assert (bad.value.what, bad.value.where, bad.value.mend) == ("it is bad", "here", "mend it")
    assert "odd_jobs.py" in bad.value.__notes__[0]
    assert not workers.processes  # the batch is over, and so are they
    with pytest.raises(TypeProblem) as problem:
        list(workers.run([1, "type problem"], odd_jobs.at_home))
    assert (problem.value.column, problem.value.suggestion) == (6, "y")
    with pytest.raises(RuntimeError, match="Stubborn: 3"):
        list(workers.run([1, "stubborn"], odd_jobs.at_home))
    assert pickle.loads(pickle.dumps(bad.value)).where == "here"


def test_a_batch_within_a_batch_is_done_here(workers: Workers[Any, Any]) -> None:
    for _ in workers.run([1, 2], odd_jobs.at_home):
        assert dict(workers.run([3, 4], odd_jobs.at_home)) == {0: 6, 1: 8}


def test_a_killed_parent_takes_its_workers_along() -> None:
    program = [sys.executable, "-c", "from alpha_pipeline_tests import odd_jobs; odd_jobs.wait_to_be_killed()"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        lines = [parent.stdout.readline() for _ in range(10)]  # all but the two that sleep
        *processes, scratch = lines[-1].split()
        assert len(processes) == 2
        assert all(runs(int(process)) for process in processes)
        assert Path(scratch).is_dir()
        parent.kill()
    assert none_left([int(process) for process in processes])
    assert not Path(scratch).exists()
