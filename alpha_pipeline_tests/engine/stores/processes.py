"""Starting `worker` in processes of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import numpy as np

FEW_SECONDS = 60


def start(where: str, budget: int, seed: int, rounds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "alpha_pipeline_tests.engine.stores.worker", where, str(budget), str(seed)]
    return subprocess.Popen(
        [*command, str(rounds)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    )


def finished(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The counts of a worker that ends by itself."""
    output, errors = process.communicate(timeout=FEW_SECONDS)
    assert process.returncode == 0, errors
    counts: dict[str, Any] = json.loads(output.splitlines()[-1])
    return counts


def killed_at_work(where: str, budget: int, seed: int) -> None:
    """Start a worker and kill it, as kill -9 does, while it reads and writes."""
    process = start(where, budget, seed, 0)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "going\n"
        time.sleep(float(np.random.default_rng(seed).uniform(0.01, 0.2)))
    finally:
        process.kill()
        _, errors = process.communicate()
    assert "Error" not in errors, errors
