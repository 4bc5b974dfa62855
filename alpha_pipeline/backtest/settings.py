"""How an alpha is simulated: the settings BRAIN knows, by its names and limits, and one lag of our own.

Only what our simulation really does can be set. Source: BRAIN's simulation settings (region, universe, delay, decay,
neutralization, truncation); the other fields of its payload have one value each here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression.choices import DEFAULT_CHOICES, Choices

REGIONS = ("USA",)
NEUTRALIZATIONS = ("NONE", "MARKET", "SECTOR", "INDUSTRY", "SUBINDUSTRY")
MAXIMUM_DECAY = 512
MAXIMUM_EXTRA_LAG = 252
_UNIVERSE = re.compile(r"TOP[1-9]\d{0,5}")


@dataclass(frozen=True)
class SimulationSettings:
    """Simulation settings, checked when made.

    Args:
        region: "USA".
        universe: "TOP" and a number, e.g. "TOP3000".
        delay: 1 trades on data up to yesterday, 0 on data up to now; see `lag`.
        decay: days of linear decay of the signal; 0 and 1 do nothing.
        neutralization: the groups within which weights sum to zero; NONE leaves the signal's mean in.
        truncation: largest |weight| of one instrument as a fraction of the book; 0 is off.
        extra_lag: further trading days between the decision and the first return it earns.
        strict_windows: an operator's window must be full of valid values; by default it uses those it holds.
        language: readings of the language where its sources contradict each other.

    Raises:
        BadInput: naming the setting, what it was and what it may be.
    """

    region: str = "USA"
    universe: str = "TOP3000"
    delay: int = 1
    decay: int = 0
    neutralization: str = "MARKET"
    truncation: float = 0.08
    extra_lag: int = 0
    strict_windows: bool = False
    language: Choices = DEFAULT_CHOICES

    def __post_init__(self) -> None:
        if self.region not in REGIONS:
            _refuse("region", self.region, f"use one of {', '.join(REGIONS)}")
        if not isinstance(self.universe, str) or not _UNIVERSE.fullmatch(self.universe):
            _refuse("universe", self.universe, "use TOP and a number, e.g. TOP3000")
        if self.neutralization not in NEUTRALIZATIONS:
            _refuse("neutralization", self.neutralization, f"use one of {', '.join(NEUTRALIZATIONS)}")
        object.__setattr__(self, "delay", _whole("delay", self.delay, 1))
        object.__setattr__(self, "decay", _whole("decay", self.decay, MAXIMUM_DECAY))
        object.__setattr__(self, "extra_lag", _whole("extra_lag", self.extra_lag, MAXIMUM_EXTRA_LAG))
        if not isinstance(self.strict_windows, bool):
            _refuse("strict_windows", self.strict_windows, "use true or false")
        truncation = self.truncation
        if isinstance(truncation, bool) or not isinstance(truncation, int | float) or not 0 <= truncation <= 1:
            _refuse("truncation", truncation, "use a fraction from 0 (off) to 1")
        object.__setattr__(self, "truncation", float(truncation) + 0.0)  # one identity for 1 and 1.0, 0.0 and -0.0

    @property
    def lag(self) -> int:
        """Trading days from the row a book is decided on to the first close-to-close return it earns.

        Delay 1 decides on day t−1 for the return of day t. Delay 0 decides at the close of day t and earns the next
        return: with daily closes the same lag, since earning the return of day t itself would look ahead.
        """
        return 1 + self.extra_lag

    @property
    def ramp(self) -> int:
        """Rows that the decay needs before today."""
        return max(self.decay - 1, 0)

    def to_dict(self) -> dict[str, Any]:
        """All settings by their names, of the language's readings those that differ; `from_dict` reads them back."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "language"}
        changed = dict(self.language.changed())
        return {**values, "language": changed} if changed else values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SimulationSettings:
        """Settings from a mapping of names; absent ones have their default, unknown ones raise BadInput."""
        names = [field.name for field in fields(cls)]
        for name in values:
            if name not in names:
                _refuse(name, values[name], f"use {', '.join(names)}")
        return cls(**{**values, "language": Choices(**values.get("language", {}))})

    def to_brain(self) -> dict[str, Any]:
        """The `settings` object of BRAIN's POST /simulations."""
        return {
            "instrumentType": "EQUITY",
            "region": self.region,
            "universe": self.universe,
            "delay": self.delay,
            "decay": self.decay,
            "neutralization": self.neutralization,
            "truncation": self.truncation,
            "pasteurization": "ON",
            "unitHandling": "VERIFY",
            "nanHandling": "OFF",
            "maxTrade": "OFF",
            "language": "FASTEXPR",
            "visualization": False,
        }


def _whole(name: str, value: Any, highest: int) -> int:
    """`value` as an int in 0..highest; 4.0 is accepted as BRAIN accepts it, 4.5 and True are not."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or value != int(value) or not 0 <= value <= highest:
        _refuse(name, value, f"use a whole number from 0 to {highest}")
    return int(value)


def _refuse(name: str, value: Any, mend: str) -> None:
    raise BadInput(f"{value!r} is not a valid {name}", f"setting '{name}'", mend)
