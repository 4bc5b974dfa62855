"""What a race is made of, and what it is called."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from alpha_pipeline.errors import BadInput
from alpha_pipeline.race.arms import check_arms
from alpha_pipeline.race.planting import PlantLists
from alpha_pipeline.race.running import Budget

USUAL_ARMS = ("random", "matched", "hill", "genetic", "reinforce", "ppo", "auto")
NO_PLANTS = PlantLists("none", (), ())


@dataclass(frozen=True)
class RaceSettings:
    """A race. Everything here but the lists of markets and arms decides the result of each job.

    Args:
        markets: how many; market i is the same in a longer race.
        evaluations: budget of each arm on each market; repeats count.
        cpu_seconds: budget instead of evaluations, which then only say what arms are to expect.
        seed: family of the markets' seeds.
        arms: who races.
        null: markets without plants.
        instruments, days: size of a market.

    Raises:
        BadInput: a number out of range, or arms that cannot race together.
    """

    markets: int = 10
    evaluations: int = 10_000
    cpu_seconds: float | None = None
    seed: int = 1
    arms: tuple[str, ...] = USUAL_ARMS
    null: bool = False
    instruments: int = 200
    days: int = 1500

    def __post_init__(self) -> None:
        ranges = {
            "markets": (1, 1000),
            "evaluations": (10, 1_000_000),
            "seed": (0, 2**32 - 1),
            "instruments": (20, 5000),
            "days": (200, 10_000),
        }
        for name, (lowest, highest) in ranges.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
                raise BadInput(f"{value!r} is out of range", f"--{name}", f"use a whole number, {lowest} to {highest}")
        seconds = self.cpu_seconds
        if seconds is not None and not (math.isfinite(seconds) and 0 < seconds <= 1e6):
            raise BadInput(f"{seconds!r} is no budget", "--cpu-seconds", "use a number of seconds above 0")
        check_arms(self.arms)

    @property
    def budget(self) -> Budget:
        """Of each arm on each market."""
        return Budget(self.evaluations, self.cpu_seconds)

    def market_seed(self, number: int) -> int:
        """Seed of the simulation of market `number`."""
        return self._seeds(number)[0]

    def learner_seed(self, number: int) -> int:
        """Seed of every arm on market `number`."""
        return self._seeds(number)[1]

    def name(self, plants: PlantLists, code_version: str) -> str:
        """race- and 12 hex digits over what decides the result of a job: more markets or arms join the same race."""
        told: dict[str, Any] = {**asdict(self), "plants": plants.to_dict(), "code": code_version}
        del told["markets"], told["arms"]
        return f"race-{hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]}"

    def _seeds(self, number: int) -> list[int]:
        return [int(word) for word in np.random.SeedSequence([self.seed, number]).generate_state(2)]
