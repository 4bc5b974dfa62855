"""Two values share a key only if they are the same in every bit."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpha_pipeline.engine.stores import Keys, keys
from alpha_pipeline.expression import DEFAULT_CHOICES, Call, Choices, Constant, Field, Node, parse
from alpha_pipeline.market.panel import Panel
from alpha_pipeline_tests.engine.panels import random_panel
from alpha_pipeline_tests.expression.trees import random_tree

TREE = parse("ts_mean(close, 5)")


@pytest.fixture(scope="module")
def panel() -> Panel:
    return random_panel(days=40, instruments=120)


def key(panel: Panel, node: Node = TREE, windows: str = "partial", choices: Choices = DEFAULT_CHOICES) -> str:
    return Keys(panel, windows=windows, choices=choices).of(node)


def test_equal_content_gives_equal_keys(panel: Panel, tmp_path: Path) -> None:
    assert key(panel) == key(random_panel(days=40, instruments=120)) == key(panel.write(tmp_path / "panel"))


def test_made_over_panels_share_no_keys(panel: Panel) -> None:
    rows, columns = panel.shape
    others = [
        panel,
        panel.rows(0, rows - 1),
        panel.rows(1, rows),
        panel.columns(range(columns - 1)),
        panel.columns(range(1, columns)),
        panel.rescaled(np.linspace(0.5, 2, columns)),
        panel.rescaled(np.full(columns, 2.0)),
        random_panel(seed=2, days=40, instruments=120),
    ]
    assert len({key(each) for each in others}) == len(others)


def test_every_array_that_expressions_read_counts(panel: Panel) -> None:
    found = [key(panel)]
    for name, values in panel.fields.items():
        other = values.copy()
        other[3, 5] += 1 if np.isfinite(other[3, 5]) else 0
        other[3, 5] = 1 if np.isnan(other[3, 5]) else other[3, 5]
        found.append(key(replace(panel, fields={**panel.fields, name: other})))
    for name, codes in panel.groups.items():
        moved = codes.copy()
        moved[-1] += 1
        found.append(key(replace(panel, groups={**panel.groups, name: moved})))
    universe = panel.universe.copy()
    universe[0, 0] ^= True
    found.append(key(replace(panel, universe=universe)))
    news = panel.vectors["news"]
    events = news.values.copy()
    events[0] += 1
    found.append(key(replace(panel, vectors={"news": dataclasses.replace(news, values=events)})))
    names = dict(panel.fields)
    names["open"], names["close"] = names["close"], names["open"]
    found.append(key(replace(panel, fields=names)))
    assert len(set(found)) == len(found)


def test_settings_of_the_engine_count(panel: Panel) -> None:
    found = [key(panel), key(panel, windows="strict")]
    for each in dataclasses.fields(Choices):
        found.append(key(panel, choices=replace(DEFAULT_CHOICES, **{each.name: each.metadata["options"][1]})))
    for settings in ({"device": "cuda"}, {"device": "cpu"}, {"rank": "approximate"}):
        found.append(Keys(panel, windows="partial", choices=DEFAULT_CHOICES, settings=settings).of(TREE))
    assert len(set(found)) == len(found)


def test_code_and_machine_count(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [key(panel)]
    with monkeypatch.context() as patch:
        patch.setattr(keys, "SOURCES", "other")
        found.append(key(panel))
    with monkeypatch.context() as patch:
        patch.setattr(keys.llvmlite.binding, "get_host_cpu_name", lambda: "another")
        found.append(key(panel))
    with monkeypatch.context() as patch:
        patch.setattr(keys.llvmlite.binding, "get_host_cpu_features", lambda: {"avx512f": False})
        found.append(key(panel))
    with monkeypatch.context() as patch:
        patch.setenv("NUMBA_CPU_NAME", "generic")
        found.append(key(panel))
    with monkeypatch.context() as patch:
        patch.setattr(keys.np, "__version__", "0")
        found.append(key(panel))
    assert len(set(found)) == len(found)
    assert key(panel) == found[0]


def test_a_changed_kernel_or_operator_changes_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("jit.py", "lanes/words.py", "engine/plan.py", "engine/kernels/rank.py", "expression/nodes.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1\n")
    stores = tmp_path / "engine" / "stores"
    stores.mkdir()
    (stores / "keys.py").write_text("1\n")
    monkeypatch.setattr(keys, "PACKAGE", tmp_path)
    monkeypatch.setattr(keys, "__file__", str(stores / "keys.py"))
    found = [keys.source_version()]
    (stores / "keys.py").write_text("2\n")
    assert keys.source_version() == found[0], "how values are stored is no part of how they are made"
    for name in ("jit.py", "lanes/words.py", "engine/plan.py", "engine/kernels/rank.py", "expression/nodes.py"):
        (tmp_path / name).write_text("2\n")
        found.append(keys.source_version())
    assert len(set(found)) == len(found)


def test_the_sources_are_those_that_run() -> None:
    names = {
        path.relative_to(keys.PACKAGE).as_posix() for part in ("engine", "expression") for path in keys._sources(part)
    }
    assert {"engine/engine.py", "engine/kernels/rank.py", "expression/operator.py"} <= names
    assert any(name.startswith("expression/operators/") for name in names)
    assert not any("stores" in name for name in names)


def test_trees_that_differ_differ_in_their_keys(panel: Panel) -> None:
    made = Keys(panel, windows="partial", choices=DEFAULT_CHOICES)
    trees: list[Node] = [
        Field("close"),
        Field("nan"),
        Constant(float("nan")),
        Constant(float("inf")),
        Field("Infinity"),
        Constant(5),
        Field("5"),
        Constant(0.1),
        Constant(np.nextafter(0.1, 1)),
        Call("add", (Field("close"), Field("open"))),
        Call("add", (Field("open"), Field("close"))),
        Call("add", (Field("close"), Field("open"), Field("close"))),
        Call("add", (Call("add", (Field("close"), Field("open"))), Field("close"))),
        Call("add", (Field("close"), Call("add", (Field("open"), Field("close"))))),
        Call("subtract", (Field("close"), Field("open"))),
        Call("rank", (Field("close"),)),
        Call("rank", (Field("close"),), (("rate", 0),)),
        Call("rank", (Field("close"),), (("rate", 2),)),
        Call("rank", (Field("close"),), (("rate", True),)),
        Call("rank", (Field("close"),), (("rate", "True"),)),
    ]
    assert len({made.of(tree) for tree in trees}) == len(trees)


@given(st.integers(0, 2**32 - 1))
def test_a_key_depends_on_the_tree_alone(seed: int) -> None:
    panel = random_panel(days=3, instruments=20)
    tree = random_tree(np.random.default_rng(seed), 4)
    again = random_tree(np.random.default_rng(seed), 4)
    other = random_tree(np.random.default_rng(seed + 1), 4)
    first = Keys(panel, windows="partial", choices=DEFAULT_CHOICES)
    second = Keys(panel, windows="partial", choices=DEFAULT_CHOICES)
    second.of(other)
    assert first.of(tree) == second.of(again) == second.of(again)
    assert (first.of(tree) == first.of(other)) == (tree == other)


def test_remembered_keys_are_bounded(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MOST_REMEMBERED", 3)
    made = Keys(panel, windows="partial", choices=DEFAULT_CHOICES)
    trees = [Call("add", (Field("close"), Constant(number))) for number in range(10)]
    found = [made.of(tree) for tree in trees]
    assert len(made._known) <= 3
    assert found == [made.of(tree) for tree in trees]
