"""The lake: a folder of Delta tables that many processes write at once, and DuckDB in memory over them.

Delta commits are atomic and conflicts are loud; here they are retried. No `.duckdb` file anywhere: one locks out every
other process. What the tables hold is told in tables.py, what they mean in ledger.py.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

import duckdb
import polars as pl
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from alpha_pipeline.errors import BadInput
from alpha_pipeline.ledger.tables import TABLES

ATTEMPTS = 40
LONGEST_PAUSE = 0.5  # seconds between two attempts
_KEY = re.compile(r"[a-z0-9_-]+")
_TABLE = re.compile(r"[a-z][a-z0-9_]*")


class Lake:
    """Delta tables under one root, each table a folder of its own.

    Args:
        root: a local folder (made when first written to) or an address such as "s3://bucket/lake".
        storage_options: credentials and the like, passed on to the object store.

    Raises:
        BadInput: a local root with % in it, which the Delta libraries read as an encoded character.
    """

    def __init__(self, root: str | Path, storage_options: Mapping[str, str] | None = None) -> None:
        self.root = str(root).rstrip("/")
        self.storage_options = dict(storage_options or {})
        if self.folder is not None and "%" in self.root:
            raise BadInput(
                "Delta tables cannot lie below a folder with % in its name", self.root, "choose another home"
            )

    @property
    def folder(self) -> Path | None:
        """The root as a local folder; None for an object store."""
        return None if "://" in self.root else Path(self.root)

    def append(self, table: str, frame: pl.DataFrame) -> None:
        """Add rows in one commit; a new table gets the frame's schema.

        Raises:
            BadInput: the table's name, or its stored schema does not take the frame.
        """
        self._write(table, frame, {})

    def replace(self, table: str, frame: pl.DataFrame, **partition: str) -> None:
        """Make `frame` the rows of one partition, in one commit: doing it twice leaves the same as doing it once.

        Args:
            partition: column and value, e.g. generation_run="r-1"; added to the frame, and the folders of the table.
                Values are of a-z, 0-9, _ and - only: they become part of a predicate and of a path.

        Raises:
            BadInput: a partition value or the table's name, or its stored schema does not take the frame.
        """
        if not partition:
            raise ValueError(f"replace needs the partition of '{table}' to replace")
        for name, value in partition.items():
            check_key(name, value)
        self._write(
            table, frame.with_columns(pl.lit(value).alias(name) for name, value in partition.items()), partition
        )

    def scan(self, table: str) -> pl.LazyFrame:
        """The table as it is now; a known one that nobody wrote yet is empty.

        Raises:
            BadInput: the table is neither stored nor known to tables.py.
        """
        if self.exists(table):
            # polars' own reader looks for "a%20b" where the folder is called "a b"; the one by pyarrow does not
            odd_name = self.folder is not None and quote(str(self.folder)) != str(self.folder)
            options = self.storage_options or None
            return pl.scan_delta(self._address(table), storage_options=options, use_pyarrow=odd_name)
        if table in TABLES:
            return pl.LazyFrame(schema=TABLES[table].schema)
        raise BadInput(f"there is no table '{table}'", f"lake {self.root}", f"use one of {', '.join(self.names())}")

    def exists(self, table: str) -> bool:
        """Whether the table was ever written."""
        return bool(DeltaTable.is_deltatable(self._address(table), self.storage_options or None))

    def names(self) -> list[str]:
        """The known tables, and those found in a local root."""
        found = {path.parent.name for path in self.folder.glob("*/_delta_log")} if self.folder else set()
        return sorted(found | set(TABLES))

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A new in-memory DuckDB with every table of `names` registered as a view on its present state."""
        connection = duckdb.connect()
        for name in self.names():
            connection.register(name, self.scan(name))
        return connection

    def _address(self, table: str) -> str:
        if not _TABLE.fullmatch(table):
            raise BadInput(f"'{table}' is not a table name", f"lake {self.root}", "use a-z, 0-9 and _")
        return f"{self.root}/{table}"

    def _write(self, table: str, frame: pl.DataFrame, partition: Mapping[str, str]) -> None:
        address, options = self._address(table), self.storage_options or None
        if self.folder:
            self.folder.mkdir(parents=True, exist_ok=True)

        def commit() -> None:
            if not self.exists(table):
                # Without rows: of several that make a table at once, Delta lets some of the late ones in as an append.
                empty = frame.clear()
                write_deltalake(address, empty, partition_by=list(partition), mode="error", storage_options=options)
            if not partition:
                write_deltalake(address, frame, mode="append", storage_options=options)
            else:
                predicate = " AND ".join(f"{name} = '{value}'" for name, value in partition.items())
                write_deltalake(address, frame, mode="overwrite", predicate=predicate, storage_options=options)

        try:
            _retry(commit)
        except DeltaError as error:
            raise BadInput(_one_line(error), f"table '{table}' in {self.root}", "see whether it is readable") from error


def check_key(name: str, value: str) -> None:
    """Refuse a partition value that could not stand in a path and a predicate. Raises BadInput."""
    if not _TABLE.fullmatch(name) or not isinstance(value, str) or not _KEY.fullmatch(value):
        raise BadInput(f"{value!r} is not a valid key", f"'{name}'", "use lower-case letters, digits, _ and - only")


def _retry(commit: Callable[[], None]) -> None:
    """Commit again while others commit first: a conflict, or the race to make a new table. All else is raised."""
    for attempt in range(ATTEMPTS):
        try:
            return commit()
        except (CommitFailedError, DeltaError) as error:
            others_first = isinstance(error, CommitFailedError) or "already exists" in str(error)
            if not others_first or attempt == ATTEMPTS - 1:
                raise
        # jitter is not part of any result, so it takes no seed
        time.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.02 * 2**attempt)))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
