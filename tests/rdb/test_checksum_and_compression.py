"""CRC-64 and LZF against slow, plain versions of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedis.rdb.crc64 import crc64, crc64_in_python
from kedis.rdb.lzf import LzfError, compress, decompress

#: The remainders by definition, a bit at a time.
POLYNOMIAL = 0x95AC9329AC4BC9B5


def plain_crc(data: bytes, crc: int = 0) -> int:
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (POLYNOMIAL if crc & 1 else 0)
    return crc


def test_the_checksum_is_computed_in_c() -> None:
    """Where anycrc has wheels, as on every machine that runs these tests: Python takes 70 times as long."""
    assert crc64 is not crc64_in_python


@pytest.mark.parametrize("checksum", [crc64, crc64_in_python])
def test_the_check_value_of_the_polynomial(checksum: Callable[..., int]) -> None:
    assert checksum(b"123456789") == 0xE9C6D914C4B8D9CA
    assert checksum(b"") == 0
    assert checksum(b"", 7) == 7
    assert checksum(memoryview(b"0123456789")[1:]) == checksum(bytearray(b"123456789")) == 0xE9C6D914C4B8D9CA


@pytest.mark.parametrize("length", [1, 7, 8, 1219, 1220, 1221, 2139, 2140, 4096, 9_999, 262_151])
def test_long_messages_are_folded_to_the_same_remainder(length: int) -> None:
    data = bytes((at * at + at // 7) % 251 for at in range(length))
    for checksum in (crc64, crc64_in_python):
        assert checksum(data) == plain_crc(data)
        assert checksum(data, 0x0123456789ABCDEF) == plain_crc(data, 0x0123456789ABCDEF)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_a_message_may_come_in_parts(one: bytes, other: bytes) -> None:
    for checksum in (crc64, crc64_in_python):
        assert checksum(other, checksum(one)) == checksum(one + other) == plain_crc(one + other)


@given(st.lists(st.sampled_from([b"a", b"abc", b"hello ", b"\x00" * 40, b"0123456789" * 30])).map(b"".join))
def test_what_was_compressed_comes_back(data: bytes) -> None:
    packed = compress(data)
    if packed is not None:
        assert len(packed) < len(data)
        assert decompress(packed, len(data)) == data


def test_repetitions_shrink_and_noise_does_not() -> None:
    packed = compress(b"x" * 10_000)
    assert packed is not None
    assert len(packed) < 200
    assert compress(bytes(range(256))) is None


@given(st.binary(max_size=60), st.integers(0, 400))
def test_any_bytes_are_decompressed_or_refused(data: bytes, length: int) -> None:
    with contextlib.suppress(LzfError):
        assert len(decompress(data, length)) == length


@pytest.mark.parametrize(
    ("data", "length", "reason"),
    [
        (b"\x04ab", 5, "within a literal"),
        (b"\xe0", 10, "within a reference"),
        (b"\x00a\x20\x05", 5, "before the beginning"),
        (b"\x01ab", 1, "more than"),
        (b"\x01ab", 3, "less than"),
    ],
)
def test_refusals_tell_why(data: bytes, length: int, reason: str) -> None:
    with pytest.raises(LzfError, match=reason):
        decompress(data, length)
