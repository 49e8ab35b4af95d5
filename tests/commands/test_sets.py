"""Sets, as scripts of commands and answers; test_sets_and_hashes_oracle.py compares them with Redis."""

from __future__ import annotations

from typing import Any

import pytest

from kedis.structures.containers import INDEX_ABOVE
from tests.commands.driver import Client, ErrorReply

WRONG_TYPE = ErrorReply("WRONGTYPE Operation against a key holding the wrong kind of value")
SYNTAX = ErrorReply("ERR syntax error")
NOT_AN_INTEGER = ErrorReply("ERR value is not an integer or out of range")
NOT_POSITIVE = ErrorReply("ERR value is out of range, must be positive")
OUT_OF_RANGE = ErrorReply("ERR value is out of range")
BEYOND = ErrorReply(
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
)


@pytest.fixture
def client() -> Client:
    client = Client()
    client.engine.keyspace.random.seed(7)
    client.state.db.set_value(b"str", b"x")
    return client


def wire(client: Client, *words: str) -> bytes:
    """The reply as bytes."""
    client.engine.run(client.state, [[word.encode() for word in words]])
    reply = b"".join(client.state.out)
    client.state.out.clear()
    return reply


def members(client: Client, key: str) -> list[bytes]:
    return sorted(client.call("SMEMBERS", key))


def test_adding_and_removing(client: Client) -> None:
    assert client.call("SADD", "s", "a") == 1
    assert client.call("SADD", "s", "a") == 0
    assert client.call("SADD", "s", "a", "b", "c", "b") == 2
    assert client.call("SCARD", "s") == 3
    assert client.call("SREM", "s", "a", "nothing", "b") == 2
    assert members(client, "s") == [b"c"]
    assert client.journal() == ["0 SADD s a", "0 SADD s a b c b", "0 SREM s a nothing b"]
    assert client.call("SREM", "s", "nothing") == 0
    assert client.call("SREM", "missing", "a") == 0
    assert client.journal() == []


def test_an_emptied_set_disappears(client: Client) -> None:
    client.call("SADD", "s", "a")
    client.call("SREM", "s", "a")
    assert client.call("DBSIZE") == 1
    client.state.db.check()


def test_membership(client: Client) -> None:
    client.call("SADD", "s", "a", "b")
    assert client.call("SISMEMBER", "s", "a") == 1
    assert client.call("SISMEMBER", "s", "z") == 0
    assert client.call("SISMEMBER", "missing", "a") == 0
    assert client.call("SMISMEMBER", "s", "a", "z", "b") == [1, 0, 1]
    assert client.call("SMISMEMBER", "missing", "a", "z") == [0, 0]
    assert client.call("SMEMBERS", "missing") == []
    assert client.call("SCARD", "missing") == 0


def test_moving(client: Client) -> None:
    client.call("SADD", "s", "a", "b")
    client.call("SADD", "t", "b")
    client.journal()
    assert client.call("SMOVE", "s", "t", "a") == 1
    assert client.call("SMOVE", "s", "t", "nothing") == 0
    assert client.call("SMOVE", "s", "s", "b") == 1
    assert client.call("SMOVE", "s", "s", "nothing") == 0
    assert client.journal() == ["0 SMOVE s t a"]
    assert client.call("SMOVE", "s", "t", "b") == 1
    assert client.call("EXISTS", "s") == 0
    assert members(client, "t") == [b"a", b"b"]
    assert client.call("SMOVE", "t", "new", "a") == 1
    assert members(client, "new") == [b"a"]
    assert client.call("SMOVE", "missing", "str", "a") == 0
    assert client.call("SMOVE", "t", "str", "nothing") == WRONG_TYPE


def test_popping_is_journalled_as_what_was_popped(client: Client) -> None:
    client.call("SADD", "s", "a", "b", "c", "d")
    client.journal()
    popped = client.call("SPOP", "s")
    assert client.journal() == [f"0 SREM s {popped.decode()}"]
    two = client.call("SPOP", "s", 2)
    (line,) = client.journal()
    assert line.startswith("0 SREM s ")
    assert sorted(line.split()[3:]) == sorted(member.decode() for member in two)
    assert client.call("SPOP", "s", 0) == []
    assert client.journal() == []
    rest = client.call("SPOP", "s", 5)
    assert client.journal() == ["0 DEL s"]
    assert sorted([popped, *two, *rest]) == [b"a", b"b", b"c", b"d"]
    assert client.call("SPOP", "s") is None
    assert client.call("SPOP", "s", 3) == []
    assert client.journal() == []
    client.call("SADD", "s", "a")
    client.journal()
    assert client.call("SPOP", "s") == b"a"
    assert client.journal() == ["0 SREM s a"]
    client.state.db.check()


def test_popping_many_is_journalled_in_chunks(client: Client) -> None:
    client.call("SADD", "s", *range(4000))
    client.journal()
    popped = client.call("SPOP", "s", 2500)
    lines = client.journal()
    assert [line.split()[1] for line in lines] == ["MULTI", "SREM", "SREM", "SREM", "EXEC"]
    assert [len(line.split()) - 3 for line in lines[1:-1]] == [1024, 1024, 452]
    named = [word.encode() for line in lines[1:-1] for word in line.split()[3:]]
    assert sorted(named) == sorted(popped)
    assert client.call("SCARD", "s") == 1500
    client.state.db.data[b"s"]._check()


@pytest.mark.parametrize("words", ["SPOP s", "SRANDMEMBER s"])
@pytest.mark.parametrize("size", [10, 2 * INDEX_ABOVE])
def test_random_choice_is_fair(client: Client, words: str, size: int) -> None:
    counts = dict.fromkeys((b"%d" % number for number in range(size)), 0)
    client.call("SADD", "s", *counts)
    draws = 50 * size
    for _ in range(draws):
        member = client.call(*words.split())
        counts[member] += 1
        client.call("SADD", "s", member)
    chi_square = sum((count - 50) ** 2 for count in counts.values()) / 50
    assert abs(chi_square - (size - 1)) < 5 * (2 * (size - 1)) ** 0.5


def test_a_seed_repeats_the_choices() -> None:
    def draw() -> list[Any]:
        client = Client()
        client.engine.keyspace.random.seed(99)
        client.call("SADD", "s", *range(500))
        return [client.call("SPOP", "s") for _ in range(20)]

    assert draw() == draw()


def test_random_members(client: Client) -> None:
    client.call("SADD", "s", "a", "b", "c")
    assert client.call("SRANDMEMBER", "s") in (b"a", b"b", b"c")
    assert sorted(client.call("SRANDMEMBER", "s", 9223372036854775807)) == [b"a", b"b", b"c"]
    assert len(set(client.call("SRANDMEMBER", "s", 2))) == 2
    assert client.call("SRANDMEMBER", "s", 0) == []
    picks = client.call("SRANDMEMBER", "s", -200)
    assert len(picks) == 200
    assert set(picks) == {b"a", b"b", b"c"}
    assert client.call("SRANDMEMBER", "missing") is None
    assert client.call("SRANDMEMBER", "missing", -5) == []
    assert client.call("SCARD", "s") == 3


def test_extreme_counts_are_refused(client: Client) -> None:
    client.call("SADD", "s", "a")
    assert client.call("SRANDMEMBER", "s", -9223372036854775808) == BEYOND
    assert client.call("SRANDMEMBER", "missing", -9223372036854775808) == BEYOND
    assert client.call("SRANDMEMBER", "s", -9223372036854775807) == OUT_OF_RANGE
    assert client.call("SRANDMEMBER", "s", 9223372036854775808) == NOT_AN_INTEGER
    assert client.call("SRANDMEMBER", "str", "x") == NOT_AN_INTEGER
    assert client.call("SRANDMEMBER", "s", 1, 2) == SYNTAX
    assert client.call("SPOP", "s", -1) == NOT_POSITIVE
    assert client.call("SPOP", "missing", "x") == NOT_POSITIVE
    assert client.call("SPOP", "s", 1, 2) == SYNTAX


def test_algebra(client: Client) -> None:
    client.call("SADD", "s", "a", "b", "c")
    client.call("SADD", "t", "b", "c", "d")
    client.call("SADD", "u", "c")
    assert sorted(client.call("SINTER", "s", "t")) == [b"b", b"c"]
    assert client.call("SINTER", "s", "t", "u") == [b"c"]
    assert client.call("SINTER", "s", "missing") == []
    assert sorted(client.call("SINTER", "s")) == [b"a", b"b", b"c"]
    assert sorted(client.call("SUNION", "s", "t", "missing")) == [b"a", b"b", b"c", b"d"]
    assert sorted(client.call("SDIFF", "s", "u")) == [b"a", b"b"]
    assert client.call("SDIFF", "s", "t", "missing") == [b"a"]
    assert client.call("SDIFF", "s", "s") == []
    assert sorted(client.call("SDIFF", "s")) == [b"a", b"b", b"c"]


def test_algebra_looks_at_every_key(client: Client) -> None:
    client.call("SADD", "s", "a")
    for command in ("SINTER", "SUNION", "SDIFF"):
        assert client.call(command, "missing", "s", "str") == WRONG_TYPE
        assert client.call(command + "STORE", "new", "str", "missing") == WRONG_TYPE
    assert client.call("SINTERCARD", 2, "missing", "str") == WRONG_TYPE
    assert client.call("EXISTS", "new") == 0


def test_storing(client: Client) -> None:
    client.call("SADD", "s", "a", "b")
    client.call("SADD", "t", "b", "c")
    client.state.db.set_value(b"d", b"replaced")
    client.call("EXPIRE", "d", 100)
    client.journal()
    assert client.call("SUNIONSTORE", "d", "s", "t") == 3
    assert client.call("TTL", "d") == -1
    assert members(client, "d") == [b"a", b"b", b"c"]
    assert client.call("SINTERSTORE", "d", "s", "t") == 1
    assert client.call("SDIFFSTORE", "s", "s", "t") == 1
    assert members(client, "s") == [b"a"]
    assert client.call("SDIFFSTORE", "d", "s", "s") == 0
    assert client.call("EXISTS", "d") == 0
    assert len(client.journal()) == 4
    assert client.call("SINTERSTORE", "d", "s", "missing") == 0
    assert client.journal() == []


@pytest.mark.parametrize("command", ["SUNIONSTORE", "SINTERSTORE", "SDIFFSTORE"])
def test_what_is_stored_is_a_set_of_its_own(client: Client, command: str) -> None:
    client.call("SADD", "s", *range(1000))
    client.call("SADD", "few", 1, 2) if command == "SDIFFSTORE" else client.call("SADD", "few", *range(1000))
    for sources in (["s"], ["s", "few"]):
        client.call(command, "d", *sources)
        data = client.state.db.data
        assert data[b"d"] is not data[b"s"]
        data[b"d"]._check()
        client.call("SADD", "d", "only here")
        assert client.call("SISMEMBER", "s", "only here") == 0
        data[b"d"]._check()


def test_intersection_cardinality(client: Client) -> None:
    client.call("SADD", "s", "a", "b", "c")
    client.call("SADD", "LIMIT", "b", "c", "d")
    assert client.call("SINTERCARD", 2, "s", "LIMIT") == 2
    assert client.call("SINTERCARD", 2, "s", "LIMIT", "LIMIT", 1) == 1
    assert client.call("SINTERCARD", 2, "s", "LIMIT", "limit", 1, "LIMIT", 0) == 2
    assert client.call("SINTERCARD", 2, "s", "missing", "LIMIT", 5) == 0
    assert client.call("SINTERCARD", 1, "s", "LIMIT", 2) == 2
    not_positive = ErrorReply("ERR numkeys should be greater than 0")
    for count in ("0", "-1", "x", "99999999999999999999"):
        assert client.call("SINTERCARD", count, "s") == not_positive
    too_large = ErrorReply("ERR Number of keys can't be greater than number of args")
    assert client.call("SINTERCARD", 2, "s") == too_large
    negative = ErrorReply("ERR LIMIT can't be negative")
    for limit in ("-1", "x"):
        assert client.call("SINTERCARD", 1, "s", "LIMIT", limit) == negative
    for rest in (["LIMIT"], ["t"], ["LIMIT", "1", "x"], ["FOO", "1"]):
        assert client.call("SINTERCARD", 1, "s", *rest) == SYNTAX


def test_scanning_a_small_set_returns_all_of_it(client: Client) -> None:
    client.call("SADD", "s", *range(100))
    cursor, found = client.call("SSCAN", "s", 0, "COUNT", 1)
    assert cursor == b"0"
    assert sorted(map(int, found)) == list(range(100))
    assert client.call("SSCAN", "s", 0, "MATCH", "4?") == [
        b"0",
        client.call("SSCAN", "s", 0, "match", "4[0-9]")[1],
    ]
    assert client.call("SSCAN", "missing", 0, "NONSENSE") == [b"0", []]


def test_scanning_returns_what_stays_while_the_set_changes(client: Client) -> None:
    stays = {b"stays:%d" % number for number in range(500)}
    client.call("SADD", "s", *stays, *(f"goes:{number}" for number in range(2000)))
    found: set[bytes] = set()
    cursor, turn = b"0", 0
    while turn == 0 or cursor != b"0":
        cursor, some = client.call("SSCAN", "s", cursor, "MATCH", "stays:*", "COUNT", 20)
        found.update(some)
        client.call("SREM", "s", *(f"goes:{number}" for number in range(turn * 40, turn * 40 + 40)))
        client.call("SADD", "s", f"comes:{turn}")
        turn += 1
    assert found == stays
    assert turn > 20


@pytest.mark.parametrize(
    "words",
    [
        "SADD str a",
        "SREM str a",
        "SMOVE str s a",
        "SISMEMBER str a",
        "SMISMEMBER str a",
        "SCARD str",
        "SMEMBERS str",
        "SPOP str",
        "SPOP str 1",
        "SRANDMEMBER str",
        "SRANDMEMBER str 1",
        "SSCAN str 0 NONSENSE",
    ],
)
def test_a_key_of_another_type(client: Client, words: str) -> None:
    assert client.call(*words.split()) == WRONG_TYPE
    assert client.journal() == []


def test_types_in_resp3(client: Client) -> None:
    client.state.speak(3)
    client.call("SADD", "s", "a")
    for words in ("SMEMBERS s", "SINTER s s", "SUNION s", "SDIFF s missing"):
        assert wire(client, *words.split()) == b"~1\r\n$1\r\na\r\n"
    for words in ("SMEMBERS missing", "SINTER s missing", "SPOP s 0", "SPOP missing 1"):
        assert wire(client, *words.split()) == b"~0\r\n"
    assert wire(client, "SRANDMEMBER", "s", "1") == b"*1\r\n$1\r\na\r\n"
    assert wire(client, "SRANDMEMBER", "missing", "1") == b"*0\r\n"
    assert wire(client, "SRANDMEMBER", "missing") == b"_\r\n"
    assert wire(client, "SSCAN", "s", "0") == b"*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n"
    assert wire(client, "SISMEMBER", "s", "a") == b":1\r\n"
    assert wire(client, "SMISMEMBER", "s", "a") == b"*1\r\n:1\r\n"
    assert wire(client, "SPOP", "s", "2") == b"~1\r\n$1\r\na\r\n"


@pytest.mark.parametrize("hello", [[], ["HELLO", "3"]])
def test_integers_are_given_in_ascending_order(client: Client, hello: list[str]) -> None:
    """As Redis gives them, and as the native path encodes them, too: 300 are neither few nor many."""
    if hello:
        client.call(*hello)
    numbers = sorted(range(-1500, 1500, 10))
    client.call("SADD", "s", *reversed(numbers))
    sign = b"~" if hello else b"*"
    told = b"".join(b"$%d\r\n%d\r\n" % (len(str(number)), number) for number in numbers)
    assert wire(client, "SMEMBERS", "s") == sign + b"300\r\n" + told
    client.call("SADD", "s", "text")
    assert set(client.call("SMEMBERS", "s")) == {b"text", *(b"%d" % number for number in numbers)}
