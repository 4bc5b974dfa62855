"""A folder that is full, broken, gone or shared costs time only."""

from __future__ import annotations

import errno
import logging
import os
import pickle
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import diskcache
import numpy as np
import pytest

from alpha_pipeline.engine.stores.disk import DiskStore
from alpha_pipeline.engine.stores.entry import HEADER
from alpha_pipeline_tests.engine.stores.places import DEAR, SHAPE, SIZE, blank, closed, disk, held, matrix
from alpha_pipeline_tests.engine.stores.processes import finished, killed_at_work, start

ENTRY = SIZE + HEADER


def file_of(store: DiskStore, key: str) -> Path:
    """Where the bytes of a key are."""
    with sqlite3.connect(store.folder / "cache.db") as table:
        ((name,),) = table.execute("SELECT filename FROM Cache WHERE key = ?", (key,)).fetchall()
    return store.folder / str(name)


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.val"))


def flip(at: int) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[at] ^= 0x10
        path.write_bytes(data)

    return spoil


def cut(length: int) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, length)


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


SPOILT = {
    **{f"flip {at}": flip(at) for at in (0, 8, 10, 14, 22, 30, 45, 50, HEADER, HEADER + 777, ENTRY - 1)},
    **{f"cut to {length}": cut(length) for length in (0, 1, HEADER - 1, HEADER, HEADER + 4, ENTRY - 1)},
    "lengthened": lengthen,
    "another array file": lambda path: path.write_bytes(b"\x93NUMPY\x01\x00" + bytes(500)),
    "a pickle": lambda path: path.write_bytes(pickle.dumps(np.zeros(SHAPE))),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
def test_a_broken_entry_is_a_miss_and_is_stored_anew(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    value = matrix(1)
    with disk(tmp_path) as store:
        assert store.put("a", value, DEAR)
        spoil(file_of(store, "a"))
        assert not held(store, "a", value)
        assert (store.counts.corrupt, store.counts.failures) == (1, 0)
        assert files(tmp_path) == []
        assert store.put("a", value, DEAR)
        assert held(store, "a", value)


def test_broken_entries_are_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with disk(tmp_path) as store:
        for number in range(3):
            assert store.put(f"{number}", matrix(number), DEAR)
            flip(100)(file_of(store, f"{number}"))
        with caplog.at_level(logging.WARNING):
            assert not any(held(store, f"{number}", matrix(number)) for number in range(3))
        assert store.counts.corrupt == 3
    assert len(caplog.records) == 1


def test_a_folder_of_lies_is_left_alone(tmp_path: Path) -> None:
    with disk(tmp_path) as store:
        for number in range(9):
            assert store.put(f"{number}", matrix(number), DEAR)
        for path in files(tmp_path):
            flip(100)(path)
        assert not any(held(store, f"{number}", matrix(number)) for number in range(9))
        assert (store.counts.corrupt, store.counts.failures) == (5, 1)


def test_swapped_entries_are_seen(tmp_path: Path) -> None:
    with disk(tmp_path) as store:
        assert store.put("a", matrix(1), DEAR)
        assert store.put("b", matrix(2), DEAR)
        first, second = file_of(store, "a"), file_of(store, "b")
        aside = tmp_path / "aside"
        first.rename(aside)
        second.rename(first)
        aside.rename(second)
        assert not held(store, "a", matrix(1))
        assert not held(store, "b", matrix(2))
        assert store.counts.corrupt == 2


def test_a_missing_file_is_a_miss_and_is_stored_anew(tmp_path: Path) -> None:
    with disk(tmp_path) as store:
        assert store.put("a", matrix(1), DEAR)
        file_of(store, "a").unlink()
        assert not held(store, "a", matrix(1))
        assert store.put("a", matrix(1), DEAR)
        assert held(store, "a", matrix(1))
        assert (store.counts.corrupt, store.counts.failures) == (0, 0)


def test_a_full_disk_costs_time_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """ENOSPC comes from the write of the cells, after the header went well."""
    real, full = diskcache.core.open if hasattr(diskcache.core, "open") else open, [True]

    class Full:
        def __init__(self, *arguments: Any, **named: Any) -> None:
            self.file = real(*arguments, **named)

        def write(self, data: bytes) -> int:
            if full[0] and len(data) > HEADER:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return int(self.file.write(data))

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()

    with disk(tmp_path, pause=0.01) as store:
        assert store.put("a", matrix(1), DEAR)
        monkeypatch.setattr(diskcache.core, "open", Full, raising=False)
        with caplog.at_level(logging.WARNING):
            for number in range(3):
                assert not store.put(f"b{number}", matrix(2), DEAR)
                time.sleep(0.1)
        assert store.counts.failures == 3
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "No space left" in caplog.text
        assert len(files(tmp_path)) == 1, "nothing half written is left"
        full[0] = False
        time.sleep(0.2)
        assert store.put("b", matrix(2), DEAR)
        assert held(store, "a", matrix(1))
        assert held(store, "b", matrix(2))


def test_the_folder_may_go_and_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with disk(folder, pause=0.01) as store:
        assert store.put("a", matrix(1), DEAR)
        shutil.rmtree(folder)
        assert not held(store, "a", matrix(1))
        for number in range(20):
            store.put(f"b{number}", matrix(2), DEAR)
            time.sleep(0.03)
            if held(store, f"b{number}", matrix(2)) and store.counts.failures:
                break
        with disk(folder) as other:  # what was stored after it came back is there for others
            assert held(other, f"b{number}", matrix(2))


def test_a_folder_swapped_for_an_empty_one_costs_time_only(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    with disk(folder, pause=0.01) as store:
        assert store.put("a", matrix(1), DEAR)
        folder.rename(tmp_path / "old")
        folder.mkdir()
        answers: list[bool] = []
        thread = threading.Thread(target=lambda: answers.append(held(store, "a", matrix(1))))  # a connection of its own
        thread.start()
        thread.join()
        assert answers == [False]


def test_an_unreadable_table_costs_time_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with disk(tmp_path) as store:
        assert store.put("a", matrix(1), DEAR)
    for path in tmp_path.glob("cache.db*"):
        path.write_bytes(os.urandom(8192))
    with caplog.at_level(logging.WARNING), disk(tmp_path) as store:
        assert not held(store, "a", matrix(1))
        assert not store.put("a", matrix(1), DEAR)
        assert store.counts.failures == 1
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE Cache SET mode = 4",
        "UPDATE Cache SET mode = 1, value = x'00'",
        "UPDATE Cache SET filename = '../../precious.val'",
        "UPDATE Cache SET filename = NULL",
        "UPDATE Cache SET filename = 7",
        "UPDATE Cache SET tag = 'dear'",
        "UPDATE Cache SET access_time = 'late', access_count = 'often'",
        "UPDATE Cache SET size = -1000000000",
        "UPDATE Cache SET size = 'big'",
        "UPDATE Cache SET raw = 0",
        "DELETE FROM Cache",
        "UPDATE Settings SET value = 'x' WHERE key = 'greedy_dual_clock'",
        "DELETE FROM Settings",
        "UPDATE Settings SET value = 1e18 WHERE key = 'size'",
        "DROP TABLE Cache",
        "DROP TABLE Settings",
    ],
)
def test_a_lying_table_costs_time_only(change: str, tmp_path: Path) -> None:
    folder, precious = tmp_path / "x" / "store", tmp_path / "precious.val"
    precious.write_bytes(b"not ours")
    with disk(folder, 2 * ENTRY, pause=0.01) as store:
        assert store.put("a", matrix(1), DEAR)
        with sqlite3.connect(folder / "cache.db") as table:
            table.execute(change)
        for _ in range(3):
            for number in range(4):
                if not held(store, "ab"[number % 2] * (number // 2 + 1), matrix(number % 2 + 1)):
                    store.put("ab"[number % 2] * (number // 2 + 1), matrix(number % 2 + 1), DEAR)
            time.sleep(0.02)
    with disk(folder, 2 * ENTRY) as store:
        held(store, "a", matrix(1))
    assert precious.read_bytes() == b"not ours"


def test_no_pickle_is_ever_loaded(tmp_path: Path) -> None:
    """diskcache itself would run what this table says; that is what `BytesOnly` is for."""
    ran = tmp_path / "ran"

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (ran,)

    folder = tmp_path / "store"
    with disk(folder) as store:
        assert store.put("a", matrix(1), DEAR)
        bomb = pickle.dumps(Bomb())
        file_of(store, "a").write_bytes(bomb)
        with sqlite3.connect(folder / "cache.db") as table:
            table.execute("UPDATE Cache SET mode = 4")
            table.execute(
                "INSERT INTO Cache (key, raw, mode, value, access_time, tag) VALUES (?, 1, 4, ?, 0, 0)", ("b", bomb)
            )
            table.execute("INSERT INTO Cache (key, raw, mode, access_time, tag) VALUES (?, 0, 2, 0, 0)", (bomb,))
        assert not held(store, "a", matrix(1))
        assert not held(store, "b", matrix(1))
        assert not ran.exists()
    with diskcache.Cache(str(folder)) as plain:
        plain.get("b")
    assert ran.exists(), "the bomb is none"


def test_a_locked_table_costs_a_moment_only(tmp_path: Path) -> None:
    with disk(tmp_path, hurried=True) as store:
        assert store.put("a", matrix(1), DEAR)
        with sqlite3.connect(tmp_path / "cache.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")  # as a process that hangs in its transaction
            assert held(store, "a", matrix(1)), "reading needs no lock"
            assert not store.put("b", matrix(2), DEAR)
            assert store.counts.failures == 1
            other.execute("ROLLBACK")


def test_files_that_killed_writers_left_are_removed(tmp_path: Path) -> None:
    with disk(tmp_path) as store:
        assert store.put("a", matrix(1), DEAR)
    known = files(tmp_path)
    old, new = tmp_path / "aa" / "bb" / f"{'0' * 28}.val", tmp_path / "aa" / "bb" / f"{'1' * 28}.val"
    foreign = tmp_path / "aa" / "bb" / "mine.val"
    old.parent.mkdir(parents=True, exist_ok=True)
    for path in (old, new, foreign):
        path.write_bytes(b"x")
    hours_ago = time.time() - 7200
    for path in (old, foreign, *known):
        os.utime(path, (hours_ago, hours_ago))
    with disk(tmp_path) as store:
        assert held(store, "a", matrix(1))
    assert not old.exists()
    assert new.exists()
    assert foreign.exists()


def test_writers_that_found_room_at_the_same_time_keep_the_budget(tmp_path: Path) -> None:
    with disk(tmp_path, ENTRY) as first, disk(tmp_path, ENTRY) as second:
        assert first._admit("a", SIZE, 1.0)
        assert second._admit("b", SIZE, 2.0)
        assert second._write("b", matrix("b"), DEAR, 2.0)
        assert first._write("a", matrix("a"), DEAR, 1.0)
        assert len(files(tmp_path)) == 1
        assert held(first, "b", matrix("b"))
        assert not held(first, "a", matrix("a"))


def test_sweeping_passes_over_what_others_remove(tmp_path: Path) -> None:
    with disk(tmp_path) as store, disk(tmp_path) as other:
        over = threading.Event()

        def come_and_go() -> None:
            while not over.is_set():
                other._measure()

        with ThreadPoolExecutor(2) as pool:
            running = [pool.submit(come_and_go) for _ in range(2)]
            try:
                for _ in range(100):
                    store._files.sweep()
            finally:
                over.set()
            assert [future.result() for future in running] == [None, None]


def test_processes_share_a_folder(tmp_path: Path) -> None:
    where, budget = f"disk:{tmp_path}", 6 * ENTRY
    workers = [start(where, budget, seed, 400) for seed in range(2)]
    counts = [finished(worker) for worker in workers]
    assert [(each["failures"], each["corrupt"]) for each in counts] == [(0, 0)] * 2
    assert all(each["hits"] for each in counts)
    assert sum(path.stat().st_size for path in files(tmp_path)) <= budget
    with sqlite3.connect(tmp_path / "cache.db") as table:
        ((size, stated),) = table.execute(
            "SELECT SUM(size), (SELECT value FROM Settings WHERE key = 'size') FROM Cache"
        ).fetchall()
    assert size == stated == sum(path.stat().st_size for path in files(tmp_path))


def test_a_killed_process_leaves_a_whole_store(tmp_path: Path) -> None:
    where, budget = f"disk:{tmp_path}", 6 * ENTRY
    for seed in range(3):
        killed_at_work(where, budget, seed)
    with closed(where, budget) as store:
        hits = sum(held(store, f"key {number}", matrix(number)) for number in range(10))
        assert store.put("new", matrix("new"), 1e6)
        assert held(store, "new", matrix("new"))
        assert (store.counts.failures, store.counts.corrupt) == (0, 0)
    assert hits > 0
    with sqlite3.connect(tmp_path / "cache.db") as table:
        named = {str(name) for (name,) in table.execute("SELECT filename FROM Cache")}
    assert sum((tmp_path / name).stat().st_size for name in named) <= budget


def test_the_shape_is_held_to(tmp_path: Path) -> None:
    with disk(tmp_path) as store:
        assert store.put("a", matrix(1), DEAR)
        assert not store.get("a", blank((40, 30)))
        assert store.counts.corrupt == 1
