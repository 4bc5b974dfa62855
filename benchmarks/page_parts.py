"""The sections of the performance page, each from the figures of one benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

Found = Mapping[str, Any]
GIB = 2.0**30


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def answers(results: Found) -> str:
    """What users ask."""
    expressions, population, operators = results["expressions"], results["population"], results["operators"]
    alphas, texts = operators["alphas"], operators["texts"]
    single = [[f"`{texts[name]}`", f"{found['1']:.1f}", f"{found['2']:.1f}"] for name, found in alphas.items()]
    mining = results["mining"]
    run = mining.get("real", mining["embedded"])
    market = "real prices, TOP3000" if "real" in mining else "the embedded market of 500 stocks"
    startup, memory, screen = results["startup"], results["memory"], results["screen"]
    return f"""## How fast is an alpha?

Evaluation and backtest of one expression that nobody asked for before; CPU milliseconds on one thread, wall
milliseconds on two.

{table(["expression", "one thread", "two threads"], single)}

The twelve expressions below take {expressions["mean"]["ms"]:.1f} ms on average on {expressions["threads"]} threads.
In a population of {population["expressions"]:,} ({population["mean_operators"]:.1f} operators each), where parts are
shared, an expression costs {population["cpu_ms"]:.1f} ms of processor time and {population["ms"]:.1f} ms of wall time
with {population["threads"]} threads. The screen of stage 4 costs {screen["cpu_ms"]:.2f} ms.

## How many candidates an hour?

**{run["candidates_per_hour"]:,.0f}** through the whole funnel: {run["proposed"]:,} candidates on {market}, of
{run["mean_operators"]:.1f} operators on average; {run["distinct"]:,} are distinct, {run["stages"][5]["in"]:,} reached
stage 6. Proposing, evaluating, judging, Dagster and files included.

## How much memory?

{memory["of"][0].upper() + memory["of"][1:]}, {memory["shape"][1]:,} instruments × {memory["shape"][0]:,} days: at most
{memory["2GiB"] / GIB:.2f} GiB resident with the default budget of 2 GiB for arrays, {memory["1.5GiB"] / GIB:.2f} GiB
with `--memory 1.5GiB`. Pages of the panel's own files count, though the system can drop and share them.

## How soon does it start?

{startup["first_alpha_seconds"]:.2f} s from the start of a process to its first alpha, with kernels compiled before:
{", ".join(f"{name} {seconds:.2f}" for name, seconds in startup["parts"].items())}. `alpha-pipeline warmup` compiles all
kernels once on a machine, which takes about half a minute; where that was done, it ends after
{startup["warmup_again_seconds"]:.2f} s. Without it the first run compiles what it needs and says so.
"""


def expressions(found: Found) -> str:
    """The twelve, beside other engines."""
    present = [peer for peer in found["peers"] if "absent" not in peer]
    rows = [
        [
            f"{row['name']} `{row['expression']}`",
            f"{row['signal_ms']:.1f}",
            f"**{row['ms']:.1f}**",
            *(f"{peer['rows'][row['name']]['ms']:.0f}" for peer in present),
        ]
        for row in found["rows"]
    ]
    mean = found["mean"]
    rows.append(
        [
            "**mean**",
            f"{mean['signal_ms']:.1f}",
            f"**{mean['ms']:.1f}**",
            *(f"{peer['mean_ms']:.0f}" for peer in present),
        ]
    )
    header = ["expression", "signal", "with backtest", *(f"{peer['name']} {peer['version']}" for peer in present)]
    notes = [f"- {peer['name']}: {peer['note']}. {_likeness(peer)}" for peer in present]
    notes += [f"- {peer['name']} was not measured: {peer['absent']}." for peer in found["peers"] if "absent" in peer]
    if not found["peers"]:
        notes = ["- No other engine was measured: `make bench-peers` installs them."]
    return f"""## Twelve expressions, beside other engines

Random panel with missing cells, {found["threads"]} threads, milliseconds; each as if never seen before, though the
fields have been cut into tiles once. Ours with and without backtest; the others signals alone, in the same run.

{table(header, rows)}

{chr(10).join(notes)}

Results are compared on 100 instruments: how many of our values the other engine has too, and how these correlate with
ours within a day (the median day). Ranks and counts of days are scaled differently from engine to engine.
"""


def _likeness(peer: Found) -> str:
    """What of a peer's results differs from ours."""
    rows = peer["rows"].items()
    fewer = [f"{name} {row['filled']:.0%}" for name, row in rows if row["filled"] < 0.95]
    other = [f"{name} {row['likeness']:.2f}" for name, row in rows if row["likeness"] < 0.995]
    told = [f"it has only part of our values ({', '.join(fewer)})"] if fewer else []
    told += [f"its values differ (correlation {', '.join(other)})"] if other else []
    return f"Beside ours, {' and '.join(told)}." if told else "It agrees with ours."


def operators(found: Found) -> str:
    """Each operator, and the backtest."""
    windows = sorted({row["window"] for row in found["operators"] if row["window"]})
    rows: dict[str, dict[int, str]] = {}
    for row in found["operators"]:
        cell = f"{row['engine']:.1f}" + (f" ({row['kernel']:.1f})" if "kernel" in row else "")
        rows.setdefault(row["name"], {})[row["window"] or windows[0]] = cell
    body = [[f"`{name}`", *(cells.get(window, "") for window in windows)] for name, cells in rows.items()]
    tests = [[name, f"{each['copies']:.1f}", f"{each['ms']:.2f}"] for name, each in found["backtest"].items()]
    return f"""## Each operator

One thread, CPU time in multiples of M: as an expression through the engine, and in brackets its kernel alone on whole
matrices. Columns are windows in days; operators without one stand in the first.

{table(["operator", *map(str, windows)], body)}

## The backtest

One thread: book, daily profit, trading and counts of a signal.

{table(["neutralization", "M", "ms"], tests)}
"""


def rank(found: Found) -> str:
    """By distribution."""
    rows = [
        [
            row["name"],
            f"{row['copies']:.1f}",
            f"{row['ms']:.1f}",
            f"{row['sort_ms']:.1f}",
            f"{row['two_threads_ms']:.1f}",
        ]
        for row in found["rows"]
    ]
    return f"""## Exact rank

By kind of signal, to the bit equal to the plain sort beside it.

{table(["signal", "M", "ms", "plain sort, ms", "two threads, ms"], rows)}
"""


def population(found: Found) -> str:
    """Where processor time goes."""
    rows = [
        [row["name"], f"{row['calls']:,}", f"{row['ms_a_call']:.3f}", f"{row['cpu_ms']:.2f}", f"{row['share']:.1%}"]
        for row in found.get("shares", [])
    ]
    return f"""## A population

{found["expressions"]:,} distinct expressions of {found["mean_operators"]:.1f} operators, {found["mean_depth"]:.1f}
deep: generation 3 of the genetic search under random fitness. Of their {found["calls"]:,} operators
{found["distinct_calls"]:,} are distinct. Processor time by kernel and step (in brackets), with clocks on all of them:

{table(["", "calls", "ms a call", "ms an expression", "share"], rows)}
"""


def scaling(found: Found) -> str:
    """The charts."""
    return f"""## Scaling

{found["expressions"]} expressions of the population, with backtest; two threads but in the last chart.
Arrays may take 512 MiB, but 2 GiB in the largest batch.

![Milliseconds an expression by days, instruments, batch size and threads](images/scaling.svg)
"""


def flame(found: Found) -> str:
    """The flame graph."""
    return f"""## Where a mining batch spends its time

{found["samples"]:,} samples of busy threads in the middle of a genetic search; operators are green. Open the
[picture](images/{found["file"]}) by itself to read the shares of its frames.

![Flame graph of a mining batch](images/{found["file"]})
"""


def language(found: Found) -> str:
    """Reading texts."""
    rows = [
        [
            f"{row['count']:,} {row['name']}, {row['characters']:.0f} characters on average",
            *(f"{row[part]:,.0f}" for part in ("parse", "parse_check", "units", "canonical")),
        ]
        for row in found["rows"]
    ]
    return f"""## The language

Texts a second on one core, best of several rounds (the canonical form in one round, since trees are remembered). Bar:
{found["bar"]:,} parsed and checked. The slowest of {found["fuzzed"]:,} mutated texts took
{found["slowest_ms_per_kb"]:.1f} ms per kB to read, check and rewrite.

{table(["texts", "parse", "parse and check", "parse and units", "parse, canonical, print"], rows)}
"""


def mining(found: Found) -> str:
    """Whole runs."""
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
            f"{run['peak_memory'] / GIB:.2f}",
        ]
        for name, run in found.items()
    ]
    header = ["run", "proposed", "out of stage 8", "exported", "export rate", "s", "judging, s", "the rest, s"]
    ended = "\n\n".join(_stages(name, run) for name, run in found.items())
    return f"""## Mining runs

Each in a fresh home, so that pools are empty. Seconds and rates are of the generation run, from its start in Dagster to
the written export: proposing and evaluating, then judging in the eight stages, then the rest, which is Dagster, the
ledger and the files. Exports on the embedded market are SYNTHETIC; the real set holds survivors only, and all figures
are of the search window.

{table([*header, "candidates an hour", "peak GiB"], rows)}

### Where proposals ended

{ended}
"""


def _stages(name: str, run: Found) -> str:
    rows = [
        [
            f"{s['stage']} {s['name']}",
            f"{s['in']:,}",
            f"{s['out']:,}",
            "; ".join(f"{n} {r}" for r, n in s["reasons"].items()),
        ]
        for s in run["stages"]
    ]
    options = " ".join(Path(word).name if "/" in word else word for word in run["options"].split())
    return f"**{name}** (`mine {options}`)\n\n" + table(["stage", "in", "out", "rejected because"], rows)
