"""Runs that break: a violated contract stops the chain, and what a broken run left is not taken for whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from alpha_pipeline.errors import BadInput
from alpha_pipeline.orchestration.assets import generation, validation
from alpha_pipeline.orchestration.launch import QUIET, Launcher
from alpha_pipeline.orchestration.workbench import Workbench
from alpha_pipeline.validate import Bench, Candidate, Verdict, judge
from alpha_pipeline_tests.orchestration.conftest import SMALL, small_launcher


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a panel, where nothing was mined yet."""
    folder = tmp_path_factory.mktemp("home")
    small_launcher(folder).ensure_panel()
    return folder


@pytest.fixture
def launcher(home: Path) -> Launcher:
    """A fresh one, as in another process."""
    return small_launcher(home, candidates=32)


def run(launcher: Launcher, key: str, stage: str | None = None) -> dg.ExecuteInProcessResult:
    """The job, or one of its assets alone in what is a new process as far as resources know."""
    if stage is not None:
        launcher = Launcher(Workbench(launcher.workbench.settings, opener=SMALL))
    return launcher.definitions.resolve_job_def("generation").execute_in_process(
        run_config=QUIET,
        instance=launcher.instance,
        partition_key=key,
        asset_selection=[dg.AssetKey(stage)] if stage else None,
        raise_on_error=False,
    )


def failure(result: dg.ExecuteInProcessResult) -> str:
    """What the failed step says."""
    event = next(event for event in result.all_events if event.is_step_failure)
    error = event.step_failure_data.error
    assert error is not None
    return f"{error} {error.cause}"


def materialized(result: dg.ExecuteInProcessResult) -> list[str]:
    return [event.asset_key.path[-1] for event in result.get_asset_materialization_events() if event.asset_key]


def breaking(monkeypatch: pytest.MonkeyPatch, number: int, broken: Any) -> None:
    def sabotaged(stage: int, candidates: Sequence[Candidate], bench: Bench) -> list[Verdict]:
        verdicts = judge(stage, candidates, bench)
        return broken(verdicts) if stage == number else verdicts

    monkeypatch.setattr(validation, "judge", sabotaged)


@pytest.mark.parametrize(
    "broken",
    [
        lambda verdicts: verdicts[:-1],
        lambda verdicts: [*verdicts, verdicts[-1]],
        lambda verdicts: [replace(verdicts[0], passed=False), *verdicts[1:]],
    ],
    ids=["a candidate not judged", "one judged twice", "rejected without a reason"],
)
def test_a_stage_that_breaks_its_contract_stops_the_chain(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch, broken: Any
) -> None:
    breaking(monkeypatch, 2, broken)
    key = launcher.new_run()
    result = run(launcher, key)
    assert not result.success
    assert materialized(result)[-1] == "stage_2_types"
    failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert [(check.check_name, check.asset_key.path[-1]) for check in failed] == [("contract", "stage_2_types")]
    assert not list(launcher.workbench.home.exports.glob(f"*{key}*"))
    assert launcher.workbench.ledger.verdicts(key).is_empty()


def test_a_batch_with_a_repeated_candidate_stops_at_the_first_stage(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = generation.propose

    def repeating(*arguments: Any) -> Any:
        found = honest(*arguments)
        return replace(found, trials=[*found.trials, found.trials[0]], rounds=[*found.rounds, 1])

    monkeypatch.setattr(generation, "propose", repeating)
    result = run(launcher, launcher.new_run())
    assert not result.success
    assert materialized(result) == ["candidate_batch", "stage_1_syntax"]


def test_what_a_broken_run_left_is_not_taken_for_whole(launcher: Launcher, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(verdicts: list[Verdict]) -> list[Verdict]:
        raise MemoryError("sabotage")

    key = launcher.new_run()
    with monkeypatch.context() as broken:
        breaking(broken, 3, crash)
        assert "sabotage" in failure(run(launcher, key))
    assert "stage_3_complexity was never materialized" in failure(run(launcher, key, "stage_4_execution"))
    assert run(launcher, key).success

    other = Launcher(Workbench(launcher.workbench.settings.model_copy(update={"seed": 77}), opener=SMALL))
    with monkeypatch.context() as broken:
        breaking(broken, 3, crash)
        assert "sabotage" in failure(run(other, key))
    assert "left from an earlier start" in failure(run(other, key, "stage_4_execution"))
    assert "left from an earlier start" in failure(run(other, key, "export_set"))
    assert run(other, key).success
    assert run(other, key, "stage_4_execution").success


def test_a_stage_of_a_run_that_never_began(tmp_path: Path) -> None:
    launcher = small_launcher(tmp_path)
    launcher.ensure_panel()
    key = launcher.new_run()
    assert "candidate_batch was never materialized" in failure(run(launcher, key, "stage_1_syntax"))
    with pytest.raises(BadInput, match="it has no candidates yet"):
        launcher.workbench.run(key)
