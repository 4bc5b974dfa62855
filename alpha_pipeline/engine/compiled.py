"""What is compiled on this machine: where numba keeps it, and a record of what a finished warm-up left there.

The record names the machine, the versions and the sources. It saves time and decides nothing else: where it is wrong,
a kernel is compiled when it is first used.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numba

from alpha_pipeline.engine import kernels
from alpha_pipeline.engine.kernels import elementwise

NAME = "warm.json"


def folder() -> Path:
    """Where numba keeps the engine's machine code."""
    functions: list[Any] = [each for each in vars(elementwise).values() if hasattr(each, "stats")]
    return Path(functions[0].stats.cache_path)


def recorded() -> frozenset[str]:
    """Names of what warm-ups compiled here with the present code and machine."""
    try:
        found = json.loads((folder() / NAME).read_text())
        if found["key"] == _key() and found["files"] <= _files():
            return frozenset(found["names"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none, or not one of ours: nothing counts as compiled
    return frozenset()


def record(names: Collection[str]) -> None:
    """Note what a warm-up compiled, or loaded."""
    path = folder() / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"key": _key(), "files": _files(), "names": sorted({*recorded(), *names})}))


def _files() -> int:
    return sum(1 for _ in folder().glob("*.nbc"))


def _key() -> str:
    """Changes whenever numba would compile anew."""
    told = hashlib.sha256()
    parts = [numba.__version__, sys.version, platform.machine(), llvm.get_host_cpu_name()]
    parts.append(llvm.get_host_cpu_features().flatten())
    package = Path(kernels.__path__[0]).parents[1]
    folders = ("engine/kernels", "backtest", "lanes")
    for source in sorted([package / "jit.py", *(path for each in folders for path in package.glob(f"{each}/*.py"))]):
        stat = source.stat()
        parts.append(f"{source} {stat.st_mtime_ns} {stat.st_size}")
    for part in parts:
        told.update(part.encode() + b"\0")
    return told.hexdigest()
