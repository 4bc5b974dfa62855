"""The product behind Dagster's web server and daemon: jobs launched by GraphQL run in processes of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alpha_pipeline_tests.system.server import LOCATIONS, Server, serving

pytestmark = pytest.mark.system

MINED = ["candidate_batch", *(f"stage_{n}" for n in range(1, 9)), "export_set"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with serving(folder / "home", folder / "log.txt") as made:
        yield made


def metadata(run: dict[str, Any], asset: str) -> dict[str, Any]:
    """What an asset recorded in a run: label → text, path or number."""
    entries = next(m["metadataEntries"] for m in run["assetMaterializations"] if m["assetKey"]["path"] == [asset])
    return {entry.pop("label"): next(iter(entry.values()), None) for entry in entries}


def test_the_location_loads(server: Server) -> None:
    found = server.ask(LOCATIONS)
    (location,) = found["workspaceOrError"]["locationEntries"]
    assert location["loadStatus"] == "LOADED"
    assert location["locationOrLoadError"]["__typename"] == "RepositoryLocation", location
    assert len(found["assetNodes"]) == 12


def test_ingest_then_generation(server: Server) -> None:
    """The queue, the launcher, a fresh process each; the export file is there and says SYNTHETIC."""
    months = {
        "dagster/asset_partition_range_start": "2018-01-01",
        "dagster/asset_partition_range_end": "2022-10-01",
    }
    ingested = server.finished(server.launch("ingest", {}, months))
    assert ingested["status"] == "SUCCESS", ingested
    version = metadata(ingested, "cleaned_panel")["data_version"]

    server.add_run("by-graphql")
    config = {"ops": {"candidate_batch": {"config": {"candidates": 96, "seed": 3, "panel": version}}}}
    mined = server.finished(server.launch("generation", config, {"dagster/partition": "by-graphql"}))
    assert mined["status"] == "SUCCESS", mined
    assert len(mined["assetMaterializations"]) == len(MINED)
    assert metadata(mined, "candidate_batch")["proposed"] == 96
    exported = metadata(mined, "export_set")
    rows = json.loads(Path(exported["json"]).read_text())
    assert len(rows) == exported["exported"] > 0
    assert {row["provenance"]["label"] for row in rows} == {"SYNTHETIC"}
    assert {row["provenance"]["data_version"] for row in rows} == {version}


def test_a_run_with_bad_input_fails_and_says_why(server: Server) -> None:
    server.add_run("bad")
    config = {"ops": {"candidate_batch": {"config": {"panel": "0123456789abcdef"}}}}
    run = server.finished(server.launch("generation", config, {"dagster/partition": "bad"}))
    assert run["status"] == "FAILURE"
    assert [step["stepKey"] for step in run["stepStats"] if step["status"] == "FAILURE"] == ["candidate_batch"]
    assert run["assetMaterializations"] == []
