"""Whole mining runs, as a user types them, each in a process and a home of its own.

    python -m benchmarks.mining [--candidates-real 2000]

The embedded market always; the real prices where ALPHA_REAL_DATA (or ../shared/data) has them. Every figure comes from
the JSON object that the command prints. The last line is one JSON object with all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
REAL = "us_daily_2016_2021"


def real_data() -> Path | None:
    """The folder of the real price set, if it is on this machine."""
    folder = Path(os.environ.get("ALPHA_REAL_DATA", REPOSITORY.parent / "shared" / "data")) / REAL
    return folder if (folder / f"{REAL}.parquet").exists() else None


def mine(home: Path, *options: str) -> dict[str, Any]:
    """One `mine` in a process of its own: its JSON object, and the wall time from start to end."""
    program = Path(sys.executable).with_name("alpha-pipeline")
    command = [str(program), "mine", "--json", "--home", str(home), *options]
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | {"wall_seconds": time.perf_counter() - begun, "options": " ".join(options)}


def runs(real_candidates: int) -> dict[str, dict[str, Any]]:
    """All runs by name."""
    found: dict[str, dict[str, Any]] = {}

    def add(name: str, home: Path, *options: str) -> None:
        found[name] = mine(home, *options)
        row = found[name]
        print(
            f"{name:28} {row['proposed']:6,} proposals, {row['exported']:3} exported, {row['seconds']:7.1f} s, "
            f"{row['candidates_per_hour']:9,.0f} an hour, {row['peak_memory'] / 2**30:.2f} GiB",
            flush=True,
        )

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        add("embedded, first run", root / "embedded")
        add("embedded, second run", root / "embedded")
        add("embedded, genetic", root / "genetic", "--seed", "7")
        add("embedded, random", root / "random", "--seed", "7", "--generator", "random")
        data = real_data()
        if data is None:
            print("the real prices are not here: their runs are left out")
            return found
        prices = ["--source", "files", "--path", str(data / f"{REAL}.parquet"), "--groups", str(data / "sectors.csv")]
        prices += ["--universe", "TOP3000", "--seed", "7"]
        add("real, genetic, 500", root / "real-500", *prices, "--candidates", "500")
        add("real, random, 500", root / "real-random", *prices, "--candidates", "500", "--generator", "random")
        many = [*prices, "--candidates", str(real_candidates)]
        add(f"real, genetic, {real_candidates}", root / "real", *many)
        add("the same with 1.5GiB", root / "small", *many, "--memory", "1.5GiB")
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--candidates-real", type=int, default=2000)
    print(json.dumps(runs(options.parse_args().candidates_real)))


if __name__ == "__main__":
    main()
