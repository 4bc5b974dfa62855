"""What Dagster sees: a snapshot of every asset, and that the code location loads from workspace.yaml."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import yaml

from alpha_pipeline.orchestration.build import build_definitions
from alpha_pipeline.orchestration.workbench import Workbench
from alpha_pipeline.settings import load_settings

REPOSITORY = Path(__file__).resolve().parents[2]

# asset: (what it reads, group, partitions, checks)
STAGES = ["syntax", "types", "complexity", "execution", "finite", "correlation", "performance", "export"]
RUN = "generation_run"
EXPECTED: dict[str, tuple[list[str], str, str | None, list[str]]] = {
    "raw_prices": ([], "market", "month", []),
    "cleaned_panel": (["raw_prices"], "market", None, []),
    "candidate_batch": (["cleaned_panel"], "generation", RUN, []),
    **{
        f"stage_{n}_{name}": (
            [f"stage_{n - 1}_{STAGES[n - 2]}" if n > 1 else "candidate_batch"],
            "validation",
            RUN,
            ["contract", "survivors"],
        )
        for n, name in enumerate(STAGES, start=1)
    },
    "export_set": (["stage_8_export"], "export", RUN, []),
}


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    return build_definitions(Workbench(load_settings(home=tmp_path_factory.mktemp("home"))))


def test_the_asset_graph(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    found = {}
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        partitions = node.partitions_def
        kind = (
            None
            if partitions is None
            else partitions.name
            if isinstance(partitions, dg.DynamicPartitionsDefinition)
            else "month"
        )
        checks = sorted(check.name for check in node.check_keys)
        found[key.path[-1]] = (sorted(parent.path[-1] for parent in node.parent_keys), node.group_name, kind, checks)
    assert found == EXPECTED


def test_the_jobs_run_in_one_process(definitions: dg.Definitions) -> None:
    for name in ("ingest", "generation"):
        assert definitions.resolve_job_def(name).executor_def.name == "in_process"


def test_the_location_is_loadable(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_workspace_names_a_module_that_exists() -> None:
    workspace = yaml.safe_load((REPOSITORY / "workspace.yaml").read_text())
    assert workspace["load_from"][0]["python_module"]["module_name"] == "alpha_pipeline.definitions"
