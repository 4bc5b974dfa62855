"""Parents kept for runs to come: bred from on the days they were found, proposed first elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from alpha_pipeline.errors import BadInput
from alpha_pipeline.generate import Memory, SearchSettings, make_generator
from alpha_pipeline.generate.genetic.search import GeneticSearch
from alpha_pipeline.generate.keepsakes import read, write
from alpha_pipeline.generate.memory.kept import FORMAT, keep, recall
from alpha_pipeline_tests.generate.toy import FIELDS, mine

STYLES = np.random.default_rng(8).normal(size=(8, 400))


def searched(styles: np.ndarray | None, budget: int = 200) -> GeneticSearch:
    generator = make_generator("genetic", 3, FIELDS, settings=SearchSettings(budget=budget), styles=styles)
    assert isinstance(generator, GeneticSearch)
    return generator


def test_parents_are_bred_from_and_never_proposed_again(tmp_path: Path) -> None:
    first = searched(STYLES)
    mine(first, 200)
    first.save(tmp_path / "genetic.safetensors")
    later = searched(STYLES)
    later.load(tmp_path / "genetic.safetensors")
    assert later.trained == 200
    small = [member for member in first.archive.members if member.operators <= 12]
    best = [member.node for member in small[:5]]
    assert [member.node for member in later.archive.members[:5]] == best
    assert [m.base for m in later.archive.members[:5]] == [m.base for m in small[:5]]
    results = mine(later, 100)
    assert not {member.node for member in small} & {result.node for result in results}
    assert later.trained == 300
    fresh = mine(searched(STYLES), 100)
    assert np.mean([abs(r.sharpe) for r in results]) > np.mean([abs(r.sharpe) for r in fresh]) + 0.2


def test_on_other_days_parents_are_the_first_proposals(tmp_path: Path) -> None:
    first = searched(STYLES)
    mine(first, 200)
    first.save(tmp_path / "genetic.safetensors")
    later = searched(STYLES + 1e-12)
    later.load(tmp_path / "genetic.safetensors")
    assert later.archive.members == []
    kept = {member.node for member in first.archive.members}
    assert set(later.ask(20)) <= kept


def test_a_broken_file_is_refused_whole(tmp_path: Path) -> None:
    memory = searched(STYLES).memory
    path = tmp_path / "genetic.safetensors"
    keep(path, memory, 10, 0)
    assert recall(path, Memory(styles=STYLES)) == ([], 0)  # nothing was found yet, and that is kept
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(BadInput, match="cannot be read"):
        recall(path, Memory(styles=STYLES))
    with pytest.raises(BadInput, match="no such file"):
        recall(tmp_path / "none.safetensors", Memory(styles=STYLES))


def test_parts_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    first = searched(STYLES, 60)
    mine(first, 60)
    path = tmp_path / "genetic.safetensors"
    first.save(path)
    arrays, told = read(path, FORMAT)
    for name, less in (("pnl", arrays["pnl"][:-1]), ("pnl", arrays["pnl"][:, :-1]), ("figures", arrays["figures"][1:])):
        write(path, {**arrays, name: less}, told)
        with pytest.raises(BadInput, match="it is broken"):
            recall(path, Memory(styles=STYLES))


def test_without_probes_nobody_knows_the_days(tmp_path: Path) -> None:
    first = searched(None, 60)
    mine(first, 60)
    first.save(tmp_path / "genetic.safetensors")
    memory = Memory()
    nodes, trained = recall(tmp_path / "genetic.safetensors", memory)
    assert nodes
    assert (trained, memory.archive.members, memory.seen) == (60, [], set())
