"""The way to a backend, over one that does as the test says."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from alpha_pipeline.engine.stores import memory, store
from alpha_pipeline.engine.stores.entry import Matrix
from alpha_pipeline.engine.stores.memory import MemoryStore
from alpha_pipeline_tests.engine.stores.places import DEAR, SIZE, blank, held, matrix


class Scripted(MemoryStore):
    """A store whose steps first run a function of the test, which may raise or wait."""

    def __init__(self, pause: float = 5.0) -> None:
        super().__init__(1 << 30)
        self._first_pause = self._pause = pause
        self.before: dict[str, Callable[[], None]] = {}

    def _open(self) -> None:
        self.before.get("open", lambda: None)()

    def _read(self, key: str, out: Matrix) -> bool:
        self.before.get("read", lambda: None)()
        return super()._read(key, out)

    def _used(self, key: str) -> None:
        self.before.get("used", lambda: None)()
        super()._used(key)

    def _write(self, key: str, value: Matrix, seconds: float, price: float) -> bool:
        self.before.get("write", lambda: None)()
        return super()._write(key, value, seconds, price)

    def _close(self) -> None:
        self.before.get("close", lambda: None)()
        super()._close()


def fails(error: Exception) -> Callable[[], None]:
    def step() -> None:
        raise error

    return step


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that pauses are measured by, for the test to move."""
    now = [1000.0]

    class Time:
        @staticmethod
        def monotonic() -> float:
            return now[0]

        perf_counter = staticmethod(store.time.perf_counter)

    monkeypatch.setattr(store, "time", Time)
    return now


ERRORS = [OSError("disk"), ValueError(), KeyError("x"), MemoryError(), UnicodeDecodeError("utf-8", b"", 0, 1, "x")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("step", ["open", "read", "write", "used", "close"])
def test_whatever_a_backend_raises_costs_time_only(step: str, error: Exception) -> None:
    backend = Scripted()
    if step in ("read", "used"):
        assert backend.put("a", matrix(1), DEAR)
    backend.before[step] = fails(error)
    found = held(backend, "a", matrix(1))
    assert found == (step == "used")
    assert not backend.put("b", matrix(1), DEAR) or step == "close"
    backend.close()
    assert backend.counts.failures == 1


def test_an_interrupt_is_not_held_back() -> None:
    backend = Scripted()
    backend.before["read"] = fails(KeyboardInterrupt())  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        backend.get("a", blank())


def test_pauses_double_up_to_a_minute_and_begin_again(clock: list[float]) -> None:
    backend = Scripted()
    tried = [0]

    def away() -> None:
        tried[0] += 1
        raise ConnectionError

    backend.before["open"] = away
    pauses = []
    for _ in range(6):
        before, waited = tried[0], 0.0
        while tried[0] == before:
            backend.get("a", blank())
            clock[0] += 0.5
            waited += 0.5
        pauses.append(waited - 0.5)
    assert pauses == [0.0, 4.5, 9.5, 19.5, 39.5, 59.5]
    del backend.before["open"]
    clock[0] += 60
    assert backend.put("a", matrix(1), DEAR)
    backend.before["read"] = away
    backend.get("a", blank())
    clock[0] += 4.9
    del backend.before["read"]
    assert not held(backend, "a", matrix(1))
    clock[0] += 0.2
    assert held(backend, "a", matrix(1))


def test_while_one_tries_again_nobody_waits(clock: list[float]) -> None:
    backend = Scripted()
    backend.before["open"] = fails(ConnectionError())
    backend.get("a", blank())
    clock[0] += 6
    entered, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        entered.set()
        go_on.wait(30)
        raise ConnectionError

    backend.before["open"] = slow
    one = threading.Thread(target=backend.get, args=("a", blank()))
    one.start()
    assert entered.wait(30)
    assert not backend.get("a", blank())
    assert not backend.put("a", matrix(1), DEAR)
    assert one.is_alive(), "these did not wait for it"
    go_on.set()
    one.join()
    assert backend.counts.failures == 2


def test_at_the_first_opening_all_wait_and_one_fails() -> None:
    backend = Scripted()
    entered, go_on = threading.Event(), threading.Event()
    tried = [0]

    def slow() -> None:
        tried[0] += 1
        entered.set()
        go_on.wait(30)
        raise ConnectionError

    backend.before["open"] = slow
    threads = [threading.Thread(target=backend.get, args=("a", blank())) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert entered.wait(30)
    time.sleep(0.2)  # for the others to come and wait
    go_on.set()
    for thread in threads:
        thread.join()
    assert tried[0] == backend.counts.failures == 1


def test_each_kind_of_failure_is_logged_once(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    backend = Scripted()
    with caplog.at_level(logging.WARNING):
        for error in (OSError("one"), OSError("two"), ValueError("three"), OSError("four"), ValueError("five")):
            backend.before["read"] = fails(error)
            backend.get("a", blank())
            clock[0] += 1000
    assert [record.getMessage().count("costs time only") for record in caplog.records] == [1, 1]
    assert "one" in caplog.text
    assert "three" in caplog.text
    assert backend.counts.failures == 5


def test_a_backend_that_gives_back_something_else_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful(Scripted):
        def _round_trip(self, value: Matrix, out: Matrix) -> tuple[float, float]:
            out.fill(0)
            return 1e-6, 1e-6

    backend = Forgetful()
    assert not backend.put("a", matrix(1), DEAR)
    assert (backend.counts.failures, backend.counts.refused) == (1, 1)


def test_a_slow_store_is_measured_again_after_a_while(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    backend = Scripted()
    assert backend.put("a", matrix(1), DEAR)
    for _ in range(20):
        backend.rates.learn("read", SIZE, 1e6)
    assert not backend.put("b", matrix(2), DEAR)
    monkeypatch.setattr("alpha_pipeline.engine.stores.worth.STALE_SECONDS", -1.0)
    assert backend.put("b", matrix(2), DEAR)


def interrupted_copy(monkeypatch: pytest.MonkeyPatch, between: Callable[[], Any]) -> None:
    """Let something else happen just before the next copy into or out of memory."""
    waiting = [between]

    class Interrupted:
        empty, float32 = staticmethod(np.empty), np.float32

        @staticmethod
        def copyto(out: Matrix, value: Matrix) -> None:
            if waiting:
                assert waiting.pop()()
            np.copyto(out, value)

    monkeypatch.setattr(memory, "np", Interrupted)


def test_memory_that_is_being_read_is_not_given_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a value is copied out, it is pushed out and another one comes in."""
    backend = MemoryStore(SIZE)
    backend.rates.saved = lambda size, seconds: seconds  # type: ignore[method-assign]
    assert backend.put("a", matrix(1), DEAR)
    interrupted_copy(monkeypatch, lambda: backend.put("b", matrix(2), 10 * DEAR))
    assert held(backend, "a", matrix(1))
    assert held(backend, "b", matrix(2))


def test_memory_that_is_being_written_is_not_given_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a value is copied in, its entry is pushed out and another one comes in."""
    backend = MemoryStore(SIZE)
    backend.rates.saved = lambda size, seconds: seconds  # type: ignore[method-assign]
    backend.start()
    interrupted_copy(monkeypatch, lambda: backend.put("b", matrix(2), 10 * DEAR))
    assert not backend.put("a", matrix(1), DEAR)
    assert held(backend, "b", matrix(2))
    assert not held(backend, "a", matrix(1))


def test_an_entry_is_written_by_the_thread_that_it_was_admitted_for() -> None:
    """A thread whose entry was pushed out may not write into the one that another is making of the same key."""
    backend = MemoryStore(SIZE)
    backend.rates.saved = lambda size, seconds: seconds  # type: ignore[method-assign]
    backend.start()
    assert backend._admit("a", SIZE, 1.0)
    with ThreadPoolExecutor(1) as other:
        assert other.submit(backend.put, "b", matrix(2), 1e6).result()
        assert other.submit(backend._admit, "a", SIZE, 1e9).result()
        assert not backend._write("a", matrix(1), DEAR, 1.0)
        assert not backend.get("a", blank())
        assert other.submit(backend._write, "a", matrix(1), DEAR, 1e9).result()
    assert held(backend, "a", matrix(1))
