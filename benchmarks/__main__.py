"""Measure everything that is claimed about speed, and write docs/performance.md from it: `make bench`."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"


MINING_NOTE = """## Mining runs

Each in a fresh home, so that pools are empty, but for the second run. Seconds and rates are of the generation run, from
its start in Dagster to the written export: proposing and evaluating, then judging in the eight stages, then the rest,
which is Dagster, the ledger and the files. Exports on the embedded market are SYNTHETIC; the real set holds survivors
only, and all figures are of the search window.
"""


def measure(module: str) -> dict[str, Any]:
    """Run one benchmark in a process of its own, show what it prints, and return its JSON object."""
    print(f"== {module}", flush=True)
    process = subprocess.Popen([sys.executable, "-m", module], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    last = ""
    for line in process.stdout:
        last = line
        if not line.startswith("{"):
            print(line, end="", flush=True)
    if process.wait():
        raise SystemExit(f"{module} failed")
    found: dict[str, Any] = json.loads(last)
    return found


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def engine_section(engine: dict[str, Any]) -> str:
    days, instruments = engine["shape"]
    rows = [
        [f"{r['name']} `{r['expression']}`", f"{r['ms']:.1f}", f"{r['bottleneck_ms']:.0f}", f"{r['ratio']:.1f}"]
        for r in engine["rows"]
    ]
    mean = ["**mean**", f"**{engine['mean_ms']:.1f}**", f"{engine['bottleneck_mean_ms']:.0f}", f"{engine['ratio']:.1f}"]
    operators = [
        [f"`{name}`", *(f"{spent[w]:.1f}" if w in spent else "" for w in ("20", "252"))]
        for name, spent in engine["operators"].items()
    ]
    return f"""## Twelve expressions

{days} days × {instruments:,} instruments, random panel with missing cells, {engine["threads"]} threads. Ours is
evaluation **and** backtest, nothing cached between expressions; bottleneck (with NumPy) is the signal alone on one
thread, in the same run. Milliseconds, best of several. Bar: mean ≤ {engine["bar_ms"]:.0f} ms.

{table(["expression", "ours, with backtest", "bottleneck", "times faster"], [*rows, mean])}

## Each operator

One thread, in multiples of M, one copy of a float32 panel ({engine["copy_ms"]:.2f} ms here); windows of 20 and 252
days.

{table(["operator", "20", "252"], operators)}
"""


def language_section(language: dict[str, Any]) -> str:
    rows = [
        [
            f"{r['count']:,} {r['name']}, {r['characters']:.0f} characters on average",
            *(f"{r[part]:,.0f}" for part in ("parse", "parse_check", "units", "canonical")),
        ]
        for r in language["rows"]
    ]
    return f"""## The language

Texts a second on one core, best of several rounds (the canonical form in one round, since trees are remembered). Bar:
{language["bar"]:,} parsed and checked. The slowest of {language["fuzzed"]:,} mutated texts took
{language["slowest_ms_per_kb"]:.1f} ms per kB to read, check and rewrite.

{table(["texts", "parse", "parse and check", "parse and units", "parse, canonical, print"], rows)}
"""


def mining_section(mining: dict[str, Any]) -> str:
    rows = [
        [
            name,
            f"{run['proposed']:,}",
            str(run["stages"][-1]["out"]),
            str(run["exported"]),
            f"{run['export_rate']:.1%}",
            f"{run['seconds']:.0f}",
            f"{run['judging_seconds']:.1f}",
            f"{run['seconds'] - run['mining_seconds'] - run['judging_seconds']:.1f}",
            f"{run['candidates_per_hour']:,.0f}",
            f"{run['peak_memory'] / 2**30:.2f}",
        ]
        for name, run in mining.items()
    ]
    header = ["run", "proposed", "out of stage 8", "exported", "export rate", "s", "judging, s", "the rest, s"]
    sections = [
        MINING_NOTE,
        table([*header, "candidates an hour", "peak GiB"], rows),
        "\n### Where proposals ended\n",
    ]
    for name, run in mining.items():
        stages = [
            [
                f"{s['stage']} {s['name']}",
                f"{s['in']:,}",
                f"{s['out']:,}",
                "; ".join(f"{n} {r}" for r, n in s["reasons"].items()),
            ]
            for s in run["stages"]
        ]
        sections.append(
            f"\n**{name}** (`mine {options_of(run)}`)\n\n" + table(["stage", "in", "out", "rejected because"], stages)
        )
    return "\n".join(sections) + "\n"


def options_of(run: dict[str, Any]) -> str:
    """The options as typed, without this machine's folders."""
    return " ".join(Path(word).name if "/" in word else word for word in run["options"].split())


def main() -> None:
    language, engine = measure("benchmarks.language"), measure("benchmarks.engine")
    mining = measure("benchmarks.mining")
    PAGE.write_text(
        f"""# Performance

Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}; every figure is from that one run.
Machine: {engine["machine"]}.

{language_section(language)}
{engine_section(engine)}
{mining_section(mining)}"""
    )
    print(f"wrote {PAGE}")


if __name__ == "__main__":
    main()
