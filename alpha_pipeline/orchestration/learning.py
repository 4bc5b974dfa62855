"""What a search brings to a generation run and leaves behind: what was learned, its curves, its Pareto front."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import numpy as np

from alpha_pipeline.errors import BadInput
from alpha_pipeline.expression import to_text
from alpha_pipeline.generate import Round, Searcher
from alpha_pipeline.generate.base import Verdict
from alpha_pipeline.generate.memory.front import Member
from alpha_pipeline.home import Home, write_atomically
from alpha_pipeline.orchestration.charts import Values, line_chart, scatter_chart
from alpha_pipeline.orchestration.listings import table

LEARNED, JOURNAL, CURVES, FRONT, SIFTED = "learned", "journal", "curves.csv", "pareto.svg", "critic.csv"
SUFFIX = ".safetensors"


def learned_folder(home: Home, start_from: str) -> Path:
    """The folder of what an earlier run learned: by the run's key, or a folder's path.

    Raises:
        BadInput: there is none.
    """
    folder = Path(start_from)
    if not folder.is_dir():
        runs = home.root / "runs"
        folder = runs / start_from / LEARNED if (runs / start_from).is_dir() else folder
    if not any(folder.glob(f"*{SUFFIX}")):
        held = sorted(path.parent.name for path in home.root.glob(f"runs/*/{LEARNED}"))
        mend = f"use one of {', '.join(held)}" if held else "mine with a generator that learns first, such as reinforce"
        raise BadInput(f"nothing learned is kept in {folder}", "option --from", mend)
    return folder


def digest(folder: Path) -> str:
    """12 hex digits over what is learned: it decides what a run proposes."""
    found = hashlib.sha256()
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:12]


def take_up(generator: Searcher, folder: Path) -> int:
    """Let the learners of a generator start from what is in `folder`. Returns the evaluations that took.

    Raises:
        BadInput: none of them finds its file there.
    """
    able = [learner for learner in generator.learners if (folder / f"{learner.name}{SUFFIX}").exists()]
    if not able:
        names = ", ".join(sorted(path.stem for path in folder.glob(f"*{SUFFIX}")))
        what = f"it holds what {names} learned, not {generator.name}"
        raise BadInput(what, f"option --from {folder}", "name another, or another generator")
    for learner in able:
        learner.load(folder / f"{learner.name}{SUFFIX}")
    return max(learner.trained for learner in able)


def leave_behind(generator: Searcher, folder: Path) -> Path | None:
    """Write what the learners of a generator know now. Returns the folder; None where nobody learns."""
    if not generator.learners:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    for learner in generator.learners:
        learner.save(folder / f"{learner.name}{SUFFIX}")
    return folder


def write_curves(history: Sequence[Round], path: Path) -> None:
    """One row per round: what was proposed, rewards, and every further figure; empty where a round lacks one."""
    names = list(dict.fromkeys(name for each in history for name in each.figures))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["round", "proposals", "best_reward", "mean_reward", "passing", *names])
    for each in history:
        own = [each.number + 1, each.proposals, each.best_reward, each.mean_reward, each.passing]
        writer.writerow([*own, *(each.figures.get(name, "") for name in names)])
    write_atomically(path, text.getvalue())


def write_verdicts(verdicts: Sequence[Verdict], path: Path) -> None:
    """One row per proposal that a critic judged: the chance it was given, whether it was unseen, what became of it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["expression", "probability", "unseen", "handed_on"])
    for each in verdicts:
        writer.writerow([to_text(each.node), each.probability, int(each.free), int(each.handed)])
    write_atomically(path, text.getvalue())


def learning_chart(history: Sequence[Round], title: str) -> str:
    """Reward and share of passing proposals over the run."""
    proposals = np.array([each.proposals for each in history], dtype=np.float64)
    passing = np.diff(np.array([0, *(each.passing for each in history)], dtype=np.float64))
    told = np.cumsum(proposals)
    lines: dict[str, tuple[Values, Values]] = {
        "mean reward": (told, np.array([each.mean_reward for each in history])),
        "best reward": (told, np.array([each.best_reward for each in history])),
        "passing share": (told, passing / proposals),
    }
    return line_chart(title, lines, "proposals")


def front_chart(front: Sequence[Member], title: str) -> str:
    """The Pareto front: Sharpe lower bound over operators, by how alike each is to better ones."""
    steps = [(0.0, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 1.0)]
    groups: dict[str, tuple[Values, Values]] = {}
    for low, high in steps:
        inside = [each for each in front if low <= each.correlation < high or each.correlation == high == 1.0]
        operators = np.array([each.operators for each in inside], dtype=np.float64)
        groups[f"|ρ| from {low:g} to {high:g}"] = (operators, np.array([each.sharpe_lower for each in inside]))
    return scatter_chart(title, groups, "operators", "Sharpe lower bound")


def front_table(front: Sequence[Member]) -> dg.TableMetadataValue:
    """The Pareto front's expressions with their three objectives, and what they are accepted by."""
    figures = ("sharpe_lower", "operators", "correlation", "sharpe", "fitness", "turnover")
    rows = [[to_text(each.node), *(getattr(each, name) for name in figures)] for each in front]
    kinds = {name: "int" if name == "operators" else "float" for name in figures}
    return table({"expression": "string", **kinds}, rows)
