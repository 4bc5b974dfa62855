"""Vector fields: any number of values per date and instrument, as events come. Storage and selection only.

How a table of events becomes vector fields is in events.py, how one is read in sources/events.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Vectors:
    """One vector field of T dates × N instruments. Read-only once it is in a panel.

    Cells lie row by row: cell (t, j) holds values[offsets[t*N + j] : offsets[t*N + j + 1]], in the order of the table
    that the events came from.

    Attributes:
        values: float32 [M], all finite.
        offsets: int64 [T*N + 1], non-decreasing from 0 to M.
    """

    values: NDArray[np.float32]
    offsets: NDArray[np.int64]

    @staticmethod
    def build(
        row: NDArray[np.integer[Any]],
        column: NDArray[np.integer[Any]],
        value: NDArray[np.floating[Any]],
        shape: tuple[int, int],
    ) -> Vectors:
        """From one entry per event [M], in any order; events of one cell keep theirs.

        Args:
            shape: (T, N); 0 ≤ row < T and 0 ≤ column < N.
        """
        rows, columns = shape
        if len(row) and not (row.min() >= 0 and row.max() < rows and column.min() >= 0 and column.max() < columns):
            raise ValueError(f"there are events outside {rows} × {columns}")
        cell = row.astype(np.int64) * columns + column
        order = np.argsort(cell, kind="stable")
        values = np.asarray(value, dtype=np.float32)[order]
        if not np.isfinite(values).all():
            raise ValueError("events must be finite numbers")
        return Vectors(values, _offsets(np.bincount(cell, minlength=rows * columns)))

    def check(self, shape: tuple[int, int]) -> None:
        """Raise ValueError unless the offsets cut the values into T × N cells: kernels rely on it unchecked."""
        offsets = self.offsets
        whole = offsets.shape == (shape[0] * shape[1] + 1,) and offsets[0] == 0 and offsets[-1] == len(self.values)
        if not whole or np.any(offsets[1:] < offsets[:-1]):
            raise ValueError(f"the offsets do not cut {len(self.values)} values into {shape[0]} × {shape[1]} cells")

    @property
    def counts(self) -> NDArray[np.int64]:
        """int64 [T*N], number of events per cell."""
        return np.diff(self.offsets)

    def within(self, keep: NDArray[np.bool_]) -> Vectors:
        """The events of the cells where `keep` [T, N] is True; the other cells are empty."""
        inside = keep.ravel()
        return Vectors(self.values[np.repeat(inside, self.counts)], _offsets(np.where(inside, self.counts, 0)))

    def columns(self, chosen: NDArray[np.integer[Any]], shape: tuple[int, int]) -> Vectors:
        """The field of some instruments.

        Args:
            chosen: column numbers, ascending.
            shape: (T, N) of this field.
        """
        keep = np.zeros(shape, bool)
        keep[:, chosen] = True
        return Vectors(self.within(keep).values, _offsets(self.counts.reshape(shape)[:, chosen].ravel()))

    def rows(self, start: int, stop: int, columns: int) -> Vectors:
        """The field of the dates [start, stop): values are a view, offsets a copy that begins at 0."""
        offsets = self.offsets[start * columns : max(stop, start) * columns + 1]
        return Vectors(self.values[offsets[0] : offsets[-1]], offsets - offsets[0])


def _offsets(counts: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets
