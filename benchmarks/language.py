"""How fast the language is read: typical expressions parsed and checked on one core, and the slowest mutated text."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from alpha_pipeline.expression import (
    ExpressionError,
    canonical,
    check,
    operators_of,
    parse,
    parse_text,
    to_text,
    unit_warning,
)
from alpha_pipeline.expression.profiles import PROFILES
from alpha_pipeline.generate import make_generator
from alpha_pipeline_tests.expression.test_fuzz import read, texts
from alpha_pipeline_tests.expression.test_programs import PROGRAMS

FIELDS = ["open", "high", "low", "close", "volume", "vwap", "returns", "cap", "sector", "industry", "subindustry"]
BAR = 5_000  # expressions parsed and checked a second, on one core
FUZZED = 20_000


def rate(work: Callable[[str], Any], given: Sequence[str], rounds: int = 7) -> float:
    """Texts a second; the best of several rounds over all of them."""
    best = np.inf
    for _ in range(rounds):
        begun = time.perf_counter()
        for text in given:
            work(text)
        best = min(best, time.perf_counter() - begun)
    return len(given) / float(best)


def type_checks(text: str) -> bool:
    try:
        check(parse_text(text), runs_here=False)
    except ExpressionError:
        return False
    return True


def slowest() -> float:
    """Milliseconds per kB (at least one is counted) of the slowest of many mutated texts, each timed three times."""
    worst = 0.0
    for text in texts(np.random.default_rng(99), FUZZED):
        spent = np.inf
        for _ in range(3):
            begun = time.perf_counter()
            read(text)
            spent = min(spent, time.perf_counter() - begun)
        worst = max(worst, 1000 * float(spent) / max(1.0, len(text) / 1000))
    return worst


def main() -> None:
    public = [text for text in PROGRAMS if type_checks(text)]
    sampled = [to_text(node) for node in make_generator("random", 1, FIELDS).ask(2_000)]
    rows = []
    for name, given in (("public programs", public), ("expressions of the search", sampled)):
        row = {
            "name": name,
            "count": len(given),
            "characters": float(np.mean([len(text) for text in given])),
            "parse": rate(parse_text, given),
            "parse_check": rate(lambda text: check(parse_text(text), runs_here=False), given),
            "units": rate(lambda text: unit_warning(parse(text)), given),
            "canonical": rate(lambda text: to_text(canonical(parse(text))), given, rounds=1),
        }
        rows.append(row)
        print(f"{name}: {row['parse_check']:,.0f} parsed and checked a second (bar {BAR:,})", flush=True)
    found = {
        "rows": rows,
        "bar": BAR,
        "fuzzed": FUZZED,
        "slowest_ms_per_kb": slowest(),
        "operators": {profile: len(operators_of(profile)) for profile in PROFILES},
    }
    print(f"slowest of {FUZZED:,} mutated texts: {found['slowest_ms_per_kb']:.2f} ms per kB")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
