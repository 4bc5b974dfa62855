"""Vector fields against dictionaries of lists: building, selecting, pasteurizing, storing, versions."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpha_pipeline.errors import BadInput
from alpha_pipeline.market import panel_files
from alpha_pipeline.market.panel import Panel, content_version
from alpha_pipeline.market.vectors import Vectors
from alpha_pipeline_tests.market.test_panel import make

Cells = dict[tuple[int, int], list[float]]
SHAPE = (5, 4)
EVENTS = st.lists(
    st.tuples(
        st.integers(0, SHAPE[0] - 1), st.integers(0, SHAPE[1] - 1), st.floats(-1e6, 1e6, width=32, allow_nan=False)
    ),
    max_size=40,
)


def build(events: list[tuple[int, int, float]], shape: tuple[int, int] = SHAPE) -> Vectors:
    row, column, value = (np.array([event[part] for event in events]) for part in range(3))
    return Vectors.build(row.astype(int), column.astype(int), value.astype(float), shape)


def oracle(events: list[tuple[int, int, float]]) -> Cells:
    cells: Cells = {}
    for row, column, value in events:
        cells.setdefault((row, column), []).append(value)
    return cells


def cells(vectors: Vectors, shape: tuple[int, int]) -> Cells:
    """What the offsets say, read as the definition has it."""
    vectors.check(shape)
    found = {}
    for row in range(shape[0]):
        for column in range(shape[1]):
            at = row * shape[1] + column
            if values := vectors.values[vectors.offsets[at] : vectors.offsets[at + 1]].tolist():
                found[row, column] = values
    return found


def eventful(seed: int = 0, count: int = 300) -> Panel:
    """The panel of `make`, with the vector fields `tone` and `insider`, pasteurized as panels are."""
    plain = make()
    rng = np.random.default_rng(seed)
    fields = {}
    for name in ("tone", "insider"):
        row, column = (rng.integers(0, size, count) for size in plain.shape)
        fields[name] = Vectors.build(row, column, rng.normal(size=count), plain.shape)
    return Panel.assemble(
        plain.dates, plain.instruments, plain.fields, plain.info, member=plain.universe, vectors=fields
    )


@given(EVENTS)
def test_building_against_a_dictionary_of_lists(events: list[tuple[int, int, float]]) -> None:
    vectors = build(events)
    assert vectors.values.dtype == np.float32
    assert vectors.offsets.dtype == np.int64
    assert cells(vectors, SHAPE) == oracle(events)
    assert vectors.counts.sum() == len(events)


@given(EVENTS, st.lists(st.booleans(), min_size=20, max_size=20))
def test_pasteurizing(events: list[tuple[int, int, float]], keep: list[bool]) -> None:
    mask = np.array(keep).reshape(SHAPE)
    expected = {cell: values for cell, values in oracle(events).items() if mask[cell]}
    assert cells(build(events).within(mask), SHAPE) == expected


@given(EVENTS, st.sets(st.integers(0, SHAPE[1] - 1)))
def test_columns(events: list[tuple[int, int, float]], chosen: set[int]) -> None:
    place = {column: number for number, column in enumerate(sorted(chosen))}
    expected = {(row, place[c]): values for (row, c), values in oracle(events).items() if c in place}
    part = build(events).columns(np.array(sorted(chosen), dtype=int), SHAPE)
    assert cells(part, (SHAPE[0], len(chosen))) == expected


@given(EVENTS, st.integers(0, SHAPE[0]), st.integers(0, SHAPE[0]))
def test_rows(events: list[tuple[int, int, float]], start: int, stop: int) -> None:
    expected = {(row - start, c): values for (row, c), values in oracle(events).items() if start <= row < stop}
    part = build(events).rows(start, stop, SHAPE[1])
    assert cells(part, (max(stop - start, 0), SHAPE[1])) == expected


@pytest.mark.parametrize(
    "event", [(5, 0, 1.0), (-1, 0, 1.0), (0, 4, 1.0), (0, -1, 1.0), (0, 0, np.nan), (0, 0, np.inf), (0, 0, 1e39)]
)
def test_what_no_cell_can_hold(event: tuple[int, int, float]) -> None:
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="events"):
        build([event])


@pytest.mark.parametrize("offsets", [[0, 1, 2], [1, 1, 1, 1, 2], [0, 1, 1, 1, 1], [0, 2, 1, 2, 2]])
def test_offsets_that_cut_no_cells(offsets: list[int]) -> None:
    with pytest.raises(ValueError, match="do not cut 2 values into 2 × 2 cells"):
        Vectors(np.ones(2, np.float32), np.array(offsets)).check((2, 2))


def test_a_panel_pasteurizes_its_events_and_freezes_them() -> None:
    panel = eventful()
    assert list(panel.vectors) == ["insider", "tone"]
    for vectors in panel.vectors.values():
        counts = vectors.counts.reshape(panel.shape)
        assert counts[~panel.universe].sum() == 0
        assert 0 < counts.sum() < 300
        for array in (vectors.values, vectors.offsets):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1
    assert panel.field_types() == {
        **dict.fromkeys(("open", "high", "low", "close", "vwap", "volume", "returns"), "MATRIX"),
        **dict.fromkeys(("tone", "insider"), "VECTOR"),
        "market": "GROUP",
    }


def test_sub_panels_take_their_events_along() -> None:
    panel = eventful()
    whole = cells(panel.vectors["tone"], panel.shape)
    some = panel.columns([5, 0, 3])
    assert cells(some.vectors["tone"], some.shape) == {
        (row, [0, 3, 5].index(column)): values for (row, column), values in whole.items() if column in (0, 3, 5)
    }
    part = panel.rows(10, 20)
    assert cells(part.vectors["tone"], part.shape) == {
        (row - 10, column): values for (row, column), values in whole.items() if 10 <= row < 20
    }
    assert cells(panel.rows(20, 10).vectors["tone"], (0, 6)) == {}
    rescaled = panel.rescaled(np.full(6, 3.0))
    assert rescaled.vectors["tone"] is panel.vectors["tone"]


def test_names_and_shapes_are_checked() -> None:
    plain = make()
    empty = build([], plain.shape)
    for name in ("close", "returns", "market"):
        with pytest.raises(ValueError, match=f"may not be called {name}"):
            Panel.assemble(plain.dates, plain.instruments, plain.fields, plain.info, vectors={name: empty})
    with pytest.raises(ValueError, match="into 30 × 6 cells"):
        Panel.assemble(plain.dates, plain.instruments, plain.fields, plain.info, vectors={"tone": build([])})


def test_round_trip(tmp_path: Path) -> None:
    panel = eventful()
    silent = build([], panel.shape)
    panel = Panel.assemble(
        panel.dates, panel.instruments, panel.fields, panel.info, vectors={**panel.vectors, "silent": silent}
    )
    panel.write(tmp_path / "p")
    again = panel_files.open_panel(tmp_path / "p", verify=True)
    assert list(again.vectors) == ["insider", "silent", "tone"]
    for name, vectors in panel.vectors.items():
        np.testing.assert_array_equal(again.vectors[name].values, vectors.values)
        np.testing.assert_array_equal(again.vectors[name].offsets, vectors.offsets)
    assert isinstance(again.vectors["tone"].values, np.memmap)
    assert again.columns([1]).vectors["tone"].counts.sum() == panel.columns([1]).vectors["tone"].counts.sum()


def test_the_version_follows_events_where_there_are_any() -> None:
    plain, panel = make(), eventful()
    assert eventful().version == panel.version != eventful(seed=1).version
    bare = dataclasses.replace(panel, vectors={})
    assert content_version(bare) != panel.version
    tone = panel.vectors["tone"]
    moved = tone.offsets.copy()
    at = int(np.flatnonzero(np.diff(moved))[0]) + 1
    moved[at] -= 1  # the same values, one of them in the next cell
    other = {**panel.vectors, "tone": Vectors(tone.values, moved)}
    assert content_version(dataclasses.replace(panel, vectors=other)) != panel.version

    # Without events the hash is what it was before panels could hold any: panels made then keep their names.
    digest = hashlib.sha256()
    info = plain.info.to_dict()
    del info["warnings"]
    digest.update(json.dumps(info, sort_keys=True).encode())
    digest.update(plain.dates.astype(np.int64).tobytes() + "\n".join(plain.instruments.tolist()).encode())
    arrays = {f"field {name}": values for name, values in plain.fields.items()}
    arrays |= {f"group {name}": values for name, values in plain.groups.items()}
    arrays |= {"universe": plain.universe, "age": plain.age, "pnl_returns": plain.pnl_returns}
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}".encode() + arrays[name].tobytes())
    assert plain.version == digest.hexdigest()[:16]


def test_a_panel_without_events_is_stored_as_before(tmp_path: Path) -> None:
    make().write(tmp_path / "p")
    manifest = json.loads((tmp_path / "p" / "manifest.json").read_text())
    assert sorted(manifest) == ["fields", "groups", "info", "layout", "shape", "version"]
    assert manifest["layout"] == 3
    assert not list((tmp_path / "p").glob("vector_*"))
    assert Panel.open(tmp_path / "p").vectors == {}


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("missing", r"vector_tone.values.npy is missing"),
        ("short", r"vector_tone.offsets.npy is int64 \(3,\), expected int64 \(181,\)"),
        ("count", r"vector_tone.values.npy is float32 \(\d+,\), expected float32 \(7,\)"),
        ("outside", "the vector field tone is broken: the offsets do not cut"),
        ("manifest", "lacks or garbles"),
        ("listed", "lacks or garbles"),
    ],
)
def test_broken_events_are_told(tmp_path: Path, how: str, message: str) -> None:
    folder = tmp_path / "p"
    eventful().write(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    if how == "missing":
        (folder / "vector_tone.values.npy").unlink()
    elif how == "short":
        np.save(folder / "vector_tone.offsets.npy", np.zeros(3, np.int64))
    elif how == "outside":
        np.save(folder / "vector_tone.offsets.npy", np.full(181, 10**9))
    elif how == "count":
        manifest["vectors"]["tone"] = 7
    elif how == "manifest":
        manifest["vectors"]["tone"] = "many"
    else:
        manifest["vectors"] = ["tone"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BadInput, match=message):
        Panel.open(folder)
