"""One small market mined once: 60 instruments × 700 days, 96 candidates, in a home of its own."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from alpha_pipeline.market.sources import open_source
from alpha_pipeline.orchestration.launch import Finished, Launcher
from alpha_pipeline.orchestration.workbench import Workbench
from alpha_pipeline.settings import load_settings

SMALL = partial(open_source, seed=11, instruments=60, days=700)


def small_launcher(home: Path, **settings: Any) -> Launcher:
    """A launcher on a small synthetic market and a home of its own."""
    values = {"candidates": 96, "seed": 5, "memory": "512MiB"} | settings
    return Launcher(Workbench(load_settings(home=home, **values), opener=SMALL))


@pytest.fixture(scope="session")
def mined(tmp_path_factory: pytest.TempPathFactory) -> tuple[Launcher, str, Finished]:
    """(launcher, generation run, what the job recorded)."""
    launcher = small_launcher(tmp_path_factory.mktemp("home"))
    version, ingested = launcher.ensure_panel()
    assert ingested is not None
    key = launcher.new_run()
    return launcher, key, launcher.generate(key, version)
