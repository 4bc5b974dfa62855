"""The best of an archive on disk, for runs to come: parents to breed from, in a safetensors file.

Profits are worth something only on the days and under the settings they were earned on. The profits of the style probes
tell whether a run is on the same: then members come back with their figures and are parents at once, seen already, so
that the run proposes new ones only. Elsewhere their expressions come back, to be proposed first.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import ExpressionError, Node, canonical, parse, to_text
from alpha_pipeline.generate.base import FloatArray, Scored
from alpha_pipeline.generate.memory.memory import Memory

FORMAT = "1"
FIGURES = ("sharpe", "turnover", "fitness")
AGAIN = "mine a run whose knowledge can be kept, and name that"


def keep(path: Path, memory: Memory, count: int, trained: int) -> None:
    """Write the elite and the best of the other members, `count` together at most, and what it took to find them."""
    from safetensors.numpy import save_file  # with what it needs, a tenth of a second

    archive = memory.archive
    places = list(dict.fromkeys([*archive.elite, *archive.by_reward().tolist()]))[:count]
    members = [archive.members[place] for place in places]
    texts = {
        "format": FORMAT,
        "expressions": json.dumps([to_text(member.node) for member in members]),
        "ground": ground_of(memory.styles),
        "trained": str(trained),
    }
    tensors = {
        "figures": np.array([[getattr(member, name) for name in FIGURES] for member in members], dtype=np.float64),
        "pnl": archive.pnl(places) if places else np.zeros((0, 0)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    save_file({name: np.ascontiguousarray(values) for name, values in tensors.items()}, partial, texts)
    partial.replace(path)


def recall(path: Path, memory: Memory) -> tuple[list[Node], int]:
    """Take a file's members into a memory. Returns those to be proposed first, and the evaluations it took to find all.

    Raises:
        BadInput: no such file, or one that is broken or of another format.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as held:
            texts = held.metadata() or {}
            tensors = {name: held.get_tensor(name) for name in held.keys()}  # noqa: SIM118 (it is no dictionary)
        if texts.get("format") != FORMAT:
            raise BadInput(f"format {texts.get('format')!r} of kept members, not {FORMAT}", str(path), AGAIN)
        nodes = [canonical(parse(text)) for text in json.loads(texts["expressions"])]
        trained, figures, pnl = int(texts["trained"]), tensors["figures"], tensors["pnl"]
    except (OSError, SafetensorError, KeyError, ValueError, ExpressionError) as error:
        raise BadInput(f"it cannot be read ({error})", str(path), AGAIN) from error
    if texts["ground"] != ground_of(memory.styles):
        return nodes, trained
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
