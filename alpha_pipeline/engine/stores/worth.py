"""What is worth keeping: how long reading back takes, and how dear an entry is per byte.

An entry is worth storing if computing it takes longer than writing and reading it together, so that its first use pays
for it. Its price is the seconds that one use saves, per byte.

When the store is full, the least priority goes first (GreedyDual-Size-Frequency): priority = clock + uses × price,
fixed at the entry's last use. The clock is the priority of what was let go last, so what is not used any more sinks
below what comes in, however dear it was. A new entry that would push out a higher priority is refused, and the clock
moves as if it had come in and gone at once.
"""

from __future__ import annotations

import time
from collections import deque
from threading import Lock

USES_COUNTED = 8  # further uses raise no priority: what was popular once must fade too
MEASUREMENTS = 15
STALE_SECONDS = 30.0


class Rates:
    """Seconds that a store takes to read and to write, learnt from its own entries: a latency, then so much a byte."""

    def __init__(self) -> None:
        self._latency = {"read": 0.0, "write": 0.0}
        self._per_byte: dict[str, deque[float]] = {
            "read": deque(maxlen=MEASUREMENTS),
            "write": deque(maxlen=MEASUREMENTS),
        }
        self._learnt = -STALE_SECONDS
        self._lock = Lock()

    def start(self, reads: tuple[float, float], writes: tuple[float, float], small: int, large: int) -> None:
        """Begin again from measurements of a small and a large entry.

        Args:
            reads, writes: seconds for the small and the large one.
            small, large: their bytes.
        """
        with self._lock:
            for name, (least, most) in (("read", reads), ("write", writes)):
                self._latency[name] = min(least, most)
                self._per_byte[name].clear()
                self._per_byte[name].append(max(0.0, most - least) / (large - small))
            self._learnt = time.monotonic()

    def learn(self, name: str, size: int, seconds: float) -> None:
        """A read or a write of `size` bytes took so long. The middle of the last few counts: one stall is forgiven."""
        with self._lock:
            self._per_byte[name].append(max(0.0, seconds - self._latency[name]) / max(1, size))
            self._learnt = time.monotonic()

    def seconds(self, name: str, size: int) -> float:
        """What a read or a write of so many bytes is expected to take."""
        with self._lock:
            known = sorted(self._per_byte[name])
            return self._latency[name] + (known[len(known) // 2] * size if known else 0.0)

    @property
    def stale(self) -> bool:
        """Whether nothing was learnt for a while."""
        return time.monotonic() - self._learnt > STALE_SECONDS

    def saved(self, size: int, seconds: float) -> float:
        """Seconds that a use of an entry saves; 0 if storing it would not pay with its first use."""
        reading = self.seconds("read", size)
        return seconds - reading if seconds > reading + self.seconds("write", size) else 0.0
