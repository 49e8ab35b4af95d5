"""HyperLogLog as a string of bytes: estimates the number of different elements, within about 0.8 %.

The string is the one that Redis stores, so that it can be read and written with GET and SET:

    "HYLL" | encoding (0 dense, 1 sparse) | 3 unused bytes | cardinality, 8 bytes, little-endian | registers

The top bit of the cardinality says that it is out of date. The 16,384 registers are either *dense*, six bits
each (see :mod:`kedis.structures.hyperloglog_registers`), or *sparse*, runs of equal registers:

    00rrrrrr            ZERO    1 to 64 registers are 0
    01rrrrrr rrrrrrrr   XZERO   1 to 16,384 registers are 0
    1vvvvvrr            VAL     1 to 4 registers are v + 1, at most 32

A sparse string becomes dense when a register does not fit or when it would be longer than a limit.

Raising a register in a sparse string cuts its run in up to three, and afterwards neighbouring VAL runs of one
value are joined as far as they fit, checking five runs from the one before the change. The choice of the joined runs
is Redis's, so that equal additions give equal strings, and both become dense at the same element.

A string that is not made of runs of exactly 16,384 registers is corrupt. :func:`add` detects only the faults on its
way.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import length_hint

from kedis.structures import hyperloglog_registers as rows
from kedis.structures.hyperloglog_registers import PACKED_SIZE, REGISTERS
from kedis.structures.hyperloglog_runs import (
    HIGHEST_VAL,
    LONGEST_VAL,
    RUNS_LOOKED_AT,
    Runs,
    encode_run,
    encode_zeros,
)

Buffer = bytes | bytearray

HEADER_SIZE = 16
DENSE_SIZE = HEADER_SIZE + PACKED_SIZE
_MAGIC = b"HYLL"
_DENSE, _SPARSE = 0, 1
_STALE = 0x80  # in the last byte of the header
#: Minimum number of elements hashed together; their registers are raised unpacked, which takes 0.1 ms in any case.
_MANY = 64

#: Registers in a run by its first byte; 0 stands for XZERO, which needs the second byte too.
_RUN = [(op & 3) + 1 if op & 0x80 else 0 if op & 0x40 else (op & 0x3F) + 1 for op in range(256)]


class CorruptError(ValueError):
    """The registers of a sparse string do not add up."""


def create() -> bytearray:
    """Return an empty HyperLogLog."""
    return bytearray(_MAGIC + bytes([_SPARSE]) + bytes(11) + encode_zeros(REGISTERS))


def is_valid(buffer: Buffer) -> bool:
    """Whether ``buffer`` has the header and the size of a HyperLogLog. O(1)."""
    if len(buffer) < HEADER_SIZE or buffer[:4] != _MAGIC or buffer[4] > _SPARSE:
        return False
    return buffer[4] == _SPARSE or len(buffer) == DENSE_SIZE


def is_dense(buffer: Buffer) -> bool:
    """Whether the registers are dense.  O(1)."""
    return buffer[4] == _DENSE


def cached_count(buffer: Buffer) -> int | None:
    """The cardinality in the header, None when it is out of date.  O(1)."""
    return None if buffer[15] & _STALE else int.from_bytes(buffer[8:16], "little")


def store_count(buffer: bytearray, count: int) -> None:
    """Write the cardinality into the header.  O(1)."""
    buffer[8:16] = count.to_bytes(8, "little")


def invalidate_count(buffer: bytearray) -> None:
    """Mark the cardinality in the header as out of date.  O(1)."""
    buffer[15] |= _STALE


def count(buffer: Buffer) -> int:
    """The estimated cardinality, computed anew.  O(registers); CorruptError."""
    return rows.estimate(rows.histogram(registers(buffer)))


def registers(buffer: Buffer) -> bytes:
    """All registers, a byte each.  O(registers); CorruptError."""
    if is_dense(buffer):
        return rows.unpack(buffer[HEADER_SIZE:])
    parts = []
    total = 0
    body = iter(buffer[HEADER_SIZE:])
    for op in body:
        run = _RUN[op] or ((op & 0x3F) << 8 | next(body, 0)) + 1
        total += run
        if total > REGISTERS:
            break
        parts.append(bytes([(op >> 2 & 0x1F) + 1]) * run if op & 0x80 else bytes(run))
    if total != REGISTERS:
        raise CorruptError
    return b"".join(parts)


def add(buffer: bytearray, elements: Sequence[bytes], sparse_limit: int) -> int:
    """Add ``elements``; returns the number of those that raised a register.

    The buffer is changed in place, and made dense when it would outgrow ``sparse_limit`` bytes. The cached
    cardinality is not changed. O(1) an element when dense, O(runs) when sparse; CorruptError, with part of
    the elements added (sparse only).
    """
    if len(elements) >= _MANY:
        return _add_many(buffer, rows.hashes(elements), sparse_limit)
    raised = 0
    for element in elements:
        index, rank = rows.place(element)
        raised += _raise(buffer, index, rank, sparse_limit)
    return raised


def _add_many(buffer: bytearray, hashes: Sequence[int], sparse_limit: int) -> int:
    """Add elements with the result of adding them one by one, in half a microsecond each."""
    runs = None
    if not is_dense(buffer):
        runs = Runs.read(buffer[HEADER_SIZE:])
        if runs is None:  # foreign, or corrupt: detected on the way
            places = [(value & (REGISTERS - 1), rows.rank_of(value)) for value in hashes]
            return sum([_raise(buffer, index, rank, sparse_limit) for index, rank in places])
    after = bytearray(registers(buffer))
    raised = rows.raise_all(after, hashes)
    if not raised:
        return 0
    if (
        runs is not None
        and not _outgrows(buffer, after, sparse_limit)
        and _raise_in_runs(runs, hashes, sparse_limit)
    ):
        buffer[HEADER_SIZE:] = runs.encode()
    else:
        _become_dense(buffer, after)
    return raised


def _outgrows(buffer: bytearray, registers: bytes | bytearray, sparse_limit: int) -> bool:
    """Whether raising the registers one by one to ``registers`` must make ``buffer`` dense at some point.

    A string within the limit stays there as long as it is sparse, and has at least one byte for each run.
    """
    return len(buffer) <= sparse_limit < HEADER_SIZE + rows.changes(registers) + 1


def _raise_in_runs(runs: Runs, hashes: Sequence[int], sparse_limit: int) -> bool:
    """Raise the registers; False where the string must become dense on the way."""
    limit = sparse_limit - HEADER_SIZE
    return all(
        runs.raise_register(value & (REGISTERS - 1), rows.rank_of(value), limit) is not None
        for value in hashes
    )


def _raise(buffer: bytearray, index: int, rank: int, sparse_limit: int) -> bool:
    if buffer[4] == _DENSE:
        return _raise_dense(buffer, index, rank)
    return _raise_sparse(buffer, index, rank, sparse_limit)


def sparse_runs(buffer: Buffer) -> bytes:
    """The runs of the sparse form as PFDEBUG DECODE spells them, such as ``z:5 v:2,1 Z:16378``.  O(runs)."""
    words = []
    body = iter(buffer[HEADER_SIZE:])
    for op in body:
        if op & 0x80:
            words.append(b"v:%d,%d" % ((op >> 2 & 0x1F) + 1, (op & 3) + 1))
        elif op & 0x40:
            words.append(b"Z:%d" % (((op & 0x3F) << 8 | next(body, 0)) + 1))
        else:
            words.append(b"z:%d" % ((op & 0x3F) + 1))
    return b" ".join(words)


def merge(buffer: bytearray, merged: bytes, dense: bool, sparse_limit: int) -> None:
    """Raise the registers to ``merged``, which are nowhere lower than the present ones; make them ``dense`` if asked.

    O(registers); CorruptError.
    """
    if not dense and not is_dense(buffer):
        if buffer[HEADER_SIZE:] == encode_zeros(REGISTERS):
            dense = not _fill(buffer, merged, sparse_limit)
        else:
            _raise_all(buffer, merged, sparse_limit)
    if dense or is_dense(buffer):
        _become_dense(buffer, merged)


def _fill(buffer: bytearray, merged: bytes, limit: int) -> bool:
    """Give an empty sparse ``buffer`` these registers, as raising them one by one would; False if too long.

    After the last raised register there is one run of zeros, so no search is needed. The length is
    compared at the point where raising would do so, before the new run is joined to its neighbour.
    """
    body = bytearray()
    tail, tail_from = encode_zeros(REGISTERS), 0
    for index in rows.differing(bytes(REGISTERS), merged):
        rank = merged[index]
        gap = encode_zeros(index - tail_from)
        before = len(tail)
        tail, tail_from = encode_zeros(REGISTERS - 1 - index), index + 1
        growth = len(gap) + 1 + len(tail) - before
        length = HEADER_SIZE + len(body) + before + growth
        if rank > HIGHEST_VAL or (growth > 0 and length > limit):
            return False
        op = body[-1] if body and not gap else 0
        if op & 0x80 and op >> 2 & 0x1F == rank - 1 and op & 3 < LONGEST_VAL - 1:
            body[-1] += 1
        else:
            body += gap + encode_run(rank, 1)
    buffer[HEADER_SIZE:] = body + tail
    return True


def _raise_all(buffer: bytearray, merged: bytes, limit: int) -> None:
    """Raise the registers of a sparse ``buffer`` to ``merged``, from the first to the last, until it is dense.

    Raising one changes nothing left of the run before it, so the search for the next continues from there.
    """
    passed: list[tuple[int, int]] = []  # offsets of runs, and their first registers
    start, first = HEADER_SIZE, 0
    for index in rows.differing(registers(buffer), merged):
        while True:
            op = buffer[start]
            run = _RUN[op] or ((op & 0x3F) << 8 | buffer[start + 1]) + 1
            if first + run > index:
                break
            passed.append((start, first))
            start += _size(op)
            first += run
        before = passed[-1][0] if passed else start
        _raise_in_run(buffer, start, first, run, before, index, merged[index], limit)
        if is_dense(buffer):
            return
        start, first = passed.pop() if passed else (start, first)


def make_dense(buffer: bytearray) -> None:
    """Change to the dense form.  O(registers); CorruptError."""
    _become_dense(buffer, registers(buffer))


def _become_dense(buffer: bytearray, values: Buffer) -> None:
    buffer[4] = _DENSE
    buffer[HEADER_SIZE:] = rows.pack(values)


def _raise_dense(buffer: bytearray, index: int, rank: int) -> bool:
    bit = index * 6
    byte, shift = HEADER_SIZE + (bit >> 3), bit & 7
    if shift <= 2:  # all in one byte
        old = buffer[byte]
        if old >> shift & 63 >= rank:
            return False
        buffer[byte] = old & ~(63 << shift) | rank << shift
        return True
    window = buffer[byte] | buffer[byte + 1] << 8
    if window >> shift & 63 >= rank:
        return False
    window = window & ~(63 << shift) | rank << shift
    buffer[byte] = window & 0xFF
    buffer[byte + 1] = window >> 8
    return True


def _raise_sparse(buffer: bytearray, index: int, rank: int, limit: int) -> bool:
    # An iterator costs 35 ns a run where indexing costs 90, and it tells its position.
    op, before, end = 0, -1, 0
    body = iter(buffer[HEADER_SIZE:])
    for op in body:
        run = _RUN[op] or ((op & 0x3F) << 8 | next(body, 0)) + 1
        end += run
        if end > index:
            break
        before = op
    else:
        raise CorruptError
    start = len(buffer) - length_hint(body) - _size(op)
    left = start if before < 0 else start - _size(before)
    return _raise_in_run(buffer, start, end - run, run, left, index, rank, limit)


def _raise_in_run(
    buffer: bytearray, start: int, first: int, run: int, before: int, index: int, rank: int, limit: int
) -> bool:
    """Raise ``index`` in the run that begins at ``start`` with ``first``; the run before it begins at ``before``."""
    op = buffer[start]
    value = (op >> 2 & 0x1F) + 1 if op & 0x80 else 0
    if value >= rank:
        return False
    pieces = (
        encode_run(value, index - first) + encode_run(rank, 1) + encode_run(value, first + run - 1 - index)
    )
    growth = len(pieces) - _size(op)
    if rank > HIGHEST_VAL or (growth > 0 and len(buffer) + growth > limit):
        make_dense(buffer)
        return _raise_dense(buffer, index, rank)
    buffer[start : start + _size(op)] = pieces
    _join(buffer, before)
    return True


def _join(buffer: bytearray, position: int) -> None:
    """Join neighbouring VAL runs of one value, checking a few from ``position`` on."""
    for _ in range(RUNS_LOOKED_AT):
        if position + 1 >= len(buffer):
            return
        op, following = buffer[position], buffer[position + 1]
        if op & 0x80 and following & 0x80 and op >> 2 == following >> 2:
            length = (op & 3) + (following & 3) + 2
            if length <= LONGEST_VAL:
                buffer[position : position + 2] = bytes([op & 0xFC | length - 1])
                continue
        position += _size(op)


def _size(op: int) -> int:
    return 1 if op & 0xC0 != 0x40 else 2
