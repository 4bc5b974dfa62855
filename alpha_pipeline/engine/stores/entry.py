"""How a value is written down, on disk as in Redis: a header of 64 bytes, then the float32 cells, row by row.

    magic 8 | version 2 | type 4 ("<f4") | rows 4 | columns 4 | seconds 8 | checksum 16 | zeros

All little endian. The checksum covers the header before it, the key and the cells: another key's entry, another shape
or a header of another time is seen as surely as a flipped bit. Nothing is unpickled, nothing is run.
"""

from __future__ import annotations

import math
import struct
import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alpha_pipeline.engine.stores.checksum import SIZE, checksum

Matrix = NDArray[np.float32]

MAGIC = b"alphaval"
VERSION = 1  # raised whenever the bytes change their meaning
TYPE = b"<f4\0" if sys.byteorder == "little" else b">f4\0"
HEADER = 64
_FIELDS = struct.Struct("<8sH4sIId")
_PADDING = bytes(HEADER - _FIELDS.size - SIZE)


class Corrupt(Exception):
    """An entry that is not what was stored under its key."""


@dataclass(frozen=True)
class Head:
    """What a header says.

    Attributes:
        rows, columns: of the matrix that follows.
        seconds: what it took to compute.
        checksum: 16 bytes.
    """

    rows: int
    columns: int
    seconds: float
    checksum: bytes

    @property
    def cells(self) -> int:
        """Bytes of the matrix that follows."""
        return 4 * self.rows * self.columns


def header(key: str, value: Matrix, seconds: float) -> bytes:
    """The 64 bytes that go before a value's cells."""
    fields = _FIELDS.pack(MAGIC, VERSION, TYPE, *value.shape, seconds)
    return fields + checksum(fields + key.encode(), [value]) + _PADDING


def read_header(data: bytes) -> Head:
    """What a header says, its checksum not yet held against anything.

    Raises:
        Corrupt: it is no header of this version and machine.
    """
    if len(data) != HEADER:
        raise Corrupt(f"a header of {len(data)} bytes, expected {HEADER}")
    magic, version, kind, rows, columns, seconds = _FIELDS.unpack_from(data)
    if magic != MAGIC:
        raise Corrupt("no entry of this program")
    if version != VERSION:
        raise Corrupt(f"an entry of format {version}, this one reads {VERSION}")
    if kind != TYPE:
        raise Corrupt(f"cells of type {kind!r}, expected {TYPE!r}")
    if not (math.isfinite(seconds) and seconds >= 0) or data[_FIELDS.size + SIZE :] != _PADDING:
        raise Corrupt("a garbled header")
    return Head(rows, columns, seconds, data[_FIELDS.size : _FIELDS.size + SIZE])


def check_shape(head: Head, out: Matrix) -> None:
    """Raises Corrupt unless the entry has the shape of `out`."""
    if (head.rows, head.columns) != out.shape:
        raise Corrupt(f"a matrix of {head.rows} × {head.columns}, expected {out.shape[0]} × {out.shape[1]}")


def check_value(key: str, data: bytes, out: Matrix) -> None:
    """Raises Corrupt unless `out` holds the cells that the header `data` was made for under this key."""
    fields = data[: _FIELDS.size]
    if checksum(fields + key.encode(), [out]) != data[_FIELDS.size : _FIELDS.size + SIZE]:
        raise Corrupt("a checksum that does not fit")


def cells(value: Matrix) -> memoryview:
    """The bytes of a matrix in C order, without a copy."""
    return value.reshape(-1).view(np.uint8).data
