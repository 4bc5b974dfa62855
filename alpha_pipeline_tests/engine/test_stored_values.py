"""Runs with a store of operators: figures stay the same when it is warm, killed in the middle of a run, or lying."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from alpha_pipeline.backtest import Metrics, SimulationSettings, measure, simulate
from alpha_pipeline.engine import Engine
from alpha_pipeline.engine.kernels.kernel import Matrix
from alpha_pipeline.engine.stores import Counts, Store, open_store
from alpha_pipeline.generate import SearchSettings, make_generator
from alpha_pipeline.market.panel import Panel
from alpha_pipeline_tests.engine.panels import random_panel
from alpha_pipeline_tests.servers import running_redis

PANEL = random_panel(days=200, instruments=150)
NODES = make_generator(
    "random", 3, sorted(set(PANEL.fields) | set(PANEL.groups)), "user", SearchSettings(budget=60)
).ask(60)


@pytest.fixture(autouse=True)
def worth_storing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of so small a panel are made faster than they are read: let them count as dear."""
    monkeypatch.setattr("alpha_pipeline.engine.engine.COPY_SECONDS", 1e-5)


def figures(
    store: Store | None,
    then: Callable[[int], None] = lambda done: None,
    panel: Panel = PANEL,
) -> list[Metrics]:
    """The metrics of expressions by an engine of their own; `then` is told how many are done."""
    done = 0

    def one(index: int, value: Matrix) -> Metrics:
        return measure(simulate(value, panel, SimulationSettings(), 60, threads=1), 60, len(panel.dates))

    found: dict[int, Metrics] = {}
    with Engine(panel, threads=2, memory=0, store=store) as engine:
        for index, metrics in engine.map(NODES, one):
            found[index] = metrics
            done += 1
            then(done)
    return [found[index] for index in range(len(NODES))]


@pytest.fixture(scope="module")
def expected() -> list[Metrics]:
    return figures(None)


def opened(where: str) -> Store:
    store = open_store(where, 1 << 30, pause=0.05)
    assert store is not None
    return store


def counts_of(store: Store) -> Counts:
    store.close()
    return store.counts


@pytest.mark.parametrize("kind", ["memory", "disk", "redis"])
def test_a_second_run_reads_what_the_first_one_made(kind: str, expected: list[Metrics], tmp_path: Path) -> None:
    if kind == "redis":
        with running_redis() as server:
            first, second = opened(server.url), opened(server.url)
            assert figures(first) == expected
            assert figures(second) == expected
            made, read = counts_of(first), counts_of(second)
    elif kind == "disk":
        first = opened(f"disk:{tmp_path}")
        assert figures(first) == expected
        made = counts_of(first)
        second = opened(f"disk:{tmp_path}")
        assert figures(second) == expected
        read = counts_of(second)
    else:
        store = opened("memory")
        assert figures(store) == expected
        made = Counts(**vars(store.counts))
        assert figures(store) == expected
        read = counts_of(store)
    assert made.stored > 30
    assert read.hits > made.hits
    assert read.failures == read.corrupt == 0


def test_redis_killed_in_the_middle_of_a_run(expected: list[Metrics]) -> None:
    with running_redis() as server:
        store = opened(server.url)
        figures(store)
        stages = {10: server.kill, 40: server.restart}
        assert figures(store, then=lambda done: stages.get(done, lambda: None)()) == expected
        counts = counts_of(store)
    assert counts.hits > 0
    assert counts.failures > 0


def test_redis_frozen_in_the_middle_of_a_run(expected: list[Metrics]) -> None:
    with running_redis() as server:
        store = opened(server.url)
        assert figures(store, then=lambda done: server.freeze() if done == 10 else None) == expected
        server.thaw()
        assert counts_of(store).failures > 0


def test_entries_corrupted_on_disk(expected: list[Metrics], tmp_path: Path) -> None:
    """Every file of the store but its index gets a byte changed, is cut short, or takes another's place."""
    store = opened(f"disk:{tmp_path}")
    figures(store)
    store.close()
    drawn = random.Random(1)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size > 50_000)
    files = [path for path in files if "cache.db" not in path.name]
    assert len(files) > 30
    for number, path in enumerate(files):
        content = bytearray(path.read_bytes())
        if number % 3 == 0:
            content[drawn.randrange(len(content))] ^= 1 << drawn.randrange(8)
        elif number % 3 == 1:
            content = content[: drawn.randrange(len(content))]
        else:
            content = bytearray(files[number - 1].read_bytes())
        path.write_bytes(content)
    store = opened(f"disk:{tmp_path}")
    assert figures(store) == expected
    assert counts_of(store).corrupt > 3


def test_other_data_other_values(tmp_path: Path) -> None:
    """A store that has seen one panel says nothing of another of the same shape."""
    other = random_panel(seed=2, days=200, instruments=150)
    store = opened(f"disk:{tmp_path}")
    figures(store)
    assert figures(store, panel=other) == figures(None, panel=other) != figures(store)
    store.close()
