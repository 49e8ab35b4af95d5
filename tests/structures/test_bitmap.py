"""Bits in buffers, against the same done on strings of zeros and ones; sizes around the blocks included."""

from __future__ import annotations

from functools import reduce
from operator import and_, or_, xor
from random import Random

import pytest

from kedis.structures import bitmap

SIZES = [1, 2, 7, 100, 8190, 8191, 65519, 65520, 65521, 65536, 65537, 140_000]


def spelt(buffer: bytes | bytearray) -> str:
    """The bits as text."""
    return "".join(f"{byte:08b}" for byte in buffer)


def random_buffer(random: Random, size: int) -> bytes | bytearray:
    """Dense, sparse, almost full, empty or full."""
    kind = random.randrange(5)
    if kind == 0:
        return random.randbytes(size)
    buffer = bytearray(size) if kind in (1, 3) else bytearray(b"\xff" * size)
    if kind < 3:
        buffer[random.randrange(size)] = random.randrange(256)
    return buffer


@pytest.mark.parametrize("size", SIZES)
def test_counting_and_finding(size: int) -> None:
    random = Random(size)
    for _ in range(10):
        buffer = random_buffer(random, size)
        text = spelt(buffer)
        first, last = sorted(random.choices(range(size * 8), k=2))
        assert bitmap.count_bits(buffer, first, last) == text.count("1", first, last + 1)
        assert bitmap.count_bits(buffer, 0, size * 8 - 1) == text.count("1")
        for bit in (0, 1):
            assert bitmap.find_bit(buffer, bit, first, last) == text.find(str(bit), first, last + 1)
            assert bitmap.find_bit(buffer, bit, 0, size * 8 - 1) == text.find(str(bit))
        assert bitmap.get_bit(buffer, first) == int(text[first])


def test_every_range_of_a_short_buffer() -> None:
    buffer = bytes([0b00101100, 0, 0b11111111, 0b01111110])
    text = spelt(buffer)
    for first in range(32):
        for last in range(first, 32):
            assert bitmap.count_bits(buffer, first, last) == text.count("1", first, last + 1)
            for bit in (0, 1):
                assert bitmap.find_bit(buffer, bit, first, last) == text.find(str(bit), first, last + 1)


def test_empty_ranges() -> None:
    assert bitmap.count_bits(b"", 0, -1) == 0
    assert bitmap.find_bit(b"", 1, 0, -1) == -1
    assert bitmap.count_bits(b"\xff", 5, 4) == 0
    assert bitmap.find_bit(b"\xff", 1, 5, 4) == -1
    assert bitmap.get_bit(b"\xff", 8) == 0


@pytest.mark.parametrize("seed", range(12))
def test_combining(seed: int) -> None:
    random = Random(seed)
    sources = [random_buffer(random, random.choice(SIZES)) for _ in range(random.randint(1, 4))]
    size = max(map(len, sources))
    numbers = [int.from_bytes(source.ljust(size, b"\0"), "big") for source in sources]
    for name, operator in ((b"AND", and_), (b"OR", or_), (b"XOR", xor)):
        expected = reduce(operator, numbers).to_bytes(size, "big")
        assert bitmap.combine(name, sources) == expected
    flipped = bitmap.invert(sources[0])
    assert flipped == bytes(255 - byte for byte in sources[0])


def test_combining_nothing() -> None:
    assert bitmap.combine(b"OR", [b"", b""]) == b""
    assert bitmap.invert(b"") == b""
