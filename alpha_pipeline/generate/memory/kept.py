"""The best of an archive on disk, for runs to come: parents to breed from, in a safetensors file.

Kept are those that have room to grow: two of them can be added up, where the largest ones are ends in themselves.
Profits are worth something only on the days and under the settings they were earned on. The profits of the style probes
tell whether a run is on the same: then members come back with their figures and are parents at once, seen already, so
that the run proposes new ones only. Elsewhere their expressions come back, to be proposed first.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import ExpressionError, Node, canonical, parse, to_text
from alpha_pipeline.generate.base import FloatArray, Scored
from alpha_pipeline.generate.keepsakes import AGAIN, read, write
from alpha_pipeline.generate.memory.memory import Memory

FORMAT = "kept members 1"
FIGURES = ("sharpe", "turnover", "fitness")


def keep(path: Path, memory: Memory, count: int, trained: int) -> None:
    """Write the best `count` of the members with up to half of the most operators, and what it took to find them."""

    archive = memory.archive
    most = memory.settings.most_operators // 2
    places = [place for place in archive.by_reward().tolist() if archive.members[place].operators <= most][:count]
    members = [archive.members[place] for place in places]
    told = {
        "format": FORMAT,
        "expressions": [to_text(member.node) for member in members],
        "ground": ground_of(memory.styles),
        "trained": trained,
    }
    figures = np.array([[getattr(member, name) for name in FIGURES] for member in members], dtype=np.float64)
    write(path, {"figures": figures, "pnl": archive.pnl(places) if places else np.zeros((0, 0))}, told)


def recall(path: Path, memory: Memory) -> tuple[list[Node], int]:
    """Take a file's members into a memory. Returns those to be proposed first, and the evaluations it took to find all.

    Raises:
        BadInput: no such file, or one that is broken or of another format.
    """
    arrays, told = read(path, FORMAT)
    try:
        nodes = [canonical(parse(text)) for text in told["expressions"]]
        trained, ground, figures, pnl = int(told["trained"]), told["ground"], arrays["figures"], arrays["pnl"]
    except (KeyError, TypeError, ValueError, ExpressionError) as error:
        raise BadInput(f"it cannot be read ({error})", str(path), AGAIN) from error
    if figures.size != len(nodes) * len(FIGURES) or len(figures) != len(nodes) or len(pnl) != len(nodes):
        what = f"it is broken ({len(nodes)} expressions, {len(figures)} rows of figures, {len(pnl)} of profit)"
        raise BadInput(what, str(path), AGAIN)
    if not ground or ground != ground_of(memory.styles):  # without probes nobody can tell
        return nodes, trained
    if nodes and memory.styles is not None and pnl.shape[1:] != memory.styles.shape[1:]:
        raise BadInput(f"it is broken (profits of {pnl.shape[1:]} days)", str(path), AGAIN)
    known = [
        Scored(node, "", sharpe, profit, turnover, fitness, 0.0, 1.0)
        for node, profit, (sharpe, turnover, fitness) in zip(nodes, pnl, figures.tolist(), strict=True)
    ]
    memory.elites.add(memory.archive.add(known))
    memory.seen.update(nodes)
    return [], trained


def ground_of(styles: FloatArray | None) -> str:
    """What profits stand on, days, market and settings, by what the style probes earned; empty where none did."""
    if styles is None or not np.isfinite(styles).any():
        return ""
    return hashlib.sha256(repr(styles.shape).encode() + np.ascontiguousarray(styles).tobytes()).hexdigest()
