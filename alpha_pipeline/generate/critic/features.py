"""What the critic sees of an expression: counts over its tree, and how much it resembles those that are held."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from alpha_pipeline.expression import Call, Constant, Field, Node, depth, lookback, operator_count
from alpha_pipeline.generate.space.grammar import WINDOWS, Grammar

Rows = npt.NDArray[np.float32]

PAIRS = 96
"""Columns that pairs of an operator and one right inside it share, by a hash of their names that is the same on every
machine (Weinberger et al. 2009, "Feature hashing for large scale multitask learning")."""
SIZES = ("depth", "operators", "lookback", "kinds of operator", "kinds of field", "likeness")


class Features:
    """Rows of figures of expressions of one grammar.

    Attributes:
        names: of the columns.
    """

    def __init__(self, grammar: Grammar) -> None:
        fields = [*grammar.available, "adv20"]
        operators = [operator.name for operator in grammar.operators]
        pairs = [f"pair {number}" for number in range(PAIRS)]
        windows = [f"window to {window}" for window in WINDOWS]
        counted = [*operators, *(f"field {name}" for name in fields), *windows, *pairs]
        self.names = (*counted, *SIZES)
        self._counted = len(counted)
        self._column = {name: place for place, name in enumerate(counted)}
        self._operators, self._fields = len(operators), len(operators) + len(fields)
        self._windows = self._column[windows[0]]
        self._columns = lru_cache(maxsize=50_000)(self._find_columns)  # a search makes trees of the same subtrees
        self._pair = lru_cache(maxsize=None)(self._find_pair)

    def __call__(self, nodes: Sequence[Node], held: Sequence[Node] = ()) -> Rows:
        """One row per expression, [n, names], nothing missing.

        Args:
            held: expressions to compare with. The likeness of an expression is its largest cosine with one of them,
                of counts, 0 to 1; 0 where nothing is held.
        """
        rows = np.zeros((len(nodes), len(self.names)), np.float32)
        counts = rows[:, : self._counted]
        counts[:] = self._counts(nodes)
        rows[:, self._counted] = [depth(node) for node in nodes]
        rows[:, self._counted + 1] = [operator_count(node) for node in nodes]
        rows[:, self._counted + 2] = [lookback(node) for node in nodes]
        rows[:, self._counted + 3] = np.count_nonzero(counts[:, : self._operators], axis=1)
        rows[:, self._counted + 4] = np.count_nonzero(counts[:, self._operators : self._fields], axis=1)
        if held and nodes:
            cosines = _scaled(counts) @ _scaled(self._counts(held)).T
            rows[:, self._counted + 5] = np.round(cosines.max(axis=1), 4)  # no split hangs on how a sum was made
        return rows

    def _counts(self, nodes: Sequence[Node]) -> Rows:
        columns = [self._columns(node) for node in nodes]
        row = np.repeat(np.arange(len(nodes)), [len(each) for each in columns])
        flat = np.array([place for each in columns for place in each], np.int64)
        found = np.bincount(row * self._counted + flat, minlength=len(nodes) * self._counted)
        return found.reshape(len(nodes), self._counted).astype(np.float32)

    def _find_columns(self, node: Node, outside: str = "") -> tuple[int, ...]:
        """The column of every part of a tree, as often as it occurs; `outside` is the operator around it."""
        if isinstance(node, Field):
            place = self._column.get(f"field {node.name}")
            return () if place is None else (place,)
        if isinstance(node, Constant):  # most are windows; the few others are told apart by their operator
            return (self._windows + min(int(np.searchsorted(WINDOWS, node.value)), len(WINDOWS) - 1),)
        assert isinstance(node, Call)
        own = self._column.get(node.operator)
        inner = (place for argument in node.arguments for place in self._columns(argument, node.operator))
        return (*(() if own is None else (own,)), self._pair(outside, node.operator), *inner)

    def _find_pair(self, outer: str, inner: str) -> int:
        return self._column["pair 0"] + zlib.crc32(f"{outer} {inner}".encode()) % PAIRS


def _scaled(counts: Rows) -> Rows:
    """Rows of length 1."""
    length = np.sqrt((counts**2).sum(axis=1, keepdims=True))
    return np.asarray(counts / np.maximum(length, 1.0))
