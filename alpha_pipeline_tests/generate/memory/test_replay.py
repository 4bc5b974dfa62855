"""What is seen again is of the best of the archive, and no two of a batch earn alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alpha_pipeline.expression import Call, Constant, Field
from alpha_pipeline.generate.base import Scored, SearchSettings
from alpha_pipeline.generate.memory.archive import Archive
from alpha_pipeline.generate.memory.replay import diverse
from alpha_pipeline.generate.reward import correlations
from alpha_pipeline.thresholds import Thresholds

DAYS = 250


def archive(random: np.random.Generator, count: int, families: int, limit: float = 0.7) -> Archive:
    """Members of a few families, whose profits resemble each other more or less."""
    common, own = random.normal(0.001, 0.01, (families, DAYS)), random.normal(0.0005, 0.01, (count, DAYS))
    weight = random.uniform(0.1, 3.0, count)[:, None]
    rows = common[random.integers(families, size=count)] * weight + own
    held = Archive(SearchSettings(), Thresholds(correlation=limit), None, capacity=200)
    nodes = [Call("ts_mean", (Field("returns"), Constant(float(number + 2)))) for number in range(count)]
    ratio = np.sqrt(250) * rows.mean(axis=1) / rows.std(axis=1)
    held.add(
        [Scored(n, "", float(r), row, 0.2, float(r), 0.1, 1.0) for n, r, row in zip(nodes, ratio, rows, strict=True)]
    )
    return held


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 80), st.integers(1, 8), st.sampled_from([0.3, 0.7]))
def test_a_batch_is_of_the_best_and_mutually_unlike(seed: int, count: int, families: int, limit: float) -> None:
    held = archive(np.random.default_rng(seed), count, families, limit)
    chosen = diverse(held, np.random.default_rng(seed), 10)
    best = held.by_reward()[: -(-len(held.members) // 4)]
    assert 1 <= len(chosen) <= 10
    assert set(chosen) <= set(best)
    likeness = np.abs(correlations(held.pnl(chosen), held.pnl(chosen))) - np.eye(len(chosen))
    assert likeness.max() <= limit + 1e-8
    if len(chosen) < 10:  # then nothing unlike was left
        rest = [place for place in best if place not in set(chosen)]
        if rest:
            nearest = np.abs(correlations(held.pnl(rest), held.pnl(chosen))).max(axis=1)
            assert nearest.min() > limit - 1e-8


def test_every_one_of_the_best_has_its_chance() -> None:
    held = archive(np.random.default_rng(3), 60, 60)
    random = np.random.default_rng(4)
    drawn = {int(place) for _ in range(200) for place in diverse(held, random, 3)}
    assert drawn == set(held.by_reward()[:15].tolist())


def test_nothing_found_nothing_seen_again() -> None:
    empty = Archive(SearchSettings(), Thresholds(), None, capacity=5)
    assert len(diverse(empty, np.random.default_rng(1), 5)) == 0


def test_a_filter_that_is_off_would_be_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: with no likeness known, one family fills the batch."""
    held = archive(np.random.default_rng(5), 60, 1, limit=0.2)
    assert len(diverse(held, np.random.default_rng(6), 10)) < 10
    monkeypatch.setattr(Archive, "likeness_among", lambda self, place, places: np.zeros(1))
    assert len(diverse(held, np.random.default_rng(6), 10)) == 10
