"""What Dagster loads: `dagster dev -w workspace.yaml`, or `alpha-pipeline ui`."""

import dagster as dg

from alpha_pipeline.orchestration.build import build_definitions


@dg.definitions
def defs() -> dg.Definitions:
    """The code location, with the settings of the environment."""
    return build_definitions()
