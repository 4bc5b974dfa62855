"""Processes that do one kind of work for this one. What the work is they are told; nothing here knows expressions.

A worker is a fresh Python started by `subprocess`: `multiprocessing` would import the program that runs here into it
(Dagster, a test runner) and put a helper process beside it. A fork is out of the question, as threads do not survive
one. Each worker has a socket of its own, by whose end everyone learns of a death:

- A worker dies (killed, out of memory): its socket ends. What it had not finished goes to others, one job at a time, so
  that a job that kills its worker is found out; what was lost twice is done in this process at the end.
- This process dies, however: the sockets end, and the workers with it, in the middle of a job.
- Ctrl-C goes to all processes of a terminal; workers ignore it. This process stops the batch, which ends them.
"""

from __future__ import annotations

import logging
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")
Work = Callable[[Sequence[Job]], Iterable[tuple[int, Result]]]
"""Does some jobs: (position of the job, its result), each once, as they are done."""

log = logging.getLogger("alpha_pipeline.workers")

PROGRAM = "from alpha_pipeline.workers import serve; serve({socket}, {parent}, {scratch!r})"
READY = "ready"
PATIENCE = 0.2  # seconds between two chances for an exception that another thread raises in this one
ORPHANED = 1.0  # seconds between two looks at whether the parent is there: a fork of it may hold the socket open
CHUNKS = 2  # of what is left, a worker takes the share it would have if there were so many times as many workers
UNTOLD = [signal.SIGINT, signal.SIGHUP]  # what a terminal tells all its processes: it is for this one to decide


@dataclass(eq=False)
class _Worker:
    """A process, and what it is doing.

    Attributes:
        chunk: numbers of the jobs it was given, in that order.
        left: those of them that it has not finished.
        up: whether it ever said that it is ready.
        peak: its `peak_memory` when it was last done with a chunk.
    """

    process: subprocess.Popen[bytes]
    socket: Connection
    chunk: list[int] = field(default_factory=list)
    left: dict[int, None] = field(default_factory=dict)
    up: bool = False
    peak: int = 0

    def end(self) -> None:
        """Kill the process, if it still runs, and take its exit code: no zombie is left."""
        self.process.kill()
        self.process.wait()
        self.socket.close()  # last: one that sees it closed takes us for dead, and clears away what the others use


class Workers(Generic[Job, Result]):
    """Up to `count` processes, started when there is work for them and kept until `close`.

    Args:
        count: processes.
        make: called in each worker with `arguments`, gives what does the work. A function of a module, as workers
            import it from there.
        arguments: called in this process before workers start, with an empty folder that lasts as long as they do.
        at_least: jobs that a worker does side by side, so that fewer at once would leave it idle.
    """

    def __init__(
        self,
        count: int,
        make: Callable[..., Work[Job, Result]],
        arguments: Callable[[Path], tuple[Any, ...]],
        at_least: int = 1,
    ) -> None:
        self.count = count
        self.deaths = 0
        self._make = make
        self._arguments = arguments
        self._at_least = at_least
        self._state = _State()
        self._busy = threading.Lock()
        weakref.finalize(self, self._state.close)  # also at the end of the process

    @property
    def processes(self) -> list[int]:
        """Process ids of those that run."""
        return [worker.process.pid for worker in self._state.workers]

    @property
    def peak_memory(self) -> int:
        """The sum of theirs, in bytes; what they share counts once for each."""
        return sum(worker.peak for worker in self._state.workers)

    @property
    def scratch(self) -> Path:
        """The folder that lasts as long as they do."""
        if self._state.scratch is None:
            raise RuntimeError("no worker was started")
        return self._state.scratch

    def run(self, jobs: Sequence[Job], here: Work[Job, Result]) -> Generator[tuple[int, Result], None, None]:
        """(number of the job, its result) for each job, as they are done. Neighbours go to one worker.

        The first error ends the batch and is raised; so does closing the iterator. Either ends the workers too, as they
        would go on for nothing; the next batch starts new ones.

        Args:
            here: does jobs in this process: those that workers died of, and all of them while another batch runs.
        """
        if not self._busy.acquire(blocking=False):
            yield from here(jobs)
            return
        try:
            yield from self._batch(jobs, here)
        except BaseException:
            self.close()
            raise
        finally:
            self._busy.release()

    def close(self) -> None:
        """End the processes, whatever they do; a later batch starts new ones."""
        self._state.close()

    def _batch(self, jobs: Sequence[Job], here: Work[Job, Result]) -> Generator[tuple[int, Result], None, None]:
        waiting = deque(range(len(jobs)))
        again: deque[int] = deque()  # lost with a worker once
        last: list[int] = []  # and twice
        lost: set[int] = set()
        room = self.count  # for workers; less when one did not even come up
        workers = self._state.workers
        for worker in [worker for worker in workers if worker.process.poll() is not None]:
            self._bury(worker)
        while True:
            if waiting or again:
                self._start(min(room, len(waiting) + len(again)))
            for worker in workers:
                if not worker.chunk and (again or waiting):
                    chunk = [again.popleft()] if again else self._share(waiting)
                    worker.chunk, worker.left = chunk, dict.fromkeys(chunk)
                    with suppress(OSError):  # dead already: its socket says so below
                        worker.socket.send([jobs[number] for number in chunk])
            at_work = {worker.socket: worker for worker in workers if worker.chunk}
            if not at_work:
                break
            for socket in wait(list(at_work), PATIENCE):
                worker = at_work[socket]  # type: ignore[index]
                try:
                    message = worker.socket.recv()
                except (EOFError, OSError):
                    self._bury(worker)
                    room -= not worker.up
                    last += [number for number in worker.left if number in lost]
                    again += [number for number in worker.left if number not in lost]
                    lost |= worker.left.keys()
                    continue
                if isinstance(message, BaseException):
                    raise message
                if message == READY:
                    worker.up = True
                elif isinstance(message, int):
                    worker.chunk, worker.peak = [], message
                else:
                    position, result = message
                    number = worker.chunk[position]
                    del worker.left[number]
                    yield number, result
        rest = [*again, *waiting, *last]
        for position, result in here([jobs[number] for number in rest]) if rest else ():
            yield rest[position], result

    def _share(self, waiting: deque[int]) -> list[int]:
        """The next jobs for one worker: many at first, so that neighbours stay together, few at the end."""
        share = max(self._at_least, -(-len(waiting) // (CHUNKS * self.count)))
        return [waiting.popleft() for _ in range(min(share, len(waiting)))]

    def _start(self, count: int) -> None:
        """Have at least `count` workers."""
        state = self._state
        if len(state.workers) < count and state.scratch is None:
            state.scratch = Path(tempfile.mkdtemp(prefix="alpha-pipeline-"))
            state.greeting = pickle.dumps((self._make, self._arguments(state.scratch)))
        while len(state.workers) < count:
            state.workers.append(_started(self.scratch, state.greeting))

    def _bury(self, worker: _Worker) -> None:
        """A worker is dead."""
        self._state.workers.remove(worker)
        worker.end()
        self.deaths += 1
        if self.deaths == 1:
            log.warning(
                "a worker process died (exit code %d) with %d jobs to do; others do them: it costs time only",
                worker.process.returncode,
                len(worker.left),
            )


class _State:
    """What has to be cleared away when workers end; apart from `Workers`, so that its finalizer does not hold it."""

    def __init__(self) -> None:
        self.workers: list[_Worker] = []
        self.scratch: Path | None = None
        self.greeting = b""
        self._owner = os.getpid()

    def close(self) -> None:
        if os.getpid() != self._owner:  # a fork of the process that started them
            return
        while self.workers:
            self.workers.pop().end()
        if self.scratch is not None:
            shutil.rmtree(self.scratch, ignore_errors=True)
            self.scratch = None


def _started(scratch: Path, greeting: bytes) -> _Worker:
    """A new worker that has been told what its work is."""
    ours, theirs = Pipe()
    program = PROGRAM.format(socket=theirs.fileno(), parent=os.getpid(), scratch=str(scratch))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, UNTOLD)  # a new program inherits it: Ctrl-C never meets a worker
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", program],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.curdir for path in sys.path)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # ours may be somebody's JSON
            pass_fds=[theirs.fileno()],
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
    worker = _Worker(process, ours)
    with suppress(OSError):  # dead already: its socket says so when it is read
        ours.send_bytes(greeting)
    return worker


def peak_memory() -> int:
    """The largest resident memory of this process so far, in bytes, mapped pages included."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def serve(descriptor: int, parent: int, scratch: str) -> None:
    """What a worker does until its parent ends it, or is gone.

    It is told `make` and its arguments, and answers READY; then chunks, which are lists of jobs, and answers (position,
    result) for each job and its `peak_memory` after each chunk. Instead of any answer, and as the last one, may come an
    exception.
    """
    socket = Connection(descriptor)
    told: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(socket, parent, scratch, told), daemon=True).start()
    try:
        make, arguments = pickle.loads(told.get())
        work = make(*arguments)
        socket.send(READY)
        while True:
            for answer in work(pickle.loads(told.get())):
                socket.send(answer)
            socket.send(peak_memory())
    except BaseException as error:  # handed on to whoever waits for the results
        error.add_note(f"In a worker process:\n{''.join(traceback.format_exception(error))}")
        with suppress(OSError):  # nobody is there to hear it
            socket.send_bytes(_packed(error))
    threading.Event().wait()  # to be ended by the parent, or with it


def _listen(socket: Connection, parent: int, scratch: str, told: SimpleQueue[bytes]) -> None:
    """Hand on what the parent says. When it is gone, clear away what it cannot any more and end the process at once."""
    try:
        while True:
            while not socket.poll(ORPHANED):
                if os.getppid() != parent:
                    raise EOFError
            told.put(socket.recv_bytes())
    except (EOFError, OSError):
        shutil.rmtree(scratch, ignore_errors=True)
    finally:
        os._exit(1)


def _packed(error: BaseException) -> bytes:
    """An exception as bytes; one that does not come back the same is told in words."""
    try:
        packed = pickle.dumps(error)
        if type(pickle.loads(packed)) is type(error):
            return packed
    except Exception:  # whatever a foreign exception's own pickling raises
        log.debug("an exception cannot be pickled", exc_info=True)
    told = RuntimeError(f"{type(error).__name__}: {error}")
    told.__notes__ = list(error.__notes__)
    return pickle.dumps(told)
