"""Values of subtrees, kept where somebody may want them again; and who is making one that another thread wants too.

While a batch runs, a value that several of its expressions hold is kept until the last of them is done. Afterwards, and
likewise what stood between two units of an expression, it stays as long as there is room: the next batch of a search is
made of the last one's parts. What goes first is what is cheap to make again, was never used again and is old.
What is kept changes how long a batch takes, never a result.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from alpha_pipeline.engine.costs import WORTH, cost
from alpha_pipeline.engine.kernels.kernel import Matrix
from alpha_pipeline.expression import Call

LOOKED_AT = 48  # of the values made first, when one has to go
FADING = 0.995  # of a value's worth, with each expression begun since it was last used


@dataclass(slots=True)
class _Kept:
    value: Matrix
    cost: float
    used: int
    last: int


class SubtreeCache:
    """Values by call, for all threads of an engine."""

    def __init__(self) -> None:
        self._left: Counter[Call] = Counter()  # expressions of running batches that are not done, by shared call
        self._values: dict[Call, _Kept] = {}
        self._making: dict[Call, int] = {}  # and the thread that is at it
        self._begun = 0
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)  # for waiting only: an interrupt may hit its Python code

    def __contains__(self, call: object) -> bool:
        """Whether a plan should stop at this call: its value is here, or will be wanted by others."""
        return call in self._values or self._left.get(call, 0) > 1  # type: ignore[call-overload]

    def expect(self, expressions: int, uses: Counter[Call]) -> None:
        """Announce a batch of so many expressions: how many of them hold each call worth keeping."""
        with self._lock:
            self._begun += expressions
            self._left.update(uses)

    def claim(self, call: Call) -> Matrix | None:
        """The value; or None, and then the caller must make it, and `put` or `abandon` it.

        Waits while another thread makes a value that is shared. No two threads wait for each other: whoever makes a
        value waits for parts of it only.
        """
        with self._lock:
            while True:
                kept = self._values.get(call)
                if kept is not None:
                    kept.used += 1
                    kept.last = self._begun
                    return kept.value
                if self._left.get(call, 0) < 2:
                    return None
                if self._making.get(call) in (None, threading.get_ident()):  # its own: left by an interrupt
                    self._making[call] = threading.get_ident()
                    return None
                self._changed.wait()

    def being_made(self, call: Call) -> bool:
        """Whether a thread is at it."""
        return call in self._making

    def put(self, call: Call, value: Matrix, lasting: bool) -> None:
        """A value is made.

        Args:
            lasting: worth keeping beyond what the batch is known to need.
        """
        with self._lock:
            if lasting or self._left.get(call, 0) > 1:
                worth = cost(call)
                if worth >= WORTH:
                    self._values[call] = _Kept(value, worth, 0, self._begun)
            if self._making.pop(call, None) is not None:
                self._changed.notify_all()

    def abandon(self, call: Call) -> None:
        """It could not be made: let somebody else try."""
        with self._lock:
            if self._making.pop(call, None) is not None:
                self._changed.notify_all()

    def done(self, calls: Iterable[Call]) -> None:
        """An expression with these shared calls is finished."""
        with self._lock:
            for call in calls:
                if call in self._left:
                    self._left[call] -= 1
                    if self._left[call] <= 0:
                        del self._left[call]

    def drop_least(self) -> bool:
        """Forget the value that is worth least; False if there is none."""
        with self._lock:
            if not self._values:
                return False
            del self._values[min(islice(self._values, LOOKED_AT), key=self._worth)]
            return True

    def holds(self, call: Call, value: Matrix) -> bool:
        """Whether this very matrix is kept as the call's value."""
        with self._lock:
            kept = self._values.get(call)
            return kept is not None and kept.value is value

    def clear(self) -> None:
        """Forget all values."""
        with self._lock:
            self._values.clear()

    def _worth(self, call: Call) -> float:
        kept = self._values[call]
        wanted = self._left.get(call, 0)
        faded: float = FADING ** (self._begun - kept.last)
        return kept.cost * (wanted * 100.0 + (1.0 + 2.0 * kept.used) * faded)
