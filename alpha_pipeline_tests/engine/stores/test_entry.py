"""Whatever happens to the bytes of an entry is seen."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alpha_pipeline.engine.stores.checksum import BLOCK, checksum
from alpha_pipeline.engine.stores.entry import (
    HEADER,
    Corrupt,
    Matrix,
    cells,
    check_shape,
    check_value,
    header,
    read_header,
)
from alpha_pipeline_tests.engine.stores.places import matrix

WIDE = (130, 137)  # 17,810 cells: two whole blocks of 64-bit words and a rest
SHAPES = [(1, 1), (3, 5), WIDE]


def accepts(key: str, data: bytes, shape: tuple[int, int]) -> bool:
    """Whether the bytes of an entry are taken for a key's value of a shape."""
    out: Matrix = np.empty(shape, np.float32)
    try:
        head = read_header(data[:HEADER])
        check_shape(head, out)
        if head.cells != len(data) - HEADER:
            return False
        cells(out)[:] = data[HEADER:]
        check_value(key, data[:HEADER], out)
    except Corrupt:
        return False
    return True


def entry(key: str, value: Matrix, seconds: float = 1.5) -> bytes:
    return header(key, value, seconds) + value.tobytes()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_whole_entry_is_accepted(shape: tuple[int, int]) -> None:
    assert accepts("a", entry("a", matrix(1, shape)), shape)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5)])
def test_every_flipped_bit_of_a_small_entry_is_seen(shape: tuple[int, int]) -> None:
    whole = entry("a", matrix(1, shape))
    for position in range(8 * len(whole)):
        data = bytearray(whole)
        data[position // 8] ^= 1 << position % 8
        assert not accepts("a", bytes(data), shape), f"bit {position}"


WHOLE = entry("a", matrix(1, WIDE))


@given(st.sets(st.integers(0, 8 * len(WHOLE) - 1), min_size=1, max_size=4))
@settings(max_examples=300)
def test_flipped_bits_anywhere_are_seen(positions: set[int]) -> None:
    data = bytearray(WHOLE)
    for position in positions:
        data[position // 8] ^= 1 << position % 8
    assert not accepts("a", bytes(data), WIDE)


@given(st.integers(HEADER, len(WHOLE) - 1), st.binary(min_size=1, max_size=64))
def test_overwritten_bytes_are_seen(start: int, new: bytes) -> None:
    data = bytearray(WHOLE)
    data[start : start + len(new)] = new
    data = data[: len(WHOLE)]
    assert accepts("a", bytes(data), WIDE) == (bytes(data) == WHOLE)


@given(st.integers(0, len(WHOLE) - 1))
def test_a_truncated_entry_is_seen(length: int) -> None:
    assert not accepts("a", WHOLE[:length], WIDE)


def test_an_entry_that_is_too_long_is_seen() -> None:
    assert not accepts("a", WHOLE + b"\0", WIDE)


def test_structured_changes_are_seen() -> None:
    """What simple sums overlook: signs of every second column, swapped cells and blocks, whole rows moved."""
    value = np.abs(matrix(3, (256, 256)))
    value[~np.isfinite(value)] = 1
    head = header("a", value, 1.0)
    changed = []
    for step in (1, 2):
        for first in range(step):
            signs = value.copy()
            signs[:, first::step] *= -1
            changed.append(signs)
    two_signs = value.copy()
    two_signs[0, 1] *= -1  # the highest bits of two words of a block
    two_signs[0, 3] *= -1
    changed += [two_signs, value[::-1].copy(), np.roll(value, 1, axis=0), np.roll(value, 1, axis=1), value.T.copy()]
    swapped = value.reshape(-1).copy()
    swapped[: 2 * BLOCK], swapped[2 * BLOCK : 4 * BLOCK] = (
        value.reshape(-1)[2 * BLOCK : 4 * BLOCK],
        value.reshape(-1)[: 2 * BLOCK],
    )
    changed += [swapped.reshape(value.shape), value.byteswap(), np.zeros_like(value), np.full_like(value, np.nan)]
    assert accepts("a", head + value.tobytes(), value.shape)
    for number, other in enumerate(changed):
        assert not accepts("a", head + np.ascontiguousarray(other).tobytes(), value.shape), f"change {number}"


def test_another_keys_entry_is_seen() -> None:
    assert not accepts("b", WHOLE, WIDE)


def test_the_same_cells_in_another_shape_are_seen() -> None:
    assert not accepts("a", WHOLE, WIDE[::-1])
    data = bytearray(WHOLE)
    data[14:22] = struct.pack("<II", *WIDE[::-1])
    assert not accepts("a", bytes(data), WIDE[::-1])


@pytest.mark.parametrize(
    ("start", "new", "message"),
    [
        (0, b"\x93NUMPY\0\0", "no entry of this program"),
        (8, struct.pack("<H", 0), "format 0"),
        (8, struct.pack("<H", 2), "format 2"),
        (10, b">f4\0", "type"),
        (10, b"<f8\0", "type"),
        (22, struct.pack("<d", float("nan")), "garbled"),
        (22, struct.pack("<d", -1.0), "garbled"),
        (60, b"\1", "garbled"),
    ],
)
def test_foreign_headers_are_told_apart(start: int, new: bytes, message: str) -> None:
    data = bytearray(WHOLE[:HEADER])
    data[start : start + len(new)] = new
    with pytest.raises(Corrupt, match=message):
        read_header(bytes(data))


def test_seconds_come_back() -> None:
    assert read_header(entry("a", matrix(1), 0.125)[:HEADER]).seconds == 0.125


@given(st.binary(max_size=40), st.binary(max_size=200), st.integers(0, 199))
def test_the_checksum_is_a_function_of_all_bytes(about: bytes, data: bytes, position: int) -> None:
    array = np.frombuffer(data, np.uint8)
    made = checksum(about, [array])
    assert made == checksum(about, [array.copy()])
    assert made != checksum(about + b"\0", [array])
    assert made != checksum(about, [np.append(array, np.uint8(0))])
    assert made != checksum(about, [array, np.empty(0, np.uint8)])
    if position < len(data):
        other = array.copy()
        other[position] ^= 1
        assert made != checksum(about, [other])


def test_the_checksum_does_not_depend_on_where_the_bytes_lie() -> None:
    data = np.random.default_rng(1).integers(0, 256, 8 * BLOCK * 9 + 13, np.uint8)
    shifted = np.empty(len(data) + 3, np.uint8)
    shifted[3:] = data
    assert checksum(b"", [shifted[3:]]) == checksum(b"", [data])
    assert checksum(b"", [np.repeat(data, 2)[::2]]) == checksum(b"", [data])


def test_the_checksum_is_that_of_its_definition() -> None:
    """Against whole numbers in plain Python."""
    import hashlib

    random = np.random.default_rng(2)
    words = random.integers(0, 2**64, 2 * BLOCK, np.uint64)
    rest = b"tail"

    def weight(number: int) -> int:
        mixed = number * 0x9E3779B97F4A7C15 % 2**64
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ mixed >> shift) * factor % 2**64
        return mixed ^ mixed >> 31 | 1

    sums = b""
    for block in words.reshape(2, BLOCK):
        total = sum((int(word) ^ int(word) >> 33) * weight(place) for place, word in enumerate(block, 1))
        sums += (total % 2**64).to_bytes(8, "little")
    data = np.frombuffer(words.tobytes() + rest, np.uint8)
    expected = hashlib.blake2b((5).to_bytes(8, "little") + b"about", digest_size=16)
    expected.update(len(data).to_bytes(8, "little") + sums + rest)
    assert checksum(b"about", [data]) == expected.digest()
