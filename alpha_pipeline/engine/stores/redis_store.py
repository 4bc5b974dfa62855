"""The store in a Redis server: values outlive the process, and processes on several machines share them.

A value is a hash: `head`, the 64 bytes of its header, and its cells in pieces of 512 KiB, which redis-py reads several
times faster than one string of 15 MB. The header is written last: without it there is no entry.
"""

from __future__ import annotations

import os
import time
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from alpha_pipeline.engine.stores import redis_scripts
from alpha_pipeline.engine.stores.entry import (
    HEADER,
    VERSION,
    Corrupt,
    Matrix,
    cells,
    check_shape,
    check_value,
    header,
    read_header,
)
from alpha_pipeline.engine.stores.redis_socket import Deadline, bounded_connection
from alpha_pipeline.engine.stores.store import PAUSE_SECONDS, GuardedStore
from alpha_pipeline.errors import BadInput

PIECE = 1 << 19
TIMEOUT_SECONDS = 0.25  # to connect, and for any single answer
PATIENCE = 1.0  # seconds for one entry, from the question to its last byte
PREFIX = f"{{alpha-pipeline-values-{VERSION}}}:"  # in braces: a cluster keeps such keys on one node
FORM = "write it as redis://HOST:PORT/NUMBER (rediss:// for TLS)"


class RedisStore(GuardedStore):
    """Values in a Redis server, in keys that begin with `PREFIX`.

    Raises:
        BadInput: the address cannot be one. A server that is not there is no error: see `GuardedStore`.
    """

    def __init__(self, url: str, budget: int, *, pause: float = PAUSE_SECONDS) -> None:
        super().__init__(f"operator store at {shown(url)}", budget, pause=pause)
        self._deadline = Deadline()
        try:
            self._client = redis.Redis.from_url(
                url,
                connection_class=bounded_connection(url.startswith("rediss:"), self._deadline),
                protocol=2,  # understood by every version of Redis
                socket_timeout=TIMEOUT_SECONDS,
                socket_connect_timeout=TIMEOUT_SECONDS,
                retry=Retry(NoBackoff(), 0),  # a second attempt would be a second timeout
                decode_responses=False,
            )
        except (ValueError, TypeError) as error:
            raise BadInput(f"it cannot be used ({error})", f"operator store {shown(url)}", FORM) from error
        self._keys = [PREFIX + name for name in ("order", "about", "state")]
        self._admitting = self._client.register_script(redis_scripts.ADMIT)
        self._finishing = self._client.register_script(redis_scripts.FINISH)
        self._using = self._client.register_script(redis_scripts.USED)
        self._forgetting = self._client.register_script(redis_scripts.FORGET)

    def _open(self) -> None:
        with self._deadline.within(PATIENCE):
            self._client.ping()

    def _round_trip(self, value: Matrix, out: Matrix) -> tuple[float, float]:
        key = f"measurement:{os.getpid()}:{id(out)}"
        began = time.perf_counter()
        with self._deadline.within(PATIENCE):
            self._send(key, value, keep=10)
            self._client.hset(PREFIX + "value:" + key, "head", header(key, value, 0.0))
            wrote = time.perf_counter()
            if not self._receive(key, out, None):
                raise Corrupt("nothing comes back")
            read = time.perf_counter()
            self._client.unlink(PREFIX + "value:" + key)
        return wrote - began, read - wrote

    def _read(self, key: str, out: Matrix) -> bool:
        with self._deadline.within(PATIENCE):
            return self._receive(key, out, self.rates.seconds("read", out.nbytes))

    def _admit(self, key: str, size: int, price: float) -> bool:
        arguments: list[str | int] = [PREFIX + "value:", key, size + HEADER, repr(price), self.budget]
        with self._deadline.within(PATIENCE):
            return bool(self._admitting(keys=self._keys, args=arguments))

    def _write(self, key: str, value: Matrix, seconds: float, price: float) -> bool:
        head = header(key, value, seconds)
        with self._deadline.within(PATIENCE):
            pieces = self._send(key, value, keep=redis_scripts.KEEP_SECONDS)
            return bool(self._finishing(keys=self._keys, args=[PREFIX + "value:", key, head, pieces]))

    def _used(self, key: str) -> None:
        with self._deadline.within(PATIENCE):
            self._using(keys=self._keys, args=[PREFIX + "value:", key])

    def _remove(self, key: str) -> None:
        with self._deadline.within(PATIENCE):
            self._forgetting(keys=self._keys, args=[PREFIX + "value:", key])

    def _close(self) -> None:
        self._client.close()

    def _send(self, key: str, value: Matrix, *, keep: int) -> int:
        """Write the pieces of an entry; how many."""
        place, data, number = PREFIX + "value:" + key, cells(value), 0
        for number, start in enumerate(range(0, len(data), PIECE)):
            with self._client.pipeline(transaction=False) as both:
                both.hset(place, str(number), data[start : start + PIECE])
                both.expire(place, keep)  # at once: a writer that dies leaves nothing for long
                both.execute()
        return number + 1

    def _receive(self, key: str, out: Matrix, expected: float | None) -> bool:
        """Read an entry into `out`, unless it is expected to take longer than computing it."""
        place = PREFIX + "value:" + key
        data = self._client.hget(place, "head")
        if data is None:
            return False
        if not isinstance(data, bytes):
            raise Corrupt("a header that is no bytes")
        head = read_header(data)
        check_shape(head, out)
        if expected is not None and head.seconds < expected:
            return False
        room = cells(out)
        for number, start in enumerate(range(0, len(room), PIECE)):
            piece = self._client.hget(place, str(number))
            if piece is None and self._client.hget(place, "head") != data:
                return False  # pushed out, or stored anew, while it was read
            wanted = room[start : start + PIECE]
            if not isinstance(piece, bytes) or len(piece) != len(wanted):
                raise Corrupt(f"piece {number} is missing or has another size")
            wanted[:] = piece
        check_value(key, data, out)
        return True


def shown(url: str) -> str:
    """An address without its user, password and options.

    Raises:
        BadInput: it is no address of a Redis server.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise BadInput(f"its address is malformed ({error})", "operator store", FORM) from error
    number = parts.path.strip("/")
    if parts.scheme not in ("redis", "rediss") or not host or not (number == "" or number.isdecimal()):
        raise BadInput("its address is malformed", f"operator store {parts.scheme}://{host or ''}…", FORM)
    return f"{parts.scheme}://{host}:{port or 6379}/{number or 0}"
