"""Ctrl-C on a real process: the first keeps what was mined, the second aborts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dagster import DagsterInstance

from alpha_pipeline.cli.interrupt import ENDINGS, interruptible
from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.generate import make_generator
from alpha_pipeline.generate.propose import propose
from alpha_pipeline.home import Home
from alpha_pipeline.ledger import Lake, Ledger
from alpha_pipeline.progress import Silent, listening
from alpha_pipeline_tests.cli.conftest import Ran

PROGRAM = """
import signal
import sys
from functools import partial
from alpha_pipeline.cli import main
from alpha_pipeline.market import sources
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup, which the program would respect
sources.SyntheticSource = partial(sources.SyntheticSource, seed=11, instruments=60, days=700)
sys.exit(main(sys.argv[1:]))
"""


@contextmanager
def mining(home: Path, until: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A process that mines, once its stderr holds a line with `until`; and the lines of stderr so far."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ALPHA_")}
    command = [sys.executable, "-c", PROGRAM, "mine", "--json", "--candidates", "100000", "--home", str(home)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as process:
        assert process.stderr is not None
        lines: list[str] = []
        reader = threading.Thread(target=lines.extend, args=(iter(process.stderr.readline, ""),))
        reader.start()
        try:
            wait_for(lambda: any(until in line for line in lines) or process.poll() is not None)
            assert process.poll() is None, lines
            yield process, lines
            reader.join()
        finally:
            process.kill()


def press(process: subprocess.Popen[str]) -> None:
    """What Ctrl-C does on a terminal: a signal to the process and all its children."""
    os.killpg(process.pid, signal.SIGINT)


def wait_for(condition: object, seconds: float = 60) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


@pytest.fixture
def home(ingested: tuple[Path, Ran], tmp_path: Path) -> Path:
    return Path(shutil.copytree(ingested[0], tmp_path / "home"))


def test_the_first_keeps_judges_and_exports(home: Path) -> None:
    with mining(home, "mining …") as (process, lines):
        time.sleep(1.5)  # some batches of 32
        begun = time.monotonic()
        press(process)
        out = process.stdout.read() if process.stdout else ""
        assert process.wait() == 130
        took = time.monotonic() - begun
    found = json.loads(out.splitlines()[-1])
    assert took < 20
    assert found["interrupted"] is True
    assert 0 < found["proposed"] < 100_000
    assert found["stages"][0]["in"] == found["proposed"]
    assert Path(found["export"]["json"]).exists()
    assert Ledger(Lake(home / "lake")).trials("run-0001").height == found["proposed"]
    assert any("stopping: finishing what is at hand" in line for line in lines)
    assert not any("Traceback" in line for line in lines)


def test_the_second_aborts(home: Path) -> None:
    with mining(home, "mining …") as (process, lines):
        press(process)
        wait_for(lambda: any("stopping" in line for line in lines))
        press(process)
        assert process.wait(timeout=20) == 130
        assert process.stdout is not None
        assert process.stdout.read() == ""
    assert lines[-1] == "aborted; what was committed before is kept\n"
    assert not any("Traceback" in line for line in lines)
    assert not (home / "exports").exists()


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_closed_terminal_or_a_kind_kill_ends_the_run_for_dagster_too(home: Path, ending: int) -> None:
    """Else two of them would hold both places that the queue of `ui` has, for ever."""
    with mining(home, "mining …") as (process, _):
        process.send_signal(ending)
        assert process.wait(timeout=20) == 130
    with DagsterInstance.from_config(str(Home(home).dagster)) as instance:
        assert [run.status.value for run in instance.get_runs(limit=1)] == ["FAILURE"]


def test_nohup_is_respected() -> None:
    """What the shell told us to ignore stays ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert interruptible(lambda: os.kill(os.getpid(), signal.SIGHUP), lambda: None) is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_request_before_the_first_batch(ingested: tuple[Path, Ran]) -> None:
    """One batch is mined all the same: a run of nothing could not be judged."""

    class Impatient(Silent):
        stopped = True

    panel = Home(ingested[0]).panel()
    generator = make_generator("random", 1, frozenset(panel.fields))
    with listening(Impatient()):
        proposals = propose(generator, Evaluator(panel), 64)
    assert proposals.stopped
    assert len(proposals.trials) == 32


def test_what_work_returns_and_raises() -> None:
    def fail() -> None:
        raise ValueError("no")

    assert interruptible(lambda: 5, lambda: None) == 5
    with pytest.raises(ValueError, match="no"):
        interruptible(fail, lambda: None)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_work_sees_the_request_while_it_runs() -> None:
    asked = threading.Event()

    def work() -> bool:
        os.kill(os.getpid(), signal.SIGINT)
        return asked.wait(5)

    assert interruptible(work, asked.set)


def test_the_second_request_reaches_the_work() -> None:
    ended: list[str] = []

    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.3)
            os.kill(os.getpid(), signal.SIGINT)
            while True:
                time.sleep(0.01)
        except KeyboardInterrupt:
            ended.append("by KeyboardInterrupt")
            raise

    with pytest.raises(KeyboardInterrupt):
        interruptible(work, lambda: None)
    assert ended == ["by KeyboardInterrupt"]
