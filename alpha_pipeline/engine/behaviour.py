"""What an expression does, as 64 bits: equal for expressions that rank instruments alike, however they are written.

The canonical form sees only what is the same bit by bit. This sees through everything else: `log(close / open)` and
`close / open` order the instruments of every day alike, and so hash alike. The hash is of the ranks of a signal on a
small random market that never changes, projected on 64 fixed random directions, of which it keeps the signs; two hashes
differ in about `64 · angle / π` bits, so near duplicates are near as well. Source: locality-sensitive hashing by random
hyperplanes (Charikar 2002).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.engine import Engine
from alpha_pipeline.expression import DEFAULT_CHOICES, Choices, Node
from alpha_pipeline.expression.operators.cross_sectional import finite_only, ranked
from alpha_pipeline.market.panel import Panel, PanelInfo

INSTRUMENTS, DAYS = 48, 400
SHOWN = 120  # days whose ranks are hashed; those before fill lookbacks of up to 280 days
BITS = 64
SEED = 20_150_101
_GROUP_SIZES = {"sector": 12, "industry": 6, "subindustry": 3}


class Probe:
    """The fixed random market, and hashes on it. Not a market to judge anything by.

    Args:
        choices: readings of the language; a hash is of one set of them.
    """

    def __init__(self, choices: Choices = DEFAULT_CHOICES) -> None:
        self._choices = choices

    def behaviour(self, node: Node) -> str:
        """16 hex digits; all 0 for an expression without two different values on any day.

        Raises:
            BadInput: the expression needs a field that a market of prices and volumes does not have.
        """
        signal = self._engine.evaluate(node)[-SHOWN:]
        ranks = np.array([_centred_ranks(row) for row in signal]).ravel()
        if not ranks.any():
            return "0" * (BITS // 4)
        bits = self._directions @ ranks > 0
        return f"{int(''.join('1' if bit else '0' for bit in bits), 2):0{BITS // 4}x}"

    @cached_property
    def _engine(self) -> Engine:
        return Engine(probe_panel(), threads=1, memory=16 << 20, choices=self._choices)

    @cached_property
    def _directions(self) -> NDArray[np.float64]:
        return np.random.default_rng(SEED + 1).standard_normal((BITS, SHOWN * INSTRUMENTS))


def distance(one: str, other: str) -> int:
    """Bits in which two hashes differ: 0 for like behaviour, about 32 for unrelated, 64 for opposite."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def probe_panel() -> Panel:
    """The market of the probe: random walks without meaning, the same on every machine."""
    random = np.random.default_rng(SEED)
    shape = (DAYS, INSTRUMENTS)
    close = random.lognormal(3, 1, INSTRUMENTS) * np.exp(np.cumsum(random.normal(0, 0.02, shape), axis=0))
    open_ = close * np.exp(random.normal(0, 0.01, shape))
    volume = random.lognormal(12, 1, INSTRUMENTS) * random.lognormal(0, 0.5, shape)
    fields = {
        "open": open_,
        "high": np.maximum(open_, close) * (1 + 0.01 * random.random(shape)),
        "low": np.minimum(open_, close) * (1 - 0.01 * random.random(shape)),
        "close": close,
        "vwap": (open_ + close) / 2 * np.exp(random.normal(0, 0.002, shape)),
        "volume": volume,
        "cap": close * random.lognormal(16, 1, INSTRUMENTS),
    }
    column = np.arange(INSTRUMENTS)
    return Panel.assemble(
        np.datetime64("2000-01-03") + np.arange(DAYS),
        [f"P{i:02}" for i in range(INSTRUMENTS)],
        {name: values.astype(np.float32) for name, values in fields.items()},
        PanelInfo("probe", "probe", "synthetic", True, f"TOP{INSTRUMENTS}"),
        groups={name: (column // size).astype(np.int32) for name, size in _GROUP_SIZES.items()},
    )


def _centred_ranks(row: NDArray[Any]) -> NDArray[np.float64]:
    """Ranks of a day from −0.5 to 0.5, ties at their average, 0 for missing values."""
    return np.nan_to_num(ranked(finite_only(row)) - 0.5)
