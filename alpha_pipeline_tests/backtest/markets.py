"""Small markets for backtest tests: what `simulate` needs of a panel and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class SmallMarket:
    pnl_returns: npt.NDArray[np.float32]
    universe: npt.NDArray[np.bool_]
    age: npt.NDArray[np.int32]
    groups: dict[str, npt.NDArray[np.int32]] = field(default_factory=dict)


def market(returns: object, universe: object = None, born: object = 0, **groups: object) -> SmallMarket:
    """A market of given returns [T,N]; everybody is a member, and there from row 0 on, unless said otherwise.

    `born`: row of the first bar, of all or [N].
    """
    earned = np.array(returns, dtype=np.float32)
    members = np.ones(earned.shape, dtype=bool) if universe is None else np.array(universe, dtype=bool)
    age = np.maximum(np.arange(len(earned))[:, None] - np.broadcast_to(np.array(born), earned.shape[1:]), -1)
    return SmallMarket(
        earned, members, age.astype(np.int32), {name: np.array(codes, dtype=np.int32) for name, codes in groups.items()}
    )


def random_market(seed: int, days: int = 60, instruments: int = 23) -> tuple[npt.NDArray[np.float32], SmallMarket]:
    """(signal, market) with missing returns, leavers, infinities, ties and sectors."""
    random = np.random.default_rng(seed)
    shape = (days, instruments)
    signal = random.normal(size=shape).astype(np.float32)
    signal[random.random(shape) < 0.10] = np.nan
    signal[random.random(shape) < 0.02] = np.inf
    signal[random.random(shape) < 0.02] = -np.inf
    signal[random.random(shape) < 0.10] = 0.5
    returns = (random.standard_t(3, size=shape) * 0.02).astype(np.float32)
    returns[random.random(shape) < 0.05] = np.nan
    universe = random.random(shape) < 0.9
    signal[7 % days] = np.nan
    universe[11 % days] = False
    sectors = np.sort(random.integers(0, 4, instruments))
    return signal, market(returns, universe, market=np.zeros(instruments), sector=sectors)
