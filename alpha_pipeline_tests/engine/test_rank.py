"""Ranks are exact, to the bit, whatever the values and however rows are cut: by sorting, and by buckets."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import rankdata

from alpha_pipeline.engine.kernels import rank, rank_buckets
from alpha_pipeline.engine.kernels.kernel import Matrix
from alpha_pipeline.lanes.avx512 import AVAILABLE

Ranking = Callable[[Matrix, Matrix, int, int, int, int], None]
FLOAT = np.float32
TINY, HUGE = np.finfo(FLOAT).smallest_subnormal, np.finfo(FLOAT).max


def buckets(x: Matrix, out: Matrix, lo: int, hi: int, left: int, right: int) -> None:
    """Ranks by buckets, whatever the width."""
    rank_buckets.rank_by_buckets(x, out, lo, hi, left, right, rank.sort_columns)


def buckets_alone(x: Matrix, out: Matrix, lo: int, hi: int, left: int, right: int) -> None:
    rank_buckets.rank_by_buckets(x, out, lo, hi, left, right, refused)


def refused(*_: object) -> None:
    raise AssertionError("handed back")


WITH_BUCKETS = pytest.mark.skipif(not AVAILABLE, reason="this CPU has no AVX-512")
RANKINGS = [
    pytest.param(rank.sort_columns, id="sort"),
    pytest.param(buckets, id="buckets", marks=WITH_BUCKETS),
    pytest.param(rank.rank_columns, id="chosen"),
]


def ranked(ranking: Ranking, x: Matrix) -> Matrix:
    out = np.full_like(x, -7)
    ranking(x, out, 0, len(x), 0, x.shape[1])
    return out


def expected(x: Matrix) -> Matrix:
    """Average ranks by scipy, as float64 would scale them: rank 1 → 0, the last → 1, one value → 0.5."""
    places = rankdata(x.astype(float), axis=1, nan_policy="omit")
    count = np.sum(~np.isnan(x), axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        scaled = np.where(count == 1, 0.5, 2 * (places - 1) * (0.5 * (1.0 / (count - 1.0))))
    return np.where(np.isnan(x), np.nan, scaled).astype(FLOAT)


def assert_same(found: Matrix, wanted: Matrix) -> None:
    """Equal bits, all NaNs being one."""
    both = np.isnan(found) & np.isnan(wanted)
    wrong = np.argwhere((found.view(np.int32) != wanted.view(np.int32)) & ~both)
    assert len(wrong) == 0, (wrong[:5], found[tuple(wrong[0])], wanted[tuple(wrong[0])])


def distributions(random: np.random.Generator, days: int, columns: int) -> dict[str, NDArray[np.float64]]:
    """What ranks are asked of, what once went wrong, and what should."""
    shape = (days, columns)
    normal, some = random.normal(0, 1, shape), random.random(shape)
    price = np.round(30 * np.exp(random.normal(0, 1, columns) + np.cumsum(random.normal(0, 0.02, shape), axis=0)), 2)
    price32 = price.astype(FLOAT).astype(float)
    return {
        "normal": normal,
        "prices": price,
        "price deltas": np.diff(price32, axis=0, prepend=price32[:1] - 1),
        "cent ticks": (price32 + np.round(normal * 0.2, 2)).astype(FLOAT).astype(float) - price32,
        "volumes": np.round(np.exp(12 + 1.5 * normal)),
        "rounded": np.round(normal, 1),
        "one value": np.full(shape, 3.25),
        "two levels": np.where(some < 0.9, -1.0, 1.0),
        "five levels": np.floor(5 * some),
        "forty levels": np.floor(40 * some),
        "clipped": normal.clip(-1, 1),
        "zeros": np.where(some < 0.3, 0.0, normal),
        "few zeros": np.where(some < 0.06, 0.0, normal),
        "cauchy": random.standard_cauchy(shape),
        "wild": np.exp(12 * normal) * random.choice([-1, 1], shape),
        "squared": normal * np.abs(normal) ** 9,
        "bimodal": np.where(some < 0.5, -100, 100) + 0.01 * normal,
        "near one value": 1 + normal * 1e-6,
        "two near values": np.where(some < 0.5, 1.0, np.nextafter(FLOAT(1), FLOAT(2))),
        "an outlier": np.where(some < 0.001, 1e30, normal),
        "infinite": np.where(some < 0.02, np.inf, np.where(some > 0.98, -np.inf, normal)),
        "mostly infinite": np.where(some < 0.6, np.inf, np.where(some > 0.7, -np.inf, normal)),
        "both zeros": np.where(some < 0.5, -0.0, 0.0),
        "zeros of both signs": np.where(some < 0.2, -0.0, np.where(some > 0.8, 0.0, normal)),
        "denormal": np.round(normal * 100) * TINY,
        "denormal and huge": np.where(some < 0.5, np.round(normal * 9) * TINY, np.sign(normal) * HUGE),
        "as large as can be": np.sign(normal) * HUGE * some,
        "a ramp": np.arange(days * columns, dtype=float).reshape(shape),
        "falling": -(np.arange(days * columns, dtype=float).reshape(shape) ** 3),
        "any bits": np.ldexp(random.normal(0, 1, shape), random.integers(-150, 128, shape)),
        "empty": np.full(shape, np.nan),
        "one of a row": np.where(np.arange(columns) == random.integers(0, columns, (days, 1)), normal, np.nan),
    }


NAMES = sorted(distributions(np.random.default_rng(0), 2, 2))


def as_panel(values: NDArray[np.float64], random: np.random.Generator, missing: float) -> Matrix:
    with np.errstate(over="ignore", invalid="ignore"):
        x = values.astype(FLOAT)
    x[random.random(x.shape) < missing] = np.nan
    return x


@pytest.mark.parametrize("ranking", RANKINGS)
@pytest.mark.parametrize("name", NAMES)
def test_a_distribution_against_scipy(name: str, ranking: Ranking) -> None:
    random = np.random.default_rng(len(name))
    for columns, missing in ((1, 0.0), (2, 0.3), (17, 0.1), (300, 0.0), (999, 0.5), (3000, 0.03), (5000, 0.0)):
        x = as_panel(distributions(random, 5, columns)[name], random, missing)
        assert_same(ranked(ranking, x), expected(x))


@WITH_BUCKETS
@pytest.mark.parametrize("seed", range(4))
def test_millions_of_cells_by_buckets_and_by_sorting(seed: int) -> None:
    random = np.random.default_rng(1000 + seed)
    for columns in (*random.integers(1, 5001, 3), 3000):
        for values in distributions(random, 12, columns).values():
            x = as_panel(values, random, random.choice([0, 0.02, 0.4]))
            assert_same(ranked(buckets, x), ranked(rank.sort_columns, x))


SCALES = [1e-44, 1e-38, 1e-7, 1.0, 3.0, 1e6, 1e38]
CELLS = st.one_of(
    st.floats(width=32, allow_nan=True),
    st.integers(-3, 3).map(float),
    st.sampled_from(
        [0.0, -0.0, np.inf, -np.inf, np.nan, TINY, -TINY, HUGE, -HUGE, 1.0, np.nextafter(FLOAT(1), FLOAT(2))]
    ),
)


@pytest.mark.parametrize("ranking", RANKINGS)
@settings(max_examples=150, deadline=None)
@example(pool=[np.nan], columns=1, seed=0, mixed=0.0)
@example(pool=[np.inf, -np.inf], columns=40, seed=1, mixed=0.5)
@given(
    pool=st.lists(CELLS, min_size=1, max_size=40),
    columns=st.integers(1, 900),
    seed=st.integers(0, 2**32 - 1),
    mixed=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
)
def test_any_mixture(ranking: Ranking, pool: list[float], columns: int, seed: int, mixed: float) -> None:
    """Rows drawn from a few odd values, with normal ones of any scale among them."""
    random = np.random.default_rng(seed)
    odd = np.array(pool, FLOAT)[random.integers(0, len(pool), (3, columns))]
    with np.errstate(over="ignore"):
        normal = (random.normal(0, 1, (3, columns)) * random.choice(SCALES)).astype(FLOAT)
    x = np.where(random.random((3, columns)) < mixed, normal, odd)
    assert_same(ranked(ranking, x), expected(x))


@pytest.mark.parametrize("ranking", RANKINGS)
def test_a_run_of_columns_of_some_rows_and_nothing_else(ranking: Ranking) -> None:
    random = np.random.default_rng(3)
    x = as_panel(random.normal(0, 1, (150, 1100)), random, 0.1)
    before, out = x.copy(), np.full_like(x, -7)
    ranking(x, out, 20, 130, 37, 1001)
    assert_same(out[20:130, 37:1001], expected(x[20:130, 37:1001]))
    assert_same(x, before)
    out[20:130, 37:1001] = -7
    assert np.all(out == -7)


@pytest.mark.parametrize("ranking", RANKINGS)
def test_rows_may_be_cut_anywhere_and_ranked_by_several_threads(ranking: Ranking) -> None:
    random = np.random.default_rng(4)
    parts = [values for name, values in distributions(random, 9, 1000).items() if name != "empty"]
    x = as_panel(random.permutation(np.concatenate(parts)), random, 0.05)
    whole, out = ranked(ranking, x), np.empty_like(x)
    cuts = [0, 1, 2, 30, 95, 96, 200, len(x)]
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda lo, hi: ranking(x, out, lo, hi, 0, 1000), cuts[:-1], cuts[1:]):
            pass
    assert_same(out, whole)


def unsuited(random: np.random.Generator, days: int, columns: int = 1000) -> Matrix:
    """Values whose buckets are crowded: their bits are random."""
    return as_panel(distributions(random, days, columns)["any bits"], random, 0.0)


class Sorting:
    """`sort_columns`, noting the rows it is handed."""

    def __init__(self) -> None:
        self.rows: list[int] = []

    def __call__(self, x: Matrix, out: Matrix, lo: int, hi: int, left: int, right: int) -> None:
        self.rows += range(lo, hi)
        rank.sort_columns(x, out, lo, hi, left, right)


@WITH_BUCKETS
def test_rows_that_do_not_suit_are_handed_back_and_no_others() -> None:
    random, sorting = np.random.default_rng(5), Sorting()
    x = random.normal(0, 1, (640, 1000)).astype(FLOAT)
    odd = [3, 4, 5, 70, 128, 400, 639]
    x[odd] = unsuited(random, len(odd))
    out = np.empty_like(x)
    rank_buckets.rank_by_buckets(x, out, 0, 640, 0, 1000, sorting)
    assert sorting.rows == odd
    assert_same(out, expected(x))


@WITH_BUCKETS
@pytest.mark.parametrize("sign", [1, -1])
def test_crowds_that_the_sample_does_not_show(sign: int) -> None:
    """Columns between those sampled hold what falls into one bucket: infinities among finite values of any size."""
    random = np.random.default_rng(9)
    x = random.normal(0, 1, (6, 3000)).astype(FLOAT)
    hidden = np.flatnonzero(np.arange(3000) % (3000 // rank_buckets.SAMPLE))[::6]
    x[0, hidden] = np.where(np.arange(len(hidden)) % 2, sign * np.inf, sign * 1e30)
    x[1, hidden] = np.where(np.arange(len(hidden)) % 2, sign * np.inf, sign * HUGE)
    x[2, hidden] = np.where(np.arange(len(hidden)) % 2, sign * HUGE, sign * np.nextafter(HUGE, FLOAT(0)))
    x[3, hidden] = sign * np.inf
    x[4, hidden] = (sign * np.exp(random.uniform(1, 88, len(hidden)))).astype(FLOAT)
    x[5, hidden] = (sign * (9 + np.arange(len(hidden)) % 3 * 1e-6)).astype(FLOAT)
    assert_same(ranked(buckets, x), expected(x))


@WITH_BUCKETS
def test_blocks_after_one_that_does_not_suit_are_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    random, sorting = np.random.default_rng(6), Sorting()
    block = rank_buckets.ROWS
    x = unsuited(random, 40 * block, 1000)
    tried: list[int] = []
    inner = rank_buckets.rank_rows

    def noting(x: Matrix, out: Matrix, lo: int, *rest: object) -> object:
        tried.append(lo // block)
        return inner(x, out, lo, *rest)

    monkeypatch.setattr(rank_buckets, "rank_rows", noting)
    out = np.empty_like(x)
    rank_buckets.rank_by_buckets(x, out, 0, len(x), 0, 1000, sorting)
    assert tried == [0, 2, 5, 10, 19, 36]
    assert sorted(sorting.rows) == list(range(len(x)))
    assert_same(out, ranked(rank.sort_columns, x))


@WITH_BUCKETS
@pytest.mark.parametrize(
    "name",
    [
        "normal",
        "prices",
        "volumes",
        "rounded",
        "five levels",
        "forty levels",
        "clipped",
        "zeros",
        "few zeros",
    ],
)
def test_what_signals_look_like_is_not_handed_back(name: str) -> None:
    random = np.random.default_rng(7)
    x = as_panel(distributions(random, 100, 3000)[name], random, 0.03)
    assert_same(ranked(buckets_alone, x), ranked(rank.sort_columns, x))


def test_sorting_where_the_cpu_lacks_the_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank, "AVAILABLE", False)
    monkeypatch.setattr(rank, "rank_by_buckets", refused)
    x = np.random.default_rng(8).normal(0, 1, (4, 1000)).astype(FLOAT)
    assert_same(ranked(rank.rank_columns, x), expected(x))


COUNTING = """
import numpy as np
from numba.core import event
from alpha_pipeline.engine.kernels import rank

class Listener(event.Listener):
    compiled = 0
    def on_start(self, event):
        Listener.compiled += 1
    def on_end(self, event):
        pass

x = np.random.default_rng(0).normal(size=(3, 1000)).astype(np.float32)
with event.install_listener("numba:compile", Listener()):
    rank.rank_columns(x, np.empty_like(x), 0, 3, 0, 1000)
print(Listener.compiled)
"""


def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    """Steps written in LLVM's language are cached as all else is."""

    def compiled() -> int:
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", COUNTING], env=environment, capture_output=True, text=True, check=True
        )
        return int(done.stdout)

    assert compiled() > 0
    assert compiled() == 0
