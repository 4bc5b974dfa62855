"""Puts assets, jobs and resources together; tests and faces can hand in their own workbench."""

from __future__ import annotations

import dagster as dg

from alpha_pipeline.orchestration.assets.export import export_set
from alpha_pipeline.orchestration.assets.generation import candidate_batch
from alpha_pipeline.orchestration.assets.market import cleaned_panel, raw_prices
from alpha_pipeline.orchestration.assets.validation import build_stage_assets
from alpha_pipeline.orchestration.io_manager import LakeIOManager
from alpha_pipeline.orchestration.new_runs import add_generation_runs
from alpha_pipeline.orchestration.workbench import Workbench
from alpha_pipeline.settings import load_settings


def build_definitions(workbench: Workbench | None = None) -> dg.Definitions:
    """The code location.

    Args:
        workbench: what the assets work with; by default one of the settings in the environment.
    """
    workbench = workbench or Workbench(load_settings())
    market = [raw_prices, cleaned_panel]
    mining = [candidate_batch, *build_stage_assets(), export_set]
    return dg.Definitions(
        assets=[*market, *mining],
        jobs=[
            dg.define_asset_job(
                "ingest", selection=dg.AssetSelection.assets(*market), description="Read prices and build the panel."
            ),
            dg.define_asset_job(
                "generation",
                selection=dg.AssetSelection.assets(*mining),
                description="One generation run: propose, judge in eight stages, export.",
            ),
            add_generation_runs,
        ],
        resources={"workbench": workbench, "io_manager": LakeIOManager(workbench.lake)},
        # One process a run: a process per step costs 1.3 s each, and the evaluator's trials would be lost between them.
        executor=dg.in_process_executor,
    )
