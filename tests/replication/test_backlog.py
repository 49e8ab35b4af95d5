"""The stream in memory, against a plain string of bytes."""

from __future__ import annotations

import random

import pytest

from kedis.replication.backlog import Backlog, Cursor
from kedis.replication.data_history import History
from kedis.replication.handshake import NO_ID


def read(cursor: Cursor, most: int = 1 << 30) -> bytes:
    """Up to ``most`` bytes from ``cursor`` on."""
    taken = b""
    while len(taken) < most and (ahead := cursor.ahead()):
        part = bytes(ahead[: most - len(taken)])
        taken += part
        cursor.offset += len(part)
    return taken


@pytest.mark.parametrize("seed", range(8))
def test_readers_see_the_stream_and_the_latest_bytes_are_kept(seed: int) -> None:
    chance = random.Random(seed)
    begin, size = chance.choice([0, 1234]), chance.choice([1 << 14, 1 << 18])
    backlog = Backlog(begin, size)
    whole = bytearray()
    readers: dict[Cursor, bytearray] = {}
    for _ in range(300):
        action = chance.random()
        if action < 0.5:
            lengths = [
                chance.choice([0, 1, 40, 5000, 65_535, 65_536, 200_000]) for _ in range(chance.randrange(4))
            ]
            pieces = [bytes([chance.randrange(256)]) * length for length in lengths]
            backlog.append(pieces)
            whole += b"".join(pieces)
        elif action < 0.6 and len(readers) < 5:
            first = chance.randint(backlog.start + 1, backlog.offset + 1)
            assert backlog.holds(first)
            readers[backlog.cursor(first)] = bytearray(whole[: first - 1 - begin])
        elif action < 0.9 and readers:
            reader = chance.choice(list(readers))
            readers[reader] += read(reader, chance.choice([1, 1000, 100_000]))
            assert whole.startswith(readers[reader])
            assert reader.distance() == len(whole) - len(readers[reader])
        elif readers:
            reader = chance.choice(list(readers))
            reader.close()
            del readers[reader]
            backlog.trim()
        assert backlog.offset == begin + len(whole)
        assert len(backlog) >= min(size, len(whole))
        assert not backlog.holds(backlog.start) and not backlog.holds(backlog.offset + 2)
        kept = backlog.cursor(backlog.start + 1)
        assert read(kept) == whole[backlog.start - begin :]
        kept.close()
    for reader, seen in readers.items():
        assert seen + read(reader) == whole
        reader.close()
    backlog.append([b"x"] * 3 + [b"y" * 70_000])
    assert len(backlog) <= size + 270_000  # a block, or a large piece, more than the size at most


def test_twenty_readers_share_one_copy() -> None:
    backlog = Backlog(0, 1 << 20)
    readers = [backlog.end() for _ in range(20)]
    for _ in range(300):
        backlog.append([b"x" * 1000] * 10)
        views = {id(reader.ahead().obj) for reader in readers}
        assert len(views) == 1
        for reader in readers:
            read(reader)
    assert backlog.memory() < 2 * (1 << 20)


def test_a_slow_reader_holds_what_it_lacks() -> None:
    backlog = Backlog(0, 1 << 16)
    slow = backlog.end()
    backlog.append([b"x" * 1000] * 1000)
    assert backlog.memory() > 1_000_000
    slow.close()
    backlog.trim()
    assert backlog.memory() < 300_000


@pytest.mark.parametrize("size", [1 << 14, 1 << 16, 1 << 20])
def test_little_more_than_the_size_is_kept(size: int) -> None:
    backlog = Backlog(0, size)
    for _ in range(3 * size // 100):
        backlog.append([b"x" * 100])
        assert len(backlog) < size + size // 8
    assert len(backlog) >= size
    assert backlog.memory() < size + size // 4


def test_of_a_large_piece_no_more_is_kept_than_of_small_ones() -> None:
    backlog = Backlog(0, 1 << 14)
    backlog.append([b"x" * 1_000_000])
    assert 1 << 14 <= len(backlog) < 20_000
    cursor = backlog.cursor(backlog.start + 1)
    assert read(cursor) == b"x" * len(backlog)
    assert not backlog.holds(1)


def test_a_backlog_that_is_made_smaller_keeps_less_by_and_by() -> None:
    backlog = Backlog(0, 1 << 20)
    backlog.append([b"x" * 1000] * 2000)
    backlog.size = 1 << 14
    backlog.append([b"x" * 1000] * 100)
    assert len(backlog) < 20_000


def test_a_copied_cursor_holds_as_well() -> None:
    backlog = Backlog(0, 1)
    first = backlog.end()
    backlog.append([b"abc"])
    second = first.copy()
    first.close()
    backlog.append([b"x" * 100_000] * 5)
    assert read(second) == b"abc" + b"x" * 500_000


def test_a_history_goes_on_under_another_id() -> None:
    history = History()
    old = history.replid
    assert history.covers(old, 10**9) and not history.covers(NO_ID, 1)
    history.offset = 100
    history.branch()
    assert (history.second_id, history.second_offset) == (old, 101)
    assert history.covers(old, 101) and not history.covers(old, 102)
    assert history.covers(history.replid, 102)
    history.renew()
    assert not history.covers(old, 1)
