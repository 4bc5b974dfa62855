"""`warmup`: what it tells, that the second call does nothing, and that stopping keeps what is done."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numba
import pytest

from alpha_pipeline.engine import compiled
from alpha_pipeline.engine.kernels import KERNELS, Kernel
from alpha_pipeline.engine.warmup import ensure_warm, searched_kernels, ways
from alpha_pipeline.expression import OPERATORS
from alpha_pipeline_tests.cli.conftest import call


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No record of an earlier warm-up, and none left behind."""
    for path in compiled.folder().glob("*.nbc"):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(compiled, "folder", lambda: tmp_path)
    return tmp_path


def test_the_second_call_does_nothing(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = call("warmup")
    assert first.code == 0
    assert str(records) in first.out.replace("\n", "")
    assert compiled.recorded() == {*KERNELS, "universe mask", "backtest"}
    monkeypatch.setitem(KERNELS, "log", Kernel("rows", _never))
    again = call("warmup", "--json")
    assert again.code == 0
    assert again.json == {"seconds": again.json["seconds"], "compiled": 0, "cache": str(records), "stopped": False}
    assert call("warmup", "--searched").code == 0, "everything holds what is searched"


def test_what_is_searched_is_not_everything(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run: list[str] = []
    for name in ("log", "ts_theilsen"):
        monkeypatch.setitem(KERNELS, name, Kernel("rows", lambda *_, name=name: run.append(name)))
    assert call("warmup", "--searched").code == 0
    assert set(run) == {"log"}
    assert call("warmup").code == 0
    assert set(run) == {"log", "ts_theilsen"}


def test_progress_counts(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KERNELS, "log", Kernel("rows", numba.njit(lambda x, out, lo, hi: None)))
    told = call("warmup", "--searched", "--json")
    position = [name for name in KERNELS if OPERATORS[name].searched].index("log") + 1
    assert f"once: log ({position} of " in told.err
    assert told.json["compiled"] >= 1


def test_a_record_of_other_code_or_with_files_lost_counts_for_nothing(records: Path) -> None:
    ensure_warm()
    assert compiled.recorded() == {*searched_kernels(), "universe mask"}
    record = records / compiled.NAME
    kept = json.loads(record.read_text())
    record.write_text(json.dumps(kept | {"key": "of another machine"}))
    assert not compiled.recorded()
    record.write_text(json.dumps(kept | {"files": kept["files"] + 1}))
    assert not compiled.recorded()
    for broken in ("", "[]", "{", '{"key": 1}', json.dumps(kept | {"names": 1})):
        record.write_text(broken)
        assert not compiled.recorded()


def test_a_stop_keeps_what_is_done(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)  # Ctrl-C while a kernel is compiled
        time.sleep(0.5)

    monkeypatch.setitem(KERNELS, "log", Kernel("rows", pressed))
    stopped = call("warmup", "--json")
    assert stopped.code == 130
    assert stopped.json["stopped"] is True
    kept = compiled.recorded()
    assert "add" in kept
    assert "log" in kept, "what was begun is finished"
    assert "universe mask" not in kept


def test_every_way_of_an_operator_is_one_it_has() -> None:
    for operator in OPERATORS.values():
        for attributes, _ in ways(operator):
            names = {name for name, _ in attributes}
            assert {each.name for each in operator.attributes if each.required} <= names
            assert not operator.one_of or names & set(operator.one_of)


def test_needs_no_dagster() -> None:
    program = "import sys; from alpha_pipeline.cli import warming; sys.exit('dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], env=dict(os.environ), check=False).returncode == 0


def _never(*_: object) -> None:
    raise AssertionError("a kernel was run")
