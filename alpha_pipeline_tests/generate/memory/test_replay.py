"""What is practised on again is the best of what was told, and no two entries earn alike."""

from __future__ import annotations

import numpy as np
import pytest

from alpha_pipeline.expression import Field
from alpha_pipeline.generate.base import FloatArray
from alpha_pipeline.generate.memory.replay import Entry, Replay
from alpha_pipeline.generate.reward import correlations

DAYS = 400
_AXES = np.linalg.qr(np.column_stack([np.ones(DAYS), np.random.default_rng(0).standard_normal((DAYS, 12))]))[0].T[1:]
"""Profits of mean 0 that are uncorrelated with one another, [12, days]."""


def like(axis: int, other: int, correlation: float) -> FloatArray:
    """Profit of a given correlation with one axis, the rest along another."""
    found: FloatArray = correlation * _AXES[axis] + np.sqrt(1 - correlation**2) * _AXES[other]
    return found


def entry(name: str, reward: float, pnl: FloatArray) -> Entry:
    return Entry((len(name),), Field(name), reward, pnl)


def names(entries: list[Entry]) -> list[str]:
    return [entry.node.name for entry in entries if isinstance(entry.node, Field)]


def test_by_hand() -> None:
    replay = Replay(share=1.0)
    replay.add([entry("first", 1.0, _AXES[0]), entry("second", 2.0, _AXES[1])])
    assert names(replay.entries) == ["second", "first"]
    replay.add([entry("worse", 0.5, like(0, 5, 0.8))])
    assert names(replay.entries) == ["second", "first"], "resembles a better one"
    replay.add([entry("unlike", 0.5, like(0, 6, 0.6))])
    assert names(replay.entries) == ["second", "first", "unlike"]
    replay.add([entry("mirror", 3.0, -like(0, 7, 0.9))])
    assert names(replay.entries) == ["mirror", "second", "unlike"], "takes the place of the worse one, sign or not"
    replay.add([entry("again", 3.0, like(0, 7, 0.95))])
    assert names(replay.entries) == ["mirror", "second", "unlike"], "as good is not better"
    replay.add([entry("between", 2.5, like(0, 7, 0.9) + _AXES[1])])
    assert names(replay.entries) == ["mirror", "second", "unlike"], "resembles both, one of them better"
    replay.add([entry("both", 4.0, like(0, 7, 0.9) + _AXES[1])])
    assert names(replay.entries) == ["both", "unlike"]


def test_the_limit_itself_is_too_much() -> None:
    for correlation, count in ((0.7 - 1e-6, 2), (0.7 + 1e-9, 1)):
        replay = Replay(share=1.0)
        replay.add([entry("one", 1.0, _AXES[0]), entry("other", 0.5, like(0, 1, correlation))])
        assert len(replay) == count


def test_the_best_quarter_is_admitted() -> None:
    replay = Replay()
    replay.add([entry(f"e{i}", float(i), _AXES[i]) for i in range(8)])
    assert replay.bar == np.quantile(range(8), 0.75)
    assert names(replay.entries) == ["e7", "e6"]
    replay.add([entry("late", 4.0, _AXES[9])])
    assert names(replay.entries) == ["e7", "e6"], "below the bar of all that was told"
    replay.add([entry("best", 9.0, _AXES[10])])
    assert names(replay.entries) == ["best", "e7", "e6"]


def test_the_bar_forgets() -> None:
    replay = Replay(capacity=4, share=0.5)
    replay.add([entry(f"high{i}", 10.0, _AXES[i]) for i in range(4)])
    replay.add([entry(f"low{i}", 1.0, _AXES[4 + i]) for i in range(3)])
    assert replay.bar == 1.0


def test_what_cannot_be_compared_stays_out() -> None:
    replay = Replay(share=1.0)
    short = np.full(DAYS, np.nan)
    short[-20:] = _AXES[0][-20:]
    replay.add([entry("none", 9.0, np.zeros(0)), entry("flat", 8.0, np.full(DAYS, 0.001)), entry("short", 7.0, short)])
    assert len(replay) == 0
    assert replay.sample(np.random.default_rng(0), 3) == []
    assert replay.diverse(np.random.default_rng(0), 3) == []


@pytest.mark.parametrize("seed", range(4))
def test_properties(seed: int) -> None:
    """At every step: distinct, sorted, within capacity, and whoever was refused resembles someone as good."""
    random = np.random.default_rng(seed)
    replay = Replay(capacity=30, share=0.5)
    factors = random.standard_normal((5, DAYS))
    told = 0
    for _ in range(25):
        batch = []
        for _ in range(16):
            pnl = random.standard_normal(5) @ factors + random.uniform(0, 3) * random.standard_normal(DAYS)
            pnl[: int(random.integers(0, 100))] = np.nan
            batch.append(entry(f"e{told}", float(round(random.normal(), 1)), pnl))
            told += 1
        before = len(replay)
        replay.add(batch)
        assert 0 < len(replay) <= 30
        rewards = [held.reward for held in replay.entries]
        assert rewards == sorted(rewards, reverse=True)
        among = np.abs(correlations(*2 * (np.array([held.pnl for held in replay.entries]),)))
        np.fill_diagonal(among, 0.0)
        assert among.max() < 0.7 + 1e-9
        for one in batch:
            if one.reward >= replay.bar and one not in replay.entries and (before < 30 or one.reward > rewards[-1]):
                alike = np.abs(correlations(one.pnl[None], np.array([held.pnl for held in replay.entries])))[0] >= 0.7
                better = [held.reward >= one.reward for held in replay.entries]
                assert (alike & better).any() or one.reward <= rewards[-1]


def test_draws() -> None:
    random = np.random.default_rng(3)
    factors = random.standard_normal((3, DAYS))
    replay = Replay(share=1.0)
    replay.add(
        [
            entry(f"e{i}", float(i), random.standard_normal(3) @ factors + 1.5 * random.standard_normal(DAYS))
            for i in range(120)
        ]
    )
    assert len(replay) > 20
    for draw in (replay.sample, replay.diverse):
        some = draw(random, 8)
        assert len({one.node for one in some}) == 8
        assert len(draw(random, 1_000)) == len(replay)
        assert names(draw(np.random.default_rng(5), 8)) == names(draw(np.random.default_rng(5), 8))
        seen = {one.node for _ in range(200) for one in draw(random, 8)}
        assert len(seen) == len(replay), "everything has its turn"

    def likeness(entries: list[Entry]) -> float:
        among = np.abs(correlations(*2 * (np.array([one.pnl for one in entries]),)))
        np.fill_diagonal(among, 0.0)
        return float(among.max(axis=1).mean())

    plain = np.mean([likeness(replay.sample(random, 6)) for _ in range(60)])
    diverse = np.mean([likeness(replay.diverse(random, 6)) for _ in range(60)])
    assert diverse < 0.9 * plain


def test_same_answers_same_entries() -> None:
    def run() -> list[str]:
        random, replay = np.random.default_rng(1), Replay(capacity=20, share=0.5)
        for batch in range(10):
            told = [entry(f"e{batch}_{i}", float(random.normal()), random.standard_normal(DAYS)) for i in range(16)]
            replay.add(told)
        return [*names(replay.entries), *names(replay.diverse(random, 10))]

    assert run() == run()
