"""Entries of streams on the terminal."""

from __future__ import annotations

from kedis.cli.client.display import Display
from kedis.cli.client.wire import Pairs


def shown(words: str, reply: object) -> str:
    return Display(color=False).text([word.encode() for word in words.split()], reply)


ENTRIES = [
    [b"17-0", [b"sensor", b"a", b"value", b"20.5"]],
    [b"17-1", [b"sensor", b"b"]],
    [b"18-0", None],
]


def test_a_line_an_entry_and_a_column_a_field() -> None:
    assert shown("XRANGE s - +", ENTRIES).splitlines() == [
        "id   | sensor    | value",
        '17-0 | "a"       | "20.5"',
        '17-1 | "b"       |',
        "18-0 | (deleted) |",
        "(3 entries)",
    ]


def test_several_streams_in_both_protocols() -> None:
    one = [[b"1-0", [b"f", b"v"]]]
    expected = ['"s"', "id  | f", '1-0 | "v"', "(1 entry)", '"t"', "id  | f", '1-0 | "v"', "(1 entry)"]
    assert shown("xread streams s t 0 0", [[b"s", one], [b"t", one]]).splitlines() == expected
    assert shown("XREADGROUP x", Pairs([(b"s", one), (b"t", one)])).splitlines() == expected


def test_what_was_claimed_with_the_cursor_and_what_is_deleted() -> None:
    table = ["id  | f", '1-0 | "v"', "(1 entry)"]
    reply = [b"5-0", [[b"1-0", [b"f", b"v"]]], []]
    assert shown("XAUTOCLAIM s g c 0 0", reply).splitlines() == [*table, "next 5-0"]
    reply[2] = [b"2-0", b"3-0"]
    assert shown("xautoclaim s g c 0 0", reply).splitlines() == [*table, "next 5-0", "deleted 2-0 3-0"]
    for other in ([b"0-0", [b"1-0"], []], [b"0-0", [], []], [b"0-0", reply[1]], [b"0-0", reply[1], [7]], [7]):
        assert shown("XAUTOCLAIM s g c 0 0 JUSTID", other) == shown("LRANGE s 0 1", other)


def test_many_fields_and_repeated_ones_stand_behind_the_id() -> None:
    many = [word for n in range(9) for word in (b"f%d" % n, b"%d" % n)]
    assert shown("XRANGE s - +", [[b"1-0", many]]).splitlines()[1].startswith('1-0 | f0 "0"  f1 "1"')
    assert shown("XRANGE s - +", [[b"1-0", [b"f", b"1", b"f", b"2"]]]).splitlines()[1] == '1-0 | f "1"  f "2"'


def test_what_is_no_list_of_entries_is_shown_as_ever() -> None:
    assert shown("XRANGE s - +", []) == shown("LRANGE s 0 1", [])
    assert shown("XREAD x", None) == "(nil)"
    for reply in (
        [b"1-0"],
        [[b"1-0", [b"odd"]]],
        [[b"1-0", [b"f", [b"v"]]]],
        [[7, [b"f", b"v"]]],
        [[[b"x"], []]],
    ):
        assert shown("XRANGE s - +", reply) == shown("LRANGE s 0 1", reply)
        assert shown("XREAD s", reply) == shown("LRANGE s 0 1", reply)


def test_control_characters_stay_in_their_line() -> None:
    text = shown("XRANGE s - +", [[b"1\n-0\x1b[2J", [b"f\nx", b"\x1b[2J\r\n"]]])
    assert "\x1b" not in text and len(text.splitlines()) == 3
