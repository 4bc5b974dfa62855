"""One arm on one market: ask, evaluate, tell, until the budget is spent.

The budget is in evaluations, and repeats count: what an arm makes, finds to be proposed before and throws away is an
evaluation as well, as a cache would make it free. Or it is in CPU seconds of the process, evaluation and training
together, so that an arm pays for what it thinks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.evaluator import Evaluator, Trial
from alpha_pipeline.expression import Node
from alpha_pipeline.generate import Generator, check_proposals
from alpha_pipeline.generate.propose import batch_of, scored


@dataclass(frozen=True)
class Budget:
    """What an arm may spend: evaluations, or CPU seconds where they are given.

    Attributes:
        evaluations: what arms are told to expect, too; where CPU seconds are given, nothing else.
        cpu_seconds: of this process.
    """

    evaluations: int
    cpu_seconds: float | None = None

    @property
    def whole(self) -> float:
        """The budget on its own axis."""
        return self.evaluations if self.cpu_seconds is None else self.cpu_seconds


@dataclass(frozen=True, eq=False)
class Run:
    """What an arm proposed.

    Attributes:
        trials: one per proposal, in order.
        evaluations: [trials], evaluations up to and with each trial; repeats of an ask spread evenly over it.
        cpu_seconds: [trials], CPU seconds when the arm had learnt from it.
        spent: evaluations in all, repeats among them.
        repeats: of them.
        exhausted: the arm found nothing new before the budget was spent.
    """

    trials: list[Trial]
    evaluations: NDArray[np.int64]
    cpu_seconds: NDArray[np.float64]
    spent: int
    repeats: int
    exhausted: bool

    def axis(self, budget: Budget) -> NDArray[np.float64]:
        """What had been spent of the budget at each trial."""
        spent = self.evaluations if budget.cpu_seconds is None else self.cpu_seconds
        return np.asarray(spent, np.float64)


class Stopped(Exception):
    """Somebody asked to stop; what a run had so far is worth nothing."""


def run_arm(
    generator: Generator,
    evaluator: Evaluator,
    budget: Budget,
    report: Callable[[float], bool] = lambda spent: False,
) -> Run:
    """Let an arm spend its budget.

    Args:
        generator: a fresh one.
        report: told what is spent of the budget; True stops the run.

    Raises:
        Stopped: `report` said so.
    """
    trials: list[Trial] = []
    evaluations: list[int] = []
    seconds: list[float] = []
    before: set[Node] = set()
    exhausted = False
    begun = time.process_time()
    while _left(budget, len(trials) + generator.repeats, time.process_time() - begun):
        repeats = generator.repeats
        batch_size = generator.batch or batch_of(budget.evaluations)
        if budget.cpu_seconds is None:
            batch_size = min(batch_size, budget.evaluations - len(trials) - repeats)
        nodes = generator.ask(batch_size)
        if not nodes:
            exhausted = True
            break
        check_proposals(nodes, before)
        batch = evaluator.evaluate_many(nodes)
        generator.tell([scored(trial) for trial in batch])
        spread = np.linspace(0, generator.repeats - repeats, len(batch) + 1)[1:]
        evaluations += [len(trials) + number + repeats + int(extra) for number, extra in enumerate(spread, start=1)]
        trials += batch
        spent = time.process_time() - begun
        seconds += [spent] * len(batch)
        if report(len(trials) + generator.repeats if budget.cpu_seconds is None else spent):
            raise Stopped
    return Run(
        trials=trials,
        evaluations=np.array(evaluations, np.int64),
        cpu_seconds=np.array(seconds),
        spent=len(trials) + generator.repeats,
        repeats=generator.repeats,
        exhausted=exhausted,
    )


def _left(budget: Budget, evaluations: int, seconds: float) -> bool:
    return evaluations < budget.evaluations if budget.cpu_seconds is None else seconds < budget.cpu_seconds
