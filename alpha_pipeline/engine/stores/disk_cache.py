"""diskcache made fit for values that cost seconds: files of bytes and nothing else, the cheapest pushed out first.

diskcache keeps one SQLite table of entries, which processes share, and each value in a file of its own. Its own rules
of eviction know recency and frequency but no cost, so this one works on the columns that are there: `tag` holds an
entry's price and `access_time` its priority; the clock is a row of the table of settings (see `worth`).

diskcache unpickles whatever its table says is a pickle. `BytesOnly` does not know how to.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import diskcache

from alpha_pipeline.engine.stores.worth import USES_COUNTED

BYTES = 2  # diskcache's mode of a file of bytes
CLOCK = "greedy_dual_clock"
LOCK_SECONDS = 0.5  # to wait for another process's transaction
FILE_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{28}\.val")
ABANDONED_SECONDS = 3600  # a file that no entry names: younger ones are being written


class BytesOnly(diskcache.Disk):  # type: ignore[misc]
    """Stores pieces of bytes as files, opens such files, and refuses anything else."""

    def put(self, key: Any) -> Any:
        if type(key) is not str:
            raise TypeError(f"keys are text, got {type(key).__name__}")
        return key, True

    def get(self, key: Any, raw: Any) -> Any:
        if type(key) is not str or not raw:
            raise TypeError("the table holds a key that is no text")
        return key

    def store(self, value: Any, read: Any, key: Any = None) -> tuple[int, int, str, None]:
        """Write the pieces of bytes that `value` iterates over. What could not be written whole is removed again."""
        name, path = self.filename()
        try:
            size = self._write(path, value, "xb")
        except BaseException:
            self.remove(name)
            raise
        return size, BYTES, name, None

    def fetch(self, mode: Any, filename: Any, value: Any, read: Any) -> Any:
        """The open file of an entry, unbuffered."""
        if mode != BYTES or value is not None or not _sound(filename):
            raise OSError("the table names no file of this store")
        return (Path(self._directory) / filename).open("rb", buffering=0)

    def remove(self, file_path: Any) -> None:
        """Remove a file of this folder; a name that leads elsewhere is nobody's to remove."""
        if _sound(file_path):
            super().remove(file_path)


def _sound(name: Any) -> bool:
    return isinstance(name, str) and FILE_NAME.fullmatch(name.replace("\\", "/")) is not None


class CostAwareCache(diskcache.Cache):  # type: ignore[misc]
    """A folder of files, at most `budget` bytes of them; safe among threads and processes.

    Overrides how diskcache inserts and culls, hence its exact version in pyproject.toml.
    """

    def __init__(self, folder: Path, budget: int) -> None:
        super().__init__(
            str(folder), timeout=LOCK_SECONDS, disk=BytesOnly, eviction_policy="none", size_limit=budget, statistics=0
        )
        self._sql("INSERT OR IGNORE INTO Settings VALUES (?, 0.0)", (CLOCK,))
        self._sql("CREATE INDEX IF NOT EXISTS Cache_access_time ON Cache (access_time)")
        self.budget = budget

    @property
    def _sql_retry(self) -> Callable[..., Any]:
        """Statements that open the table wait for another process's lock, but not diskcache's whole minute."""
        sql = self._sql

        def execute(statement: str, *arguments: Any) -> Any:
            until = time.monotonic() + 4 * LOCK_SECONDS
            while True:
                try:
                    return sql(statement, *arguments)
                except sqlite3.OperationalError as error:
                    if "locked" not in str(error) or time.monotonic() > until:
                        raise
                    time.sleep(0.002)

        return execute

    def admit(self, key: str, size: int, price: float) -> bool:
        """Make room for a value, unless it is there or everything that it would push out has a higher priority."""
        if size > self.budget or self._file_exists(key):
            return False
        with self._transact() as (sql, cleanup):
            clock = self._clock(sql)
            victims = self._victims(sql, size)
            if victims and victims[-1][2] >= clock + price:
                self._move_clock(sql, clock + price)
                return False
            self._push_out(sql, cleanup, victims)
        return True

    def used(self, key: str) -> None:
        """Raise an entry's priority after a use."""
        uses = f"MIN(access_count + 2, {USES_COUNTED})"
        clock = f"(SELECT value FROM Settings WHERE key = '{CLOCK}')"
        self._sql(
            f"UPDATE Cache SET access_time = {clock} + {uses} * tag, access_count = access_count + 1"
            " WHERE key = ? AND raw = 1",
            (key,),
        )

    def sweep(self) -> None:
        """Remove files that killed writers left behind, which no entry names."""
        folder = Path(self.directory)
        oldest = time.time() - ABANDONED_SECONDS
        named = {name.replace("\\", "/") for (name,) in self._sql("SELECT filename FROM Cache") if name}
        for place, _, names in os.walk(folder):  # passes over folders that others remove meanwhile
            for path in (Path(place) / name for name in names):
                name = path.relative_to(folder).as_posix()
                with suppress(FileNotFoundError):  # another process sweeps as well
                    if _sound(name) and name not in named and path.stat().st_mtime < oldest:
                        path.unlink()

    # -- within diskcache's transactions ------------------------------------------------------------------------------

    def _row_insert(self, key: Any, raw: Any, now: float, columns: Any) -> None:
        super()._row_insert(key, raw, now, columns)
        self._set_priority("key = ? AND raw = 1", key)

    def _row_update(self, rowid: int, now: float, columns: Any) -> None:
        super()._row_update(rowid, now, columns)
        self._set_priority("rowid = ?", rowid)

    def _set_priority(self, where: str, value: Any) -> None:
        clock = f"(SELECT value FROM Settings WHERE key = '{CLOCK}')"
        self._sql(f"UPDATE Cache SET access_time = {clock} + tag WHERE {where}", (value,))

    def _cull(self, now: float, sql: Any, cleanup: Any, limit: int | None = None) -> None:
        """What several writers at once brought in beyond the budget goes again."""
        self._push_out(sql, cleanup, self._victims(sql, 0))

    def _victims(self, sql: Any, size: int) -> list[tuple[int, str, float]]:
        """(row, file, priority) of the entries to push out for `size` more bytes, by rising priority."""
        ((held,),) = sql("SELECT value FROM Settings WHERE key = 'size'").fetchall()
        excess = held + size - self.budget
        victims: list[tuple[int, str, float]] = []
        if excess > 0:
            rows: Iterator[Any] = sql("SELECT rowid, filename, access_time, size FROM Cache ORDER BY access_time")
            for row, name, priority, freed in rows:
                victims.append((row, name, priority))
                excess -= freed
                if excess <= 0:
                    break
        return victims

    def _push_out(self, sql: Any, cleanup: Any, victims: list[tuple[int, str, float]]) -> None:
        for row, name, _ in victims:
            sql("DELETE FROM Cache WHERE rowid = ?", (row,))
            cleanup(name)
        if victims:
            self._move_clock(sql, victims[-1][2])

    def _clock(self, sql: Any) -> float:
        ((clock,),) = sql("SELECT value FROM Settings WHERE key = ?", (CLOCK,)).fetchall()
        return float(clock)

    def _move_clock(self, sql: Any, to: float) -> None:
        sql("UPDATE Settings SET value = MAX(value, ?) WHERE key = ?", (to, CLOCK))

    def _file_exists(self, key: str) -> bool:
        rows = self._sql("SELECT filename FROM Cache WHERE key = ? AND raw = 1", (key,)).fetchall()
        return any(_sound(name) and (Path(self.directory) / name).is_file() for (name,) in rows)
