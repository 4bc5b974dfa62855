"""Expressions on a panel: `Engine(panel).evaluate(node)` gives a signal, `map` does it for many, `warmup` compiles."""

from alpha_pipeline.engine.engine import Engine, EvaluationTimeout
from alpha_pipeline.engine.warmup import warmup

__all__ = ["Engine", "EvaluationTimeout", "warmup"]
