"""Sorted sets as tables, JSON laid out, and lists in maps, as the interactive session shows them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kedis.cli.client.display import Display
from kedis.cli.client.json_layout import laid_out
from kedis.cli.client.render import EXACT, Form, numbered, render, render_on_terminal
from kedis.cli.client.wire import Double, Pairs


def shown(words: str, reply: object) -> list[str]:
    return Display(color=False).text([word.encode() for word in words.split()], reply).splitlines()


TABLE = ["member | score", '"ann"  | 3', '"b c"  | 1.5', "(2 members)"]
FLAT = [b"ann", b"3", b"b c", b"1.5"]
NESTED = [[b"ann", Double("3")], [b"b c", Double("1.5")]]


@pytest.mark.parametrize(
    "words",
    [
        "ZRANGE board 0 -1 WITHSCORES",
        "zrevrangebyscore board + - withscores LIMIT 0 2",
        "ZUNION 1 board WITHSCORES",
        "ZRANDMEMBER board 2 WITHSCORES",
        "ZPOPMAX board 2",
    ],
)
def test_members_with_scores_in_both_protocols(words: str) -> None:
    assert shown(words, FLAT) == shown(words, NESTED) == TABLE


def test_members_of_a_key_that_the_reply_names() -> None:
    for members in ([[b"ann", b"3"], [b"b c", b"1.5"]], NESTED):
        assert shown("ZMPOP 1 board MAX COUNT 2", [b"board", members]) == ['"board"', *TABLE]
    assert shown("ZPOPMIN board", [b"ann", Double("inf")]) == [TABLE[0], '"ann"  | inf', "(1 member)"]


@pytest.mark.parametrize(
    ("words", "reply"),
    [
        ("ZRANGE board 0 -1", [b"ann", b"bob"]),
        ("ZRANGE board 0 -1 WITHSCORES", []),
        ("ZRANGE board 0 -1 WITHSCORES", [b"ann", b"3", b"odd"]),
        ("ZRANGE board 0 -1 WITHSCORES", [[b"ann", [b"x"]]]),
        ("ZRANGE board 0 -1 WITHSCORES", [[b"ann", b"3"], b"bob"]),
        ("ZMPOP 1 board MAX", None),
        ("ZMPOP 1 board MAX", [b"board", b"x"]),
    ],
)
def test_other_replies_are_shown_as_ever(words: str, reply: object) -> None:
    assert shown(words, reply) == shown("EVAL x 0", reply)


def test_a_value_that_is_json_is_laid_out() -> None:
    value = b'{"name":"\xc3\xa4","tags":["a","b"],"big":1234567890123456789.10}'
    text = shown("GET k", value)
    assert text == [
        '{"name": "\u00e4", "tags": ["a", "b"], "big": 1234567890123456789.10}',
        f"(JSON, {len(value)} bytes)",
    ]
    rows = json.dumps([{"id": n, "text": "x" * 40} for n in range(2)]).encode()
    assert shown("GET k", rows)[:-1] == [
        "[",
        f'  {{"id": 0, "text": "{"x" * 40}"}},',
        f'  {{"id": 1, "text": "{"x" * 40}"}}',
        "]",
    ]
    assert "\x1b" not in "".join(shown("GET k", b'["\x1b[2J"]')), (
        "no JSON: a control character is not escaped"
    )
    assert shown("GET k", '["\u202e"]'.encode())[0] == r'["\u202e"]'
    for other in (b"{}", b"[]", b"[1,", b"{hello}", b"1", b"[" * 100_000, b'["\xff"]'):
        assert shown("GET k", other) == [render(other, Form.HUMAN).decode()]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(json_values)
def test_only_blanks_change(value: object) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert json.loads(laid_out(text)) == value


def test_json_nested_as_deep_as_a_server_may_send_it() -> None:
    text = "[" * 1024 + "1" + "]" * 1024
    assert "".join(laid_out(text).split()) == text


def test_json_on_a_terminal_is_laid_out_and_redirected_it_is_not() -> None:
    reply = Pairs([(b"field%d" % number, b"x" * 20) for number in range(5)])
    assert render_on_terminal(reply, Form.JSON).count("\n") == 6
    assert b"\n" not in render(reply, Form.JSON)


def test_lists_in_maps_begin_on_a_line_of_their_own() -> None:
    reply = Pairs([(b"one", [b"a"]), (b"two", [b"a", b"b"]), (b"none", [])])
    assert shown("X", reply) == [
        '1# "one" => ',
        '   1) "a"',
        '2# "two" => ',
        '   1) "a"',
        '   2) "b"',
        '3# "none" => (empty array)',
    ]
    assert numbered(reply, EXACT).splitlines()[0] == b'1# "one" => 1) "a"', "as redis-cli prints it"
