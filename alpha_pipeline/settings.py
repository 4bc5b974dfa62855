"""Every setting of the product in one typed class, read by the faces only (command line, Dagster, later the API).

Each can be given in the environment with the prefix ALPHA_, nested ones with two underscores:
`ALPHA_HOME=/data/alpha ALPHA_SIMULATION__DECAY=4 ALPHA_THRESHOLDS__SHARPE=1.58 alpha-pipeline mine`.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from alpha_pipeline.backtest import SimulationSettings, Windows
from alpha_pipeline.errors import BadInput
from alpha_pipeline.market.panel import Panel
from alpha_pipeline.validate import Thresholds

_UNITS = {"": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def parse_memory(text: str | int) -> int:
    """Bytes from text such as `2GiB`, `1.5GiB`, `800MB` or `2147483648`.

    Raises:
        BadInput: it is no amount of memory, or less than 256 MiB.
    """
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*([A-Za-z]*)", str(text).strip())
    unit = _UNITS.get(match.group(2).upper()) if match else None
    if match is None or unit is None:
        raise BadInput(f"{text!r} is no amount of memory", "option --memory", "write it as 2GiB or 800MB")
    amount = int(float(match.group(1)) * unit)
    if amount < 256 << 20:
        raise BadInput(f"{text!r} is too little memory", "option --memory", "give at least 256MiB")
    return amount


Memory = Annotated[int, BeforeValidator(parse_memory)]


class Settings(BaseSettings):
    """All settings with their defaults.

    Attributes:
        home: where all state lives.
        source, path, groups: which prices; see `market.sources`.
        universe: TOPn.
        generator, candidates, seed: what a generation run does; without a seed, the run's number is it.
        memory: budget in bytes for buffers and caches; results do not depend on it.
        threads: workers; results do not depend on it.
        gate_from, vault_from: ISO dates that cut the history into search, gate and vault; without them the first
            80 % is search and the rest gate.
        simulation: how alphas are simulated.
        thresholds: what the stages hold figures against.
    """

    model_config = SettingsConfigDict(env_prefix="ALPHA_", env_nested_delimiter="__", extra="forbid")

    home: Path = Path(".alpha")
    source: Literal["synthetic", "files", "yahoo"] = "synthetic"
    path: str | None = None
    groups: str | None = None
    universe: str = "TOP3000"
    generator: str = "genetic"
    candidates: int = 500
    seed: int | None = None
    memory: Memory = 2 << 30
    threads: int = max(1, min(os.cpu_count() or 1, 16))
    gate_from: str | None = None
    vault_from: str | None = None
    simulation: SimulationSettings = SimulationSettings()
    thresholds: Thresholds = Thresholds()

    def windows(self, panel: Panel) -> Windows:
        """Search, gate and vault rows of a panel under these settings."""
        if self.gate_from is None and self.vault_from is None:
            return Windows.by_shares(len(panel.dates))
        return Windows.by_dates(panel.dates, self.gate_from, self.vault_from)

    def simulation_on(self, panel: Panel) -> SimulationSettings:
        """The simulation settings with the universe that the panel was made for."""
        return replace(self.simulation, universe=panel.info.universe)


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment, with those of `overrides` that are not None on top.

    Raises:
        BadInput: one that cannot be used, with its name.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        message = str(first["msg"]).removeprefix("Value error, ")
        raise BadInput(message, f"setting {name}", "see the README for its values") from error
