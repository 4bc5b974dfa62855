"""Name of a command → the function that does it: options in, exit code out."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from alpha_pipeline.cli import judging, keeping, language, mining

COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "mine": mining.mine,
    "ingest": mining.ingest,
    "evaluate": judging.evaluate,
    "validate": judging.validate,
    "operators": language.operators,
    "check": language.check_programs,
    "explain": language.explain,
    "export": keeping.export,
    "universe": keeping.universe,
    "ui": keeping.ui,
}
