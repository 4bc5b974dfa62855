"""`warmup`: compile for this machine what evaluating needs, once, so that nothing else waits for it."""

from __future__ import annotations

import argparse
import threading
import time

import numpy as np

from alpha_pipeline.backtest.simulate import weights
from alpha_pipeline.cli.display import DONE, INTERRUPTED, emit, say, show
from alpha_pipeline.cli.interrupt import interruptible
from alpha_pipeline.engine import compiled
from alpha_pipeline.engine.warmup import ensure_warm
from alpha_pipeline.evaluator import Evaluator
from alpha_pipeline.expression import parse
from alpha_pipeline.market.panel import Panel, PanelInfo

DAYS, INSTRUMENTS = 40, 6


def backtest() -> None:
    """Everything around a signal, on a market of next to nothing."""
    random = np.random.default_rng(0)
    close = random.lognormal(3, 0.1, (DAYS, INSTRUMENTS)).astype(np.float32)
    panel = Panel.assemble(
        np.datetime64("2020-01-01") + np.arange(DAYS),
        [f"S{number}" for number in range(INSTRUMENTS)],
        {"close": close},
        PanelInfo(market_id="warm-up", market="warm-up", source="synthetic", synthetic=True, universe="TOP6"),
    )
    evaluator = Evaluator(panel)
    evaluator.evaluate(parse("rank(close)"))
    weights(close, panel, evaluator.settings, 0)


def warmup(options: argparse.Namespace) -> int:
    """Compile, telling what, or say that it was done before."""
    begun = time.perf_counter()
    told: list[str] = []

    def tell(message: str) -> None:
        told.append(message)
        say(message)

    stop = threading.Event()  # not an exception: numba loses one that comes while it compiles, and fails later
    everything = not options.searched
    interruptible(
        lambda: ensure_warm(tell, everything=everything, further={"backtest": backtest}, stopped=stop.is_set), stop.set
    )
    seconds = time.perf_counter() - begun
    folder = compiled.folder()
    if options.json:
        emit({"seconds": seconds, "compiled": len(told), "cache": str(folder), "stopped": stop.is_set()})
    elif stop.is_set():
        show(f"stopped after {seconds:.1f} s; what is compiled is kept in {folder}")
    elif told:
        show(f"ready after {seconds:.1f} s; compiled code is kept in {folder}")
    else:
        show(f"everything was compiled before, and is kept in {folder}")
    return INTERRUPTED if stop.is_set() else DONE
