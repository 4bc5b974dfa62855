"""The name of an alpha: the same text simulated in the same way has the same name, everywhere and always."""

from __future__ import annotations

import hashlib
import json

from alpha_pipeline.backtest.settings import SimulationSettings


def alpha_id(expression: str, settings: SimulationSettings) -> str:
    """`alpha_` and 12 hex digits of a hash over the canonical text of the expression and all settings."""
    text = json.dumps([expression, settings.to_dict()], sort_keys=True, separators=(",", ":"))
    return "alpha_" + hashlib.sha256(text.encode()).hexdigest()[:12]
