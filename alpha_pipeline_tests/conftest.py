"""Shared fixtures: where the real prices are, and hypothesis settings that suit two shared cores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from alpha_pipeline.market.build import build_from
from alpha_pipeline.market.panel import Panel
from alpha_pipeline.market.sources import open_source

settings.register_profile(
    "house", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("house")
os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real price sets, or a skip: they may not be published with the project."""
    folder = Path(os.environ.get("ALPHA_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "us_daily_2016_2021" / "us_daily_2016_2021.parquet").exists():
        pytest.skip(f"real prices are not at {folder} (set ALPHA_REAL_DATA to their folder)")
    return folder


@pytest.fixture(scope="session")
def small_panel() -> Panel:
    """A synthetic market of 60 instruments × 700 days, under a second to make; 560 days of it are search window."""
    return build_from(open_source("synthetic", seed=11, instruments=60, days=700)).panel


@pytest.fixture(scope="session")
def real_panel(real_data: Path) -> Panel:
    """The real market with sectors, 1,511 days; about five seconds to make."""
    folder = real_data / "us_daily_2016_2021"
    prices = folder / "us_daily_2016_2021.parquet"
    return build_from(open_source("files", prices, groups=folder / "sectors.csv")).panel
