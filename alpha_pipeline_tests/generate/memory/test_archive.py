"""What the archive keeps between answers, against the same worked out anew from all of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alpha_pipeline.expression import Call, Constant, Field
from alpha_pipeline.generate.base import Scored, SearchSettings
from alpha_pipeline.generate.memory.archive import BEHAVIOUR_DUPLICATE, Archive
from alpha_pipeline.generate.memory.profits import Profits
from alpha_pipeline.generate.reward import correlations
from alpha_pipeline.generate.space.drawn import Drawn
from alpha_pipeline.thresholds import Thresholds

DAYS = 90


def profits(random: np.random.Generator, count: int, gaps: bool = False) -> npt.NDArray[np.float64]:
    """Rows that resemble each other more or less, some of them twins, constant or short."""
    common = random.normal(size=(3, DAYS))
    rows = random.normal(size=(count, 3)) @ common + random.choice([0.05, 1.0], count)[:, None] * random.normal(
        size=(count, DAYS)
    )
    rows[random.random(count) < 0.1] = 0.5
    starts = random.choice([0, 0, 5, 40, 70, DAYS], count)
    rows[np.arange(DAYS) < starts[:, None]] = np.nan
    if gaps:
        rows[random.random(rows.shape) < 0.1] = np.nan
    return rows * 0.01


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(0, 30), st.booleans())
def test_kept_profits_correlate_as_all_do_anew(seed: int, new: int, before: int, gaps: bool) -> None:
    random = np.random.default_rng(seed)
    kept = Profits(DAYS)
    slots = kept.add(profits(random, before))
    kept.let_go(slots[::2])
    slots = kept.add(profits(random, new, gaps))
    expected = np.abs(correlations(kept.rows[slots], kept.rows))
    np.testing.assert_allclose(kept.resembling(slots), expected, atol=2e-9)
    pool = Profits(DAYS, profits(random, 4))
    np.testing.assert_allclose(
        kept.resembling(slots, pool), np.abs(correlations(kept.rows[slots], pool.rows)), atol=2e-9
    )


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(4, 40))
def test_an_archive_is_what_its_answers_make_it(seed: int, capacity: int) -> None:
    """Members are distinct and ranked; rewards are those of the correlations with all that rank before."""
    random = np.random.default_rng(seed)
    pool = profits(random, 2)
    archive = Archive(SearchSettings(), Thresholds(), pool, capacity)
    told = profits(random, 8)
    for _ in range(8):
        rows = profits(random, 8)
        twins = random.random(8) < 0.4  # of what was told before: the better one displaces the other
        rows[twins] = told[random.integers(0, len(told), 8)][twins] * 1.5 + random.normal(size=(8, DAYS))[twins] * 1e-4
        told = np.concatenate([told, rows])
        names = random.integers(0, 12, 8)
        archive.add([scored(int(name), row, random) for name, row in zip(names, rows, strict=True)])
        if not archive.members:
            continue
        pnl = archive.pnl(np.arange(len(archive.members)))
        np.testing.assert_array_equal(pnl, [member.pnl for member in archive.members])
        base = [member.base for member in archive.members]
        assert base == sorted(base, reverse=True)
        assert len(base) <= capacity
        among = np.abs(correlations(pnl, pnl))
        better = np.tril(among, -1).max(axis=1, initial=0.0)
        assert better.max() <= BEHAVIOUR_DUPLICATE + 1e-9
        nearest = np.maximum(better, np.abs(correlations(pnl, pool)).max(axis=1))
        expected = base - np.maximum((nearest - 0.5) / 0.5, 0.0) * 0.5
        np.testing.assert_allclose(archive.rewards, expected, atol=1e-8)


def scored(name: int, pnl: npt.NDArray[np.float64], random: np.random.Generator) -> Scored:
    node = Call("ts_mean", (Field("returns"), Constant(float(name + 2))))
    node = Call("reverse", (node,)) if random.random() < 0.5 else node  # told with either sign, replaces its mirror
    return Scored(node, f"alpha_{name}", float(random.normal(1, 2)), pnl, 0.3, float(random.normal(1, 1)), 0.1, 1.0)


@given(st.lists(st.floats(0.01, 5), min_size=1, max_size=12), st.integers(0, 2**32 - 1))
def test_draws_are_those_of_numpy(weights: list[float], seed: int) -> None:
    drawn, shares = Drawn(weights), np.array(weights) / np.sum(weights)
    one, other = np.random.default_rng(seed), np.random.default_rng(seed)
    assert [drawn(one) for _ in range(20)] == [int(other.choice(len(shares), p=shares)) for _ in range(20)]
    assert one.random() == pytest.approx(other.random(), abs=0.0)
