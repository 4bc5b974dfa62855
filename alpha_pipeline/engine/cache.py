"""Values of subtrees that several expressions of a batch have in common, kept while they have uses left."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from threading import Lock

from alpha_pipeline.engine.kernels.kernel import Matrix
from alpha_pipeline.expression import Call


class SubtreeCache:
    """Keeps a value until the last expression that holds it is done, or until room is needed: least recent goes first.

    What is kept changes how long a batch takes, never a result.
    """

    def __init__(self) -> None:
        self._left: Counter[Call] = Counter()
        self._values: OrderedDict[Call, Matrix] = OrderedDict()
        self._lock = Lock()

    def expect(self, uses: Counter[Call]) -> None:
        """Announce a batch: how many of its expressions hold each call worth keeping."""
        with self._lock:
            self._left.update(uses)

    def get(self, call: Call) -> Matrix | None:
        with self._lock:
            value = self._values.get(call)
            if value is not None:
                self._values.move_to_end(call)
            return value

    def put(self, call: Call, value: Matrix) -> None:
        """Keep the value if a further expression has use for it."""
        with self._lock:
            if self._left[call] > 1:
                self._values[call] = value

    def done(self, calls: Iterable[Call]) -> None:
        """An expression with these calls is finished: forget what has no further use."""
        with self._lock:
            for call in calls:
                if call in self._left:
                    self._left[call] -= 1
                    if self._left[call] <= 0:
                        del self._left[call]
                        self._values.pop(call, None)

    def drop_oldest(self) -> bool:
        """Forget the least recently used value; False if there is none."""
        with self._lock:
            if not self._values:
                return False
            self._values.popitem(last=False)
            return True
