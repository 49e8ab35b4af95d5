"""The journal of a turn: what was recorded comes out encoded, by whichever way."""

from __future__ import annotations

from kedis.persistence.journal import Journal
from kedis.resp.clean_requests import CANONICAL, PLAIN, UNKNOWN
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
    assert journal.take() == SELECT + encoded(*commands, [b"SET", b"k", b"w"])
    assert journal.take() == b"" and journal.size() == 0


def test_words_of_a_handler_are_encoded_at_once() -> None:
    value = bytearray(b"before")
    journal = Journal(lambda: 0.0)
    journal.append(0, (b"SET", b"k", value))
    value[:] = b"after"
    assert journal.take() == SELECT + encoded([b"SET", b"k", b"before"])


def test_select_where_the_database_changes_and_in_each_file() -> None:
    journal = journal_with([b"DEL", b"a"])
    journal.append(3, [b"DEL", b"b"])
    journal.append(3, [b"DEL", b"c"])
    three = encode_command([b"SELECT", b"3"])
    assert journal.take() == SELECT + encoded([b"DEL", b"a"]) + three + encoded(
        [b"DEL", b"b"], [b"DEL", b"c"]
    )
    journal.begin_file()
    journal.append(3, [b"DEL", b"d"])
    assert journal.take() == three + encoded([b"DEL", b"d"])


def test_timestamps_come_once_a_second() -> None:
    now = 100.0
    journal = Journal(lambda: now)
    journal.timestamps = True
    journal.append(0, [b"DEL", b"a"])
    assert journal.take() == b"#TS:100\r\n" + SELECT + encoded([b"DEL", b"a"])
    journal.append(0, [b"DEL", b"b"])
    assert journal.take() == encoded([b"DEL", b"b"])
    now = 101.5
    journal.append(0, [b"DEL", b"c"])
    assert journal.take() == b"#TS:101\r\n" + encoded([b"DEL", b"c"])


def test_the_wire_is_kept_only_for_what_was_recorded_last_word_for_word() -> None:
    """A stand-in of other bytes shows which way was taken."""
    one, two = [b"SET", b"a", b"1"], [b"SET", b"b", b"2"]
    for commands, form, wire in (([one], CANONICAL, b"!"), ([one, two], PLAIN, b"\r\n" * 14)):
        journal = journal_with([b"DEL", b"x"], *commands)
        journal.keep_wire(commands, wire, form)
        assert journal.take() == SELECT + encoded([b"DEL", b"x"]) + wire
        for recorded in ([], [two], commands[1:], [*commands, [b"DEL", b"a"]]):
            journal = journal_with(*recorded)
            journal.keep_wire(commands, wire, form)
            assert journal.take() == (SELECT if recorded else b"") + encoded(*recorded)
        journal = journal_with(*commands)
        journal.keep_wire(commands, wire, UNKNOWN)
        assert journal.take() == SELECT + encoded(*commands)
    journal = journal_with(one, two)
    journal.keep_wire([one, two], b"\r\n" * 13, PLAIN)  # a line end is missing: no encoding of theirs
    assert journal.take() == SELECT + encoded(one, two)
