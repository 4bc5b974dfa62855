"""Pools: separation, idempotence, and what happens when two runs commit the same idea."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from alpha_pipeline.backtest import SimulationSettings
from alpha_pipeline.errors import BadInput
from alpha_pipeline.ledger import Lake, Ledger, pool_key_of
from alpha_pipeline.ledger import ledger as ledger_module
from alpha_pipeline_tests.ledger.frames import POOL, accepted, profits, searched, trials


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(Lake(tmp_path / "lake"))


def add(ledger: Ledger, run: str, pnl: pl.DataFrame, pool: str = POOL, until: int | None = None) -> list[str]:
    names = pnl["alpha_id"].unique(maintain_order=True).to_list()
    commit = ledger.commit_accepted(run, pool, accepted(names), searched(pnl, until))
    assert sorted(commit.joined["alpha_id"].to_list() + commit.losers["alpha_id"].to_list()) == sorted(names)
    return [str(name) for name in commit.joined["alpha_id"]]


def renamed(pnl: pl.DataFrame, name: str) -> pl.DataFrame:
    return pnl.with_columns(pl.lit(name).alias("alpha_id"))


def test_trials_and_verdicts_of_a_run_are_replaced(ledger: Ledger) -> None:
    ledger.commit_trials("r-1", trials(["x", "y"], sharpe=1.0))
    ledger.commit_trials("r-2", trials(["x"]))
    ledger.commit_trials("r-1", trials(["z"], sharpe=2.0))
    assert ledger.trials("r-1").select("alpha_id", "sharpe").rows() == [("z", 2.0)]
    assert ledger.trials().height == 2
    verdicts = pl.DataFrame({"alpha_id": ["z"], "stage": [1], "name": ["syntax"], "passed": [True]})
    for _ in range(2):
        ledger.commit_verdicts("r-1", verdicts)
    assert ledger.verdicts("r-1").rows() == [("r-1", "z", 1, "syntax", True, None, None, None)]
    assert ledger.verdicts("r-9").height == 0


def test_an_empty_home_has_an_empty_pool(ledger: Ledger) -> None:
    assert ledger.pool(POOL).height == 0
    assert ledger.pool_pnl(POOL).height == 0
    assert ledger.pool_version(POOL) == ledger.pool_version("pool-other")


def test_the_pool_version_follows_what_the_pool_holds(ledger: Ledger) -> None:
    versions = [ledger.pool_version(POOL)]
    add(ledger, "r-1", profits(1, ["a", "b"]))
    versions.append(ledger.pool_version(POOL))
    add(ledger, "r-2", profits(2, ["c"]))
    versions.append(ledger.pool_version(POOL))
    assert len(set(versions)) == 3
    assert ledger.pool_version(POOL, exclude_run="r-2") == versions[1]
    add(ledger, "r-2", profits(2, ["c"]))
    assert ledger.pool_version(POOL) == versions[2]


def test_pools_do_not_meet(ledger: Ledger) -> None:
    pnl = profits(1, ["a"])
    synthetic, real = (
        pool_key_of(market, "prices", SimulationSettings()) for market in ("synthetic-s7", "files-us-abc123")
    )
    assert add(ledger, "r-1", pnl, synthetic) == ["a"]
    assert add(ledger, "r-2", pnl, real) == ["a"]  # its own copy in another pool is no rival
    assert ledger.pool(synthetic)["generation_run"].to_list() == ["r-1"]
    assert ledger.pool(real)["generation_run"].to_list() == ["r-2"]
    assert ledger.pool_pnl(real).height == 300


def test_pool_keys_differ_by_market_family_and_every_setting() -> None:
    base = SimulationSettings()
    keys = {
        pool_key_of("m", "prices", base),
        pool_key_of("n", "prices", base),
        pool_key_of("m", "news", base),
        pool_key_of("m", "prices", SimulationSettings(decay=2)),
        pool_key_of("m", "prices", SimulationSettings(extra_lag=1)),
    }
    assert len(keys) == 5
    assert pool_key_of("m", "prices", SimulationSettings()) in keys


def test_what_joined_since_wins(ledger: Ledger) -> None:
    first, other = profits(1, ["a"]), profits(2, ["b"])
    noise = np.random.default_rng(3).normal(0, 0.002, 300)
    near = renamed(first, "copy").with_columns(pnl=pl.col("pnl") * 2 + pl.Series(noise))
    assert add(ledger, "r-1", first) == ["a"]
    commit = ledger.commit_accepted("r-2", POOL, accepted(["copy", "b"]), searched(pl.concat([near, other])))
    assert commit.joined["alpha_id"].to_list() == ["b"]
    loser = commit.losers.row(0, named=True)
    assert (loser["alpha_id"], loser["most_correlated"]) == ("copy", "a")
    assert loser["max_absolute_correlation"] > 0.9
    assert "with a is above 0.7" in loser["reason"]
    assert ledger.pool(POOL)["alpha_id"].to_list() == ["a", "b"]
    assert set(ledger.pool_pnl(POOL)["alpha_id"]) == {"a", "b"}


def test_the_opposite_of_an_accepted_alpha_loses_too(ledger: Ledger) -> None:
    add(ledger, "r-1", profits(1, ["a"]))
    assert add(ledger, "r-2", renamed(profits(1, ["a"]), "x").with_columns(-pl.col("pnl"))) == []


def test_running_again_replaces_the_runs_own_alphas_and_nothing_else(ledger: Ledger) -> None:
    add(ledger, "r-1", profits(1, ["a", "b"]))
    add(ledger, "r-2", profits(2, ["c"]))
    assert add(ledger, "r-1", profits(1, ["a", "b"])) == ["a", "b"]  # not its own rival
    assert add(ledger, "r-1", profits(1, ["a"])) == ["a"]
    assert ledger.pool(POOL)["alpha_id"].to_list() == ["a", "c"]
    assert ledger.pool(POOL, exclude_run="r-1")["alpha_id"].to_list() == ["c"]
    assert set(ledger.pool_pnl(POOL)["alpha_id"]) == {"a", "c"}


@pytest.mark.parametrize(("days", "joins"), [(249, []), (250, ["late"])])
def test_fewer_than_250_common_days_are_refused(ledger: Ledger, days: int, joins: list[str]) -> None:
    add(ledger, "r-1", profits(1, ["a"], 600))
    late = profits(2, ["late"], 400, "2018-01-01").filter(pl.int_range(pl.len()) < days)
    commit = ledger.commit_accepted("r-2", POOL, accepted(["late"]), searched(late))
    assert commit.joined["alpha_id"].to_list() == joins
    if not joins:
        assert commit.losers["reason"].to_list() == ["only 249 common days, fewer than 250"]


def test_only_search_days_are_compared(ledger: Ledger) -> None:
    add(ledger, "r-1", profits(1, ["a"], 500), until=300)
    assert ledger.pool_pnl(POOL).height == 300
    assert ledger.pool_pnl(POOL, search_only=False).height == 500
    # alike after the search window only: nothing that selects may see that
    mixed = pl.concat([profits(2, ["x"], 500)[:300], renamed(profits(1, ["a"], 500)[300:], "x")])
    assert add(ledger, "r-2", mixed, until=300) == ["x"]


def test_runs_that_commit_the_same_idea_at_once_let_one_in(ledger: Ledger) -> None:
    def commit(index: int) -> int:
        pnl = renamed(profits(1, ["a"]), f"copy{index}")
        return len(add(Ledger(ledger.lake), f"r-{index}", pnl))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(commit, range(4))) == 1
    assert ledger.pool(POOL).height == 1


def test_a_run_that_died_while_committing_is_named(ledger: Ledger) -> None:
    add(ledger, "r-1", profits(1, ["a"]))
    ledger.lake.replace("accepted_pnl", searched(profits(1, ["a"])).clear(), pool_key=POOL, generation_run="r-1")
    with pytest.raises(BadInput, match="run 'r-1' again"):
        ledger.pool_pnl(POOL)
    assert ledger.pool_pnl(POOL, exclude_run="r-1").height == 0


def test_no_alphas_is_a_commit_too(ledger: Ledger) -> None:
    add(ledger, "r-1", profits(1, ["a"]))
    empty = profits(1, ["a"]).clear()
    commit = ledger.commit_accepted("r-1", POOL, accepted([]), searched(empty))
    assert commit.joined.height == commit.losers.height == 0
    assert ledger.pool(POOL).height == 0


def test_an_alpha_without_profit_or_twice_is_a_defect(ledger: Ledger) -> None:
    pnl = searched(profits(1, ["a"]))
    with pytest.raises(ValueError, match="no daily profit for"):
        ledger.commit_accepted("r-1", POOL, accepted(["a", "b"]), pnl)
    with pytest.raises(ValueError, match="twice"):
        ledger.commit_accepted("r-1", POOL, accepted(["a", "a"]), pnl)
    assert ledger.pool(POOL).height == 0


def test_a_lock_that_is_never_free_is_one_line(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "LOCK_SECONDS", 0.05)
    other = ledger_module.FileLock(Path(ledger.lake.root) / "_locks" / f"{POOL}.lock")
    Path(other.lock_file).parent.mkdir(parents=True)
    with other, pytest.raises(BadInput, match="not free"):
        add(ledger, "r-1", profits(1, ["a"]))


def test_an_object_store_needs_a_folder_for_locks() -> None:
    with pytest.raises(BadInput, match="locks"), Ledger(Lake("s3://bucket/lake"))._lock(POOL):
        pass
