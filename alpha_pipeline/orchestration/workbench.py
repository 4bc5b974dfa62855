"""The resource all assets share: settings, home, lake, and the bench of the generation run at hand.

A run pins what decides its result when it starts (seed, budget, panel, pool, code). Later stages, in this process or in
another, read the pins from the table `generation_runs`, and so measure with the same things.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import polars as pl

from alpha_pipeline.backtest import SimulationSettings, Windows
from alpha_pipeline.errors import BadInput
from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.expression import parse_text
from alpha_pipeline.home import Home, code_version
from alpha_pipeline.ledger import Lake, Ledger
from alpha_pipeline.market.panel import Panel
from alpha_pipeline.market.sources import open_source
from alpha_pipeline.market.sources.base import Source
from alpha_pipeline.settings import Settings
from alpha_pipeline.thresholds import Thresholds
from alpha_pipeline.validate import Bench, Candidate, Pool

RUNS = "generation_runs"


@dataclass(frozen=True)
class RunRecord:
    """What decides the result of a generation run, and is pinned when it starts.

    Attributes:
        generation_run: its partition key.
        generator, seed, candidates: what was asked for.
        data_version: the panel.
        market_id, source, synthetic, label: what kind of market that is.
        code_version: package version and source hash.
        pool_key, pool_version: which accepted alphas it is held against.
        settings, thresholds, windows: JSON.
        search: JSON: bounds of the search, weights of the reward, and what was learned before, by its content.
    """

    generation_run: str
    generator: str
    seed: int
    candidates: int
    data_version: str
    market_id: str
    source: str
    synthetic: bool
    label: str
    code_version: str
    pool_key: str
    pool_version: str
    settings: str
    thresholds: str
    windows: str
    search: str

    @property
    def pins(self) -> str:
        """12 hex digits over all of it. Every row of the run's tables carries them, so that what an earlier start of
        the same partition left behind is not taken for this one's."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Run:
    """A generation run at work: its record, what to measure with, and the candidates that stages hand on by text."""

    record: RunRecord
    evaluator: Evaluator
    bench: Bench
    pool: Pool
    candidates: dict[str, Candidate] = field(default_factory=dict, repr=False)

    @property
    def panel(self) -> Panel:
        return self.evaluator.panel

    def own(self, batch: pl.DataFrame, what: str) -> pl.DataFrame:
        """`batch`, if its rows were made under this run's pins.

        Raises:
            BadInput: they were not: the partition was started anew since, and that start did not get this far.
        """
        if batch.height and batch["pins"].unique().to_list() != [self.record.pins]:
            raise left_from_earlier(what, self.record.generation_run)
        return batch

    def fresh(self, expression: str) -> Candidate:
        """A candidate of which nothing is known but its text."""
        self.candidates[expression] = Candidate(expression)
        return self.candidates[expression]

    def revive(self, expression: str) -> Candidate:
        """A candidate that has passed the stages before: as they left it, or from its canonical text alone."""
        found = self.candidates.get(expression)
        if found is None or found.node is None:
            parsed = parse_text(expression)
            found = Candidate(expression, parsed=parsed, node=parsed.node, typed=True, ran=True)
            self.candidates[expression] = found
        return found


class Workbench:
    """Shared by all assets of a process.

    Args:
        settings: the product's settings.
        opener: opens a price source by kind, path, groups and events; tests hand in one for a small market.
    """

    def __init__(self, settings: Settings, opener: Callable[..., Source] = open_source) -> None:
        self.settings = settings
        self.opener = opener
        self.home = Home(settings.home)
        self.lake = Lake(self.home.lake)
        self.ledger = Ledger(self.lake)
        self._run: Run | None = None

    def source(self, kind: str, path: str | None, groups: str | None, events: str | None) -> Source:
        """The price source that an ingest names."""
        return self.opener(kind, path=path, groups=groups, events=events)

    def recorded_runs(self) -> list[str]:
        """The keys of all generation runs that were ever started in this home."""
        if not self.lake.exists(RUNS):
            return []
        return self.lake.scan(RUNS).select("generation_run").collect()["generation_run"].to_list()

    def evaluator(self, panel: Panel) -> Evaluator:
        """An evaluator on a panel under the present settings."""
        return self._evaluator(panel, self.settings.simulation_on(panel), self.settings.windows(panel))

    def pool(self, evaluator: Evaluator, exclude_run: str | None = None) -> Pool:
        """The accepted pool of an evaluator's market and settings, as it is now."""
        return Pool.load(self.ledger, evaluator, self.settings.thresholds.common_days, exclude_run=exclude_run)

    def bench(self, panel: Panel) -> Bench:
        """A bench on a panel under the present settings, outside any run: for single expressions."""
        evaluator = self.evaluator(panel)
        pool = Pool.load(self.ledger, evaluator, self.settings.thresholds.common_days, forgive_itself=True)
        return Bench(evaluator, pool.nearest, self.settings.thresholds)

    def start(
        self, key: str, generator: str, seed: int, candidates: int, panel: Panel, search: Mapping[str, Any]
    ) -> Run:
        """Pin a generation run and write its record; doing it again pins it anew, without its own earlier alphas."""
        evaluator = self.evaluator(panel)
        pool = self.pool(evaluator, exclude_run=key)
        record = RunRecord(
            generation_run=key,
            generator=generator,
            seed=seed,
            candidates=candidates,
            data_version=panel.version,
            market_id=panel.info.market_id,
            source=panel.info.source,
            synthetic=panel.info.synthetic,
            label=panel.info.label,
            code_version=code_version(),
            pool_key=pool.key,
            pool_version=pool.version,
            settings=json.dumps(evaluator.settings.to_dict(), sort_keys=True),
            thresholds=json.dumps(asdict(self.settings.thresholds), sort_keys=True),
            windows=json.dumps(_bounds(evaluator.windows)),
            search=json.dumps(search, sort_keys=True),
        )
        row = pl.DataFrame([{**asdict(record), "pool": json.dumps(pool.alpha_ids)}])
        self.lake.replace(RUNS, row.drop("generation_run"), generation_run=key)
        bench = Bench(evaluator, pool.nearest, self.settings.thresholds)
        self._run = Run(record, evaluator, bench, pool)
        return self._run

    def resume(self, key: str) -> Run:
        """A run that was interrupted, as it was pinned.

        Raises:
            BadInput: it was never started, or other code is installed now, which would propose otherwise.
        """
        started = self.recorded_runs()
        if key not in started:
            mend = f"use one of {', '.join(sorted(started)[-5:])}" if started else "start one: alpha-pipeline mine"
            raise BadInput("no such run was started", f"generation run {key!r}", mend)
        run = self.run(key)
        if run.record.code_version != code_version():
            what = f"it was started by version {run.record.code_version}, and this is {code_version()}"
            raise BadInput(what, f"generation run {key}", "start a new run, or go back to that version")
        return run

    def run(self, key: str) -> Run:
        """The run of a partition, as it was pinned.

        Raises:
            BadInput: its candidates were never made.
        """
        if self._run is not None and self._run.record.generation_run == key:
            return self._run
        missing = BadInput("it has no candidates yet", f"generation run {key}", "materialize its candidate_batch first")
        if not self.lake.exists(RUNS):
            raise missing
        rows = self.lake.scan(RUNS).filter(pl.col("generation_run") == key).collect().to_dicts()
        if not rows:
            raise missing
        values: dict[str, Any] = rows[0]
        alpha_ids = json.loads(values.pop("pool"))
        record = RunRecord(**{**values, "search": values.get("search") or "{}"})  # none before version 0.2
        panel = self.home.panel(record.data_version)
        windows = Windows(**{name: slice(*bounds) for name, bounds in json.loads(record.windows).items()})
        thresholds = Thresholds(**json.loads(record.thresholds))
        evaluator = self._evaluator(panel, SimulationSettings.from_dict(json.loads(record.settings)), windows)
        pool = Pool.load(self.ledger, evaluator, thresholds.common_days, exclude_run=key, only=alpha_ids)
        self._run = Run(record, evaluator, Bench(evaluator, pool.nearest, thresholds), pool)
        return self._run

    def _evaluator(self, panel: Panel, simulation: SimulationSettings, windows: Windows) -> Evaluator:
        settings = self.settings
        names = ("threads", "memory", "workers", "device", "store", "store_size")
        return Evaluator(panel, simulation, windows, **{name: getattr(settings, name) for name in names})


def left_from_earlier(what: str, key: str) -> BadInput:
    """The error of a table whose rows an earlier start of the run made."""
    where = f"{what} of generation run {key}"
    return BadInput("it is left from an earlier start of this run", where, "materialize candidate_batch and on")


def _bounds(windows: Windows) -> dict[str, list[int]]:
    named = {"search": windows.search, "gate": windows.gate, "vault": windows.vault}
    return {name: [days.start, days.stop] for name, days in named.items()}
