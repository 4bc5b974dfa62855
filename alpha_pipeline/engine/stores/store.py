"""What a store of operators' values is, and what all of them share: whatever goes wrong costs time, never a result.

`Store` is what the engine knows. `GuardedStore` is the way from there to a backend: it measures, counts, logs the first
failure of each kind, and leaves a backend that failed alone for some seconds, so that a dead one costs at most one
timeout in that time. A backend is opened at its first use and again after it failed: one that is away at the start may
come later.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

import numpy as np

from alpha_pipeline.engine.stores.entry import Corrupt, Matrix
from alpha_pipeline.engine.stores.worth import Rates


class Unfaithful(Exception):
    """A backend that answers, but wrongly."""


log = logging.getLogger("alpha_pipeline.engine.stores")

PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60.0
MOST_LIES = 5  # broken entries in a row; then the store is left alone like one that failed
SMALL, LARGE = (16, 64), (1024, 1024)  # shapes of what is written and read back to learn how fast a store is


@dataclass
class Counts:
    """What happened so far.

    Attributes:
        hits, misses: of `get`; every failure of one is a miss too.
        stored, refused: of `put`; refused is what is not worth it, there already, or met a store that is left alone.
        failures: calls that a backend failed in.
        corrupt: entries that were not what was stored; they are removed.
    """

    hits: int = 0
    misses: int = 0
    stored: int = 0
    refused: int = 0
    failures: int = 0
    corrupt: int = 0


class Store(Protocol):
    """Float32 matrices by key. Calls may come from several threads, and none of them fails."""

    @property
    def counts(self) -> Counts: ...

    def pays(self, size: int, seconds: float) -> bool:
        """Whether a value of `size` bytes is slow enough to compute that asking for it, or storing it, can pay."""

    def get(self, key: str, out: Matrix) -> bool:
        """Fill `out` with the value of a key; False if there is none of that shape, and `out` holds anything then."""

    def put(self, key: str, value: Matrix, seconds: float) -> bool:
        """Keep a copy of a value if it is worth it.

        Args:
            seconds: what it takes to compute the value from nothing but fields.

        Returns:
            Whether it was stored.
        """

    def close(self) -> None:
        """Let go of files and connections. The store may not be used after it."""


class GuardedStore(ABC):
    """A store over a backend that may fail in any way.

    Args:
        name: how the log calls it; without passwords.
        budget: bytes of values that it may hold.
        pause: seconds to leave a failed backend alone; doubled while it keeps failing, up to a minute.
    """

    def __init__(self, name: str, budget: int, *, pause: float = PAUSE_SECONDS) -> None:
        self.name = name
        self.budget = budget
        self.counts = Counts()
        self.rates = Rates()
        self._first_pause = self._pause = pause
        self._left_alone_until = -1.0
        self._lies = 0  # broken entries since the last whole one
        self._failed = False  # since the last call that went well
        self._opened = False
        self._told: set[str] = set()
        self._lock = Lock()
        self._opening = Lock()

    # -- what a backend does; any exception is a failure --------------------------------------------------------------

    @abstractmethod
    def _open(self) -> None:
        """Make the backend ready; called again after a failure."""

    @abstractmethod
    def _round_trip(self, value: Matrix, out: Matrix) -> tuple[float, float]:
        """Write a value, read it into `out`, remove it, all beside the budget: seconds to write and to read."""

    @abstractmethod
    def _read(self, key: str, out: Matrix) -> bool:
        """Fill `out`, checked; False without an entry, or if it takes longer to read than to compute."""

    @abstractmethod
    def _admit(self, key: str, size: int, price: float) -> bool:
        """Make room for an entry, unless it is there already or everything it would push out is worth more."""

    @abstractmethod
    def _write(self, key: str, value: Matrix, seconds: float, price: float) -> bool:
        """Store a C-contiguous value that was admitted; False if it was pushed out meanwhile."""

    @abstractmethod
    def _used(self, key: str) -> None:
        """Raise the priority of an entry that was just read."""

    @abstractmethod
    def _remove(self, key: str) -> None:
        """Forget an entry, if it is there."""

    @abstractmethod
    def _close(self) -> None:
        """Let go of the backend."""

    # -- the store ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open the backend now, so that what is wrong with it is said at the start."""
        if self._allowed():
            try:
                self._ready()
            except Exception as error:
                self._fail("opening", error)

    def pays(self, size: int, seconds: float) -> bool:
        """See `Store.pays`. Changes nothing, asks nobody; False while the backend is left alone."""
        if not self._opened:
            return time.monotonic() >= self._left_alone_until
        return self.rates.saved(size, seconds) > 0

    def get(self, key: str, out: Matrix) -> bool:
        """See `Store.get`."""
        _check(out)
        found = self._allowed() and self._get(key, out)
        with self._lock:
            self.counts.hits += found
            self.counts.misses += not found
        return found

    def put(self, key: str, value: Matrix, seconds: float) -> bool:
        """See `Store.put`."""
        if value.ndim != 2 or value.dtype != np.float32:
            raise ValueError(f"a store holds float32 matrices, got {value.dtype} {value.shape}")
        stored = self._allowed() and self._put(key, np.ascontiguousarray(value), seconds)
        with self._lock:
            self.counts.stored += stored
            self.counts.refused += not stored
        return stored

    def close(self) -> None:
        """See `Store.close`."""
        try:
            self._close()
        except Exception as error:
            self._fail("closing", error)

    # Backends are other people's files and servers, and libraries over them: whatever they raise is counted, logged
    # once and passed over. Hence `Exception` below, which house rules keep out of everywhere else.

    def _get(self, key: str, out: Matrix) -> bool:
        try:
            if not self._ready():
                return False
            began = time.perf_counter()
            found = self._read(key, out)
        except Corrupt as error:
            self._throw_away(key, error)
            return False
        except Exception as error:
            self._fail("reading", error)
            return False
        self._went_well()
        if found:
            self._lies = 0
            self.rates.learn("read", out.nbytes, time.perf_counter() - began)
            try:
                self._used(key)
            except Exception as error:
                self._fail("noting a use", error)
        return found

    def _put(self, key: str, value: Matrix, seconds: float) -> bool:
        size = value.nbytes
        try:
            if not self._ready():
                return False
            saved = self.rates.saved(size, seconds)
            if saved <= 0 and self.rates.stale:  # it was slow a while ago: it may have recovered
                self._measure()
                saved = self.rates.saved(size, seconds)
            if saved <= 0 or not 0 < size <= self.budget:
                return False
            price = saved / size
            if not self._admit(key, size, price):
                return False
            began = time.perf_counter()
            stored = self._write(key, value, seconds, price)
        except Exception as error:
            self._fail("writing", error)
            return False
        self._went_well()
        self.rates.learn("write", size, time.perf_counter() - began)
        return stored

    def _ready(self) -> bool:
        """Open the backend if need be; False if another thread has just failed to."""
        if self._opened:
            return True
        failures = self.counts.failures
        with self._opening:
            if not self._opened:
                if self.counts.failures > failures:
                    return False
                self._open()
                self._measure()
                self._opened = True
        self._went_well()
        return True

    def _measure(self) -> None:
        """Write and read a small and a large matrix: how fast is it, and does it give back what it was given?"""
        times = []
        for shape in (SMALL, SMALL, LARGE, LARGE):  # the first of a size pays for connections, folders, fresh memory
            value = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(shape)
            out = np.full_like(value, np.nan)
            times.append(self._round_trip(value, out))
            if not np.array_equal(value, out):
                raise Unfaithful("it does not give back what it was given")
        small, large = 4 * SMALL[0] * SMALL[1], 4 * LARGE[0] * LARGE[1]
        self.rates.start((times[1][1], times[3][1]), (times[1][0], times[3][0]), small, large)

    def _allowed(self) -> bool:
        """Whether the backend may be asked. Of several threads, one tries it again after a pause."""
        with self._lock:
            now = time.monotonic()
            if now < self._left_alone_until:
                return False
            if self._failed:
                self._left_alone_until = now + self._pause
            return True

    def _went_well(self) -> None:
        with self._lock:
            if self._failed:
                self._failed, self._pause, self._left_alone_until = False, self._first_pause, -1.0
                log.info("%s: it works again", self.name)

    def _throw_away(self, key: str, error: Corrupt) -> None:
        with self._lock:
            self.counts.corrupt += 1
            self._lies += 1
            many = self._lies >= MOST_LIES
        self._tell("corrupt", f"an entry was not what had been stored ({error}); it is removed and computed again")
        try:
            self._remove(key)
            if many:
                raise Unfaithful(f"{MOST_LIES} broken entries in a row")
        except Exception as failure:
            self._fail("reading", failure)

    def _fail(self, doing: str, error: Exception) -> None:
        with self._lock:
            self.counts.failures += 1
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS) if self._failed else self._first_pause
            self._left_alone_until = time.monotonic() + self._pause
            self._failed, self._opened = True, False
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        self._tell(type(error).__name__, f"{doing} failed ({what}); values are computed instead, which costs time only")

    def _tell(self, kind: str, message: str) -> None:
        """Log the first of each kind of failure."""
        with self._lock:
            known = kind in self._told
            self._told.add(kind)
        if not known:
            log.warning("%s: %s", self.name, message)


def _check(out: Matrix) -> None:
    if out.ndim != 2 or out.dtype != np.float32 or not out.flags.c_contiguous or not out.flags.writeable:
        raise ValueError(f"a value is read into a writable float32 matrix in C order, got {out.dtype} {out.shape}")
