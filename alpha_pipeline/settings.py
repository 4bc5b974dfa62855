"""Every setting of the product in one typed class, read by the faces only (command line, Dagster, later the API).

Each can be given in the environment with the prefix ALPHA_, nested ones with two underscores:
`ALPHA_HOME=/data/alpha ALPHA_SIMULATION__DECAY=4 ALPHA_THRESHOLDS__SHARPE=1.58 alpha-pipeline mine`.
"""

from __future__ import annotations

import os
import re
from dataclasses import fields, is_dataclass, replace
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from alpha_pipeline.backtest import SimulationSettings, Windows
from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import ACCOUNTS, Choices
from alpha_pipeline.generate import GENERATORS, RewardWeights
from alpha_pipeline.market.cleaning import CleaningSettings
from alpha_pipeline.market.panel import Panel
from alpha_pipeline.market.universe import UniverseSettings, universe_size
from alpha_pipeline.thresholds import Thresholds

_UNITS = {"": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def parse_memory(text: str | int, where: str = "option --memory (or ALPHA_MEMORY)") -> int:
    """Bytes from text such as `2GiB`, `1.5GiB`, `800MB` or `2147483648`.

    Raises:
        BadInput: it is no amount of memory, or less than 256 MiB.
    """
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*([A-Za-z]*)", str(text).strip())
    unit = _UNITS.get(match.group(2).upper()) if match else None
    if match is None or unit is None:
        raise BadInput(f"{text!r} is no amount of memory", where, "write it as 2GiB or 800MB")
    amount = int(float(match.group(1)) * unit)
    if amount < 256 << 20:
        raise BadInput(f"{text!r} is too little memory", where, "give at least 256MiB")
    return amount


def _from(lowest: int, where: str) -> BeforeValidator:
    """A whole number, at least `lowest`; text as the environment gives it is read."""

    def read(value: Any) -> int:
        text = str(value).strip()
        if not re.fullmatch(r"[+-]?\d{1,18}", text) or int(text) < lowest:
            raise BadInput(f"{text!r} is not possible", where, f"use a whole number from {lowest}")
        return int(text)

    return BeforeValidator(read)


def _generator(name: Any) -> str:
    if name not in GENERATORS:
        raise BadInput(f"unknown generator {name!r}", _option("generator"), f"use one of {', '.join(GENERATORS)}")
    return str(name)


def _device(name: Any) -> str:
    if not re.fullmatch(r"cpu|torch-cpu|cuda(:\d+)?", str(name)):
        raise BadInput(f"there is no device {name!r}", _option("device"), "use cpu, cuda, or cuda:1 and so on")
    return str(name)


def _store(text: Any) -> str:
    if text in (None, "", "none"):
        return "none"
    from alpha_pipeline.engine.stores import checked  # the language's commands start without the engine

    return checked(str(text), _option("store"))


def _universe(name: Any) -> str:
    try:
        return f"TOP{universe_size(str(name))}"
    except BadInput as error:
        raise BadInput(error.what, _option("universe"), error.mend) from error


def _day(text: Any) -> str | None:
    try:
        return None if text in (None, "") else str(date.fromisoformat(text))
    except (TypeError, ValueError) as error:
        where = "settings ALPHA_GATE_FROM and ALPHA_VAULT_FROM"
        raise BadInput(f"{text!r} is no date", where, "write it as 2020-12-31") from error


def _thresholds(values: Any) -> Any:
    profile = values.get("profile", ACCOUNTS[0]) if isinstance(values, dict) else ACCOUNTS[0]
    if profile not in ACCOUNTS:
        where = "setting ALPHA_THRESHOLDS__PROFILE"
        raise BadInput(f"there is no profile {profile!r}", where, f"use one of {', '.join(ACCOUNTS)}")
    return values


def _option(name: str) -> str:
    return f"option --{name} (or ALPHA_{name.upper()})"


Memory = Annotated[int, BeforeValidator(lambda text: parse_memory(text))]
StoreSize = Annotated[int, BeforeValidator(lambda text: parse_memory(text, "setting ALPHA_STORE_SIZE"))]
Day = Annotated[str | None, BeforeValidator(_day)]


class Settings(BaseSettings):
    """All settings with their defaults.

    Attributes:
        home: where all state lives.
        source, path, groups, events: which prices, sectors and events; see `market.sources`.
        universe: TOPn.
        generator, candidates, seed: what a generation run does; without a seed, the run's number is it.
        memory: budget in bytes for buffers and caches; results do not depend on it.
        threads: of all workers together; results do not depend on it.
        workers: processes that expressions are spread over; results do not depend on it. Each has its part of memory
            and threads.
        device: where signals are computed: cpu, or cuda by torch (figures within a relative 1e-5).
        store, store_size: where values of operators are kept for other runs and processes: none, memory, disk:FOLDER or
            redis://HOST:PORT/NUMBER; and how many bytes. Results do not depend on it.
        gate_from, vault_from: ISO dates that cut the history into search, gate and vault; without them the first
            80 % is search and the rest gate.
        cleaning, membership: the numbers of the cleaning rules, jumps and absurd prices among them, and of the
            universe, its floor among them.
        simulation: how alphas are simulated.
        thresholds: what the stages hold figures against.
        start_from: run whose learners this one goes on from (its key), or their folder.
        critic: whether proposals are sifted by a critic before they are evaluated.
        reward: what the terms of a learner's reward count.
        language: readings of the language where its sources contradict each other.
    """

    model_config = SettingsConfigDict(env_prefix="ALPHA_", env_nested_delimiter="__", extra="forbid")

    home: Path = Path(".alpha")
    source: Literal["synthetic", "files", "yahoo"] = "synthetic"
    path: str | None = None
    groups: str | None = None
    events: str | None = None
    universe: Annotated[str, BeforeValidator(_universe)] = "TOP3000"
    generator: Annotated[str, BeforeValidator(_generator)] = "genetic"
    candidates: Annotated[int, _from(1, _option("candidates"))] = 500
    seed: Annotated[int, _from(0, _option("seed"))] | None = None
    memory: Memory = 2 << 30
    threads: Annotated[int, _from(1, "setting ALPHA_THREADS")] = max(1, min(os.cpu_count() or 1, 16))
    workers: Annotated[int, _from(1, _option("workers"))] = 1
    device: Annotated[str, BeforeValidator(_device)] = "cpu"
    store: Annotated[str, BeforeValidator(_store)] = "none"
    store_size: StoreSize = 8 << 30
    gate_from: Day = None
    vault_from: Day = None
    cleaning: CleaningSettings = CleaningSettings()
    membership: UniverseSettings = UniverseSettings()
    simulation: SimulationSettings = SimulationSettings()
    thresholds: Annotated[Thresholds, BeforeValidator(_thresholds)] = Thresholds()
    start_from: str | None = None
    critic: bool = False
    reward: RewardWeights = RewardWeights()
    language: Choices = Choices()

    def windows(self, panel: Panel) -> Windows:
        """Search, gate and vault rows of a panel under these settings."""
        if self.gate_from is None and self.vault_from is None:
            return Windows.by_shares(len(panel.dates))
        return Windows.by_dates(panel.dates, self.gate_from, self.vault_from)

    def simulation_on(self, panel: Panel) -> SimulationSettings:
        """The simulation settings with the universe that the panel was made for, and the readings of the language."""
        return replace(self.simulation, universe=panel.info.universe, language=self.language)


PREFIX = "ALPHA_"
ALIKE = 0.85  # of 1: names at least so alike are taken for slips of the pen


def setting_names() -> list[str]:
    """The names of all settings, as the environment writes them."""
    names = []
    for name, field in Settings.model_fields.items():
        inner = [f"__{each.name}" for each in fields(field.annotation)] if is_dataclass(field.annotation) else []
        names += [f"{PREFIX}{name}{part}".upper() for part in ("", *inner)]
    return names


def _refuse_misspelt() -> None:
    """A variable that is nearly a setting would be ignored without a word; other people's ALPHA_… are let be."""
    names = setting_names()
    flat = {name.replace("__", "_"): name for name in names}
    slips = {PREFIX + name.rpartition("__")[2]: name for name in names if "__" in name}
    slips |= {name: name for name in names} | {"ALPHA_SIMULATION__UNIVERSE": "ALPHA_UNIVERSE"}  # see simulation_on
    for given in sorted(name.upper() for name in os.environ if name.upper().startswith(PREFIX)):
        alike = get_close_matches(given.replace("__", "_"), flat, n=1, cutoff=ALIKE)
        meant = slips.get(given) or (flat[alike[0]] if alike else given)
        if meant != given:
            raise BadInput("there is no such setting", f"environment {given}", f"write {meant}, or unset it")


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment, with those of `overrides` that are not None on top.

    Raises:
        BadInput: one that cannot be used, with its name, or one whose name is nearly that of a setting.
    """
    _refuse_misspelt()
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except SettingsError as error:
        raise BadInput(str(error), "environment ALPHA_…", "see the README for the settings") from error
    except ValidationError as error:
        first = error.errors()[0]
        name = "__".join(str(part) for part in first["loc"])
        message = str(first["msg"]).removeprefix("Value error, ")
        raise BadInput(message, f"setting ALPHA_{name.upper()}", "see the README for its values") from error
