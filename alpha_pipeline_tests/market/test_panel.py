"""The Panel: layout, pasteurization, ages, returns over gaps, versions, and folders that are whole or absent."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpha_pipeline.errors import BadInput
from alpha_pipeline.market import panel_files
from alpha_pipeline.market.panel import Panel, PanelInfo, close_returns, content_version, listing_age

INFO = PanelInfo(
    "market-1", "market", "synthetic", True, "TOP3", warnings=("SYNTHETIC market",), settings={"floor": 1.0}
)


def make(rows: int = 30, columns: int = 6, seed: int = 0) -> Panel:
    rng = np.random.default_rng(seed)
    close = (20 * np.exp(rng.normal(0, 0.02, (rows, columns)).cumsum(axis=0))).astype(np.float32)
    close[3, 1] = np.nan
    member = np.ones((rows, columns), bool)
    member[:10, 2] = False
    fields = {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close, "vwap": close}
    dates = np.datetime64("2020-01-01") + np.arange(rows)
    codes = {"sector": np.array([0, 0, 1, 1, 1, 2][:columns], np.int32)}
    return Panel.assemble(
        dates, list("abcdef")[:columns], {**fields, "volume": close * 100}, INFO, member=member, groups=codes
    )


def test_pasteurized_outside_the_universe_but_returns_for_pnl_are_not() -> None:
    panel = make()
    assert not panel.universe[:10, 2].any()
    assert not panel.universe[3, 1]  # a member without a bar
    for name, values in panel.fields.items():
        assert np.isnan(values[~panel.universe]).all(), name
    assert np.isfinite(panel.pnl_returns[1:10, 2]).all()
    assert np.isfinite(panel.fields["returns"][10, 2])  # yesterday's close is known although outside


def test_arrays_are_float32_c_order_and_read_only() -> None:
    panel = make()
    for values in panel.fields.values():
        assert values.dtype == np.float32
        assert values.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            values[0, 0] = 1


def test_age_counts_days_since_the_first_bar() -> None:
    close = np.array([[np.nan, 1], [2, np.nan], [np.nan, np.nan], [3, 1]], np.float32)
    assert listing_age(close).tolist() == [[-1, 0], [0, 1], [1, 2], [2, 3]]  # neither a gap nor a leave makes younger
    assert listing_age(np.full((3, 1), np.nan, np.float32)).tolist() == [[-1], [-1], [-1]]


def test_there_is_no_return_over_a_gap() -> None:
    close = np.array([[100], [np.nan], [110], [121]], np.float32)
    returns = close_returns(close)
    assert np.isnan(returns[:3]).all()
    assert returns[3, 0] == pytest.approx(0.1)


def test_sub_panels() -> None:
    panel = make()
    some = panel.columns([5, 0, 3])
    assert some.instruments.tolist() == ["a", "d", "f"]
    assert some.groups["sector"].tolist() == [0, 1, 2]
    assert panel.columns(np.array([1, 0, 0, 0, 0, 1], bool)).groups["sector"].tolist() == [0, 1]
    part = panel.rows(10, 20)
    assert part.shape == (10, 6)
    assert part.age[0, 2] == 10  # counted from before the part
    assert len({panel.version, some.version, part.version, panel.columns([0, 3]).version}) == 4


def test_rescaled_changes_prices_and_volume_only() -> None:
    panel = make()
    factors = np.array([2, 0.5, 3, 1, 1, 10.0])
    other = panel.rescaled(factors)
    np.testing.assert_allclose(
        other.fields["close"] * other.fields["volume"], panel.fields["close"] * panel.fields["volume"], rtol=1e-6
    )
    np.testing.assert_allclose(other.fields["vwap"], panel.fields["vwap"] * factors, rtol=1e-6)
    np.testing.assert_array_equal(other.fields["returns"], panel.fields["returns"])
    with pytest.raises(ValueError, match="positive"):
        panel.rescaled(np.array([1, 1, 1, 1, 1, -1.0]))


def test_groups_must_be_runs() -> None:
    with pytest.raises(ValueError, match="non-decreasing"):
        Panel.assemble(
            np.array(["2020-01-01"], "datetime64[D]"),
            list("ab"),
            {"close": np.ones((1, 2), np.float32)},
            INFO,
            groups={"sector": np.array([1, 0], np.int32)},
        )


def test_round_trip(tmp_path: Path) -> None:
    panel = make()
    stored = panel.write(tmp_path / "panels" / "p")
    again = Panel.open(tmp_path / "panels" / "p")
    assert isinstance(again.fields["close"], np.memmap)
    assert again.info == panel.info == stored.info
    assert again.version == panel.version == content_version(again)
    assert again.instruments.tolist() == panel.instruments.tolist()
    for name in panel.fields:
        np.testing.assert_array_equal(again.fields[name], panel.fields[name])
    np.testing.assert_array_equal(again.age, panel.age)
    np.testing.assert_array_equal(again.groups["sector"], panel.groups["sector"])
    assert panel_files.open_panel(tmp_path / "panels" / "p", verify=True).version == panel.version
    assert [path.name for path in (tmp_path / "panels").iterdir()] == ["p"]


def test_version_follows_the_content() -> None:
    assert make().version == make().version
    assert make(seed=1).version != make().version
    panel = make()
    for info in (dataclasses.replace(INFO, settings={"floor": 2.0}), dataclasses.replace(INFO, universe="TOP4")):
        assert content_version(dataclasses.replace(panel, info=info)) != panel.version
    worded = dataclasses.replace(INFO, warnings=("other words",))
    assert content_version(dataclasses.replace(panel, info=worded)) == panel.version
    universe = panel.universe.copy()
    universe[5, 5] = False
    assert content_version(dataclasses.replace(panel, universe=universe)) != panel.version


def test_version_is_the_same_in_another_process() -> None:
    code = "from alpha_pipeline_tests.market.test_panel import make; print(make().version)"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert out.stdout.strip() == make().version


def test_writing_again_keeps_or_replaces(tmp_path: Path) -> None:
    make().write(tmp_path / "p")
    before = (tmp_path / "p" / "manifest.json").stat().st_mtime_ns
    make().write(tmp_path / "p")
    assert (tmp_path / "p" / "manifest.json").stat().st_mtime_ns == before
    other = make(seed=1).write(tmp_path / "p")
    assert Panel.open(tmp_path / "p").version == other.version
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_an_error_in_the_middle_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = np.save, []

    def interrupted(*args: object, **kwargs: object) -> None:
        calls.append(args)
        if len(calls) == 4:
            raise KeyboardInterrupt
        real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(np, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make().write(tmp_path / "p")
    assert list(tmp_path.iterdir()) == []


def test_a_kill_in_the_middle_leaves_no_panel(tmp_path: Path) -> None:
    code = (
        "import numpy as np, os, signal\n"
        "from alpha_pipeline_tests.market.test_panel import make\n"
        "panel, real, calls = make(), np.save, []\n"
        "def save(*a, **k):\n"
        "    real(*a, **k); calls.append(1)\n"
        "    if len(calls) == 5: os.kill(os.getpid(), signal.SIGKILL)\n"
        "np.save = save\n"
        f"panel.write({str(tmp_path / 'p')!r})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(BadInput, match="there is no such panel"):
        Panel.open(tmp_path / "p")
    (leftover,) = tmp_path.iterdir()
    assert leftover.name.startswith(".p-")
    an_hour_ago = time.time() - 4000
    os.utime(leftover, (an_hour_ago, an_hour_ago))
    make().write(tmp_path / "p")
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def damage(folder: Path, how: str) -> None:
    manifest = folder / "manifest.json"
    if how == "no manifest":
        manifest.unlink()
    elif how == "garbled manifest":
        manifest.write_text("{")
    elif how == "foreign manifest":
        manifest.write_text("[]")
    elif how == "missing key":
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "info": {}}))
    elif how == "other layout":
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "layout": 99}))
    elif how == "missing array":
        (folder / "field_close.npy").unlink()
    elif how == "truncated array":
        path = folder / "field_close.npy"
        path.write_bytes(path.read_bytes()[:200])
    elif how == "wrong shape":
        np.save(folder / "field_close.npy", np.zeros((2, 2), np.float32))
    elif how == "wrong type":
        np.save(folder / "universe.npy", np.zeros((30, 6), np.float32))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("no manifest", "has no manifest.json"),
        ("garbled manifest", "cannot be read"),
        ("foreign manifest", "not a JSON object"),
        ("missing key", "lacks or garbles"),
        ("other layout", "has layout 99"),
        ("missing array", "field_close.npy is missing"),
        ("truncated array", "field_close.npy cannot be read"),
        ("wrong shape", r"field_close.npy is float32 \(2, 2\), expected float32 \(30, 6\)"),
        ("wrong type", "universe.npy is float32"),
    ],
)
def test_broken_folders_are_told(tmp_path: Path, how: str, message: str) -> None:
    make().write(tmp_path / "p")
    damage(tmp_path / "p", how)
    with pytest.raises(BadInput, match=message) as caught:
        Panel.open(tmp_path / "p")
    assert "\n" not in str(caught.value)


def test_changed_bytes_are_found_when_asked(tmp_path: Path) -> None:
    make().write(tmp_path / "p")
    values = np.load(tmp_path / "p" / "field_close.npy")
    values[0, 0] += 1
    np.save(tmp_path / "p" / "field_close.npy", values)
    with pytest.raises(BadInput, match="do not match"):
        panel_files.open_panel(tmp_path / "p", verify=True)


def test_a_foreign_folder_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "thesis.txt").write_text("mine")
    with pytest.raises(BadInput, match="not a panel"):
        make().write(tmp_path / "p")
    assert (tmp_path / "p" / "thesis.txt").read_text() == "mine"


def test_label() -> None:
    assert INFO.label == "SYNTHETIC"
    assert dataclasses.replace(INFO, synthetic=False).label == ""


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=12))
def test_age_against_a_loop(rows: list[list[bool]]) -> None:
    present = np.array(rows)
    expected = np.full(present.shape, -1)
    for column in range(3):
        for row in range(len(rows)):
            if expected[row - 1, column] >= 0 and row:
                expected[row, column] = expected[row - 1, column] + 1
            elif present[row, column]:
                expected[row, column] = 0
    np.testing.assert_array_equal(listing_age(np.where(present, 1, np.nan).astype(np.float32)), expected)
