"""The store in this process's memory: values outlive the batch that made them, up to a budget."""

from __future__ import annotations

import heapq
import time
from threading import Lock, local

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.stores.entry import Matrix
from alpha_pipeline.engine.stores.store import GuardedStore
from alpha_pipeline.engine.stores.worth import USES_COUNTED

Room = NDArray[np.float32]  # flat


class _Held:
    """A value and what it is worth."""

    __slots__ = ("price", "priority", "room", "users", "uses", "value")

    def __init__(self, room: Room, price: float, priority: float) -> None:
        self.room = room
        self.value: Matrix | None = None  # the room as a matrix, once it is written
        self.price = price
        self.priority = priority
        self.uses = 1
        self.users = 0  # who read or write it just now: its room may not be reused before they are done


class MemoryStore(GuardedStore):
    """Copies of values, without checksums: nobody else can write to them."""

    def __init__(self, budget: int) -> None:
        super().__init__("operator store in memory", budget)
        self._entries: dict[str, _Held] = {}
        self._sizes: dict[str, int] = {}
        self._order: list[tuple[float, str]] = []  # a heap; an item counts only while it states its entry's priority
        self._bytes = 0
        self._clock = 0.0
        self._guard = Lock()
        self._admitted = local()  # `held`: what this thread is about to write, and nobody else may

    def _open(self) -> None:
        pass

    def _round_trip(self, value: Matrix, out: Matrix) -> tuple[float, float]:
        began = time.perf_counter()
        copy = value.copy()
        wrote = time.perf_counter()
        np.copyto(out, copy)
        return wrote - began, time.perf_counter() - wrote

    def _read(self, key: str, out: Matrix) -> bool:
        with self._guard:
            held = self._entries.get(key)
            value = held.value if held is not None else None
            if held is None or value is None or value.shape != out.shape:
                return False
            held.users += 1
        try:
            np.copyto(out, value)
        finally:
            with self._guard:
                held.users -= 1
        return True

    def _admit(self, key: str, size: int, price: float) -> bool:
        with self._guard:
            if key in self._entries:
                return False
            victims: list[str] = []
            freed = 0
            while self._bytes + size - freed > self.budget:
                priority, victim = self._lowest(victims)
                victims.append(victim)
                freed += self._sizes[victim]
                if priority >= self._clock + price:
                    for name in victims:
                        self._push(name)
                    self._clock += price
                    return False
            room: Room | None = None
            for victim in victims:
                self._clock = max(self._clock, self._entries[victim].priority)
                left = self._let_go(victim)
                room = left if left is not None and left.nbytes == size else room
            held = _Held(np.empty(size // 4, np.float32) if room is None else room, price, self._clock + price)
            self._entries[key] = held
            self._sizes[key] = size
            self._bytes += size
            self._push(key)
            self._admitted.held = held
        if room is None:
            held.room.fill(0)  # here, so that the first touch of fresh pages is not taken for what writing takes
        return True

    def _lowest(self, apart: list[str]) -> tuple[float, str]:
        """Take the entry of least priority out of the heap; those in `apart` are out already."""
        while True:
            priority, key = heapq.heappop(self._order)
            held = self._entries.get(key)
            if held is not None and held.priority == priority and key not in apart:
                return priority, key

    def _push(self, key: str) -> None:
        heapq.heappush(self._order, (self._entries[key].priority, key))
        if len(self._order) > 64 + 4 * len(self._entries):
            self._order = [(held.priority, name) for name, held in self._entries.items()]
            heapq.heapify(self._order)

    def _let_go(self, key: str) -> Room | None:
        """Forget an entry; its room, if nobody reads from it or writes to it."""
        held = self._entries.pop(key)
        self._bytes -= self._sizes.pop(key)
        return held.room if held.value is not None and held.users == 0 else None

    def _write(self, key: str, value: Matrix, seconds: float, price: float) -> bool:
        held: _Held = self._admitted.__dict__.pop("held")
        with self._guard:
            if self._entries.get(key) is not held:
                return False
            held.users += 1
        np.copyto(held.room, value.reshape(-1))
        with self._guard:
            held.users -= 1
            held.value = held.room.reshape(value.shape)
            return self._entries.get(key) is held

    def _used(self, key: str) -> None:
        with self._guard:
            held = self._entries.get(key)
            if held is not None:
                held.uses = min(held.uses + 1, USES_COUNTED)
                held.priority = self._clock + held.uses * held.price
                self._push(key)

    def _remove(self, key: str) -> None:
        with self._guard:
            if key in self._entries:
                self._let_go(key)

    def _close(self) -> None:
        with self._guard:
            self._entries.clear()
            self._sizes.clear()
            self._order.clear()
            self._bytes = 0
