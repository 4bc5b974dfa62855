"""The mining loop: ask a generator, evaluate, tell it, until the budget is spent or somebody says stop."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from alpha_pipeline import progress
from alpha_pipeline.evaluator import Evaluator, Trial
from alpha_pipeline.expression import Node
from alpha_pipeline.generate.base import Generator, Scored, check_proposals
from alpha_pipeline.journal import Journal

SMALLEST_BATCH, ROUNDS = 32, 32


def batch_of(budget: int) -> int:
    """Proposals between two looks at the stop flag; also what a generator learns from at once.

    A large budget learns in as many rounds as a small one, of more proposals: these have more parts in common.
    """
    return max(SMALLEST_BATCH, budget // ROUNDS)


@dataclass(frozen=True, slots=True)
class Proposals:
    """What a run proposed: every distinct expression, good or bad, in order.

    Attributes:
        trials: one per proposal.
        rounds: the ask it came from, counted from 1.
        seconds: wall time of the loop.
        stopped: somebody asked to stop before the budget was spent.
        exhausted: the generator found nothing new before the budget was spent.
    """

    trials: list[Trial]
    rounds: list[int]
    seconds: float
    stopped: bool
    exhausted: bool


def propose(generator: Generator, evaluator: Evaluator, budget: int, journal: Journal | None = None) -> Proposals:
    """Let a generator make `budget` proposals and learn from them; a stop keeps the batches that are done.

    Args:
        generator: a fresh one.
        evaluator: gives the figures.
        budget: distinct expressions to propose.
        journal: where batches are kept while the run lasts. What it holds of an earlier start is not evaluated again.

    Raises:
        BadInput: the journal is of other proposals.
    """
    listener = progress.current()
    begun = time.perf_counter()
    trials: list[Trial] = []
    rounds: list[int] = []
    before: set[Node] = set()
    exhausted = False
    answered = 0 if journal is None else len(journal)  # batches that a stop does not undo
    listener.begin("mining", budget)
    try:
        # A run of nothing could not be judged; and what an earlier start evaluated are trials, whatever stops this one.
        while len(trials) < budget and not (listener.stopped and trials and rounds[-1] >= answered):
            nodes = generator.ask(min(generator.batch or batch_of(budget), budget - len(trials)))
            if not nodes:
                exhausted = True
                break
            check_proposals(nodes, before)
            number = rounds[-1] if rounds else 0
            if journal is not None:
                journal.answer(number, [evaluator.identify(node)[0] for node in nodes], evaluator)
            fresh = 0

            def tick(trial: Trial) -> None:
                nonlocal fresh
                fresh += 1
                listener.advance(1, "")

            batch = evaluator.evaluate_many(nodes, progress=tick)
            listener.advance(len(batch) - fresh, "")  # those that were known
            if journal is not None:
                journal.keep(number, batch)
            generator.tell([scored(trial) for trial in batch])
            trials += batch
            rounds += [number + 1] * len(batch)
            best = max(trials, key=lambda trial: trial.metrics.fitness)
            listener.advance(0, f"best so far: Sharpe {best.metrics.sharpe:.2f}, fitness {best.metrics.fitness:.2f}")
    finally:
        listener.end()
    stopped = listener.stopped and len(trials) < budget
    return Proposals(trials, rounds, time.perf_counter() - begun, stopped, exhausted)


def scored(trial: Trial) -> Scored:
    """What a generator may know of a trial: the search window's figures."""
    pnl = trial.pnl.copy()
    pnl[: trial.first_day] = np.nan
    return Scored(
        node=trial.node,
        alpha_id=trial.alpha_id,
        sharpe=trial.metrics.sharpe,
        pnl=pnl,
        turnover=trial.metrics.turnover,
        fitness=trial.metrics.fitness,
        returns=trial.metrics.returns,
        finite_share=1.0 - trial.missing,
    )
