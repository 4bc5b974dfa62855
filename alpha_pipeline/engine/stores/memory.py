"""The store in this process's memory: values outlive the batch that made them, up to a budget."""

from __future__ import annotations

import heapq
import time
from threading import Lock

import numpy as np

from alpha_pipeline.engine.stores.entry import Matrix
from alpha_pipeline.engine.stores.store import GuardedStore
from alpha_pipeline.engine.stores.worth import USES_COUNTED

SPARES = 4  # memory of entries that were let go, kept for the next: fresh pages cost more than the copy


class _Held:
    """A value and what it is worth."""

    __slots__ = ("price", "priority", "readers", "uses", "value")

    def __init__(self, value: Matrix | None, price: float, priority: float) -> None:
        self.value = value  # None between its admission and its copy
        self.price = price
        self.priority = priority
        self.uses = 1
        self.readers = 0  # its memory may not be reused before they are done


class MemoryStore(GuardedStore):
    """Copies of values, without checksums: nobody else can write to them."""

    def __init__(self, budget: int) -> None:
        super().__init__("operator store in memory", budget)
        self._entries: dict[str, _Held] = {}
        self._sizes: dict[str, int] = {}
        self._order: list[tuple[float, str]] = []  # a heap; an item counts only while it states its entry's priority
        self._spare: list[Matrix] = []
        self._bytes = 0
        self._clock = 0.0
        self._guard = Lock()

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
            held.readers += 1
        try:
            np.copyto(out, value)
        finally:
            with self._guard:
                held.readers -= 1
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
            for victim in victims:
                self._clock = max(self._clock, self._entries[victim].priority)
                self._let_go(victim)
            self._entries[key] = _Held(None, price, self._clock + price)
            self._sizes[key] = size
            self._bytes += size
            self._push(key)
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

    def _let_go(self, key: str) -> None:
        held = self._entries.pop(key)
        self._bytes -= self._sizes.pop(key)
        if held.value is not None and held.readers == 0 and len(self._spare) < SPARES:
            self._spare.append(held.value)

    def _write(self, key: str, value: Matrix, seconds: float, price: float) -> bool:
        with self._guard:
            fitting = next((n for n, spare in enumerate(self._spare) if spare.shape == value.shape), None)
            copy = self._spare.pop(fitting) if fitting is not None else np.empty(value.shape, np.float32)
            self._spare = [spare for spare in self._spare if spare.shape == value.shape]
        np.copyto(copy, value)
        with self._guard:
            if key in self._entries:
                self._entries[key].value = copy
            return key in self._entries

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
            self._spare.clear()
            self._bytes = 0
