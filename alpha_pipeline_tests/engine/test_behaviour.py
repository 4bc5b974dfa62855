"""The behaviour hash: alike where instruments are ordered alike, far apart where they are not."""

from __future__ import annotations

import numpy as np
import pytest

from alpha_pipeline.engine.behaviour import Probe, distance
from alpha_pipeline.expression import canonical, parse
from alpha_pipeline.generate import make_generator

PROBE = Probe()


def behaviour(text: str) -> str:
    return PROBE.behaviour(parse(text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("log(close / open)", "close / open"),
        ("rank(returns)", "returns"),
        ("ts_mean(returns, 20)", "ts_sum(returns, 20)"),
        ("close / ts_delay(close, 5) - 1", "ts_delta(close, 5) / ts_delay(close, 5)"),
        ("rank(volume) + rank(returns)", "2 * (rank(returns) + rank(volume)) + 1"),
        ("returns - (volume - volume)", "returns"),
        ("exp(returns) * 3", "tanh(returns)"),
    ],
)
def test_like_behaviour(one: str, other: str) -> None:
    assert canonical(parse(one)) != canonical(parse(other))
    assert distance(behaviour(one), behaviour(other)) <= 1


def test_opposites_and_strangers() -> None:
    assert distance(behaviour("returns"), behaviour("-returns")) == 64
    assert 16 < distance(behaviour("ts_delta(close, 5)"), behaviour("ts_std_dev(volume, 20)")) < 48
    assert 1 < distance(behaviour("ts_mean(returns, 20)"), behaviour("ts_mean(returns, 25)")) < 20


def test_nothing_to_rank_hashes_to_nothing() -> None:
    assert behaviour("close - close") == behaviour("close * nan") == "0" * 16


def test_it_is_the_same_on_every_machine() -> None:
    assert behaviour("returns") == Probe().behaviour(parse("returns")) == "d349cfd5cd46506c"


def test_distinct_samples_seldom_collide() -> None:
    hashes = [PROBE.behaviour(node) for node in make_generator("random", 5, ["close", "volume", "returns"]).ask(150)]
    apart = np.array([distance(a, b) for i, a in enumerate(hashes) for b in hashes[:i]])
    assert (apart == 0).mean() < 0.02
    assert 24 < np.median(apart) < 40
