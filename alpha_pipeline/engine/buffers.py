"""Reused result arrays: a matrix that nobody refers to any more is handed out again, its memory pages still warm.

A fresh 15 MB array costs more in page faults than most operators cost to run. So every matrix of an engine comes from
here. It stands on a lease: an object that NumPy keeps alive as long as the array or any view of it lives, and that puts
the memory back when it dies. Nobody has to give anything back, exceptions included, and callers may keep what they got.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np

from alpha_pipeline.engine.kernels.kernel import Matrix
from alpha_pipeline.engine.pages import fresh


class _Lease:
    """Exposes a buffer's memory to NumPy and returns it to the pool when the last array on it is gone."""

    __slots__ = ("__array_interface__", "_buffer", "_free")

    def __init__(self, buffer: Matrix, free: deque[Matrix]) -> None:
        self._buffer = buffer
        self._free = free
        self.__array_interface__ = buffer.__array_interface__

    def __del__(self) -> None:
        self._free.append(self._buffer)  # atomic: may run in any thread, and inside the pool's own lock


class Buffers:
    """A pool of float32 arrays of one shape.

    Args:
        shape: (dates, instruments).
        budget: bytes that all arrays together may take. One evaluation takes what it needs even beyond it.
    """

    def __init__(self, shape: tuple[int, int], budget: int) -> None:
        self.shape = shape
        self.limit = budget // max(1, 4 * shape[0] * shape[1])
        self.allocated = 0
        self._free: deque[Matrix] = deque()
        self._lock = Lock()

    def take(self, make_room: Callable[[], bool]) -> Matrix:
        """A writable array with undefined content.

        Args:
            make_room: called while the pool is at its limit; drops an array it can do without, False if none is left.
        """
        buffer = self._reused()
        while buffer is None and self.allocated >= self.limit and make_room():
            buffer = self._reused()
        if buffer is None:
            with self._lock:
                self.allocated += 1
            try:
                buffer = fresh(self.shape)
            except BaseException:
                with self._lock:
                    self.allocated -= 1
                raise
        return np.asarray(_Lease(buffer, self._free))

    def release(self) -> None:
        """Give the memory of all arrays that are not in use back to the machine."""
        with self._lock:
            while self._free:
                self._free.pop()
                self.allocated -= 1

    def _reused(self) -> Matrix | None:
        with self._lock:
            while self._free:
                buffer = self._free.pop()  # the latest one in: most likely still cached
                if self.allocated <= self.limit or not self._free:
                    return buffer
                self.allocated -= 1  # went beyond the budget earlier: let it go
        return None


class _Shared:
    """Exposes an array's memory to NumPy as if it were writable; keeps the array alive."""

    __slots__ = ("__array_interface__", "_owner")

    def __init__(self, owner: np.ndarray[Any, Any]) -> None:
        self._owner = owner
        address, _ = owner.__array_interface__["data"]
        self.__array_interface__ = {**owner.__array_interface__, "data": (address, False)}


def typed_writable(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same memory, typed writable, so that numba compiles each kernel once and not again for read-only inputs.

    Nobody writes to it: kernels write to `out` only.
    """
    return np.asarray(_Shared(np.ascontiguousarray(array)))
