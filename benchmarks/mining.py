"""Whole mining runs, as a user types them, each in a process and a home of its own.

    python -m benchmarks.mining [--candidates 2000] [--small 500]

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

from alpha_pipeline.expression import operator_count, parse
from alpha_pipeline.ledger import Lake

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


def proposals(home: Path) -> dict[str, float]:
    """Of everything that was tried in a home: how many texts are distinct, and how long they are."""
    texts = Lake(home / "lake").scan("trials").select("expression").collect()["expression"].to_list()
    return {
        "distinct": len(set(texts)),
        "mean_operators": sum(operator_count(parse(text)) for text in texts) / max(1, len(texts)),
    }


def runs(candidates: int, small: int) -> dict[str, dict[str, Any]]:
    """All runs by name. That of the bars is "real" where the real prices are here, else "embedded"."""
    found: dict[str, dict[str, Any]] = {}

    def add(name: str, home: Path, *options: str) -> None:
        found[name] = row = mine(home, *options) | proposals(home)
        reached = row["stages"][5]["in"] / row["proposed"]
        print(
            f"{name:16} {row['proposed']:6,} proposals of {row['mean_operators']:.1f} operators, "
            f"{reached:.0%} reach stage 6, {row['exported']:3} exported, {row['seconds']:6.1f} s, "
            f"{row['candidates_per_hour']:9,.0f} an hour, {row['peak_memory'] / 2**30:.2f} GiB",
            flush=True,
        )

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        add("embedded", root / "embedded", "--seed", "7")
        add("embedded, random", root / "random", "--seed", "7", "--generator", "random")
        data = real_data()
        if data is None:
            print("the real prices are not here: their runs are left out")
            return found
        prices = ["--source", "files", "--path", str(data / f"{REAL}.parquet"), "--groups", str(data / "sectors.csv")]
        prices += ["--universe", "TOP3000", "--seed", "7"]
        add("real", root / "real", *prices, "--candidates", str(candidates))
        add("real, 1.5GiB", root / "small", *prices, "--candidates", str(small), "--memory", "1.5GiB")
    return found


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--candidates", type=int, default=2000, help="on real prices")
    options.add_argument("--small", type=int, default=500, help="with less memory")
    chosen = options.parse_args()
    print(json.dumps(runs(chosen.candidates, chosen.small)))


if __name__ == "__main__":
    main()
