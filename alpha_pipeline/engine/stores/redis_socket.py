"""Sockets that know when to give up altogether.

A socket's own timeout begins anew with every byte that arrives, so a server that trickles could hold a reader for ever.
Here a thread sets when its work is over, and no call on a socket waits beyond it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis.connection import Connection, SSLConnection


class Deadline(threading.local):
    """When the calling thread's work is over, by `time.monotonic`."""

    until = float("inf")

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Let the block take so long."""
        self.until = time.monotonic() + seconds
        try:
            yield
        finally:
            self.until = float("inf")


class _Bounded:
    """A socket whose calls end by a deadline; all else is the socket's own."""

    def __init__(self, inner: Any, deadline: Deadline) -> None:
        self._inner, self._deadline = inner, deadline
        self._timeout = self._set = inner.gettimeout()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def settimeout(self, seconds: float | None) -> None:
        self._timeout = self._set = seconds
        self._inner.settimeout(seconds)

    def recv(self, *arguments: Any) -> bytes:
        self._shorten()
        data: bytes = self._inner.recv(*arguments)
        return data

    def recv_into(self, *arguments: Any) -> int:
        self._shorten()
        return int(self._inner.recv_into(*arguments))

    def sendall(self, *arguments: Any) -> None:
        self._shorten()
        self._inner.sendall(*arguments)

    def _shorten(self) -> None:
        left = self._deadline.until - time.monotonic()
        if left <= 0:
            raise TimeoutError("past the time that one entry may take")
        seconds = left if self._timeout is None else min(self._timeout, left)
        if seconds != self._set:  # not every time: it costs a system call
            self._set = seconds
            self._inner.settimeout(seconds)


def bounded_connection(tls: bool, deadline: Deadline) -> type[Connection]:
    """The class of connections over such sockets."""
    base: Any = SSLConnection if tls else Connection

    class BoundedConnection(base):  # type: ignore[misc]
        """A connection that holds nobody beyond the deadline."""

        def _connect(self) -> _Bounded:
            return _Bounded(super()._connect(), deadline)

    return BoundedConnection
