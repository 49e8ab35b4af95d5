"""List commands: scripts of commands and answers.  More of them is compared in ``test_lists_oracle``."""

from __future__ import annotations

from random import Random

import pytest

from tests.commands.driver import Client, ErrorReply

SYNTAX = ErrorReply("ERR syntax error")
NOT_AN_INTEGER = ErrorReply("ERR value is not an integer or out of range")
WRONG_TYPE = ErrorReply("WRONGTYPE Operation against a key holding the wrong kind of value")


@pytest.fixture
def client() -> Client:
    return Client()


def elements(client: Client, key: str = "l") -> list[bytes]:
    found: list[bytes] = client.call("LRANGE", key, 0, -1)
    return found


def test_pushing_and_popping(client: Client) -> None:
    assert client.call("RPUSH", "l", "b", "c") == 2
    assert client.call("LPUSH", "l", "a", "z") == 4
    assert elements(client) == [b"z", b"a", b"b", b"c"]
    assert client.call("LLEN", "l") == 4
    assert client.call("LPOP", "l") == b"z"
    assert client.call("RPOP", "l") == b"c"
    assert client.call("LPOP", "l", 5) == [b"a", b"b"]
    assert client.call("EXISTS", "l") == 0
    assert client.call("LLEN", "l") == 0
    assert client.call("LPOP", "l") is None
    assert client.call("RPUSHX", "l", "x") == 0
    assert client.call("LPUSHX", "l", "x") == 0
    client.call("RPUSH", "l", "m")
    assert client.call("RPUSHX", "l", "n", "o") == 3
    assert client.call("LPUSHX", "l", "k") == 4
    assert client.call("RPOP", "l", 2) == [b"o", b"n"]
    assert client.call("RPOP", "l", 0) == []


def test_popping_a_count_of_nothing(client: Client) -> None:
    client.engine.run(client.state, [[b"LPOP", b"none", b"1"], [b"LPOP", b"none"]])
    assert b"".join(client.state.out) == b"*-1\r\n$-1\r\n"
    client.state.out.clear()
    client.call("RPUSH", "l", "a")
    for count in ("-1", "x", "1.5"):
        assert client.call("LPOP", "l", count) == ErrorReply("ERR value is out of range, must be positive")
    assert client.call("RPOP", "l", 1, 2) == ErrorReply("ERR wrong number of arguments for 'rpop' command")


def test_the_wrong_type(client: Client) -> None:
    client.call("SET", "s", "v")
    for line in (
        "LPUSH s a",
        "RPUSHX s a",
        "LPOP s",
        "RPOP s 1",
        "LLEN s",
        "LRANGE s 0 1",
        "LINDEX s 0",
        "LSET s 0 a",
        "LINSERT s BEFORE a b",
        "LREM s 0 a",
        "LTRIM s 0 1",
        "LPOS s a",
        "RPOPLPUSH s l",
        "LMPOP 1 s LEFT",
    ):
        assert client.call(*line.split()) == WRONG_TYPE, line
    client.call("RPUSH", "l", "a")
    assert client.call("LMOVE", "l", "s", "LEFT", "LEFT") == WRONG_TYPE
    assert elements(client) == [b"a"]


def test_positions(client: Client) -> None:
    client.call("RPUSH", "l", *"abcde")
    assert client.call("LRANGE", "l", 1, 3) == [b"b", b"c", b"d"]
    assert client.call("LRANGE", "l", -2, 100) == [b"d", b"e"]
    assert client.call("LRANGE", "l", -100, 0) == [b"a"]
    assert client.call("LRANGE", "l", 3, 1) == []
    assert client.call("LRANGE", "none", 0, -1) == []
    assert client.call("LINDEX", "l", -1) == b"e"
    assert client.call("LINDEX", "l", 5) is None
    assert client.call("LINDEX", "l", -6) is None
    assert client.call("LINDEX", "none", "x") is None
    assert client.call("LINDEX", "l", "x") == NOT_AN_INTEGER
    assert client.call("LSET", "l", -5, "A") == b"OK"
    assert client.call("LSET", "l", 5, "x") == ErrorReply("ERR index out of range")
    assert client.call("LSET", "none", 0, "x") == ErrorReply("ERR no such key")
    assert elements(client) == [b"A", b"b", b"c", b"d", b"e"]


def test_ranges_of_a_long_list() -> None:
    """Every way in which a range is cut out: near the head, near the tail, and far from both."""
    client = Client()
    model = [b"%d" % number for number in range(4000)]
    client.call("RPUSH", "l", *model)
    random = Random(1)
    for _ in range(300):
        first, last = random.randrange(4000), random.randrange(4000)
        assert client.call("LRANGE", "l", first, last) == model[first : last + 1]
        assert client.call("LRANGE", "l", first - 4000, last - 4000) == model[first : last + 1]
    assert elements(client) == model


def test_inserting(client: Client) -> None:
    client.call("RPUSH", "l", "a", "c", "a")
    assert client.call("LINSERT", "l", "BEFORE", "c", "b") == 4
    assert client.call("LINSERT", "l", "after", "a", "x") == 5
    assert client.call("LINSERT", "l", "AFTER", "none", "x") == -1
    assert client.call("LINSERT", "none", "AFTER", "a", "x") == 0
    assert client.call("LINSERT", "l", "ABOVE", "a", "x") == SYNTAX
    assert elements(client) == [b"a", b"x", b"b", b"c", b"a"]


@pytest.mark.parametrize(
    ("count", "removed", "left"),
    [
        (0, 4, "bc"),
        (1, 1, "bacaa"),
        (2, 2, "bcaa"),
        (-1, 1, "abaca"),
        (-2, 2, "abac"),
        (-9, 4, "bc"),
        (9, 4, "bc"),
    ],
)
def test_removing(client: Client, count: int, removed: int, left: str) -> None:
    client.call("RPUSH", "l", *"abacaa")
    assert client.call("LREM", "l", count, "a") == removed
    assert b"".join(elements(client)).decode() == left
    assert client.call("LREM", "l", count, "none") == 0
    assert client.call("LREM", "none", count, "a") == 0


def test_trimming(client: Client) -> None:
    client.call("RPUSH", "l", *"abcdefgh")
    assert client.call("LTRIM", "l", 1, -2) == b"OK"
    assert elements(client) == [b"b", b"c", b"d", b"e", b"f", b"g"]
    assert client.call("LTRIM", "l", -2, -2) == b"OK"
    assert elements(client) == [b"f"]
    client.journal()
    assert client.call("LTRIM", "l", 0, 5) == b"OK"
    assert client.journal() == []
    assert client.call("LTRIM", "l", 5, 1) == b"OK"
    assert client.call("EXISTS", "l") == 0
    assert client.call("LTRIM", "l", 0, 1) == b"OK"


def test_finding_positions(client: Client) -> None:
    client.call("RPUSH", "l", *"abcXbcdbc")
    assert client.call("LPOS", "l", "b") == 1
    assert client.call("LPOS", "l", "b", "RANK", 2) == 4
    assert client.call("LPOS", "l", "b", "RANK", -1) == 7
    assert client.call("LPOS", "l", "b", "COUNT", 0) == [1, 4, 7]
    assert client.call("LPOS", "l", "b", "COUNT", 2, "RANK", -1) == [7, 4]
    assert client.call("LPOS", "l", "b", "COUNT", 0, "MAXLEN", 5) == [1, 4]
    assert client.call("LPOS", "l", "b", "RANK", -1, "MAXLEN", 1) is None
    assert client.call("LPOS", "l", "none") is None
    assert client.call("LPOS", "l", "none", "COUNT", 1) == []
    assert client.call("LPOS", "none", "b", "COUNT", 1) == []
    assert client.call("LPOS", "l", "b", "RANK", 0) == ErrorReply(
        "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to "
        "start from the end of the list"
    )
    assert client.call("LPOS", "l", "b", "COUNT", -1) == ErrorReply("ERR COUNT can't be negative")
    assert client.call("LPOS", "l", "b", "MAXLEN", "x") == ErrorReply("ERR MAXLEN can't be negative")
    assert client.call("LPOS", "l", "b", "COUNT") == SYNTAX


def test_moving(client: Client) -> None:
    client.call("RPUSH", "l", *"abc")
    assert client.call("LMOVE", "l", "m", "LEFT", "RIGHT") == b"a"
    assert client.call("LMOVE", "l", "m", "right", "left") == b"c"
    assert elements(client, "m") == [b"c", b"a"]
    assert client.call("RPOPLPUSH", "m", "m") == b"a"
    assert elements(client, "m") == [b"a", b"c"]
    assert client.call("LMOVE", "m", "m", "LEFT", "LEFT") == b"a"
    assert client.call("RPOPLPUSH", "l", "m") == b"b"
    assert client.call("EXISTS", "l") == 0
    assert client.call("RPOPLPUSH", "l", "m") is None
    assert client.call("LMOVE", "m", "l", "UP", "LEFT") == SYNTAX
    assert elements(client, "m") == [b"b", b"a", b"c"]


def test_a_list_of_one_moved_to_itself_stays(client: Client) -> None:
    client.call("RPUSH", "l", "a")
    client.call("PEXPIRE", "l", 100)
    assert client.call("RPOPLPUSH", "l", "l") == b"a"
    assert client.call("PTTL", "l") == 100


def test_popping_from_the_first_that_is_there(client: Client) -> None:
    client.call("RPUSH", "l", *"abcd")
    client.journal()
    assert client.call("LMPOP", 2, "none", "l", "LEFT") == [b"l", [b"a"]]
    assert client.call("LMPOP", 1, "l", "right", "count", 9) == [b"l", [b"d", b"c", b"b"]]
    assert client.journal() == ["0 LPOP l 1", "0 RPOP l 3"]
    assert client.call("LMPOP", 1, "l", "LEFT") is None
    for words, error in (
        ("0 l LEFT", "ERR numkeys should be greater than 0"),
        ("x l LEFT", "ERR numkeys should be greater than 0"),
        ("9 l LEFT", "ERR syntax error"),
        ("2 l LEFT", "ERR syntax error"),
        ("1 l UP", "ERR syntax error"),
        ("1 l LEFT COUNT", "ERR syntax error"),
        ("1 l LEFT COUNT 0", "ERR count should be greater than 0"),
        ("1 l LEFT COUNT 1 COUNT 1", "ERR syntax error"),
    ):
        assert client.call("LMPOP", *words.split()) == ErrorReply(error), words
