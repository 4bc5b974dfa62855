"""The ledger: every trial, every verdict, and the pools of accepted alphas that later ones must differ from.

A run commits its rows as a whole; committing again replaces them. Alphas join a pool one run at a time, under a lock,
and are compared once more with what joined since the run last looked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from filelock import FileLock, Timeout

from alpha_pipeline.backtest.settings import SimulationSettings
from alpha_pipeline.errors import BadInput
from alpha_pipeline.ledger.correlation import MINIMUM_DAYS, pool_correlation, worst
from alpha_pipeline.ledger.lake import Lake, check_key
from alpha_pipeline.ledger.tables import TABLES, conform

LOCK_SECONDS = 60.0


def pool_key_of(market_id: str, data_family: str, settings: SimulationSettings) -> str:
    """The pool that an alpha belongs to: `pool-` and 12 hex digits over market, data family and all settings.

    Alphas of a synthetic and of a real market never share one, since their `market_id` differs.
    """
    text = json.dumps([market_id, data_family, settings.to_dict()], sort_keys=True, separators=(",", ":"))
    return "pool-" + hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Commit:
    """What became of the alphas a run wanted to add to a pool.

    Attributes:
        joined: their rows of `accepted`.
        losers: alpha_id, most_correlated, max_absolute_correlation, fewest_common_days, reason: those too close to an
            alpha that is in the pool.
    """

    joined: pl.DataFrame
    losers: pl.DataFrame


class Ledger:
    """Trials, verdicts and pools in a lake.

    Args:
        lake: where the tables are.
        locks: folder of the pools' lock files, shared by all that commit; for a local lake one of its own.
    """

    def __init__(self, lake: Lake, locks: str | Path | None = None) -> None:
        self.lake = lake
        self._locks = Path(locks) if locks is not None else (lake.folder / "_locks" if lake.folder else None)

    def commit_trials(self, generation_run: str, frame: pl.DataFrame) -> None:
        """Make `frame` the trials of a run, in place of any it had. Columns as in tables.py."""
        self.lake.replace("trials", conform("trials", frame), generation_run=generation_run)

    def commit_verdicts(self, generation_run: str, frame: pl.DataFrame) -> None:
        """Make `frame` the verdicts of a run, in place of any it had. Columns as in tables.py."""
        self.lake.replace("verdicts", conform("verdicts", frame), generation_run=generation_run)

    def trials(self, generation_run: str | None = None) -> pl.DataFrame:
        """The trials of one run, or of all."""
        return self._of_run("trials", generation_run)

    def verdicts(self, generation_run: str | None = None) -> pl.DataFrame:
        """The verdicts of one run, or of all."""
        return self._of_run("verdicts", generation_run)

    def pool(self, pool_key: str, exclude_run: str | None = None) -> pl.DataFrame:
        """The accepted alphas of a pool, sorted by alpha_id; without those of `exclude_run`, which runs again."""
        return self._pool_rows("accepted", pool_key, exclude_run).sort("alpha_id", "generation_run").collect()

    def pool_version(self, pool_key: str, exclude_run: str | None = None) -> str:
        """12 hex digits over which alphas the pool holds and from which data; equal pools have equal versions."""
        held = self.pool(pool_key, exclude_run).select("alpha_id", "data_version").rows()
        return hashlib.sha256(json.dumps(held).encode()).hexdigest()[:12]

    def pool_pnl(self, pool_key: str, exclude_run: str | None = None, search_only: bool = True) -> pl.DataFrame:
        """Daily profit (alpha_id, date, pnl) of the pool's alphas, on the search-window days of the run of each.

        Raises:
            BadInput: an accepted alpha has no profit stored, as when its run died while committing.
        """
        held = self.pool(pool_key, exclude_run)
        rows = self._pool_rows("accepted_pnl", pool_key, exclude_run)
        if search_only:
            rows = rows.filter(pl.col("search"))
        pnl = rows.join(held.lazy().select("alpha_id", "generation_run"), on=["alpha_id", "generation_run"], how="semi")
        found = pnl.select("alpha_id", "date", "pnl").sort("alpha_id", "date").collect()
        bare = held.filter(~pl.col("alpha_id").is_in(found["alpha_id"].unique().to_list()))
        if bare.height:
            run = bare["generation_run"][0]
            raise BadInput(
                f"{bare.height} alphas of run '{run}' have no daily profit", "the pool", f"run '{run}' again"
            )
        return found

    def commit_accepted(
        self,
        generation_run: str,
        pool_key: str,
        frame: pl.DataFrame,
        pnl: pl.DataFrame,
        threshold: float = 0.7,
        minimum_days: int = MINIMUM_DAYS,
    ) -> Commit:
        """Let a run's alphas join a pool, in place of any it had there.

        Args:
            frame: columns of `accepted` less pool_key and generation_run.
            pnl: columns of `accepted_pnl` likewise, for every alpha of `frame`; correlation takes its search days.
            threshold: largest |correlation| with an alpha of another run that is let in.
            minimum_days: fewest common days with each of them.

        Returns:
            Who joined, and who lost to whom.

        Raises:
            BadInput: a key, or the lock was not free within a minute.
            ValueError: the frames are not as the tables need them, or an alpha has no profit.
        """
        frame, pnl = conform("accepted", frame), conform("accepted_pnl", pnl)
        if bare := set(frame["alpha_id"].to_list()) - set(pnl["alpha_id"].to_list()):
            raise ValueError(f"no daily profit for {sorted(bare)}")
        if frame["alpha_id"].is_duplicated().any():
            raise ValueError("an alpha stands twice in the frame")
        keys = {"pool_key": pool_key, "generation_run": generation_run}
        for name, value in keys.items():
            check_key(name, value)
        with self._lock(pool_key):
            mine = pnl.filter(pl.col("search") & pl.col("alpha_id").is_in(frame["alpha_id"].to_list()))
            losers = too_close(mine, self.pool_pnl(pool_key, generation_run), threshold, minimum_days)
            lost = losers["alpha_id"].to_list()
            joined = frame.filter(~pl.col("alpha_id").is_in(lost))
            kept = pnl.filter(pl.col("alpha_id").is_in(joined["alpha_id"].to_list()))
            # Whoever sees an alpha in the pool finds its profit too, whenever this process dies: what the run had there
            # and will not have again leaves first, then profit changes, then what is new joins.
            before = self.lake.scan("accepted").filter(*(pl.col(name) == value for name, value in keys.items()))
            staying = before.drop(list(keys)).collect().filter(pl.col("alpha_id").is_in(joined["alpha_id"].to_list()))
            self.lake.replace("accepted", conform("accepted", staying), **keys)
            self.lake.replace("accepted_pnl", kept, **keys)
            self.lake.replace("accepted", joined, **keys)
        added = joined.with_columns(pl.lit(value).alias(name) for name, value in keys.items())
        return Commit(added.select(TABLES["accepted"].schema.names()), losers)

    def _of_run(self, table: str, generation_run: str | None) -> pl.DataFrame:
        rows = self.lake.scan(table)
        if generation_run is not None:
            rows = rows.filter(pl.col("generation_run") == generation_run)
        return rows.select(TABLES[table].schema.names()).collect()

    def _pool_rows(self, table: str, pool_key: str, exclude_run: str | None) -> pl.LazyFrame:
        check_key("pool_key", pool_key)
        rows = self.lake.scan(table).filter(pl.col("pool_key") == pool_key)
        if exclude_run is not None:
            rows = rows.filter(pl.col("generation_run") != exclude_run)
        return rows.select(TABLES[table].schema.names())

    @contextmanager
    def _lock(self, pool_key: str) -> Iterator[None]:
        if self._locks is None:
            raise BadInput(
                "a pool in an object store needs a folder for its locks",
                f"lake {self.lake.root}",
                "give a folder that all who commit share",
            )
        self._locks.mkdir(parents=True, exist_ok=True)
        path = self._locks / f"{pool_key}.lock"
        try:
            with FileLock(path, timeout=LOCK_SECONDS):
                yield
        except Timeout as error:
            raise BadInput(
                f"the pool was not free within {LOCK_SECONDS:.0f} s", str(path), "see which process still commits"
            ) from error


def too_close(
    candidate_pnl: pl.DataFrame, pool_pnl: pl.DataFrame, threshold: float, minimum_days: int = MINIMUM_DAYS
) -> pl.DataFrame:
    """The candidates that a pool refuses: worst(...) of each with a reason, sorted by alpha_id.

    An |correlation| above the threshold, or fewer common days than the minimum with any alpha of the pool.
    """
    cases = worst(pool_correlation(candidate_pnl, pool_pnl, minimum_days))
    near = pl.col("max_absolute_correlation").fill_null(0.0) > threshold
    few = pl.col("fewest_common_days") < minimum_days
    reason = (
        pl.when(near)
        .then(
            pl.format(
                "correlation {} with {} is above " + f"{threshold}", "max_absolute_correlation", "most_correlated"
            )
        )
        .otherwise(pl.format("only {} common days, fewer than " + f"{minimum_days}", "fewest_common_days"))
    )
    return cases.filter(near | few).with_columns(reason.alias("reason"))
