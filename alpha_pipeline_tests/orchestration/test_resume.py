"""A run that was stopped, or killed, and taken up again is the run it would have been."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from alpha_pipeline.errors import BadInput
from alpha_pipeline.generate import propose as mining
from alpha_pipeline.orchestration import workbench
from alpha_pipeline.orchestration.launch import Finished, Launcher
from alpha_pipeline.progress import Silent, listening
from alpha_pipeline_tests.orchestration.conftest import small_launcher

GENERATOR = "genetic"


class Stopping(Silent):
    """Asks to stop after so many proposals."""

    def __init__(self, after: int) -> None:
        self.after, self.done = after, 0

    def advance(self, steps: int, note: str) -> None:
        self.done += steps

    @property
    def stopped(self) -> bool:  # type: ignore[override]
        return self.done >= self.after


def outcome(launcher: Launcher, key: str) -> tuple[list[str], list[dict[str, Any]]]:
    """The proposals of a run, and what it exported but for the moment."""
    batch = launcher.workbench.lake.scan("candidate_batch").filter(pl.col("generation_run") == key).collect()
    [path] = launcher.workbench.home.exports.glob(f"*{key}.json")
    rows = json.loads(path.read_text())
    return batch.sort("position")["expression"].to_list(), [{**row, "timestamp": ""} for row in rows]


def stopped_run(home: Path) -> tuple[Launcher, str, Finished]:
    launcher = small_launcher(home, generator=GENERATOR)
    version, _ = launcher.ensure_panel()
    key = launcher.new_run()
    with listening(Stopping(40)):
        return launcher, key, launcher.generate(key, version)


def test_stopped_and_resumed_equals_uninterrupted(
    mined: tuple[Launcher, str, Finished], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key, finished = stopped_run(tmp_path)
    assert finished.metadata["candidate_batch"]["stopped"]
    assert 0 < finished.metadata["candidate_batch"]["proposed"] < 96
    evaluated: list[int] = []
    again = small_launcher(tmp_path)  # another process knows nothing but the home
    run = again.workbench.resume(key)
    true = run.evaluator.engine.map

    def counted(nodes: Any, take: Any) -> Any:
        evaluated.append(len(nodes))
        return true(nodes, take)

    monkeypatch.setattr(run.evaluator.engine, "map", counted)
    resumed = again.resume(key)
    batch = resumed.metadata["candidate_batch"]
    assert not batch["stopped"]
    assert batch["evaluations"] == mined[2].metadata["candidate_batch"]["evaluations"]
    probes = 8  # of styles
    assert sum(evaluated) == probes + 96 - finished.metadata["candidate_batch"]["proposed"]  # nothing twice
    assert outcome(again, key) == outcome(mined[0], mined[1])
    assert not list((tmp_path / "runs" / key).glob("journal/*"))
    with pytest.raises(BadInput, match="nothing is left of it to do"):
        again.resume(key)
    assert (tmp_path / "runs" / key / "curves.csv").read_text().count("\n") == 1 + 3


def test_a_run_that_was_killed_is_resumed(
    mined: tuple[Launcher, str, Finished], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = small_launcher(tmp_path)
    version, _ = launcher.ensure_panel()
    key = launcher.new_run()
    with monkeypatch.context() as broken:
        calls: list[int] = []

        def scored(trial: Any) -> Any:
            calls.append(1)
            if len(calls) > 32:
                raise MemoryError("as if the system had ended it")
            return true(trial)

        true = mining.scored
        broken.setattr(mining, "scored", scored)
        with pytest.raises(MemoryError):
            launcher.generate(key, version)
    assert len(list((tmp_path / "runs" / key / "journal").glob("*/*.npz"))) == 2
    again = small_launcher(tmp_path)
    again.resume(key)
    assert outcome(again, key) == outcome(mined[0], mined[1])


def test_what_cannot_be_resumed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launcher, key, _ = stopped_run(tmp_path)
    with pytest.raises(BadInput, match=f"no such run was started; use one of {key}"):
        launcher.workbench.resume("run-0099")
    journal = next((tmp_path / "runs" / key / "journal").glob("*/000001.npz"))
    with np.load(journal) as held:
        changed = {name: held[name] for name in held.files}
    whole = journal.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"\0" * len(whole)):
        journal.write_bytes(damaged)
        with pytest.raises(BadInput, match=r"000001\.npz: what is kept of batch 1 cannot be read .*; delete this file"):
            small_launcher(tmp_path).resume(key)
    changed["alpha_id"] = changed["alpha_id"][::-1]
    np.savez(journal, **changed)
    with pytest.raises(BadInput, match="made of other expressions when the run began"):
        small_launcher(tmp_path).resume(key)
    journal.unlink()  # as the message about damage says: the batch is evaluated again
    assert small_launcher(tmp_path).resume(key).metadata["candidate_batch"]["proposed"] == 96
    monkeypatch.setattr(workbench, "code_version", lambda: "0.0.0+other")
    with pytest.raises(BadInput, match=r"and this is 0\.0\.0\+other; start a new run"):
        small_launcher(tmp_path).workbench.resume(key)


def test_a_stop_while_resuming_takes_nothing_back(tmp_path: Path) -> None:
    """What an earlier start evaluated are trials, and stay in the ledger."""
    launcher = small_launcher(tmp_path, candidates=128)
    version, _ = launcher.ensure_panel()
    key = launcher.new_run()
    with listening(Stopping(70)):
        launcher.generate(key, version)
    before = launcher.workbench.ledger.trials(key)
    assert before.height == 96
    again = small_launcher(tmp_path)
    with listening(Stopping(1)):
        batch = again.resume(key).metadata["candidate_batch"]
    assert (batch["stopped"], batch["proposed"]) == (True, 96)
    assert again.workbench.ledger.trials(key)["alpha_id"].sort().equals(before["alpha_id"].sort())


def test_what_a_run_began_with_is_what_it_goes_on_with(tmp_path: Path) -> None:
    first = small_launcher(tmp_path, generator="genetic")
    version, _ = first.ensure_panel()
    origin = first.new_run()
    first.generate(origin, version)
    later = small_launcher(tmp_path, generator="genetic", start_from=origin)
    key = later.new_run()
    with listening(Stopping(1)):
        later.generate(key, version)
    learned = tmp_path / "runs" / origin / "learned" / "genetic.safetensors"
    learned.write_bytes((tmp_path / "runs" / key / "learned" / "genetic.safetensors").read_bytes())
    with pytest.raises(BadInput, match=f"{key}: what is learned in .* is not what it began with; put that back"):
        small_launcher(tmp_path).resume(key)
