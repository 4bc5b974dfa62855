"""A run that dies while its alphas join a pool leaves a pool that others can read and join."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from alpha_pipeline.ledger import Lake, Ledger
from alpha_pipeline_tests.ledger.frames import POOL, accepted, profits, searched

SEEDS = {"w": 1, "x": 2, "y": 3, "z": 4}


def commit(ledger: Ledger, run: str, names: list[str]) -> pl.DataFrame:
    """Let alphas of independent profit join; returns who did."""
    pnl = pl.concat([profits(SEEDS[name], [name]) for name in names]) if names else profits(0, ["w"]).clear()
    return ledger.commit_accepted(run, POOL, accepted(names), searched(pnl)).joined


class Killed(BaseException):
    """Stands for SIGKILL between two writes."""


@pytest.mark.parametrize("writes_done", [0, 1, 2])
@pytest.mark.parametrize("again", [["x", "y"], ["y", "z"], ["z"], []])
def test_a_pool_is_readable_after_a_kill_at_any_write(
    writes_done: int, again: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(tmp_path)
    ledger = Ledger(lake)
    commit(ledger, "run-1", ["x", "y"])
    replace, done = lake.replace, 0

    def dying(table: str, frame: pl.DataFrame, **partition: str) -> Any:
        nonlocal done
        if done == writes_done:
            raise Killed
        done += 1
        return replace(table, frame, **partition)

    monkeypatch.setattr(lake, "replace", dying)
    with pytest.raises(Killed):
        commit(ledger, "run-1", again)
    monkeypatch.undo()

    fresh = Ledger(Lake(tmp_path))
    held = fresh.pool(POOL)["alpha_id"].to_list()
    assert set(held) <= {"x", "y", "z"}
    assert set(fresh.pool_pnl(POOL)["alpha_id"].to_list()) == set(held)
    assert commit(fresh, "run-2", ["w"])["alpha_id"].to_list() == ["w"]
