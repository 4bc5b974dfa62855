"""A whole race: markets, then arms, then the arms matched to them; in processes, resumed from what is kept."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from alpha_pipeline import progress
from alpha_pipeline.race.arms import is_matched, models_of, pooled
from alpha_pipeline.race.jobs import Board, Job, Plan, Result, worker, write_result
from alpha_pipeline.race.planting import PlantLists
from alpha_pipeline.race.settings import RaceSettings
from alpha_pipeline.workers import Workers

GLANCE = 0.3  # seconds between two looks at how far the jobs are
THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Outcome:
    """What a race gave.

    Attributes:
        markets: what each market is, of those made.
        results: of the finished jobs, by market and arm.
        stopped: somebody asked to stop before all were done.
    """

    markets: list[Result]
    results: dict[tuple[int, str], Result]
    stopped: bool


def hold_race(settings: RaceSettings, plants: PlantLists, folder: Path, workers: int) -> Outcome:
    """Run what is missing of a race, and give all of it.

    Args:
        settings, plants: the race.
        folder: where its markets and finished jobs are kept.
        workers: processes; with one, everything runs in this one. Results do not depend on it.
    """
    with tempfile.TemporaryDirectory(prefix="alpha-race-") as board:
        plan = Plan(settings, plants, folder, Board(Path(board)))
        before = {name: os.environ.get(name) for name in THREAD_SETTINGS}
        os.environ.update(dict.fromkeys(THREAD_SETTINGS, "1"))  # for the workers: one thread each
        pool: Workers[Job, Result | None] = Workers(workers, worker, lambda scratch: (plan,))
        try:
            return _hold(plan, pool)
        finally:
            pool.close()
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


def _hold(plan: Plan, pool: Workers[Job, Result | None]) -> Outcome:
    settings = plan.settings
    numbers = range(settings.markets)
    made = _done(plan, pool, [Job(number) for number in numbers], "simulating markets", 1)
    markets = [made[job] for job in sorted(made, key=lambda job: job.market)]
    results: dict[tuple[int, str], Result] = {}
    if len(made) < settings.markets:
        return Outcome(markets, results, stopped=True)
    whole = max(1, round(settings.budget.whole))
    first = [Job(number, arm) for number in numbers for arm in settings.arms if not is_matched(arm)]
    done = _done(plan, pool, first, "racing", whole)
    results |= {(job.market, str(job.arm)): result for job, result in done.items()}
    if len(done) < len(first):
        return Outcome(markets, results, stopped=True)
    second = [
        _matched(settings, results, number, arm) for number in numbers for arm in settings.arms if is_matched(arm)
    ]
    done = _done(plan, pool, second, "racing arms matched in length", whole) if second else {}
    results |= {(job.market, str(job.arm)): result for job, result in done.items()}
    return Outcome(markets, results, stopped=len(done) < len(second))


def _matched(settings: RaceSettings, results: dict[tuple[int, str], Result], number: int, arm: str) -> Job:
    """The job of an arm that copies lengths which are known by now."""
    models = [results[number, model]["lengths"] for model in models_of(arm, settings.arms)]
    lengths = pooled([{int(length): count for length, count in model.items()} for model in models])
    return Job(number, arm, tuple(lengths.items()))


def _done(
    plan: Plan, pool: Workers[Job, Result | None], jobs: Sequence[Job], what: str, steps: int
) -> dict[Job, Result]:
    """Results of the jobs, those kept from before among them; fewer where somebody stopped."""
    held = {job: plan.kept(job) for job in jobs}
    results = {job: result for job, result in held.items() if result is not None}
    todo = [job for job in jobs if job not in results]
    listener = progress.current()
    if not todo or listener.stopped:
        return results
    listener.begin(what, steps * len(jobs))
    listener.advance(steps * len(results), f"{len(results)} of {len(jobs)} were done before" if results else "")
    with closing(_work(plan, pool, todo)) as work, _watched(plan.board, listener, steps > 1):
        try:
            for number, result in work:
                if result is None:
                    break
                job = todo[number]
                write_result(plan.result_path(job), result)
                results[job] = result
                listener.advance(1 if steps == 1 else 0, f"{len(results)} of {len(jobs)} jobs done")
                if listener.stopped:
                    break
        finally:
            listener.end()
    return results


def _work(
    plan: Plan, pool: Workers[Job, Result | None], jobs: Sequence[Job]
) -> Generator[tuple[int, Result | None], None, None]:
    def here(jobs: Sequence[Job]) -> Iterable[tuple[int, Result | None]]:
        return worker(plan)(jobs)

    yield from here(jobs) if pool.count == 1 else pool.run(jobs, here)


@contextmanager
def _watched(board: Board, listener: progress.Listener, counts: bool) -> Iterator[None]:
    """Tell the listener how far the jobs are, and the jobs when somebody says stop."""
    over = threading.Event()
    told = board.progress()

    def watch() -> None:
        nonlocal told
        while not over.wait(GLANCE):
            if listener.stopped:
                board.stop()
            now = board.progress()
            if counts and now > told:
                listener.advance(now - told, "")
                told = now

    thread = threading.Thread(target=watch, name="race progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
