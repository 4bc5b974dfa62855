"""Runs Dagster's jobs in this process: what `alpha-pipeline mine` and `ingest` do, and what tests call."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from dagster import AssetKey, DagsterInstance, Definitions
from dagster._core.instance.ref import InstanceRef
from filelock import FileLock

from alpha_pipeline.errors import BadInput
from alpha_pipeline.orchestration.assets.market import ingest_key
from alpha_pipeline.orchestration.build import build_definitions
from alpha_pipeline.orchestration.learning import JOURNAL
from alpha_pipeline.orchestration.partitions import FIRST_MONTH, GENERATION_RUNS
from alpha_pipeline.orchestration.records import file_name
from alpha_pipeline.orchestration.workbench import Workbench

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

# Dagster would put a `tee` process behind stdout and stderr of every step: no terminal to draw on, and one that dies of
# the terminal's Ctrl-C while the step goes on.
UNCAPTURED: dict[str, Any] = {
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    }
}


@dataclass(frozen=True)
class Finished:
    """A job that ran to its end: per asset, the metadata it recorded."""

    run_id: str
    metadata: dict[str, dict[str, Any]]


class Launcher:
    """Runs jobs against the Dagster instance of a home, so that the UI shows them too.

    Args:
        workbench: its home holds the instance.
    """

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench

    @cached_property
    def instance(self) -> DagsterInstance:
        """The home's Dagster instance; made at the first need, so that bad input leaves nothing behind."""
        os.environ["DAGSTER_HOME"] = str(self.workbench.home.dagster)
        os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
        folder = self.workbench.home.dagster
        with FileLock(folder / "instance.lock"):  # two first starts at once would both make Dagster's database
            return DagsterInstance.from_ref(InstanceRef.from_dir(str(folder), overrides=UNCAPTURED))

    @cached_property
    def definitions(self) -> Definitions:
        """The assets and jobs, working with this workbench."""
        return build_definitions(workbench=self.workbench)

    def ensure_panel(self) -> tuple[str, Finished | None]:
        """The panel of the settings' prices: the one made from them before, or a fresh ingest. It becomes current."""
        settings, home = self.workbench.settings, self.workbench.home
        source = self.workbench.source(settings.source, settings.path, settings.groups, settings.events)
        version = home.remembered(ingest_key(source, settings.groups, settings.events, settings.universe, settings))
        if version is None:
            finished = self.ingest()
            return str(finished.metadata["cleaned_panel"]["data_version"]), finished
        home.make_current(version)
        return version, None

    def ingest(self) -> Finished:
        """Read all months of the settings' source and make the panel."""
        settings = self.workbench.settings
        source = self.workbench.source(settings.source, settings.path, settings.groups, settings.events)
        first, last = source.months()
        self._check_months(first, last)
        config = {
            name: value
            for name in ("source", "path", "groups", "events", "universe")
            if (value := getattr(settings, name)) is not None
        }
        return self._execute(
            "ingest",
            {name: {"config": config} for name in ("raw_prices", "cleaned_panel")},
            tags={RANGE_START: f"{first:%Y-%m}-01", RANGE_END: f"{last:%Y-%m}-01"},
        )

    @staticmethod
    def _check_months(first: date, last: date) -> None:
        if first < date.fromisoformat(FIRST_MONTH) or last > date.today():
            mend = "correct the dates or cut the files to that range"
            raise BadInput(f"there are days outside {FIRST_MONTH} to today", f"prices from {first} to {last}", mend)

    def new_run(self) -> str:
        """The key of a new generation run, `run-0001` and so on, added as a partition.

        Runs that the lake remembers count too: who deletes the Dagster instance must not write over their exports.
        """
        with FileLock(self.workbench.home.root / "runs.lock"):
            name = str(GENERATION_RUNS.name)
            held = [*self.instance.get_dynamic_partitions(name), *self.workbench.recorded_runs()]
            numbers = [int(m.group(1)) for key in held if (m := re.fullmatch(r"run-(\d+)", key))]
            key = f"run-{max(numbers, default=0) + 1:04d}"
            self.instance.add_dynamic_partitions(name, [key])
        return key

    def generate(self, key: str, panel: str) -> Finished:
        """Mine, validate and export one generation run."""
        settings = self.workbench.settings
        config = {"generator": settings.generator, "candidates": settings.candidates, "panel": panel}
        given = {"seed": settings.seed, "start_from": settings.start_from, "critic": settings.critic or None}
        config |= {name: value for name, value in given.items() if value is not None}
        return self._execute("generation", {"candidate_batch": {"config": config}}, partition_key=key)

    def resume(self, key: str) -> Finished:
        """Go on with a generation run that was interrupted, from its first batch that was not evaluated.

        Raises:
            BadInput: it was never started, it is finished, or other code is installed now.
        """
        run, home = self.workbench.resume(key), self.workbench.home
        exported = (home.exports / f"{file_name(key, run.panel.info)}.json").exists()
        if exported and not (home.run_folder(key) / JOURNAL / run.record.pins).exists():
            raise BadInput("nothing is left of it to do", f"generation run {key}", "start a new run")
        return self._execute("generation", {"candidate_batch": {"config": {"resume": True}}}, partition_key=key)

    def _execute(self, job: str, ops: dict[str, Any], **options: Any) -> Finished:
        result = self.definitions.resolve_job_def(job).execute_in_process(
            run_config={**QUIET, "ops": ops}, instance=self.instance, **options
        )
        metadata: dict[str, dict[str, Any]] = {}
        for event in result.get_asset_materialization_events():
            materialization = event.step_materialization_data.materialization
            metadata[_name(materialization.asset_key)] = {k: v.value for k, v in materialization.metadata.items()}
        return Finished(result.run_id, metadata)


def _name(key: AssetKey) -> str:
    return key.path[-1]
