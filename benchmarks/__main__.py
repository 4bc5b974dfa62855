"""Measure everything that is claimed about speed: `make bench`.

    python -m benchmarks [--only operators,rank]

Each benchmark runs in a process of its own, one after the other. Then the bars are printed and written to
build/bench.json, and docs/performance.md is written; with `--only`, the bars of those benchmarks are printed and
nothing is written.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import bars, page
from benchmarks.timing import machine

MODULES = (
    "startup",
    "operators",
    "rank",
    "expressions",
    "population",
    "screen",
    "scaling",
    "language",
    "flame",
    "mining",
)
BUILD = Path(__file__).resolve().parents[1] / "build"


def measure(module: str) -> Any:
    """Run one benchmark in a process of its own, show what it prints, and return its JSON object."""
    print(f"\n== {module}", flush=True)
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", f"benchmarks.{module}"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    last = ""
    for line in process.stdout:
        last = line
        if not line.startswith("{"):
            print(line, end="", flush=True)
    if process.wait():
        raise SystemExit(f"{module} failed")
    print(f"   ({time.monotonic() - began:.0f} s)", flush=True)
    return json.loads(last)


def memory(results: dict[str, Any]) -> Any:
    """Peaks by budget: of mining the real prices where they are, else of a synthetic market of that size."""
    mining = results["mining"]
    if "real" not in mining:
        return measure("memory")
    return {
        "shape": [1511, 3000],
        "of": "mining the real prices",
        "2GiB": mining["real"]["peak_memory"],
        "1.5GiB": mining["real, 1.5GiB"]["peak_memory"],
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--only", help=f"some of {','.join(MODULES)}")
    chosen = options.parse_args()
    wanted = chosen.only.split(",") if chosen.only else list(MODULES)
    if unknown := sorted(set(wanted) - set(MODULES)):
        options.error(f"no benchmark {', '.join(unknown)}")
    began = time.monotonic()
    busy = os.getloadavg()[0]
    if busy > 0.5:
        print(f"this machine is busy: {busy:.1f} processes on average want to run; figures will suffer", flush=True)
    results: dict[str, Any] = {}
    for module in wanted:
        results[module] = measure(module)
    if "mining" in results:
        results["memory"] = memory(results)
    found = bars.rows(results)
    print(f"\n{bars.printed(found)}")
    seconds = time.monotonic() - began
    if chosen.only:
        return
    BUILD.mkdir(exist_ok=True)
    about = {"machine": machine(), "busy": busy, "seconds": seconds}
    (BUILD / "bench.json").write_text(json.dumps({**about, "rows": [row.to_dict() for row in found]}, indent=1) + "\n")
    (BUILD / "bench-figures.json").write_text(json.dumps(results) + "\n")
    print(f"wrote {page.write(results, about)} and {BUILD / 'bench.json'} after {seconds / 60:.1f} minutes")


if __name__ == "__main__":
    main()
