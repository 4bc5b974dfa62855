"""What one worker process of a race does: make a market, or let an arm run on one and judge it.

Processes talk through a folder (`Board`): how far each job is, and whether to stop. Whatever is finished is a file, so
that a race goes on from where it was stopped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from alpha_pipeline.engine.warmup import warmup
from alpha_pipeline.errors import BadInput
from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.generate.memory.styles import style_profits
from alpha_pipeline.race.arms import Setting, grammar_for, make_arm
from alpha_pipeline.race.judging import judge
from alpha_pipeline.race.markets import RacedMarket, make_market
from alpha_pipeline.race.oracle import Oracle
from alpha_pipeline.race.planting import PlantLists
from alpha_pipeline.race.running import Stopped, run_arm
from alpha_pipeline.race.settings import RaceSettings
from alpha_pipeline.thresholds import Thresholds
from alpha_pipeline.workers import Work

MEMORY = 512 << 20  # bytes for the engine of a job
LIMITS = Thresholds()

Result = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """A piece of a race.

    Attributes:
        market: its number.
        arm: who runs on it; None to make the market itself.
        lengths: (operators, how often) of a matched arm.
    """

    market: int
    arm: str | None = None
    lengths: tuple[tuple[int, int], ...] = ()

    @property
    def key(self) -> str:
        """Of its files. A matched arm is another job where it is matched to others."""
        name = f"{self.market:03d}-{self.arm or 'market'}"
        if not self.lengths:
            return name
        words = np.array(self.lengths, np.uint32).ravel().tolist()
        return f"{name}-{np.random.SeedSequence(words).generate_state(1)[0]:08x}"


@dataclass(frozen=True)
class Board:
    """A folder through which the processes of a race talk."""

    folder: Path

    def report(self, key: str, spent: float) -> bool:
        """Say how far a job is; True where it should stop."""
        (self.folder / key).write_text(f"{spent:.0f}")
        return self.stopped

    def progress(self) -> int:
        """What all jobs have spent."""
        total = 0
        for path in self.folder.iterdir():
            with suppress(OSError, ValueError):  # just being written
                total += int(path.read_text()) if path.name != "stop" else 0
        return total

    def stop(self) -> None:
        """Have all jobs stop."""
        (self.folder / "stop").touch()

    @property
    def stopped(self) -> bool:
        return (self.folder / "stop").exists()


@dataclass(frozen=True)
class Plan:
    """What all jobs of a race need to know.

    Attributes:
        settings, plants: of the race.
        folder: where its markets are.
        board: see there.
    """

    settings: RaceSettings
    plants: PlantLists
    folder: Path
    board: Board

    def market_folder(self, number: int) -> Path:
        """Of one market; whole once it holds `plants.json`."""
        return self.folder / "markets" / f"{number:03d}"

    def kept(self, job: Job) -> Result | None:
        """The result of a job that was done before; None where there is none, or its market was removed since."""
        if job.arm is None and not (self.market_folder(job.market) / "plants.json").exists():
            return None
        return read_result(self.result_path(job))

    def result_path(self, job: Job) -> Path:
        """Where a job's result is kept."""
        return self.folder / "jobs" / f"{job.key}.json"


def worker(plan: Plan) -> Work[Job, Result | None]:
    """What a process does: each job's result, None for one that was stopped."""
    warmup()  # loading compiled kernels is nobody's CPU time

    def work(jobs: Sequence[Job]) -> Iterator[tuple[int, Result | None]]:
        for position, job in enumerate(jobs):
            yield position, do(plan, job)

    return work


def do(plan: Plan, job: Job) -> Result | None:
    """One job, in this process."""
    if plan.board.stopped:
        return None
    try:
        return _make(plan, job) if job.arm is None else _race(plan, job, job.arm)
    except Exception as error:
        error.add_note(f"While at {job.key}; what is finished is kept.")
        raise


def _make(plan: Plan, job: Job) -> Result:
    """Make a market, and say what it is."""
    settings = plan.settings
    planted = () if settings.null else plan.plants.of_market(job.market)
    market = make_market(settings.market_seed(job.market), settings.instruments, settings.days, planted)
    folder = plan.market_folder(job.market)
    folder.mkdir(parents=True, exist_ok=True)
    market.write(folder)
    with Evaluator(market.panel, threads=1, memory=MEMORY) as evaluator:
        own = Oracle(evaluator, market).plants
    plants = [
        {"expression": plant.expression, "tier": plant.tier, "sharpe": plant.sharpe, "oracle": worth.oracle}
        for plant, worth in zip(planted, own, strict=True)
    ]
    seed = settings.market_seed(job.market)
    return {"market": job.market, "seed": seed, "data_version": market.panel.version, "plants": plants}


def _race(plan: Plan, job: Job, arm: str) -> Result | None:
    """Let an arm run, and judge it."""
    settings, budget = plan.settings, plan.settings.budget
    market = RacedMarket.open(plan.market_folder(job.market))
    with Evaluator(market.panel, threads=1, memory=MEMORY) as evaluator:  # fresh: no arm gains by another's cache
        grammar = grammar_for(evaluator.available, LIMITS, budget.evaluations, settings.days)
        styles = style_profits(evaluator)
        seed = settings.learner_seed(job.market)
        generator = make_arm(arm, Setting(grammar, LIMITS, seed, styles, dict(job.lengths)))
        try:
            with threadpool_limits(1):  # as in worker processes: threads that wait for work cost CPU seconds, too
                run = run_arm(generator, evaluator, budget, lambda spent: plan.board.report(job.key, spent))
        except Stopped:
            return None
        judged = judge(run, Oracle(evaluator, market), LIMITS, budget)
    return {"arm": arm, "market": job.market, **judged}


def write_result(path: Path, result: Result) -> None:
    """Keep a result, all or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")  # the same race may be held twice at once
    partial.write_text(json.dumps(result, allow_nan=False))
    partial.replace(path)


def read_result(path: Path) -> Result | None:
    """A result that was kept; None where there is none.

    Raises:
        BadInput: it is not whole.
    """
    if not path.exists():
        return None
    try:
        held = json.loads(path.read_text())
    except ValueError as error:  # a full disk, a power cut
        raise BadInput(f"it is not whole ({error})", str(path), "delete it: the same command runs it again") from error
    assert isinstance(held, dict)
    return held
