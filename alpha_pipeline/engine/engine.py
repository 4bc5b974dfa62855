"""Trees × Panel → signals.

How an expression is evaluated:
1. `tree.resolve` spells out `adv{N}` and checks the fields and groups it names.
2. Operators run depth first, each distinct subtree once; a value is let go after its last use.
3. Matrix inputs of operators across instruments are masked to the universe, unless `tree.confined` shows there is
   nothing to mask.
4. An operator's kernel fills a matrix from the pool (`buffers`), in blocks of rows or columns.

Two ways to use the processors: `evaluate` splits every operator of one expression into blocks; `map` runs one
expression per thread and keeps subtrees that a batch has in common (`cache`). Results do not depend on threads, memory
or what was kept.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import pairwise
from typing import Any, Literal, TypeVar

import numpy as np

from alpha_pipeline.engine import tree
from alpha_pipeline.engine.buffers import Buffers, typed_writable
from alpha_pipeline.engine.cache import SubtreeCache
from alpha_pipeline.engine.kernels import KERNELS
from alpha_pipeline.engine.kernels.cross_section import mask
from alpha_pipeline.engine.kernels.kernel import Kernel, Matrix
from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import OPERATORS, Call, Constant, Field, Node, Slot
from alpha_pipeline.market.panel import Panel

R = TypeVar("R")
WORTH_SPLITTING = 100_000  # cells; below this, handing a block to another thread costs more than it saves
COLUMN_STEP = 16  # blocks of columns begin at whole cache lines
AHEAD = 4  # results a thread may be ahead of the one that is waited for


class EvaluationTimeout(Exception):
    """An evaluation went past its deadline."""


class Engine:
    """Evaluates expressions on one panel.

    Args:
        panel: fields, universe and groups; read only, its memory is shared.
        threads: at most so many kernels run side by side.
        memory: bytes for all matrices of the engine. With little, nothing is kept between expressions; what one
            expression needs at a time (about depth + 2 matrices, for each thread of `map`) is always granted.
        windows: "partial": a window uses the valid values it holds; "strict": all of them must be valid.

    Use as a context manager, or `close`, to end its threads early; idle ones end with the process.
    """

    def __init__(
        self,
        panel: Panel,
        *,
        threads: int = 2,
        memory: int = 2 * 1024**3,
        windows: Literal["partial", "strict"] = "partial",
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
        self._fields = {name: typed_writable(values) for name, values in panel.fields.items()}
        self._universe = typed_writable(panel.universe)
        self._groups = {name: _offsets(codes) for name, codes in panel.groups.items()}
        self._buffers = Buffers(panel.shape, memory)
        self._cache = SubtreeCache()
        self._inside = threading.local()  # set in a worker thread: what it runs is not split further
        self._pool: ThreadPoolExecutor | None = None
        self._pool_lock = threading.Lock()

    def evaluate(self, node: Node, deadline: float | None = None) -> Matrix:
        """The value of an expression: float32 [dates, instruments], the caller's to keep.

        Cells outside the universe hold whatever the operators make of missing data there, mostly NaN.

        Args:
            deadline: `time.monotonic()` value to stop at, looked at between operators.

        Raises:
            BadInput: the panel lacks a field or group.
            EvaluationTimeout: the deadline has passed.
        """
        resolved = tree.resolve(node, self._fields, self._groups)
        value = _Evaluation(self, resolved, deadline).run()
        if isinstance(resolved, Call):
            return value
        own = self._take()
        np.copyto(own, value)
        return own

    def map(self, nodes: Sequence[Node], consume: Callable[[int, Matrix], R]) -> Iterator[R]:
        """`consume(i, value of nodes[i])` for each expression, in order, one expression per thread.

        `consume` runs in the thread that evaluated; it may neither write to the matrix nor keep it. The first error, of
        the evaluation or of `consume`, is raised in its turn and ends the batch. Closing the iterator ends it as well.

        Raises:
            BadInput: the panel lacks a field or group of an expression; before anything is run.
        """
        resolved = [tree.resolve(node, self._fields, self._groups) for node in nodes]
        return self._mapped(resolved, consume)

    def _mapped(self, nodes: Sequence[Node], consume: Callable[[int, Matrix], R]) -> Iterator[R]:
        worth = tree.shared(nodes)
        self._cache.expect(worth)
        counted = [[call for call in tree.calls(node) if call in worth] for node in nodes]
        settled = 0  # expressions whose uses are taken back

        def one(index: int) -> R:
            try:
                return consume(index, _Evaluation(self, nodes[index], None).run())
            finally:
                self._cache.done(counted[index])

        if self._runs_alone():
            try:
                for index in range(len(nodes)):
                    settled = index + 1
                    yield one(index)
            finally:
                for calls in counted[settled:]:
                    self._cache.done(calls)
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
                self._cache.done(counted[index])

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

    def _take(self) -> Matrix:
        return self._buffers.take(self._cache.drop_oldest)

    def _apply(self, kernel: Kernel, arguments: Sequence[Any]) -> Matrix:
        """The kernel's result on a matrix of the pool, in as many blocks as there are threads."""
        out = self._take()
        length = out.shape[0 if kernel.axis == "rows" else 1]
        blocks = 1 if self._runs_alone() or out.size < WORTH_SPLITTING else self.threads
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


class _Evaluation:
    """One expression being evaluated: the values that still have uses in it."""

    def __init__(self, engine: Engine, node: Node, deadline: float | None) -> None:
        self._engine = engine
        self._root = node
        self._deadline = deadline
        self._uses = tree.uses(node)
        self._values: dict[Call, Matrix] = {}

    def run(self) -> Matrix:
        return self._matrix(self._root)

    def _matrix(self, node: Node) -> Matrix:
        if isinstance(node, Field):
            return self._engine._fields[node.name]
        if isinstance(node, Constant):
            filled = self._engine._take()
            filled.fill(node.value)
            return filled
        value = self._values.get(node)
        if value is None:
            value = self._engine._cache.get(node)
        if value is None:
            value = self._call(node)
            self._engine._cache.put(node, value)
        self._uses[node] -= 1
        if self._uses[node] > 0:
            self._values[node] = value
        else:
            self._values.pop(node, None)
        return value

    def _call(self, call: Call) -> Matrix:
        engine, operator, kernel = self._engine, OPERATORS[call.operator], KERNELS[call.operator]
        arguments: list[Any] = []
        for slot, argument in zip(operator.slots, call.arguments, strict=True):
            if slot is Slot.GROUP and isinstance(argument, Field):
                arguments.append(engine._groups[argument.name])
            elif slot is Slot.WINDOW and isinstance(argument, Constant):
                window = int(argument.value)
                arguments += [window, window if engine.windows == "strict" else operator.minimum]
            elif isinstance(argument, Constant) and kernel.broadcasts:
                arguments.append(np.full((1, engine.panel.shape[1]), argument.value, np.float32))
            else:
                arguments.append(self._input(argument, masked=operator.category in tree.CROSS_SECTIONAL))
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise EvaluationTimeout(f"past its deadline before {operator.name}")
        return engine._apply(kernel, arguments)

    def _input(self, node: Node, masked: bool) -> Matrix:
        value = self._matrix(node)
        if masked and not tree.confined(node):
            return self._engine._apply(MASK, [value, self._engine._universe])
        return value


MASK = Kernel("rows", mask)


def _offsets(codes: np.ndarray[Any, np.dtype[np.int32]]) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Group codes [instruments], non-decreasing, as the bounds of their runs of columns [groups + 1]."""
    starts = np.flatnonzero(np.diff(codes)) + 1
    return np.concatenate(([0], starts, [len(codes)])).astype(np.int32)
