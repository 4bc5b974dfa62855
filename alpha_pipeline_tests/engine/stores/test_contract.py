"""What every store keeps to, whatever is behind it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from alpha_pipeline.engine.stores.store import GuardedStore
from alpha_pipeline_tests.engine.stores.places import (
    DEAR,
    KINDS,
    SHAPE,
    SIZE,
    blank,
    fresh_store,
    held,
    matrix,
    overhead,
    same,
)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(kind: str, tmp_path: Path) -> Iterator[GuardedStore]:
    with fresh_store(kind, tmp_path) as fresh:
        yield fresh
        assert (fresh.counts.failures, fresh.counts.corrupt) == (0, 0)


@pytest.mark.parametrize("shape", [(1, 1), (30, 40), (1, 65_537), (700, 3_001)])
def test_values_come_back_bit_by_bit(store: GuardedStore, shape: tuple[int, int]) -> None:
    value = matrix(1, shape)
    assert store.put("a", value, DEAR)
    assert held(store, "a", value)
    assert (store.counts.hits, store.counts.misses, store.counts.stored) == (1, 0, 1)


def test_not_a_number_keeps_its_bits(store: GuardedStore) -> None:
    value = np.arange(0x7F800001, 0x7F800001 + 1200, dtype=np.uint32).view(np.float32).reshape(SHAPE)
    assert store.put("a", value, DEAR)
    assert held(store, "a", value)


def test_what_is_not_there_is_a_miss(store: GuardedStore) -> None:
    assert not store.get("a", blank())
    assert store.counts.misses == 1


def test_another_shape_is_a_miss(store: GuardedStore) -> None:
    assert store.put("a", matrix(1), DEAR)
    assert not store.get("a", blank((40, 30))) or store.name.startswith("never")
    store.counts.corrupt = 0  # the checksummed ones call it a broken entry, as a key names a shape


def test_a_copy_is_kept(store: GuardedStore) -> None:
    value = matrix(1)
    given = value.copy()
    assert store.put("a", given, DEAR)
    given.fill(3)
    assert held(store, "a", value)
    out = blank()
    assert store.get("a", out)
    out.fill(4)
    assert held(store, "a", value)


def test_a_strided_value_is_stored(store: GuardedStore) -> None:
    value = matrix(1, (60, 80))[::2, ::2]
    assert store.put("a", value, DEAR)
    assert held(store, "a", np.ascontiguousarray(value))


def test_what_is_there_is_not_stored_again(store: GuardedStore) -> None:
    assert store.put("a", matrix(1), DEAR)
    assert not store.put("a", matrix(1), DEAR)
    assert (store.counts.stored, store.counts.refused) == (1, 1)


def test_what_is_sooner_computed_than_read_is_refused(store: GuardedStore) -> None:
    assert not store.put("a", matrix(1), 0.0)
    assert not store.put("b", matrix(1), 1e-9)
    assert not store.put("c", matrix(1), float("nan"))
    assert not store.put("nothing", matrix(1, (0, 5)), DEAR)
    assert store.counts.refused == 4
    assert not store.pays(SIZE, 0.0)
    assert not store.pays(SIZE, 1e-9)
    assert store.pays(SIZE, DEAR)
    assert not held(store, "a", matrix(1))


def test_what_was_stored_when_the_store_was_fast_is_left_alone_when_it_is_slow(store: GuardedStore, kind: str) -> None:
    if kind == "memory":
        pytest.skip("a copy in memory is never slow")
    value = matrix(1)
    assert store.put("a", value, 50.0)
    for _ in range(20):
        store.rates.learn("read", SIZE, 60.0)
    assert not held(store, "a", value)
    for _ in range(20):
        store.rates.learn("read", SIZE, 1e-6)
    assert held(store, "a", value)


def test_wrong_arrays_are_errors_of_the_caller(store: GuardedStore) -> None:
    for wrong in (np.zeros(SHAPE), np.zeros((2, 2, 2), np.float32), np.zeros(4, np.float32)):
        with pytest.raises(ValueError, match="float32"):
            store.put("a", wrong, DEAR)
        with pytest.raises(ValueError, match="float32"):
            store.get("a", wrong)
    with pytest.raises(ValueError, match="C order"):
        store.get("a", blank().T)
    fixed = blank()
    fixed.flags.writeable = False
    with pytest.raises(ValueError, match="writable"):
        store.get("a", fixed)


def test_threads_see_nothing_but_whole_values(kind: str, tmp_path: Path) -> None:
    values = {f"key {number}": matrix(number) for number in range(12)}
    with fresh_store(kind, tmp_path, 6 * (SIZE + overhead(kind))) as store:
        store.rates.saved = lambda size, seconds: seconds  # type: ignore[method-assign]

        def work(seed: int) -> int:
            random, hits = np.random.default_rng(seed), 0
            for _ in range(150):
                name = f"key {random.integers(12)}"
                found = held(store, name, values[name])
                hits += found
                if not found:
                    store.put(name, values[name], float(random.uniform(60, 90)))
            return hits

        with ThreadPoolExecutor(4) as pool:
            hits = sum(pool.map(work, range(4)))
        counts = store.counts
        assert (counts.failures, counts.corrupt) == (0, 0)
        assert hits == counts.hits > 0
        assert counts.hits + counts.misses == 600
        assert counts.stored + counts.refused == counts.misses
        assert bytes_held(store, kind) <= store.budget


@dataclass
class Model:
    """GreedyDual-Size-Frequency in its plainest form."""

    budget: int
    overhead: int
    clock: float = 0.0
    entries: dict[str, tuple[int, float, int, float]] = field(default_factory=dict)  # size, price, uses, priority

    def put(self, key: str, size: int, price: float) -> bool:
        size += self.overhead
        if key in self.entries or size > self.budget:
            return False
        by_priority = sorted((entry[3], entry[0], name) for name, entry in self.entries.items())
        excess = sum(entry[0] for entry in self.entries.values()) + size - self.budget
        victims = []
        while excess > 0:
            priority, freed, name = by_priority.pop(0)
            victims.append((priority, name))
            excess -= freed
        if victims and victims[-1][0] >= self.clock + price:
            self.clock += price
            return False
        for priority, name in victims:
            self.clock = max(self.clock, priority)
            del self.entries[name]
        self.entries[key] = (size, price, 1, self.clock + price)
        return True

    def get(self, key: str) -> bool:
        if key not in self.entries:
            return False
        size, price, uses, _ = self.entries[key]
        uses = min(uses + 1, 8)
        self.entries[key] = (size, price, uses, self.clock + uses * price)
        return True


@pytest.mark.parametrize("seed", range(3))
def test_what_is_kept_is_what_the_rule_says(kind: str, seed: int, tmp_path: Path) -> None:
    random = np.random.default_rng(seed)
    shapes = [(30, 40), (10, 40), (60, 40), (200, 40)]
    budget = 5 * (SIZE + overhead(kind))
    model = Model(budget, overhead(kind))
    with fresh_store(kind, tmp_path, budget) as store:
        store.rates.saved = lambda size, seconds: seconds  # type: ignore[method-assign]
        for step in range(150):
            name = int(random.zipf(1.3)) % 25
            key, value = f"key {name}", matrix(name, shapes[name % 4])
            if random.random() < 0.5:
                assert held(store, key, value) == model.get(key), f"step {step}"
            else:
                seconds = float(random.uniform(50, 5000))
                assert store.put(key, value, seconds) == model.put(key, value.nbytes, seconds / value.nbytes), (
                    f"step {step}"
                )
            assert bytes_held(store, kind) <= budget
        assert store.counts.hits > 10
        assert store.counts.refused > 10


def test_what_is_dear_stays_and_what_is_not_used_fades(kind: str, tmp_path: Path) -> None:
    with fresh_store(kind, tmp_path, 4 * (SIZE + overhead(kind))) as store:
        values = {name: matrix(name) for name in "abcdefghijkl"}
        for name, seconds in zip("abcd", (100.0, 900.0, 300.0, 400.0), strict=True):
            assert store.put(name, values[name], seconds)
        assert store.put("e", values["e"], 250.0)  # pushes out the cheapest
        assert not held(store, "a", values["a"])
        assert held(store, "b", values["b"])
        assert not store.put("f", values["f"], 60.0)  # cheaper than all that is held
        for name in "ghijkl":  # as dear as the old ones, but new
            for _ in range(6):
                store.put(name, values[name], 350.0)
        assert not any(held(store, name, values[name]) for name in "cde")


def test_a_value_larger_than_the_budget_is_refused(kind: str, tmp_path: Path) -> None:
    with fresh_store(kind, tmp_path, SIZE - 1) as store:
        assert not store.put("a", matrix(1), DEAR)
        small = matrix(2, (2, 2))
        assert store.put("b", small, DEAR)
        assert held(store, "b", small)
        assert store.counts.failures == 0


def test_values_outlive_a_disk_or_redis_store(kind: str, tmp_path: Path) -> None:
    if kind == "memory":
        pytest.skip("memory ends with its process")
    from alpha_pipeline_tests.engine.stores.places import closed
    from alpha_pipeline_tests.servers import running_redis

    value = matrix(1)
    if kind == "disk":
        where = f"disk:{tmp_path / 'store'}"
        with closed(where) as first:
            assert first.put("a", value, DEAR)
        with closed(where) as second:
            assert held(second, "a", value)
    else:
        with running_redis() as server:
            with closed(server.url) as first:
                assert first.put("a", value, DEAR)
            with closed(server.url) as second:
                assert held(second, "a", value)


def bytes_held(store: GuardedStore, kind: str) -> int:
    """What the store really holds, asked of what is behind it and not of its own bookkeeping."""
    if kind == "memory":
        return sum(entry.value.nbytes for entry in store._entries.values() if entry.value is not None)  # type: ignore[attr-defined]
    if kind == "disk":
        return sum(path.stat().st_size for path in store.folder.rglob("*.val"))  # type: ignore[attr-defined]
    client = store._client  # type: ignore[attr-defined]
    return sum(
        sum(len(piece) for piece in client.hgetall(name).values()) for name in client.scan_iter("*value:*", count=1000)
    )


def test_same_sees_bits() -> None:
    zero = np.zeros((1, 1), np.float32)
    assert not same(zero, -zero)
    assert same(matrix(1), matrix(1))
