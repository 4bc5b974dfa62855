"""The process in which one peer is timed: `python -m benchmarks.peers.worker MODULE FOLDER THREADS ROUNDS`.

Imports nothing of ours but the list of expressions, so that peak memory is the peer's own.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.twelve import FIELDS


def main() -> None:
    module, folder, threads, rounds = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    fields = {name: np.load(folder / f"{name}.npy") for name in FIELDS}
    columns = np.load(folder / "columns.npy")
    (folder / module).mkdir(exist_ok=True)
    rows: dict[str, Any] = {}
    began = time.perf_counter()
    runners = importlib.import_module(f"benchmarks.peers.{module}").runners(fields, threads)
    prepared = time.perf_counter() - began
    for name, (run, matrix) in runners.items():
        with np.errstate(all="ignore"):
            began = time.perf_counter()
            result = run()
            times = [time.perf_counter() - began]
            for _ in range(rounds):
                began = time.perf_counter()
                run()
                times.append(time.perf_counter() - began)
        rows[name] = {"ms": 1e3 * min(times)}
        np.save(folder / module / f"{name}.npy", np.ascontiguousarray(matrix(result)[:, columns], dtype=np.float32))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    mean = float(np.mean([row["ms"] for row in rows.values()]))
    print(json.dumps({"rows": rows, "mean_ms": mean, "prepared_seconds": prepared, "peak_memory": peak}))


if __name__ == "__main__":
    main()
