"""Other engines beside ours on the same data: each in a process of its own, with a time limit.

PEERS       name → how it is run; optional: what is not installed is said to be absent
run_peer    times one, and holds its results against ours
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

SECONDS = 75
"""Time limit of one peer over all expressions."""


@dataclass(frozen=True)
class Peer:
    """An engine to compare with.

    Attributes:
        module: of this package; has `runners(fields, threads)`.
        distribution: what must be installed.
        threads: at most so many, of those asked for.
        note: what a reader of its figures must know.
    """

    module: str
    distribution: str
    threads: int
    note: str


PEERS = {
    "KunQuant": Peer("kunquant", "KunQuant", 64, "compiles each expression with g++ first, which is not counted"),
    "py-alpha-lib": Peer("py_alpha_lib", "py-alpha-lib", 64, "its Rust module called directly; float64"),
    "polars_ta": Peer("polars_ta", "polars_ta", 64, "operator by operator, in long format"),
    "bottleneck": Peer("bottleneck", "bottleneck", 1, "with NumPy for what it lacks; one thread"),
}


def version(peer: Peer) -> str | None:
    """The installed version, None where it is not installed."""
    try:
        return importlib.metadata.version(peer.distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def run_peer(name: str, folder: Path, threads: int, rounds: int) -> dict[str, Any]:
    """Milliseconds by expression, and what its results are like beside ours.

    Args:
        folder: holds `<field>.npy`, float32 [dates, instruments], and `ours/<expression>.npy` of the columns in
            `columns.npy`; the peer's results are written beside.
    """
    peer = PEERS[name]
    installed = version(peer)
    if installed is None:
        return {"name": name, "absent": f"{peer.distribution} is not installed"}
    threads = min(threads, peer.threads)
    command = [sys.executable, "-m", "benchmarks.peers.worker", peer.module, str(folder), str(threads), str(rounds)]
    limits = dict.fromkeys(("POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS"), str(threads))
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, env=os.environ | limits, check=False
        )
    except subprocess.TimeoutExpired:
        return {"name": name, "absent": f"took more than {SECONDS} s"}
    if done.returncode:
        return {"name": name, "absent": f"failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    for expression, row in found["rows"].items():
        row |= compare(
            np.load(folder / peer.module / f"{expression}.npy"), np.load(folder / "ours" / f"{expression}.npy")
        )
    return {"name": name, "version": installed, "threads": threads, "note": peer.note, **found}


def compare(theirs: npt.NDArray[np.float32], ours: npt.NDArray[np.float32]) -> dict[str, float]:
    """How much of ours they have a value for, and how alike those are: the median over days of their correlation.

    The first 300 days are left out. A correlation, as engines scale ranks and count days differently.
    """
    theirs, ours = theirs[300:], ours[300:]
    held = np.isfinite(ours)
    both = held & np.isfinite(theirs)
    likeness = []
    for x, y, common in zip(theirs, ours, both, strict=True):
        if common.sum() > 10 and x[common].std() > 0 and y[common].std() > 0:
            likeness.append(np.corrcoef(x[common].astype(np.float64), y[common].astype(np.float64))[0, 1])
    filled = float(both.sum() / max(1, held.sum()))
    return {"filled": filled, "likeness": float(np.median(likeness)) if likeness else 0.0}
