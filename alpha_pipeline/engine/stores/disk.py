"""The store in a folder: values outlive the process, and processes share them. See `disk_cache` for the folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import diskcache

from alpha_pipeline.engine.stores.disk_cache import CostAwareCache
from alpha_pipeline.engine.stores.entry import (
    HEADER,
    Corrupt,
    Matrix,
    cells,
    check_shape,
    check_value,
    header,
    read_header,
)
from alpha_pipeline.engine.stores.store import PAUSE_SECONDS, GuardedStore

PIECE = 4 << 20  # bytes read or written at a time
PATIENCE = 1.0  # seconds for the cells of one entry


class DiskStore(GuardedStore):
    """Values as files in a folder, which is made if need be."""

    def __init__(self, folder: Path, budget: int, *, pause: float = PAUSE_SECONDS) -> None:
        super().__init__(f"operator store in {folder}", budget, pause=pause)
        self.folder = folder
        self._cache: CostAwareCache | None = None
        self._table = (0, 0)

    @property
    def _files(self) -> CostAwareCache:
        assert self._cache is not None, "opened before use"
        return self._cache

    def _open(self) -> None:
        if self._cache is not None:
            self._cache.close()
        self._cache = CostAwareCache(self.folder, self.budget)
        self._table = self._table_now()
        self._cache.sweep()

    def _table_now(self) -> tuple[int, int]:
        """Which file the table is. SQLite goes on writing to one that was removed, and nobody would ever read it."""
        status = (self.folder / diskcache.core.DBNAME).stat()
        return status.st_dev, status.st_ino

    def _round_trip(self, value: Matrix, out: Matrix) -> tuple[float, float]:
        disk = self._files.disk
        began = time.perf_counter()
        _, mode, name, _ = disk.store(_pieces(header("", value, 0.0), value), True)
        wrote = time.perf_counter()
        try:
            with disk.fetch(mode, name, None, True) as file:
                _fill("", file, out, None)
            return wrote - began, time.perf_counter() - wrote
        finally:
            disk.remove(name)

    def _read(self, key: str, out: Matrix) -> bool:
        file = self._files.get(key, read=True)
        if file is None:
            return False
        with file:
            return _fill(key, file, out, self.rates.seconds("read", out.nbytes))

    def _admit(self, key: str, size: int, price: float) -> bool:
        if self._table_now() != self._table:
            raise FileNotFoundError("the folder was emptied or replaced")
        return self._files.admit(key, size + HEADER, price)

    def _write(self, key: str, value: Matrix, seconds: float, price: float) -> bool:
        return bool(self._files.set(key, _pieces(header(key, value, seconds), value), read=True, tag=price))

    def _used(self, key: str) -> None:
        self._files.used(key)

    def _remove(self, key: str) -> None:
        self._files.delete(key)

    def _close(self) -> None:
        if self._cache is not None:
            self._cache.close()


def _pieces(head: bytes, value: Matrix) -> Iterator[bytes | memoryview]:
    yield head
    data = cells(value)
    until = time.monotonic() + PATIENCE
    for start in range(0, len(data), PIECE):
        if time.monotonic() > until:
            raise TimeoutError(f"writing took more than {PATIENCE:g} s")
        yield data[start : start + PIECE]


def _fill(key: str, file: IO[bytes], out: Matrix, expected: float | None) -> bool:
    """Read an entry into `out`, unless it is expected to take longer than computing it.

    Raises:
        Corrupt: it is not what was stored.
        TimeoutError: the file trickles.
    """
    began = time.monotonic()
    data = file.read(HEADER)
    head = read_header(data)
    check_shape(head, out)
    if expected is not None and head.seconds < expected:
        return False
    room = cells(out)
    done = 0
    while done < len(room):
        count = file.readinto(room[done : done + PIECE])  # type: ignore[attr-defined]
        if not count:
            raise Corrupt(f"{done} bytes of cells, expected {len(room)}")
        done += count
        if time.monotonic() - began > PATIENCE:
            raise TimeoutError(f"reading took more than {PATIENCE:g} s")
    if file.read(1):
        raise Corrupt("more bytes than it should have")
    check_value(key, data, out)
    return True
