"""The budget of an arm: repeats count, nothing is overdrawn unseen, a stop stops."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.expression import Node
from alpha_pipeline.generate import Round, Scored, Thresholds
from alpha_pipeline.race.arms import Setting, grammar_for, make_arm
from alpha_pipeline.race.running import Budget, Stopped, run_arm


class Repeating:
    """Random search that throws a proposal away for every one it makes, from a finite store."""

    name = "repeating"

    def __init__(self, evaluator: Evaluator, batch: int | None = 10, store: int = 1000) -> None:
        limits = Thresholds()
        arm = make_arm("random", Setting(grammar_for(evaluator.available, limits, 100, 700), limits, 5, None, {}))
        self._nodes = arm.ask(store)
        self.batch = batch
        self.repeats = 0
        self.history: list[Round] = []
        self.told: list[int] = []

    def ask(self, count: int) -> list[Node]:
        nodes, self._nodes = self._nodes[:count], self._nodes[count:]
        self.repeats += len(nodes)
        return nodes

    def tell(self, results: Sequence[Scored]) -> None:
        self.told.append(len(results))


def test_repeats_are_evaluations(evaluator: Evaluator) -> None:
    arm = Repeating(evaluator)
    run = run_arm(arm, evaluator, Budget(60))
    assert arm.told == [10, 10, 10]
    assert (run.spent, run.repeats, len(run.trials)) == (60, 30, 30)
    assert run.evaluations.tolist() == list(range(2, 61, 2))
    assert not run.exhausted


def test_the_last_ask_is_no_larger_than_what_is_left(evaluator: Evaluator) -> None:
    arm = Repeating(evaluator, batch=None)
    run = run_arm(arm, evaluator, Budget(80))
    assert arm.told == [32, 16]  # 64 are spent after the first
    assert run.evaluations[-1] == 96  # what the last ask threw away comes on top, and is judged as too late


def test_an_exhausted_arm_ends(evaluator: Evaluator) -> None:
    run = run_arm(Repeating(evaluator, store=15), evaluator, Budget(1000))
    assert run.exhausted
    assert len(run.trials) == 15


def test_seconds_are_a_budget_too(evaluator: Evaluator) -> None:
    run = run_arm(Repeating(evaluator, store=400), evaluator, Budget(20, 0.05))
    assert run.exhausted or run.cpu_seconds[-1] >= 0.05
    assert (run.cpu_seconds[1:] >= run.cpu_seconds[:-1]).all()
    assert run.axis(Budget(20, 0.05)) is not None


def test_a_stop_is_heard(evaluator: Evaluator) -> None:
    said: list[float] = []

    def stop(spent: float) -> bool:
        said.append(spent)
        return len(said) == 2

    with pytest.raises(Stopped):
        run_arm(Repeating(evaluator), evaluator, Budget(1000), stop)
    assert said == [20, 40]
