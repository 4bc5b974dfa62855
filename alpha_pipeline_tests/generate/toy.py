"""A toy objective for generators: profit that depends on which operators a tree uses, no market needed."""

from __future__ import annotations

import zlib

import numpy as np

from alpha_pipeline.expression import Call, Node, fields_used, to_text, walk
from alpha_pipeline.generate import Scored, check_proposals
from alpha_pipeline.generate.base import Generator

FIELDS = ["open", "high", "low", "close", "volume", "vwap", "returns", "market", "sector", "industry", "subindustry"]
PLANTED = {"ts_corr": 1.2, "ts_zscore": 0.8, "log": 0.8, "ts_arg_max": 0.7}
"""Sharpe ratio that an operator's presence adds, diluted by what else is in the tree."""


def score(node: Node, days: int = 400) -> Scored:
    """Noise that is the sum of a fixed series per subtree's operator and fields, plus the drift of the planted ones."""
    parts = [part for part in walk(node) if isinstance(part, Call)]
    pnl = np.zeros(days)
    for part in parts:
        seed = zlib.crc32(f"{part.operator} {sorted(fields_used(part))}".encode())
        pnl += np.random.default_rng(seed).standard_normal(days)
    pnl = (pnl - pnl.mean()) / pnl.std()
    drift = sum(PLANTED.get(name, 0.0) for name in {part.operator for part in parts}) / np.sqrt(1 + len(parts) / 3)
    if isinstance(node, Call) and node.operator == "reverse":
        drift = -drift
    pnl = (pnl + drift / np.sqrt(250)) * 0.006
    sharpe, returns = float(np.sqrt(250) * pnl.mean() / pnl.std()), float(500 * pnl.mean())
    fitness = float(sharpe * np.sqrt(abs(returns) / 0.3))
    return Scored(node, to_text(node), sharpe, pnl, 0.3, fitness, returns, 1.0)


def mine(generator: Generator, budget: int, batch: int = 32) -> list[Scored]:
    """The ask/tell loop on the toy, holding the generator to distinct canonical proposals."""
    results: list[Scored] = []
    before: set[Node] = set()
    while len(results) < budget:
        nodes = generator.ask(min(batch, budget - len(results)))
        if not nodes:
            break
        check_proposals(nodes, before)
        scored = [score(node) for node in nodes]
        generator.tell(scored)
        results += scored
    return results
