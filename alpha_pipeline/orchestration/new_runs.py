"""A job that adds generation runs as partitions, for those who start runs by Dagster's own commands.

`alpha-pipeline mine` and the UI's "Add a partition" do it by themselves; `dagster asset materialize --partition` and
`dagster job backfill --partitions` take only keys that exist:

    dagster job launch -w workspace.yaml -j add_generation_runs \\
        --config-json '{"ops": {"add_partitions": {"config": {"keys": ["run-a", "run-b"]}}}}'
    dagster job backfill -w workspace.yaml -j generation --partitions run-a,run-b --noprompt
"""

# No `from __future__ import annotations`: Dagster reads the annotations themselves.
import dagster as dg

from alpha_pipeline.ledger.lake import check_key
from alpha_pipeline.orchestration.partitions import GENERATION_RUNS


class NewRuns(dg.Config):
    """Keys of the runs to add: lower-case letters, digits, `-` and `_`."""

    keys: list[str]


@dg.op
def add_partitions(context: dg.OpExecutionContext, config: NewRuns) -> None:
    """Add the keys to the partitions `generation_run`; those that exist stay as they are."""
    for key in config.keys:
        check_key("generation_run", key)
    context.instance.add_dynamic_partitions(str(GENERATION_RUNS.name), config.keys)


@dg.job(executor_def=dg.in_process_executor)
def add_generation_runs() -> None:
    """Add generation runs, to be mined by `dagster asset materialize --partition` or a backfill."""
    add_partitions()
