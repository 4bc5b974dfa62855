"""A whole race on tiny markets: repeatable, resumable, the same in processes, silent where there is nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from threadpoolctl import threadpool_info, threadpool_limits  # type: ignore[import-untyped]

from alpha_pipeline import progress
from alpha_pipeline.errors import BadInput
from alpha_pipeline.race import jobs
from alpha_pipeline.race.contest import Outcome, hold_race
from alpha_pipeline.race.jobs import Board
from alpha_pipeline.race.planting import PlantLists, read_plants
from alpha_pipeline.race.running import Run, run_arm
from alpha_pipeline.race.settings import NO_PLANTS, RaceSettings
from alpha_pipeline.race.summary import summarise

SMALL: dict[str, Any] = {"markets": 2, "evaluations": 60, "instruments": 40, "days": 300}
STRONG = json.dumps({"plants": [{"expression": "-ts_std_dev(returns, 30)", "sharpe": 6, "tier": "T1"}]})


def settings(**changed: Any) -> RaceSettings:
    return RaceSettings(**{**SMALL, "arms": ("random", "genetic", "matched"), **changed})


def plants() -> PlantLists:
    return read_plants(STRONG, "strong")


def figures(held: RaceSettings, outcome: Outcome) -> Any:
    """The whole JSON without measured seconds."""
    return timeless(summarise(held, "strong", outcome, "race", "code", "command"))


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if "seconds" not in key}
    return [timeless(item) for item in value] if isinstance(value, list | tuple) else value


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    folder = tmp_path_factory.mktemp("raced")
    return folder, hold_race(settings(), plants(), folder, 1)


def test_a_race_is_repeatable_and_the_same_in_processes(raced: tuple[Path, Outcome], tmp_path: Path) -> None:
    again = hold_race(settings(), plants(), tmp_path, 2)
    assert figures(settings(), again) == figures(settings(), raced[1])


def test_everything_is_there(raced: tuple[Path, Outcome]) -> None:
    _, outcome = raced
    assert not outcome.stopped
    assert set(outcome.results) == {(number, arm) for number in (0, 1) for arm in settings().arms}
    for result in outcome.results.values():
        assert 60 <= result["evaluations"] < 90
        assert result["plants"][0]["oracle"] > 1.0
    assert outcome.markets[0]["data_version"] != outcome.markets[1]["data_version"]


class StopsAfter:
    """Somebody who says stop when so many jobs are done."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self.stopped = False

    def begin(self, what: str, total: int) -> None: ...

    def advance(self, steps: int, note: str) -> None:
        self.jobs -= "jobs done" in note
        self.stopped = self.jobs <= 0

    def end(self) -> None: ...


def test_a_stopped_race_goes_on(raced: tuple[Path, Outcome], tmp_path: Path) -> None:
    with progress.listening(StopsAfter(4)):  # two markets, two runs
        first = hold_race(settings(), plants(), tmp_path, 1)
    assert first.stopped
    assert len(first.results) == 2
    kept = {path: path.read_bytes() for path in (tmp_path / "jobs").glob("*.json")}
    assert len(kept) == 4
    partial = summarise(settings(), "strong", first, "race", "code", "command")
    assert partial["interrupted"]
    assert [arm["arm"] for arm in partial["arms"]] == ["random", "genetic"]
    second = hold_race(settings(), plants(), tmp_path, 1)
    assert figures(settings(), second) == figures(settings(), raced[1])
    assert {path: path.read_bytes() for path in kept} == kept


def test_a_market_that_was_removed_is_made_again(raced: tuple[Path, Outcome], tmp_path: Path) -> None:
    shutil.copytree(raced[0], tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "markets" / "001")
    (tmp_path / "jobs" / "001-random.json").unlink()
    again = hold_race(settings(), plants(), tmp_path, 1)
    assert figures(settings(), again) == figures(settings(), raced[1])


def test_a_result_that_is_not_whole_says_what_to_do(raced: tuple[Path, Outcome], tmp_path: Path) -> None:
    shutil.copytree(raced[0], tmp_path, dirs_exist_ok=True)
    path = tmp_path / "jobs" / "001-random.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(BadInput, match=r"001-random\.json.*delete it"):
        hold_race(settings(), plants(), tmp_path, 1)


def test_more_arms_join_what_is_kept(raced: tuple[Path, Outcome]) -> None:
    folder, outcome = raced
    before = {path: path.read_bytes() for path in (folder / "jobs").glob("*.json")}
    held = settings(arms=("random", "genetic", "matched", "hill"))
    more = hold_race(held, plants(), folder, 1)
    assert len(more.results) == len(outcome.results) + 2
    assert {path: path.read_bytes() for path in before} == before


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    held = settings(null=True, arms=("random",), markets=1)
    outcome = hold_race(held, NO_PLANTS, tmp_path, 1)
    summary = summarise(held, "none", outcome, "race", "code", "command")
    arm = summary["arms"][0]
    assert arm["recall"] is None
    assert arm["recall_weighted"] is None
    assert arm["anytime"] is None
    assert arm["false_finds"] == arm["accepted"]
    assert arm["oracle"] == 0.0
    assert summary["comparisons"] == []


def test_learners_of_a_market_start_alike_and_markets_differ() -> None:
    held = settings()
    assert held.learner_seed(0) == settings(markets=5).learner_seed(0)
    assert len({held.market_seed(0), held.market_seed(1), held.learner_seed(0), held.learner_seed(1)}) == 4
    assert settings(seed=2).market_seed(0) != held.market_seed(0)


def test_the_name_of_a_race_is_what_decides_its_jobs() -> None:
    name = settings().name(plants(), "code")
    assert settings(markets=9, arms=("random",)).name(plants(), "code") == name
    for changed in ({"evaluations": 61}, {"seed": 2}, {"days": 301}, {"cpu_seconds": 3.0}):
        assert settings(**changed).name(plants(), "code") != name
    assert settings().name(plants(), "other") != name
    assert settings().name(NO_PLANTS, "code") != name


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"markets": 0}, "--markets"),
        ({"evaluations": 5}, "--evaluations"),
        ({"cpu_seconds": 0.0}, "--cpu-seconds"),
        ({"cpu_seconds": float("nan")}, "--cpu-seconds"),
        ({"seed": -1}, "--seed"),
        ({"instruments": 5}, "--instruments"),
        ({"days": 100}, "--days"),
        ({"arms": ("sprint",)}, "--arms"),
    ],
)
def test_bad_settings_are_told(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput) as caught:
        settings(**changed)
    assert says in str(caught.value)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with progress.listening(progress.Silent()):
        yield


def test_the_board_adds_up_and_says_stop(tmp_path: Path) -> None:
    board = Board(tmp_path)
    assert not board.report("000-random", 10.4)
    assert not board.report("001-random", 5)
    assert not board.report("000-random", 20)
    assert board.progress() == 25
    board.stop()
    assert board.report("001-random", 6)
    assert board.progress() == 26


def test_arms_have_one_thread_in_this_process_as_in_workers(
    raced: tuple[Path, Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Libraries' threads that wait for work spin: on two processors an arm paid three times the CPU seconds."""
    seen: list[int] = []

    def spied(*given: Any) -> Run:
        seen.extend(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")
        return run_arm(*given)

    monkeypatch.setattr(jobs, "run_arm", spied)
    shutil.copytree(raced[0], tmp_path, dirs_exist_ok=True)
    (tmp_path / "jobs" / "000-random.json").unlink()
    with threadpool_limits(2):
        hold_race(settings(markets=1, arms=("random",)), plants(), tmp_path, 1)
        after = [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]
    assert set(seen) == {1}
    assert set(after) == {2}


def test_an_arm_that_fails_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(jobs, "run_arm", broken)
    with pytest.raises(ZeroDivisionError) as caught:
        hold_race(settings(markets=1, arms=("random",)), plants(), tmp_path, 1)
    assert "000-random" in caught.value.__notes__[0]
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["000-market.json"]
