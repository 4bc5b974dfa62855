"""A fast 128-bit checksum of large arrays, from NumPy alone.

A float32 panel is 15 MB and is read back in a few milliseconds, so its check may not take as long again. Words of 64
bits are multiplied by fixed odd weights and summed modulo 2^64, block by block; the sums then go through BLAKE2b. Any
change within one word is always seen (its mixing is one to one, and so is multiplying by an odd number); any other
change with all but about 2^-31 of chances. It guards against accidents. Against people who forge entries it does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 4096  # words, 32 kB: they and their weights stay in the first caches
STRIP = 8  # blocks mixed at a time
SIZE = 16  # bytes of a digest
FOLD = np.uint64(33)  # the highest bits of a product depend on all bits of a word, the lowest on the lowest only

Words = NDArray[np.uint64]


@cache
def _weights() -> Words:
    """uint64 [BLOCK], odd: SplitMix64 of 1, 2, 3, …"""
    mixed: Words = np.arange(1, BLOCK + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return (mixed ^ (mixed >> np.uint64(31))) | np.uint64(1)


def _sums(words: Words) -> bytes:
    """The weighted sum of each whole block."""
    blocks, weights = words.reshape(-1, BLOCK), _weights()
    mixed = np.empty((STRIP, BLOCK), np.uint64)
    sums = np.empty(len(blocks), np.uint64)
    for start in range(0, len(blocks), STRIP):
        strip = blocks[start : start + STRIP]
        part = mixed[: len(strip)]
        np.right_shift(strip, FOLD, out=part)
        np.bitwise_xor(strip, part, out=part)
        np.einsum("ij,j->i", part, weights, out=sums[start : start + STRIP])
    return sums.astype("<u8").tobytes()


def checksum(about: bytes, arrays: Iterable[NDArray[Any]]) -> bytes:
    """16 bytes over `about` and the bytes of the arrays, in their order; sizes count, shapes and types do not."""
    digest = hashlib.blake2b(len(about).to_bytes(8, "little") + about, digest_size=SIZE)
    for array in arrays:
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        whole = len(data) // (8 * BLOCK) * (8 * BLOCK)
        rest = data[whole:]
        aligned = data.ctypes.data % 8 == 0
        words = (data[:whole] if aligned else data[:whole].copy()).view(np.uint64)
        digest.update(len(data).to_bytes(8, "little") + _sums(words) + rest.tobytes())
    return digest.digest()
