"""A server that dies, freezes, trickles, lies or is shared costs time only."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

from alpha_pipeline.engine.stores import redis_store
from alpha_pipeline.engine.stores.entry import HEADER
from alpha_pipeline.engine.stores.redis_scripts import KEEP_SECONDS
from alpha_pipeline.engine.stores.redis_store import PREFIX, RedisStore
from alpha_pipeline_tests.engine.stores.places import DEAR, SIZE, blank, closed, held, in_redis, matrix
from alpha_pipeline_tests.engine.stores.processes import finished, killed_at_work, start
from alpha_pipeline_tests.servers import RedisServer, running_redis

ENTRY = SIZE + HEADER


@pytest.fixture(scope="module")
def shared() -> Iterator[RedisServer]:
    with running_redis() as server:
        yield server


@pytest.fixture
def server(shared: RedisServer) -> RedisServer:
    """A server that is not killed, emptied."""
    with shared.client() as client:
        client.flushall()
    return shared


@pytest.fixture
def mortal() -> Iterator[RedisServer]:
    """A server of the test's own."""
    with running_redis() as own:
        yield own


def value_key(key: str) -> str:
    return f"{PREFIX}value:{key}"


def eventually(store: RedisStore, key: str, seconds: float = 20) -> bool:
    """Whether the value of a key can be stored and read before long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if held(store, key, matrix(key)):
            return True
        store.put(key, matrix(key), DEAR)
        time.sleep(0.02)
    return False


def test_a_killed_server_costs_one_failure_a_pause(mortal: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    with in_redis(mortal.url) as store, caplog.at_level(logging.WARNING):
        assert store.put("a", matrix("a"), DEAR)
        mortal.kill()
        for _ in range(20):
            assert not held(store, "a", matrix("a"))
            assert not store.put("b", matrix("b"), DEAR)
            assert not store.pays(SIZE, DEAR)
        assert store.counts.failures == 1
    assert len(caplog.records) == 1


def test_a_server_that_comes_back_is_used_again(mortal: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    with in_redis(mortal.url, pause=0.01) as store, caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert eventually(store, "a")
            mortal.kill()
            assert not held(store, "a", matrix("a"))
            mortal.restart()
        assert eventually(store, "a")
        assert store.counts.failures >= 3
    assert len(caplog.records) == 1, "each kind of failure is logged once"


def test_a_server_away_at_the_start_may_come_later(mortal: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    mortal.kill()
    with caplog.at_level(logging.WARNING), in_redis(mortal.url, pause=0.01) as store:
        assert store.counts.failures == 1
        assert "computed instead" in caplog.text
        mortal.restart()
        assert eventually(store, "a")


def test_a_server_killed_in_the_middle_of_a_run_changes_no_value(mortal: RedisServer) -> None:
    with in_redis(mortal.url, pause=0.01) as store:
        stop = threading.Event()

        def work(seed: int) -> int:
            random, hits = np.random.default_rng(seed), 0
            while not stop.is_set():
                key = f"key {random.integers(10)}"
                if held(store, key, matrix(key)):
                    hits += 1
                else:
                    store.put(key, matrix(key), DEAR)
            return hits

        with ThreadPoolExecutor(3) as pool:
            running = [pool.submit(work, seed) for seed in range(3)]
            try:
                for _ in range(3):
                    time.sleep(0.15)
                    mortal.kill()
                    time.sleep(0.05)
                    mortal.restart()
                time.sleep(0.15)
            finally:
                stop.set()
            assert all(future.result() > 0 for future in running)
        assert store.counts.failures > 0
        assert store.counts.corrupt == 0


def test_a_frozen_server_costs_one_timeout_a_pause(mortal: RedisServer) -> None:
    with in_redis(mortal.url, hurried=True) as store:
        assert store.put("a", matrix("a"), DEAR)
        mortal.freeze()
        try:
            for _ in range(20):
                assert not held(store, "a", matrix("a"))
                assert not store.put("b", matrix("b"), DEAR)
            assert store.counts.failures == 1
        finally:
            mortal.thaw()


def test_a_server_frozen_at_the_start_costs_one_timeout(mortal: RedisServer) -> None:
    mortal.freeze()
    try:
        with in_redis(mortal.url, hurried=True) as store:
            with ThreadPoolExecutor(8) as pool:
                assert not any(pool.map(lambda _: store.get("a", blank()), range(40)))
            assert store.counts.failures == 1
    finally:
        mortal.thaw()


def test_of_many_threads_one_tries_again(mortal: RedisServer) -> None:
    with in_redis(mortal.url, pause=0.5, hurried=True) as store:
        mortal.freeze()
        try:
            assert not store.get("a", blank())
            time.sleep(0.6)
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda _: store.get("a", blank()), range(40)))
            assert store.counts.failures == 2
        finally:
            mortal.thaw()


@contextmanager
def false_server(answer: bytes, piece: int, wait: float) -> Iterator[str]:
    """A server that answers everything with the same bytes, in pieces with waits between them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        over = threading.Event()

        def serve(connection: socket.socket) -> None:
            with connection:
                connection.settimeout(5)
                try:
                    while not over.is_set() and connection.recv(1 << 16):
                        for start in range(0, len(answer), piece):
                            if over.wait(wait):
                                return
                            connection.sendall(answer[start : start + piece])
                except OSError:  # the store hung up
                    return

        def accept() -> None:
            while not over.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                threads.append(threading.Thread(target=serve, args=(connection,)))
                threads[-1].start()

        threads = [threading.Thread(target=accept)]
        threads[0].start()
        try:
            yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        finally:
            over.set()
            for thread in threads:
                thread.join()


def test_a_server_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time for a socket's own timeout; all of them would take days."""
    monkeypatch.setattr(redis_store, "PATIENCE", 0.3)
    with false_server(b"$1048576\r\n" + bytes(1 << 20), 1, 0.05) as url, in_redis(url, hurried=True) as store:
        assert not store.get("a", blank())
        assert store.counts.failures == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"+OK\r\n",
        b":1\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"*2\r\n$1\r\na\r\n$1\r\nb\r\n",
        b"$3\r\nabc\r\n",
        b"$64\r\n" + bytes(64) + b"\r\n",
        b"-ERR no\r\n",
        b"-LOADING busy\r\n",
        b"-OOM no room\r\n",
        b"-NOPERM not you\r\n",
        b"-MOVED 1 127.0.0.1:1\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"$999999999999\r\n",
        b"*1000000\r\n:1\r\n",
        b"$x\r\n",
        b"\xff\xfe\r\n",
        b"\r\n",
    ],
)
def test_a_server_that_talks_nonsense_costs_time_only(answer: bytes) -> None:
    with false_server(answer, len(answer), 0.0) as url, in_redis(url, hurried=True) as store:
        for _ in range(3):
            assert not store.get("a", blank())
            assert not store.put("a", matrix("a"), DEAR)
        assert store.counts.failures >= 1


def test_flipped_bits_are_seen(server: RedisServer) -> None:
    value = matrix("a", (2, 3))
    with in_redis(server.url) as store, server.client() as client:
        for name, length in (("head", HEADER), ("0", value.nbytes)):
            for position in range(0, 8 * length, 7):
                assert store.put("a", value, DEAR), f"bit {position} of {name}"
                data = bytearray(client.hget(value_key("a"), name))
                data[position // 8] ^= 1 << position % 8
                client.hset(value_key("a"), name, bytes(data))
                assert not held(store, "a", value), f"bit {position} of {name}"
                store._remove("a")  # false seconds make an entry that is not worth reading, and that stays
                store._lies = 0  # so that the store is not left alone
        assert store.counts.corrupt > 80


def test_swapped_and_mixed_entries_are_seen(server: RedisServer) -> None:
    with in_redis(server.url) as store, server.client() as client:
        assert store.put("a", matrix("a"), DEAR)
        assert store.put("b", matrix("b"), DEAR)
        assert store.put("c", matrix("c"), DEAR)
        client.hset(value_key("c"), "0", client.hget(value_key("a"), "0"))
        client.rename(value_key("a"), "aside")
        client.rename(value_key("b"), value_key("a"))
        client.rename("aside", value_key("b"))
        assert not any(held(store, key, matrix(key)) for key in "abc")
        assert store.counts.corrupt == 3


@pytest.mark.parametrize(
    "change", ["piece gone", "piece cut", "piece longer", "head cut", "head gone", "no hash", "gone"]
)
def test_damaged_entries_are_misses_and_are_stored_anew(change: str, server: RedisServer) -> None:
    value = matrix("a", (700, 800))  # several pieces
    with in_redis(server.url, pause=0.01) as store, server.client() as client:
        assert store.put("a", value, DEAR)
        key = value_key("a")
        changes = {
            "piece gone": lambda: client.hdel(key, "1"),
            "piece cut": lambda: client.hset(key, "1", client.hget(key, "1")[:-4]),
            "piece longer": lambda: client.hset(key, "2", client.hget(key, "2") + b"\0\0\0\0"),
            "head cut": lambda: client.hset(key, "head", b"alphaval"),
            "head gone": lambda: (client.hdel(key, "head"), client.expire(key, 100)),
            "no hash": lambda: (client.delete(key), client.set(key, b"text")),
            "gone": lambda: client.delete(key),
        }
        changes[change]()
        assert not held(store, "a", value)
        time.sleep(0.05)
        assert store.put("a", value, DEAR) or change == "no hash"
        assert held(store, "a", value) or change == "no hash"


def test_lost_or_false_bookkeeping_costs_time_only(server: RedisServer) -> None:
    with in_redis(server.url, 3 * ENTRY, pause=0.01) as store, server.client() as client:
        for damage in (
            lambda: client.delete(PREFIX + "order"),
            lambda: client.delete(PREFIX + "about"),
            lambda: client.delete(PREFIX + "state"),
            lambda: client.set(PREFIX + "state", "text"),
            lambda: client.hset(PREFIX + "state", "bytes", 10**15),
            lambda: client.hset(PREFIX + "state", "clock", "late"),
            lambda: client.hset(PREFIX + "about", "a", "nonsense"),
            lambda: client.zadd(PREFIX + "order", {"nobody": -1}),
            lambda: client.flushall(),
            lambda: client.script_flush(),
        ):
            for _ in range(2):
                for key in "abcde":
                    if not held(store, key, matrix(key)):
                        store.put(key, matrix(key), DEAR)
                damage()
            client.flushall()
            time.sleep(0.1)
            assert eventually(store, "a")
        assert store.counts.corrupt == 0


def test_a_server_without_room_costs_time_only(caplog: pytest.LogCaptureFixture) -> None:
    options = ("--maxmemory", "4mb", "--maxmemory-policy", "noeviction")
    with running_redis(*options) as small, in_redis(small.url) as store, caplog.at_level(logging.WARNING):
        for number in range(20):
            key = f"key {number}"
            store.put(key, matrix(key, (300, 400)), DEAR)
            held(store, key, matrix(key, (300, 400)))
        assert store.counts.failures >= 1
    assert len(caplog.records) <= 2


def test_a_server_that_evicts_by_itself_makes_misses(caplog: pytest.LogCaptureFixture) -> None:
    options = ("--maxmemory", "24mb", "--maxmemory-policy", "allkeys-lru")
    with running_redis(*options) as small, in_redis(small.url) as store, caplog.at_level(logging.WARNING):
        for number in range(60):
            key = f"key {number}"
            store.put(key, matrix(key, (300, 600)), DEAR)
            held(store, key, matrix(key, (300, 600)))
        found = sum(held(store, f"key {number}", matrix(f"key {number}", (300, 600))) for number in range(60))
        assert 0 < found < 60
        assert store.counts.corrupt == 0


def test_every_value_expires_in_the_end(server: RedisServer) -> None:
    with in_redis(server.url) as store, server.client() as client:
        assert store.put("a", matrix("a"), DEAR)
        assert KEEP_SECONDS - 60 < client.ttl(value_key("a")) <= KEEP_SECONDS
        client.expire(value_key("a"), 100)
        assert held(store, "a", matrix("a"))
        assert client.ttl(value_key("a")) > KEEP_SECONDS - 60, "a use renews it"
        values = list(client.scan_iter("*value:*"))
        assert all(client.ttl(name) > 0 for name in values)
        assert values == [value_key("a").encode()], "measurements leave nothing"


def test_what_a_dying_writer_leaves_expires_and_is_no_entry(server: RedisServer) -> None:
    with in_redis(server.url) as store, server.client() as client:
        assert store._admit("a", SIZE, 1.0)
        store._send("a", matrix("a"), keep=KEEP_SECONDS)
        assert client.ttl(value_key("a")) > 0
        assert not store.get("a", blank())
        assert not store.put("a", matrix("a"), DEAR), "another writer may be at work"
        client.expire(value_key("a"), KEEP_SECONDS - 60)
        assert store.put("a", matrix("a"), DEAR), "a minute later nobody is"
        assert held(store, "a", matrix("a"))
        assert store.counts.corrupt == 0


def test_the_budget_is_kept_on_the_server(server: RedisServer) -> None:
    with in_redis(server.url, 5 * ENTRY) as store, server.client() as client:
        for number in range(30):
            store.put(f"key {number}", matrix(number), DEAR + number)
        held_bytes = sum(sum(map(len, client.hgetall(name).values())) for name in client.scan_iter("*value:*"))
        assert held_bytes == int(client.hget(PREFIX + "state", "bytes")) == 5 * ENTRY
        assert client.zcard(PREFIX + "order") == client.hlen(PREFIX + "about") == 5


def test_other_keys_of_the_server_are_let_be(server: RedisServer) -> None:
    with server.client() as client:
        client.set("precious", b"1" * 100_000)
        with in_redis(server.url, 2 * ENTRY) as store:
            for number in range(20):
                store.put(f"key {number}", matrix(number), DEAR + number)
        assert client.get("precious") == b"1" * 100_000


def test_numbers_of_a_server_are_apart(server: RedisServer) -> None:
    with in_redis(server.url) as first, in_redis(server.url[:-1] + "5") as second:
        assert first.put("a", matrix("a"), DEAR)
        assert not held(second, "a", matrix("a"))


def test_processes_share_a_server(server: RedisServer) -> None:
    budget = 6 * ENTRY
    workers = [start(server.url, budget, seed, 400) for seed in range(2)]
    counts = [finished(worker) for worker in workers]
    assert [(each["failures"], each["corrupt"]) for each in counts] == [(0, 0)] * 2
    assert all(each["hits"] for each in counts)
    with server.client() as client:
        held_bytes = sum(sum(map(len, client.hgetall(name).values())) for name in client.scan_iter("*value:*"))
        assert held_bytes == int(client.hget(PREFIX + "state", "bytes")) <= budget


def test_a_killed_process_leaves_a_whole_store(server: RedisServer) -> None:
    budget = 6 * ENTRY
    for seed in range(2):
        killed_at_work(server.url, budget, seed)
    with closed(server.url, budget) as store:
        assert sum(held(store, f"key {number}", matrix(number)) for number in range(10)) > 0
        assert store.put("new", matrix("new"), 1e6)
        assert held(store, "new", matrix("new"))
        assert (store.counts.failures, store.counts.corrupt) == (0, 0)


def test_a_forked_process_uses_connections_of_its_own(server: RedisServer) -> None:
    with in_redis(server.url) as store:
        assert store.put("a", matrix("a"), DEAR)
        child = os.fork()
        if child == 0:
            os._exit(0 if all(held(store, "a", matrix("a")) for _ in range(50)) else 1)
        assert all(held(store, "a", matrix("a")) for _ in range(50))
        _, status = os.waitpid(child, 0)
        assert status == 0
