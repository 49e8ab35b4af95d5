"""The journal of a turn: what was recorded comes out encoded, by whichever way."""

from __future__ import annotations

import pytest

from kedis.engine.engine import COMPILED
from kedis.persistence import journal as module
from kedis.persistence.journal import Journal
from kedis.resp.canonical import CANONICAL, PLAIN, UNKNOWN
from kedis.resp.replies import encode_command

SELECT = encode_command([b"SELECT", b"0"])


def journal_with(*commands: list[bytes]) -> Journal:
    journal = Journal(lambda: 0.0)
    for argv in commands:
        journal.append(0, argv)
    return journal


def encoded(*commands: list[bytes]) -> bytes:
    return b"".join(map(encode_command, commands))


def test_every_shape_is_encoded() -> None:
    long = b"x" * 5000
    commands = [
        [b"SET", b"k", b"v"],
        [b"set", b"k", long],
        [b"DEL", b"k"],
        [b"DEL", long],
        [b"DEL", b"a", b"b", b"c"],
        [b"PING"],
        [b"sEt", b"k", b""],
    ]
    journal = journal_with(*commands)
    journal.append(0, (b"SET", bytearray(b"k"), b"w"))
    assert journal.size() > len(encoded(*commands)) - 200
    assert b"".join(journal.take()) == SELECT + encoded(*commands, [b"SET", b"k", b"w"])
    assert b"".join(journal.take()) == b"" and journal.size() == 0


def test_words_of_a_handler_are_encoded_at_once() -> None:
    value = bytearray(b"before")
    journal = Journal(lambda: 0.0)
    journal.append(0, (b"SET", b"k", value))
    value[:] = b"after"
    assert b"".join(journal.take()) == SELECT + encoded([b"SET", b"k", b"before"])


def test_select_where_the_database_changes_and_in_each_file() -> None:
    journal = journal_with([b"DEL", b"a"])
    journal.append(3, [b"DEL", b"b"])
    journal.append(3, [b"DEL", b"c"])
    three = encode_command([b"SELECT", b"3"])
    assert b"".join(journal.take()) == SELECT + encoded([b"DEL", b"a"]) + three + encoded(
        [b"DEL", b"b"], [b"DEL", b"c"]
    )
    journal.begin_file()
    journal.append(3, [b"DEL", b"d"])
    assert b"".join(journal.take()) == three + encoded([b"DEL", b"d"])


def test_timestamps_come_once_a_second() -> None:
    now = 100.0
    journal = Journal(lambda: now)
    journal.timestamps = True
    journal.append(0, [b"DEL", b"a"])
    assert b"".join(journal.take()) == b"#TS:100\r\n" + SELECT + encoded([b"DEL", b"a"])
    journal.append(0, [b"DEL", b"b"])
    assert b"".join(journal.take()) == encoded([b"DEL", b"b"])
    now = 101.5
    journal.append(0, [b"DEL", b"c"])
    assert b"".join(journal.take()) == b"#TS:101\r\n" + encoded([b"DEL", b"c"])


def test_the_wire_is_kept_only_for_what_was_recorded_last_word_for_word() -> None:
    """A stand-in of other bytes shows which way was taken."""
    one, two = [b"SET", b"a", b"1"], [b"SET", b"b", b"2"]
    for commands, form, wire in (([one], CANONICAL, b"!"), ([one, two], PLAIN, b"\r\n" * 14)):
        journal = journal_with([b"DEL", b"x"], *commands)
        journal.keep_wire(commands, wire, form)
        assert b"".join(journal.take()) == SELECT + encoded([b"DEL", b"x"]) + wire
        for recorded in ([], [two], commands[1:], [*commands, [b"DEL", b"a"]]):
            journal = journal_with(*recorded)
            journal.keep_wire(commands, wire, form)
            assert b"".join(journal.take()) == (SELECT if recorded else b"") + encoded(*recorded)
        journal = journal_with(*commands)
        journal.keep_wire(commands, wire, UNKNOWN)
        assert b"".join(journal.take()) == SELECT + encoded(*commands)
    journal = journal_with(one, two)
    journal.keep_wire([one, two], b"\r\n" * 13, PLAIN)  # a line end is missing: no encoding of theirs
    assert b"".join(journal.take()) == SELECT + encoded(one, two)


def test_large_words_are_not_copied() -> None:
    """Each stands in the encoding as the very object that came, whoever has recorded it, and in whatever company."""
    large = [bytes([letter]) * 2_000_000 for letter in b"abcd"]
    commands = [
        [b"SET", b"k", large[0]],
        [b"SET", b"k", b"small"],
        [b"RPUSH", b"l", b"x", large[1], b"y", large[2], b"z"],
        [b"DEL", b"k"],
    ]
    journal = journal_with(*commands)
    journal.append(0, (b"SET", b"k", large[3], b"PXAT", b"5"))
    pieces = journal.take()
    assert b"".join(pieces) == SELECT + encoded(*commands, [b"SET", b"k", large[3], b"PXAT", b"5"])
    for word in large:
        assert any(piece is word for piece in pieces)
    assert sum(len(piece) for piece in pieces if not any(piece is word for word in large)) < 1000


def test_pieces_that_are_joined_are_bounded() -> None:
    """Many small ones make several pieces: of no turn all bytes are copied at a time."""
    wire = encoded([b"SET", b"k", b"v" * 20_000])
    many: list[list[list[bytes]]] = [
        [[b"SET", b"k", b"v" * 900]] * 20_000,
        [[b"DEL", b"k" * 900]] * 20_000,
        [[b"SET", b"k", b"v" * 20_000]] * 1000,
        [[b"MSET", *[b"v" * 2000] * 10_000]],
    ]
    for commands in many:
        pieces = journal_with(*commands).take()
        assert b"".join(pieces) == SELECT + encoded(*commands)
        assert len(pieces) > 5 and max(map(len, pieces)) < 9_000_000
    journal = Journal(lambda: 0.0)
    journal.entries += [wire] * 1000
    pieces = journal.take()
    assert b"".join(pieces) == wire * 1000 and max(map(len, pieces)) < 2_000_000


@pytest.mark.skipif(COMPILED, reason="a compiled module does not look its functions up by name")
def test_what_cannot_be_encoded_stays_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = [b"DEL", b"a"], [b"DEL", b"a", b"b", b"c"]
    journal = Journal(lambda: 7.0)
    journal.timestamps = True
    for argv in commands:
        journal.append(0, argv)

    def fail(*_: object) -> bytes:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(module, "encode_command", fail)
        for _ in range(3):
            with pytest.raises(MemoryError):
                journal.take()
        with pytest.raises(MemoryError):
            journal.append(5, [b"DEL", b"c"])
    journal.append(5, [b"DEL", b"d"])
    five = encode_command([b"SELECT", b"5"])
    expected = b"#TS:7\r\n" + SELECT + encoded(*commands) + five + encoded([b"DEL", b"d"])
    assert b"".join(journal.take()) == expected
