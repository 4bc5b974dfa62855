"""Only some months of raw prices: the panel is made of them, says so, and is not taken for all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest

from alpha_pipeline.errors import BadInput
from alpha_pipeline.orchestration.launch import QUIET, RANGE_END, RANGE_START, Launcher
from alpha_pipeline_tests.orchestration.conftest import small_launcher


def materialize(launcher: Launcher, asset: str, first: str = "", last: str = "") -> dict[str, Any]:
    result = launcher.definitions.resolve_job_def("ingest").execute_in_process(
        run_config=QUIET,
        instance=launcher.instance,
        asset_selection=[dg.AssetKey(asset)],
        tags={RANGE_START: f"{first}-01", RANGE_END: f"{last}-01"} if first else None,
    )
    found = result.asset_materializations_for_node(asset)[0]
    return {name: value.value for name, value in found.metadata.items()}


def test_a_panel_of_some_months(tmp_path: Path) -> None:
    launcher = small_launcher(tmp_path)
    held = materialize(launcher, "raw_prices", "2018-03", "2018-05")
    panel = materialize(launcher, "cleaned_panel")
    assert (held["months"], panel["months"], panel["whole"]) == (3, 3, False)
    dates = launcher.workbench.home.panel().dates
    assert set(dates.astype("datetime64[M]")) == {np.datetime64(f"2018-0{month}") for month in (3, 4, 5)}

    version, ingested = launcher.ensure_panel()
    assert ingested is not None, "the part was taken for the whole"
    assert ingested.metadata["cleaned_panel"]["whole"]
    assert version != panel["data_version"]
    assert launcher.ensure_panel() == (version, None)

    again = materialize(launcher, "raw_prices", "2018-03", "2018-03")
    assert again["rows"] == held["rows_by_month"].records[0].data["rows"]
    assert materialize(launcher, "cleaned_panel")["data_version"] == version, "a month read again changes nothing"


def test_a_month_missing_between_others_is_refused(tmp_path: Path) -> None:
    launcher = small_launcher(tmp_path)
    with pytest.raises(BadInput, match="no month of raw prices is held"):
        materialize(launcher, "cleaned_panel")
    materialize(launcher, "raw_prices", "2018-01", "2018-02")
    materialize(launcher, "raw_prices", "2018-04", "2018-04")
    with pytest.raises(BadInput, match="2018-03 are missing between others"):
        materialize(launcher, "cleaned_panel")
    assert launcher.workbench.home.current is None


def test_months_the_source_does_not_have_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no prices from 2016-01 to 2016-03"):
        materialize(small_launcher(tmp_path), "raw_prices", "2016-01", "2016-03")
