"""Trees × Panel → signals.

How an expression is evaluated:
1. `tree.resolve` spells out `adv{N}` and checks the fields and groups it names.
2. Operators run depth first, each distinct subtree once; a value is let go after its last use.
3. Matrix inputs of operators across instruments are masked to the universe, unless `tree.confined` shows there is
   nothing to mask. Groups are not: everyone's are known.
4. An operator's kernel fills a matrix from the pool (`buffers`), in blocks of rows or columns; an operator without
   one runs its plain kernel (`plain`). `evaluation` says what a kernel is handed.

Two ways to use the processors: `evaluate` splits every operator of one expression into blocks; `map` runs one
expression per thread and keeps subtrees that a batch has in common (`cache`). Results do not depend on threads, memory
or what was kept.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import pairwise
from typing import Any, Literal, TypeVar

import numpy as np

from alpha_pipeline.engine import tree
from alpha_pipeline.engine.buffers import Buffers, typed_writable
from alpha_pipeline.engine.cache import SubtreeCache
from alpha_pipeline.engine.evaluation import Evaluation, EvaluationTimeout
from alpha_pipeline.engine.groups import offsets_of
from alpha_pipeline.engine.kernels.kernel import Cells, Kernel, Matrix
from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import DEFAULT_CHOICES, Call, Choices, Node
from alpha_pipeline.market.panel import Panel

__all__ = ["Engine", "EvaluationTimeout"]

R = TypeVar("R")
WORTH_SPLITTING = 100_000  # cells; below this, handing a block to another thread costs more than it saves
COLUMN_STEP = 16  # blocks of columns begin at whole cache lines
AHEAD = 4  # results a thread may be ahead of the one that is waited for


class Engine:
    """Evaluates expressions on one panel.

    Args:
        panel: fields, universe and groups; read only, its memory is shared.
        threads: at most so many kernels run side by side.
        memory: bytes for all matrices of the engine. With little, nothing is kept between expressions; what one
            expression needs at a time (about depth + 2 matrices, for each thread of `map`) is always granted.
        windows: "partial": a window uses the valid values it holds; "strict": all of them must be valid.
        choices: how operators are read of which sources say different things.

    Use as a context manager, or `close`, to end its threads early; idle ones end with the process.
    """

    def __init__(
        self,
        panel: Panel,
        *,
        threads: int = 2,
        memory: int = 2 * 1024**3,
        windows: Literal["partial", "strict"] = "partial",
        choices: Choices = DEFAULT_CHOICES,
    ) -> None:
        if threads < 1:
            raise BadInput(f"{threads} threads cannot run anything", "threads", "give 1 or more")
        if memory < 0:
            raise BadInput("memory cannot be negative", "memory", "give the bytes the engine may use")
        if windows not in ("partial", "strict"):
            raise BadInput(f"unknown kind of windows {windows!r}", "windows", "use partial or strict")
        self.panel = panel
        self.threads = threads
        self.windows = windows
        self.choices = choices
        self.fields = {name: typed_writable(values) for name, values in panel.fields.items()}
        self.universe = typed_writable(panel.universe)
        self.groups = {name: offsets_of(codes) for name, codes in panel.groups.items()}
        self.vectors = {
            name: Cells(typed_writable(each.values), typed_writable(each.offsets))
            for name, each in panel.vectors.items()
        }
        self.cache = SubtreeCache()
        self._buffers = Buffers(panel.shape, memory)
        self._inside = threading.local()  # set in a worker thread: what it runs is not split further
        self._pool: ThreadPoolExecutor | None = None
        self._pool_lock = threading.Lock()

    def evaluate(self, node: Node, deadline: float | None = None) -> Matrix:
        """The value of an expression: float32 [dates, instruments], the caller's to keep.

        Cells outside the universe hold whatever the operators make of missing data there, mostly NaN.

        Args:
            deadline: `time.monotonic()` value to stop at, looked at between operators.

        Raises:
            BadInput: the panel lacks a field or group, or an operator does not run here.
            EvaluationTimeout: the deadline has passed.
        """
        resolved = self._resolved(node)
        value = Evaluation(self, resolved, deadline).run()
        if isinstance(resolved, Call):
            return value
        own = self.take()
        np.copyto(own, value)
        return own

    def map(self, nodes: Sequence[Node], consume: Callable[[int, Matrix], R]) -> Iterator[R]:
        """`consume(i, value of nodes[i])` for each expression, in order, one expression per thread.

        `consume` runs in the thread that evaluated; it may neither write to the matrix nor keep it. The first error, of
        the evaluation or of `consume`, is raised in its turn and ends the batch. Closing the iterator ends it as well.

        Raises:
            BadInput: the panel lacks a field or group of an expression; before anything is run.
        """
        resolved = [self._resolved(node) for node in nodes]
        return self._mapped(resolved, consume)

    def _mapped(self, nodes: Sequence[Node], consume: Callable[[int, Matrix], R]) -> Iterator[R]:
        worth = tree.shared(nodes)
        self.cache.expect(worth)
        counted = [[call for call in tree.calls(node) if call in worth] for node in nodes]
        settled = 0  # expressions whose uses are taken back

        def one(index: int) -> R:
            try:
                return consume(index, Evaluation(self, nodes[index], None).run())
            finally:
                self.cache.done(counted[index])

        if self._runs_alone():
            try:
                for index in range(len(nodes)):
                    settled = index + 1
                    yield one(index)
            finally:
                for calls in counted[settled:]:
                    self.cache.done(calls)
            return
        running: deque[Future[R]] = deque()
        submitted = 0
        try:
            while submitted < len(nodes) or running:
                while submitted < len(nodes) and len(running) < self.threads * AHEAD:
                    running.append(self._submit(one, submitted))
                    submitted += 1
                yield running.popleft().result()
        finally:
            first = submitted - len(running)
            cancelled = [index for index, future in enumerate(running, first) if future.cancel()]
            wait(running)
            for index in (*cancelled, *range(submitted, len(nodes))):
                self.cache.done(counted[index])

    def close(self) -> None:
        """End the threads; a later call starts new ones."""
        with self._pool_lock:
            if self._pool is not None:
                self._pool.shutdown(wait=True)
                self._pool = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what an evaluation needs ------------------------------------------------------------------------------------

    def _resolved(self, node: Node) -> Node:
        return tree.resolve(node, self.fields, self.groups, self.vectors)

    def take(self) -> Matrix:
        """A matrix of the pool, its content undefined."""
        return self._buffers.take(self.cache.drop_oldest)

    def apply(self, kernel: Kernel, arguments: Sequence[Any]) -> Matrix:
        """The kernel's result on a matrix of the pool, in as many blocks as there are threads."""
        out = self.take()
        length = out.shape[1 if kernel.axis == "columns" else 0]
        blocks = 1 if self._runs_alone() or out.size < WORTH_SPLITTING or kernel.axis == "all" else self.threads
        if blocks == 1:
            kernel.run(*arguments, out, 0, length)
            return out
        step = COLUMN_STEP if kernel.axis == "columns" else 1
        bounds = [min(length, round(length * i / blocks / step) * step) for i in range(blocks)] + [length]
        others = [self._submit(kernel.run, *arguments, out, lo, hi) for lo, hi in pairwise(bounds[1:]) if lo < hi]
        try:
            kernel.run(*arguments, out, 0, bounds[1])
        finally:
            wait(others)  # whatever happens here, nobody writes to the matrix after this
        for other in others:
            other.result()
        return out

    def _runs_alone(self) -> bool:
        """Whether this thread shares its work with no other: there is but one, or it is one of several itself."""
        return self.threads == 1 or getattr(self._inside, "worker", False)

    def _submit(self, function: Callable[..., R], *arguments: Any) -> Future[R]:
        with self._pool_lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.threads, "engine", initializer=self._enter_worker)
            return self._pool.submit(function, *arguments)

    def _enter_worker(self) -> None:
        self._inside.worker = True
