"""The first SQL model against NumPy, and its speed."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpha_pipeline.ledger import pool_correlation, worst
from alpha_pipeline.ledger.correlation import daily_pnl
from alpha_pipeline_tests.ledger.frames import days_of, profits

NONE = profits(0, ["x"]).clear()


def by_numpy(candidates: pl.DataFrame, pool: pl.DataFrame) -> dict[tuple[str, str], tuple[float | None, int]]:
    """(correlation, common days) of each pair, on days where both are finite."""
    result: dict[tuple[str, str], tuple[float | None, int]] = {}
    for one, other in itertools.product(candidates["alpha_id"].unique(), pool["alpha_id"].unique()):
        left, right = (
            {day: pnl for _, day, pnl in frame.filter(alpha_id=name).rows() if pnl is not None and np.isfinite(pnl)}
            for frame, name in ((candidates, one), (pool, other))
        )
        common = sorted(set(left) & set(right))
        x, y = np.array([left[day] for day in common]), np.array([right[day] for day in common])
        varies = len(common) > 1 and np.ptp(x) > 0 and np.ptp(y) > 0
        result[one, other] = (float(np.corrcoef(x, y)[0, 1]) if varies else None, len(common))
    return result


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 4))
def test_against_numpy(seed: int, candidates: int, accepted: int) -> None:
    random = np.random.default_rng(seed)
    parts = []
    for index in range(candidates + accepted):
        days = int(random.integers(1, 60))
        pnl = random.normal(size=days)
        pnl[random.random(days) < 0.1] = [np.nan, np.inf][seed % 2]
        if random.random() < 0.1:
            pnl[:] = 0.25
        parts.append(daily_pnl(f"a{index}", days_of(days) + int(random.integers(0, 30)), pnl))
    left, right = pl.concat(parts[:candidates]), pl.concat(parts[candidates:])
    expected = by_numpy(left, right)
    found = pool_correlation(left, right, minimum_days=20)
    assert [(row["alpha_id"], row["pool_alpha_id"]) for row in found.to_dicts()] == sorted(expected)
    for row in found.to_dicts():
        correlation, common = expected[row["alpha_id"], row["pool_alpha_id"]]
        assert row["common_days"] == common
        assert row["enough_days"] == (common >= 20)
        if correlation is None:
            assert row["correlation"] is None
        else:
            assert row["correlation"] == pytest.approx(correlation, abs=1e-9)
    for row in worst(found).to_dicts():
        of_row = {key: value for key, value in expected.items() if key[0] == row["alpha_id"]}
        sizes = {other: abs(value) for (_, other), (value, _) in of_row.items() if value is not None}
        if not sizes:
            assert row["max_absolute_correlation"] is None
        else:
            assert row["max_absolute_correlation"] == pytest.approx(max(sizes.values()), abs=1e-9)
            assert sizes[row["most_correlated"]] == pytest.approx(max(sizes.values()), abs=1e-9)
        assert row["fewest_common_days"] == min(common for _, common in of_row.values())


def test_a_copy_and_its_opposite() -> None:
    mine = profits(1, ["x"])
    opposite = mine.with_columns(alpha_id=pl.lit("y"), pnl=-3 * pl.col("pnl"))
    pairs = pool_correlation(mine, pl.concat([mine, opposite]))
    assert pairs["correlation"].to_list() == [1.0, -1.0]
    assert pairs["enough_days"].to_list() == [True, True]


def test_days_that_do_not_meet_are_reported_not_dropped() -> None:
    pairs = pool_correlation(profits(1, ["x"], 100), profits(2, ["old"], 100, "2010-01-01"))
    assert pairs.select("correlation", "common_days", "enough_days").row(0) == (None, 0, False)


def test_an_empty_pool_or_no_candidates_have_no_pairs() -> None:
    assert pool_correlation(profits(1, ["x"]), NONE).height == 0
    assert worst(pool_correlation(NONE, profits(1, ["x"]))).height == 0


def test_500_candidates_against_50_alphas_over_1200_days() -> None:
    candidates = profits(1, [f"c{index}" for index in range(500)], 1200)
    pool = profits(2, [f"p{index}" for index in range(50)], 1200)
    pairs = pool_correlation(candidates, pool)
    assert pairs.height == 25_000
    x = candidates.filter(alpha_id="c7")["pnl"].to_numpy()
    y = pool.filter(alpha_id="p9")["pnl"].to_numpy()
    found = pairs.filter(alpha_id="c7", pool_alpha_id="p9")["correlation"].item()
    assert found == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-9)
