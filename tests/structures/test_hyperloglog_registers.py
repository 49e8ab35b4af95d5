"""HyperLogLog against a plain model of its registers; the comparison with Redis's strings is with the commands."""

from __future__ import annotations

from math import sqrt
from random import Random

import pytest

from kedis.structures import hyperloglog as hll
from kedis.structures import hyperloglog_registers as rows

LIMIT = 3000
STANDARD_ERROR = 1.04 / sqrt(rows.REGISTERS)


def packed_one_by_one(registers: list[int]) -> bytes:
    """The dense form by its definition: six bits each, the lowest first."""
    number = sum(value << (6 * index) for index, value in enumerate(registers))
    return number.to_bytes(rows.PACKED_SIZE, "little")


def random_registers(random: Random) -> bytes:
    return bytes(random.randrange(64) for _ in range(rows.REGISTERS))


def test_packing_and_unpacking() -> None:
    registers = random_registers(Random(1))
    packed = rows.pack(registers)
    assert packed == packed_one_by_one(list(registers))
    assert rows.unpack(packed) == registers


def test_highest_differing_histogram() -> None:
    random = Random(2)
    a, b, c = (random_registers(random) for _ in range(3))
    assert rows.highest([a, b, c]) == bytes(map(max, a, b, c))
    assert rows.highest([a]) == a
    assert list(rows.differing(a, b)) == [index for index in range(rows.REGISTERS) if a[index] != b[index]]
    assert rows.histogram(a) == [a.count(rank) for rank in range(64)]


@pytest.mark.parametrize("length", range(26))
def test_a_hash_depends_on_every_byte(length: int) -> None:
    data = bytes(range(length))
    hashes = {rows.hash_of(data[:at] + b"\xff" + data[at + 1 :]) for at in range(length)}
    assert len(hashes | {rows.hash_of(data)}) == length + 1


@pytest.mark.parametrize("limit", [0, 100, LIMIT, 20_000])
def test_registers_are_those_of_the_model(limit: int) -> None:
    random = Random(limit)
    buffer = hll.create()
    model = bytearray(rows.REGISTERS)
    for step in range(4000):
        element = random.randbytes(random.randrange(1, 20))
        index, rank = rows.place(element)
        assert hll.add(buffer, [element], limit) == (rank > model[index])
        model[index] = max(model[index], rank)
        assert hll.is_dense(buffer) or len(buffer) <= max(limit, 18)
        if step % 200 == 0:
            assert hll.registers(buffer) == model
            assert hll.is_valid(buffer)
    assert hll.registers(buffer) == model
    assert hll.is_dense(buffer) == (limit <= LIMIT)


@pytest.mark.parametrize("seed", range(8))
def test_merging_gives_the_highest_registers(seed: int) -> None:
    random = Random(seed)
    target = hll.create()
    for _ in range(5):
        other = hll.create()
        elements = [random.randbytes(8) for _ in range(random.choice([0, 1, 50, 600, 3000]))]
        hll.add(other, elements, LIMIT)
        expected = rows.highest([hll.registers(target), hll.registers(other)])
        hll.merge(target, expected, hll.is_dense(other), LIMIT)
        assert hll.registers(target) == expected
        assert hll.is_dense(target) or len(target) <= LIMIT


def test_the_error_is_within_its_bound() -> None:
    """Three standard errors at each power of ten; small sets are counted exactly, or nearly."""
    buffer = hll.create()
    done = 0
    for size in (1, 10, 100, 1000, 10_000, 100_000, 1_000_000):
        hll.add(buffer, [b"element:%d" % number for number in range(done, size)], LIMIT)
        done = size
        assert abs(hll.count(buffer) - size) <= max(3 * STANDARD_ERROR * size, 0.5)


def test_the_average_error_is_the_one_that_theory_gives() -> None:
    """Thirty sets of 10,000 elements; their errors are about as large as they should be, to either side."""
    size, errors = 10_000, []
    for seed in range(30):
        buffer = hll.create()
        random = Random(seed)
        hll.add(buffer, [random.randbytes(8) for _ in range(size)], LIMIT)
        errors.append(hll.count(buffer) / size - 1)
    assert sqrt(sum(error * error for error in errors) / len(errors)) < 1.3 * STANDARD_ERROR
    assert abs(sum(errors) / len(errors)) < 3 * STANDARD_ERROR / sqrt(len(errors))


def test_the_cached_count() -> None:
    buffer = hll.create()
    assert hll.cached_count(buffer) == 0
    hll.invalidate_count(buffer)
    assert hll.cached_count(buffer) is None
    hll.store_count(buffer, 123456)
    assert hll.cached_count(buffer) == 123456


@pytest.mark.parametrize(
    "buffer",
    [
        b"",
        b"HYLL",
        b"HYLL\x01" + bytes(10),
        b"hyll" + hll.create()[4:],
        b"HYLL\x02" + bytes(12300),
        b"HYLL" + bytes(99),
    ],
)
def test_what_is_no_hyperloglog(buffer: bytes) -> None:
    assert not hll.is_valid(buffer)


@pytest.mark.parametrize(
    "body", [b"", b"\x7f", b"\x7f\xfe", b"\x7f\xff\x00", b"\x7f\xfe\x01", b"\x84" * 9, b"\x3f\x7f"]
)
def test_registers_that_do_not_add_up(body: bytes) -> None:
    buffer = hll.create()[: hll.HEADER_SIZE] + body
    with pytest.raises(hll.CorruptError):
        hll.registers(buffer)
