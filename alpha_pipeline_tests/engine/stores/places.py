"""The three kinds of store on fresh ground, and matrices to put into them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import cast
from unittest.mock import patch

import numpy as np

from alpha_pipeline.engine.stores import open_store
from alpha_pipeline.engine.stores.disk import DiskStore
from alpha_pipeline.engine.stores.entry import HEADER, Matrix
from alpha_pipeline.engine.stores.redis_store import RedisStore
from alpha_pipeline.engine.stores.store import GuardedStore
from alpha_pipeline_tests.servers import running_redis

KINDS = ("memory", "disk", "redis")
SHAPE = (30, 40)
SIZE = 4 * SHAPE[0] * SHAPE[1]
DEAR = 100.0  # seconds: worth storing on any machine
ROOM = 1 << 30


@contextmanager
def fresh_store(kind: str, folder: Path, budget: int = ROOM) -> Iterator[GuardedStore]:
    """An empty store of a kind."""
    if kind == "redis":
        with running_redis() as server, closed(server.url, budget) as store:
            yield store
    else:
        with closed("memory" if kind == "memory" else f"disk:{folder / 'store'}", budget) as store:
            yield store


@contextmanager
def closed(where: str, budget: int = ROOM, pause: float = 5.0, *, hurried: bool = False) -> Iterator[GuardedStore]:
    """The store of an address, closed after the block.

    Args:
        hurried: keep to the timeouts of the product. Otherwise they are long, so that a busy machine is no failure.
    """
    with ExitStack() as patches:
        if not hurried:
            for name in (
                "redis_store.TIMEOUT_SECONDS",
                "redis_store.PATIENCE",
                "disk.PATIENCE",
                "disk_cache.LOCK_SECONDS",
            ):
                patches.enter_context(patch(f"alpha_pipeline.engine.stores.{name}", 30.0))
        store = cast(GuardedStore, open_store(where, budget, pause=pause))
        try:
            yield store
        finally:
            store.close()


@contextmanager
def disk(folder: Path, budget: int = ROOM, pause: float = 5.0, *, hurried: bool = False) -> Iterator[DiskStore]:
    with closed(f"disk:{folder}", budget, pause, hurried=hurried) as store:
        assert isinstance(store, DiskStore)
        yield store


@contextmanager
def in_redis(url: str, budget: int = ROOM, pause: float = 5.0, *, hurried: bool = False) -> Iterator[RedisStore]:
    with closed(url, budget, pause, hurried=hurried) as store:
        assert isinstance(store, RedisStore)
        yield store


def overhead(kind: str) -> int:
    """Bytes of an entry beside its cells that count towards the budget."""
    return 0 if kind == "memory" else HEADER


def matrix(seed: int | str, shape: tuple[int, int] = SHAPE) -> Matrix:
    """float32 with NaN, infinities, zeros of both signs and values so small that they are denormal."""
    random = np.random.default_rng(list(str(seed).encode()))
    values = random.standard_normal(shape).astype(np.float32)
    odd = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-42], np.float32)
    places = random.random(shape) < 0.2
    values[places] = random.choice(odd, int(places.sum()))
    return values


def same(value: Matrix, other: Matrix) -> bool:
    """Whether two matrices have the same bits."""
    return value.shape == other.shape and value.tobytes() == other.tobytes()


def blank(shape: tuple[int, int] = SHAPE) -> Matrix:
    return np.full(shape, -7.0, np.float32)


def held(store: GuardedStore, key: str, value: Matrix) -> bool:
    """Whether the store gives the value; what it gives must be the value, bit by bit."""
    out = blank(value.shape)
    found = store.get(key, out)
    assert not found or same(out, value), f"another value came back for {key}"
    return found
