"""From text to store: what is a slip is refused, what is merely away is passed over."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from alpha_pipeline.engine.stores import open_store
from alpha_pipeline.engine.stores.disk import DiskStore
from alpha_pipeline.errors import BadInput
from alpha_pipeline_tests.engine.stores.places import DEAR, closed, matrix

BUDGET = 1 << 20


@pytest.mark.parametrize("where", [None, "", "none", " None "])
def test_no_store(where: str | None) -> None:
    assert open_store(where, BUDGET) is None


@pytest.mark.parametrize(
    "where",
    [
        "memroy",
        "disk",
        "disk:",
        "disk: ",
        "redis",
        "redis:localhost",
        "redis://",
        "redis:///0",
        "redis://host:port/0",
        "redis://host:99999/0",
        "redis://host:6379/zero",
        "redis://[::1/0",
        "rediss://",
        "http://host/0",
        "disk:redis://host",
        "redis://host:6379/0?socket_timeout=soon",
    ],
)
def test_what_names_no_store_is_refused_with_a_way_out(where: str) -> None:
    with pytest.raises(BadInput) as caught:
        open_store(where, BUDGET)
    assert "operator store" in caught.value.where
    assert "redis://" in caught.value.mend


@pytest.mark.parametrize(
    "where", ["redis://user:secret@host:port/0", "redis://user:secret@host/x", "http://u:secret@h"]
)
def test_messages_show_no_password(where: str) -> None:
    with pytest.raises(BadInput) as caught:
        open_store(where, BUDGET)
    assert "secret" not in str(caught.value)


def test_the_log_shows_no_password(caplog: pytest.LogCaptureFixture) -> None:
    with closed("redis://user:secret@127.0.0.1:1/0") as store:
        assert store.counts.failures == 1
        assert "secret" not in store.name
    assert "secret" not in caplog.text
    assert "127.0.0.1:1" in caplog.text


@pytest.mark.parametrize("budget", [0, -1])
def test_an_empty_budget_is_refused(budget: int) -> None:
    with pytest.raises(BadInput, match="budget"):
        open_store("memory", budget)


@pytest.mark.parametrize("prefix", ["disk:", ""])
def test_folders_are_made(prefix: str, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b c"
    with closed(f"{prefix}{folder}") as store:
        assert isinstance(store, DiskStore)
        assert store.folder == folder
        assert store.put("a", matrix(1), DEAR)
    assert folder.is_dir()


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with closed("disk:~/store") as store:
        assert isinstance(store, DiskStore)
        assert store.folder == tmp_path / "store"


def test_a_folder_that_cannot_be_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    with caplog.at_level(logging.WARNING), closed(f"disk:{tmp_path / 'file' / 'store'}") as store:
        for _ in range(5):
            assert not store.put("a", matrix(1), DEAR)
    assert len(caplog.records) == 1
    assert store.counts.failures == 1
