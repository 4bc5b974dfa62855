"""The cache of compiled code is stale once anything has changed that the code is made of."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from alpha_pipeline import jit

KERNEL = """
import numpy as np
from alpha_pipeline.constant import NUMBER
from alpha_pipeline.jit import njit
from alpha_pipeline.lanes import all_of, sum_of


@njit
def total(number):
    return sum_of(all_of(number)) + NUMBER


print(total(1.5), sum(total.stats.cache_hits.values()))
"""


def test_sources_are_those_that_are_imported_and_theirs() -> None:
    found = {path.relative_to(jit.PACKAGE).as_posix() for path in jit.sources_of(jit.PACKAGE / "backtest/book.py")}
    assert {"backtest/book.py", "backtest/steps.py", "jit.py", "lanes/runs.py", "lanes/words.py"} <= found
    assert not any(name.startswith("engine") for name in found)
    group = {path.stem for path in jit.sources_of(jit.PACKAGE / "engine/kernels/group.py")}
    assert {"rank", "rank_buckets", "avx512"} <= group
    assert not {"running", "elementwise"} & group


def test_a_change_of_what_is_imported_compiles_anew(tmp_path: Path) -> None:
    package = tmp_path / "alpha_pipeline"
    shutil.copytree(jit.PACKAGE / "lanes", package / "lanes", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(jit.PACKAGE / "jit.py", package)
    (package / "__init__.py").write_text("")
    (package / "constant.py").write_text("NUMBER = 1.0")
    (package / "kernel.py").write_text(KERNEL)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def run() -> str:
        command = [sys.executable, "-B", "-m", "alpha_pipeline.kernel"]
        found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, cwd=tmp_path)
        return found.stdout.strip()

    assert run() == "25.0 0"
    assert run() == "25.0 1"
    (package / "constant.py").write_text("NUMBER = 2.0")
    assert run() == "26.0 0"
    assert run() == "26.0 1"
    words = package / "lanes" / "words.py"
    planted = words.read_text().replace("builder.fadd(a, b)", "builder.fsub(a, b)")
    words.write_text(planted)
    assert run() == "2.0 0", "a word is part of the code"
