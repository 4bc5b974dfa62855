"""Trees × Panel → signals.

How an expression is evaluated:
1. `tree.Resolver` spells out `adv{N}` and checks the fields and groups it names.
2. `plan` cuts it into units: time-series chains that run in tiles of instruments, cross-sectional ones that run in
   blocks of dates, and operators that run alone. Matrix inputs of operators across instruments are masked to the
   universe, unless `tree.confined` shows there is nothing to mask. Groups are not: everyone's are known.
3. `evaluation` runs a unit when its value is first wanted, on matrices from the pool (`buffers`); `pieces` runs its
   steps on one piece after the other. A value is let go after its last use, or kept for others (`cache`).

Two ways to use the processors: `evaluate` splits every unit of one expression over the threads; `map` runs one
expression per thread, in an order in which expressions with dear parts in common follow each other (`batch`). Results
do not depend on threads, memory, order, or what was kept.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine import tree
from alpha_pipeline.engine.arguments import check_terms
from alpha_pipeline.engine.batch import run_batch
from alpha_pipeline.engine.buffers import Buffers, typed_writable
from alpha_pipeline.engine.cache import SubtreeCache
from alpha_pipeline.engine.costs import COPY_SECONDS
from alpha_pipeline.engine.evaluation import Evaluation, EvaluationTimeout
from alpha_pipeline.engine.groups import offsets_of
from alpha_pipeline.engine.kernels.kernel import Cells, Kernel, Matrix
from alpha_pipeline.engine.pieces import Scratch, Tiled, arguments_of, pieces, run_piece, tiled
from alpha_pipeline.engine.plan import Along, Terms, Unit, plan
from alpha_pipeline.engine.stores import Keys, Store
from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import DEFAULT_CHOICES, Call, Choices, Node
from alpha_pipeline.market.panel import Panel

__all__ = ["Engine", "EvaluationTimeout"]

R = TypeVar("R")
WORTH_SPLITTING = 100_000  # cells; below this, handing a block to another thread costs more than it saves
COLUMN_STEP = 16  # blocks of columns begin at whole cache lines


class Engine:
    """Evaluates expressions on one panel.

    Args:
        panel: fields, universe and groups; read only, its memory is shared.
        threads: at most so many kernels run side by side.
        memory: bytes for matrices of results. With little, nothing is kept between expressions; what one expression
            needs at a time (about depth + 2 matrices, for each thread of `map`) is always granted. Tiles of the fields
            that were used, as large as these, and a few MB of scratch for each thread come on top.
        windows: "partial": a window uses the valid values it holds; "strict": all of them must be valid.
        choices: how operators are read of which sources say different things.
        store: where values are looked up, and left for other runs and processes; not closed with the engine.

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
        store: Store | None = None,
    ) -> None:
        if threads < 1:
            raise BadInput(f"{threads} threads cannot run anything", "threads", "give 1 or more")
        check_terms(memory, windows)
        self.panel = panel
        self.threads = threads
        self.windows = windows
        self.choices = choices
        self.store = store
        self.fields = {name: typed_writable(values) for name, values in panel.fields.items()}
        self.universe = typed_writable(panel.universe)
        self.groups = {name: offsets_of(codes) for name, codes in panel.groups.items()}
        self.vectors = {
            name: Cells(typed_writable(each.values), typed_writable(each.offsets))
            for name, each in panel.vectors.items()
        }
        self.cache = SubtreeCache()
        self.cuts_tiles = len(pieces(Along.COLUMNS, panel.shape)) > 1
        one_piece = not self.cuts_tiles and len(pieces(Along.ROWS, panel.shape)) == 1
        self.terms = Terms(one_piece, windows == "strict", choices, self.fields, self.groups)
        self._resolved = tree.Resolver(self.fields, self.groups, self.vectors)
        self._scratch = Scratch()
        self._tiled: dict[str, Tiled] = {}
        self._buffers = Buffers(panel.shape, memory)
        self.matrix_bytes = 4 * panel.shape[0] * panel.shape[1]
        self.copy_seconds = COPY_SECONDS * panel.shape[0] * panel.shape[1]
        self._inside = threading.local()  # set in a worker thread: what it runs is not split further
        self._pool: ThreadPoolExecutor | None = None
        self._pool_lock = threading.Lock()

    def evaluate(self, node: Node, deadline: float | None = None) -> Matrix:
        """The value of an expression: float32 [dates, instruments], the caller's to keep.

        Cells outside the universe hold whatever the operators make of missing data there, mostly NaN.

        Args:
            deadline: `time.monotonic()` value to stop at, looked at between units.

        Raises:
            BadInput: the panel lacks a field or group, or an operator does not run here.
            EvaluationTimeout: the deadline has passed.
        """
        resolved = self._resolved(node)
        self.cache.expect(1, Counter())
        value = self.value(resolved, deadline)
        if isinstance(resolved, Call) and not self.cache.holds(resolved, value):
            return value
        own = self.take()
        np.copyto(own, value)
        return own

    def map(self, nodes: Sequence[Node], consume: Callable[[int, Matrix], R]) -> Iterator[tuple[int, R]]:
        """(i, `consume(i, value of nodes[i])`) for each expression, as they are done, one expression per thread.

        `consume` runs in the thread that evaluated; it may neither write to the matrix nor keep it. The first error, of
        an evaluation or of `consume`, is raised and ends the batch. Closing the iterator ends it as well.

        Raises:
            BadInput: the panel lacks a field or group of an expression; before anything is run.
        """
        resolved = [self._resolved(node) for node in nodes]
        return run_batch(self, resolved, consume)

    def rest(self) -> None:
        """Forget what is kept, and give its memory back: for who goes on to other things for a while."""
        self.cache.clear()
        self._buffers.release()
        self._tiled.clear()
        self._scratch = Scratch()

    def close(self) -> None:
        """End the threads; a later call starts new ones."""
        with self._pool_lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=not self.runs_alone())  # one of its own threads cannot wait for itself

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what an evaluation needs ------------------------------------------------------------------------------------

    @cached_property
    def keys(self) -> Keys:
        """What values are called in the store."""
        return Keys(self.panel, windows=self.windows, choices=self.choices)

    def take(self) -> Matrix:
        """A matrix of the pool, its content undefined."""
        return self._buffers.take(self.cache.drop_least)

    def tiled(self, field: str) -> Tiled:
        """A field in tiles, cut when first asked for: as much memory again as the field itself takes."""
        found = self._tiled.get(field)
        if found is None:
            found = self._tiled[field] = tiled(self.fields[field])
        return found

    def run(self, unit: Unit, inputs: Sequence[NDArray[Any] | Tiled]) -> Matrix:
        """The value of a unit on a matrix of the pool, its pieces shared among the threads."""
        lone = unit.along is Along.COLUMNS and len(unit.steps) == 1
        if lone:  # nothing stands between input and result: a tile would be a copy for nothing
            return self.apply(unit.steps[0].kernel, arguments_of(unit, inputs, self.panel.shape[1]))
        out = self.take()
        parts = pieces(unit.along, out.shape)

        def some(first: int, last: int) -> None:
            for number in range(first, last):
                run_piece(unit, inputs, out, number, parts[number], self._scratch)

        self._split(some, len(parts), out.size)
        return out

    def apply(self, kernel: Kernel, arguments: Sequence[Any]) -> Matrix:
        """The kernel's result on a matrix of the pool, in as many blocks as there are threads."""
        out = self.take()
        length = out.shape[1 if kernel.axis == "columns" else 0]
        cells = 0 if kernel.axis == "all" else out.size
        self._split(
            lambda lo, hi: kernel.run(*arguments, out, lo, hi),
            length,
            cells,
            COLUMN_STEP if kernel.axis == "columns" else 1,
        )
        return out

    def value(self, node: Node, deadline: float | None = None) -> Matrix:
        """The value of a resolved expression; of a field, the panel's own matrix."""
        return Evaluation(self, plan(node, self.cache, self.terms), deadline).matrix(node)

    def _split(self, work: Callable[[int, int], None], length: int, cells: int, step: int = 1) -> None:
        """`work(lo, hi)` on parts of [0, length), side by side where that is worth it."""
        parts = 1 if cells < WORTH_SPLITTING or self.runs_alone() else min(self.threads, length)
        if parts == 1:
            work(0, length)
            return
        bounds = [min(length, round(length * i / parts / step) * step) for i in range(parts)] + [length]
        others = [(self.submit(work, lo, hi), lo, hi) for lo, hi in pairwise(bounds[1:]) if lo < hi]
        try:
            work(0, bounds[1])
            for other, lo, hi in others:
                if other.cancel():  # nobody is at it: all threads may be waiting for what this one makes
                    work(lo, hi)
        finally:
            begun = [other for other, _, _ in others if not other.cancel()]
            wait(begun)  # whatever happens here, nobody writes to the matrix after this
        for other in begun:
            other.result()

    def runs_alone(self) -> bool:
        """Whether this thread shares its work with no other: there is but one, or it is one of several itself."""
        return self.threads == 1 or getattr(self._inside, "worker", False)

    def submit(self, function: Callable[..., R], *arguments: Any) -> Future[R]:
        with self._pool_lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.threads, "engine", initializer=self._enter_worker)
            return self._pool.submit(function, *arguments)

    def _enter_worker(self) -> None:
        self._inside.worker = True
