"""The accepted pool as one run sees it: pinned when the run begins, asked through DuckDB.

Pools are keyed by market, data family and settings, so that alphas of a synthetic market never meet those of a real
one. Only search-window days are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from alpha_pipeline.evaluator import Evaluator, Trial
from alpha_pipeline.ledger import Ledger, pool_correlation, pool_key_of, worst
from alpha_pipeline.ledger.correlation import daily_pnl

DATA_FAMILY = "price-volume"
"""The only data family so far; fundamentals and others will have pools of their own."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """The accepted alpha whose daily profit moves most like a candidate's.

    Attributes:
        correlation: largest |Pearson| over the pool; None where the pool is empty or nothing can be compared.
        alpha_id: whose it is.
        fewest_common_days: shared days of the pair that shares fewest; None where the pool is empty.
    """

    correlation: float | None
    alpha_id: str | None
    fewest_common_days: int | None


@dataclass(frozen=True)
class Pool:
    """Accepted alphas and their daily profit, as they were at one moment.

    Attributes:
        key: which pool.
        version: hash over what it holds.
        alpha_ids: what it holds.
        pnl: (alpha_id, date, pnl), search-window days of the runs that found them.
        dates: [S] the search-window days of the present panel.
        minimum_days: common days a correlation needs.
        forgive_itself: an accepted alpha that is asked about again is not held against itself.
    """

    key: str
    version: str
    alpha_ids: list[str]
    pnl: pl.DataFrame
    dates: npt.NDArray[np.datetime64]
    minimum_days: int
    forgive_itself: bool = False

    @classmethod
    def load(
        cls,
        ledger: Ledger,
        evaluator: Evaluator,
        minimum_days: int,
        *,
        exclude_run: str | None = None,
        only: Sequence[str] | None = None,
        forgive_itself: bool = False,
    ) -> Pool:
        """The pool of an evaluator's market and settings.

        Args:
            minimum_days: common days a correlation needs.
            exclude_run: a run whose own earlier alphas do not count.
            only: the alphas it held when it was pinned; None for all that it holds now.
            forgive_itself: see the attribute; for `validate`, never for mining.
        """
        key = pool_key_of(evaluator.panel.info.market, DATA_FAMILY, evaluator.settings)
        pnl = ledger.pool_pnl(key, exclude_run)
        if only is not None:
            pnl = pnl.filter(pl.col("alpha_id").is_in(list(only)))
        alpha_ids = pnl["alpha_id"].unique().sort().to_list()
        dates = evaluator.panel.dates[evaluator.windows.search]
        return cls(key, ledger.pool_version(key, exclude_run), alpha_ids, pnl, dates, minimum_days, forgive_itself)

    def nearest(self, trials: Sequence[Trial]) -> dict[str, Nearest]:
        """For each trial, by alpha_id, the pool's alpha it is most like."""
        found = {trial.alpha_id: Nearest(None, None, None) for trial in trials}
        pnl = self.pnl.filter(~pl.col("alpha_id").is_in(list(found))) if self.forgive_itself else self.pnl
        if not trials or pnl.is_empty():
            return found
        for row in worst(pool_correlation(self.frame(trials), pnl, self.minimum_days)).to_dicts():
            days = int(row["fewest_common_days"])
            found[row["alpha_id"]] = Nearest(row["max_absolute_correlation"], row["most_correlated"], days)
        if not self.forgive_itself:
            for alpha_id in found.keys() & set(self.alpha_ids):  # whatever its profit was on the data of that day
                found[alpha_id] = Nearest(1.0, alpha_id, found[alpha_id].fewest_common_days)
        return found

    def frame(self, trials: Sequence[Trial]) -> pl.DataFrame:
        """(alpha_id, date, pnl) of trials, from the first day that each has profit on."""
        return pl.concat(
            [daily_pnl(t.alpha_id, self.dates[t.first_day :], t.pnl[t.first_day :]) for t in trials], how="vertical"
        )

    def matrix(self) -> npt.NDArray[np.float64]:
        """Daily profit [alphas, S] on the present panel's search days, NaN where an alpha has none."""
        out = np.full((len(self.alpha_ids), len(self.dates)), np.nan)
        for row, (_, rows) in enumerate(self.pnl.sort("alpha_id", "date").group_by("alpha_id", maintain_order=True)):
            days = rows["date"].to_numpy().astype("datetime64[D]")
            position = np.searchsorted(self.dates, days)
            held = (position < len(self.dates)) & (self.dates[np.minimum(position, len(self.dates) - 1)] == days)
            out[row, position[held]] = rows["pnl"].to_numpy()[held]
        return out
