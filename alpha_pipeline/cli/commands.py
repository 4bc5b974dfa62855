"""Name of a command → the function that does it: options in, exit code out.

A command's module is imported when it is called: the language's commands need neither Dagster nor compiled kernels.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import cast

COMMANDS: dict[str, str] = {
    "mine": "mining.mine",
    "ingest": "mining.ingest",
    "evaluate": "judging.evaluate",
    "validate": "judging.validate",
    "operators": "language.operators",
    "check": "language.check_programs",
    "explain": "language.explain",
    "export": "keeping.export",
    "universe": "keeping.universe",
    "race": "racing.race",
    "ui": "keeping.ui",
    "warmup": "warming.warmup",
}
"""Module of this package and function."""


def command(name: str) -> Callable[[argparse.Namespace], int]:
    """The function of a command."""
    module, _, function = COMMANDS[name].partition(".")
    return cast(Callable[[argparse.Namespace], int], getattr(import_module(f"alpha_pipeline.cli.{module}"), function))
