"""Work for worker processes that is not evaluation: what goes wrong on purpose. Light to import, as workers do."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import TypeProblem
from alpha_pipeline.workers import Workers

Answers = Iterator[tuple[int, Any]]


class Stubborn(Exception):
    """Comes out of a pickle with an error."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(first + second)


def fail(kind: str) -> None:
    """Raise what a job names."""
    if kind == "bad input":
        raise BadInput("it is bad", "here", "mend it")
    if kind == "type problem":
        raise TypeProblem("it does not fit", "rank(x)", 5, "y")
    raise Stubborn(1, 2)


def one(job: Any) -> Any:
    """What a job asks for; numbers are doubled."""
    if isinstance(job, int):
        return 2 * job
    if job == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if job == "sleep":
        time.sleep(600)
    if job == "modules":
        return sorted(sys.modules)
    if job == "process":
        return os.getpid()
    return fail(job)


def worker(scratch: Path) -> Callable[[Sequence[Any]], Answers]:
    """`make` of these jobs."""
    assert scratch.is_dir()

    def work(jobs: Sequence[Any]) -> Answers:
        for position, job in enumerate(jobs):
            yield position, one(job)

    return work


def stillborn(scratch: Path) -> Callable[[Sequence[Any]], Answers]:
    """`make` that does not come up."""
    os._exit(3)


def at_home(jobs: Sequence[Any]) -> Answers:
    """The same in this process; nobody dies."""
    for position, job in enumerate(jobs):
        yield position, "survived" if job == "die" else one(job)


def wait_to_be_killed() -> None:
    """What a parent does whose workers never end: after each of ten jobs, say who they are and where."""
    workers: Workers[Any, Any] = Workers(2, worker, lambda scratch: (scratch,))
    for _ in workers.run([*range(10), "sleep", "sleep"], at_home):
        print(*workers.processes, workers.scratch, flush=True)
