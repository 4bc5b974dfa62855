"""Many expressions at once: one per thread, dear parts in common made once and used while they are there."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import TYPE_CHECKING, Generic, TypeVar

from alpha_pipeline.engine import tree
from alpha_pipeline.engine.costs import WORTH, cost
from alpha_pipeline.engine.kernels.kernel import Matrix
from alpha_pipeline.expression import Call, Node

if TYPE_CHECKING:
    from alpha_pipeline.engine.engine import Engine

R = TypeVar("R")
LOOK_AHEAD = 8  # expressions among which a thread picks one whose dearest part nobody is just making


def run_batch(engine: Engine, nodes: Sequence[Node], consume: Callable[[int, Matrix], R]) -> Iterator[tuple[int, R]]:
    """(i, consume(i, value of nodes[i])) of resolved expressions, as they are done; see `Engine.map`."""
    batch = _Batch(engine, nodes, consume)
    if engine.runs_alone():
        try:
            while (index := batch.next()) is not None:
                yield index, batch.one(index)
        finally:
            batch.end()
        return
    finished: SimpleQueue[tuple[int, R] | BaseException | None] = SimpleQueue()

    def work() -> None:
        try:
            while (index := batch.next()) is not None:
                finished.put((index, batch.one(index)))
        except BaseException as error:  # handed on to whoever waits for the results, Ctrl-C in a test included
            finished.put(error)
        finally:
            finished.put(None)

    workers: list[Future[None]] = []
    try:
        workers += [engine.submit(work) for _ in range(min(engine.threads, len(nodes)))]
        working = len(workers)
        while working:
            result = finished.get()
            if result is None:
                working -= 1
            elif isinstance(result, BaseException):
                raise result
            else:
                yield result
    finally:
        batch.end()
        wait([worker for worker in workers if not worker.cancel()])


def worth_keeping(nodes: Sequence[Node]) -> Counter[Call]:
    """The parts that several expressions have in common and that are dear enough to be kept: in how many they stand."""
    return Counter({call: uses for call, uses in tree.shared(nodes).items() if cost(call) >= WORTH})


def in_order(nodes: Sequence[Node], worth: Counter[Call]) -> list[int]:
    """The expressions by their dearest shared part, then the next dearest: those alike follow each other.

    A part is let go soon after it was made, then, and memory goes further.
    """
    place = {call: at for at, call in enumerate(sorted(worth, key=lambda call: -cost(call)))}
    keys = [sorted(place[call] for call in tree.calls(node) if call in place) for node in nodes]
    return sorted(range(len(nodes)), key=lambda index: (not keys[index], keys[index], index))


class _Batch(Generic[R]):
    """Which expressions are still to be run."""

    def __init__(self, engine: Engine, nodes: Sequence[Node], consume: Callable[[int, Matrix], R]) -> None:
        worth = worth_keeping(nodes)
        self._engine = engine
        self._nodes = nodes
        self._consume = consume
        self._shared = [[call for call in tree.calls(node) if call in worth] for node in nodes]
        self._dearest = [max(calls, key=cost) if calls else None for calls in self._shared]
        self._waiting = in_order(nodes, worth)
        self._lock = threading.Lock()
        engine.cache.expect(len(nodes), worth)

    def next(self) -> int | None:
        """The expression to run now; None when there is none left."""
        with self._lock:
            if not self._waiting:
                return None
            free = (at for at, index in enumerate(self._waiting[:LOOK_AHEAD]) if not self._waits(index))
            return self._waiting.pop(next(free, 0))

    def _waits(self, index: int) -> bool:
        dearest = self._dearest[index]
        return dearest is not None and self._engine.cache.being_made(dearest)

    def one(self, index: int) -> R:
        """Run one expression."""
        try:
            return self._consume(index, self._engine.value(self._nodes[index]))
        finally:
            self._engine.cache.done(self._shared[index])

    def end(self) -> None:
        """Nothing more is to be run: whatever is left counts as done."""
        with self._lock:
            left, self._waiting = self._waiting, []
        for index in left:
            self._engine.cache.done(self._shared[index])
