"""Sorted sets, as scripts of commands and answers; test_sorted_sets_oracle.py compares them with Redis."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from kedis.structures.sorted_set import UNINDEXED_MAX
from tests.commands.driver import Client, ErrorReply

WRONG_TYPE = ErrorReply("WRONGTYPE Operation against a key holding the wrong kind of value")
SYNTAX = ErrorReply("ERR syntax error")
NOT_A_FLOAT = ErrorReply("ERR value is not a valid float")
NOT_AN_INTEGER = ErrorReply("ERR value is not an integer or out of range")
NOT_POSITIVE = ErrorReply("ERR value is out of range, must be positive")
OUT_OF_RANGE = ErrorReply("ERR value is out of range")
NOT_A_NUMBER = ErrorReply("ERR resulting score is not a number (NaN)")
BAD_SCORE_RANGE = ErrorReply("ERR min or max is not a float")
BAD_NAME_RANGE = ErrorReply("ERR min or max not valid string range item")
BAD_LIMIT = ErrorReply("ERR LIMIT can't be negative")
NO_KEYS = ErrorReply("ERR numkeys should be greater than 0")
BAD_COUNT = ErrorReply("ERR count should be greater than 0")
BEYOND = ErrorReply(
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
)
LIMIT_OF_RANKS = ErrorReply(
    "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
)
SCORES_OF_NAMES = ErrorReply("ERR syntax error, WITHSCORES not supported in combination with BYLEX")


@pytest.fixture
def client() -> Client:
    client = Client()
    client.engine.keyspace.random.seed(7)
    client.call("SET", "str", "x")
    client.call("ZADD", "z", "1", "a", "2", "b", "3", "c")
    client.call("ZADD", "same", *(word for name in "dbeac" for word in ("0", name)))
    client.journal()
    return client


def wire(client: Client, *words: str) -> bytes:
    """The reply as bytes."""
    client.engine.run(client.state, [[word.encode() for word in words]])
    reply = b"".join(client.state.out)
    client.state.out.clear()
    return reply


def run(client: Client, line: str) -> Any:
    return client.call(*line.split())


def content(client: Client, key: str) -> str:
    """Members and scores in order, as one line."""
    return b" ".join(client.call("ZRANGE", key, "0", "-1", "WITHSCORES")).decode()


# -- adding -----------------------------------------------------------------------------------------------


def test_zadd(client: Client) -> None:
    assert run(client, "ZADD new 2 b 1 a") == 2
    assert run(client, "ZADD new 3 a 4 c") == 1
    assert run(client, "ZADD new 3 a") == 0
    assert run(client, "ZADD new 1.5 x") == 1
    assert content(client, "new") == "x 1.5 b 2 a 3 c 4"
    assert run(client, "ZADD new 5 twice 6 twice") == 1
    assert run(client, "ZSCORE new twice") == b"6"
    assert client.journal() == [
        "0 ZADD new 2 b 1 a",
        "0 ZADD new 3 a 4 c",
        "0 ZADD new 1.5 x",
        "0 ZADD new 5 twice 6 twice",
    ]


@pytest.mark.parametrize(
    ("options", "pairs", "reply", "after"),
    [
        ("NX", "9 a 4 d", 1, "a 1 b 2 c 3 d 4"),
        ("XX", "9 a 4 d", 0, "b 2 c 3 a 9"),
        ("XX CH", "9 a 2 b 4 d", 1, "b 2 c 3 a 9"),
        ("CH", "9 a 2 b 4 d", 2, "b 2 c 3 d 4 a 9"),
        ("GT CH", "0 a 9 b 4 d", 2, "a 1 c 3 d 4 b 9"),
        ("LT CH", "0 a 9 b 4 d", 2, "a 0 b 2 c 3 d 4"),
        ("xx gt ch", "0 a 9 b 4 d", 1, "a 1 c 3 b 9"),
        ("INCR", "2.5 a", b"3.5", "b 2 c 3 a 3.5"),
        ("INCR", "2.5 d", b"2.5", "a 1 b 2 d 2.5 c 3"),
        ("INCR NX", "2 a", None, "a 1 b 2 c 3"),
        ("INCR XX", "2 d", None, "a 1 b 2 c 3"),
        ("INCR GT", "-1 a", None, "a 1 b 2 c 3"),
        ("INCR LT", "-1 a", b"0", "a 0 b 2 c 3"),
    ],
)
def test_options_of_zadd(client: Client, options: str, pairs: str, reply: Any, after: str) -> None:
    assert run(client, f"ZADD z {options} {pairs}") == reply
    assert content(client, "z") == after
    changed = after != "a 1 b 2 c 3"
    assert client.journal() == ([f"0 ZADD z {options} {pairs}"] if changed else [])


def test_errors_of_zadd_change_nothing(client: Client) -> None:
    nx_and_xx = ErrorReply("ERR XX and NX options at the same time are not compatible")
    gt_lt_nx = ErrorReply("ERR GT, LT, and/or NX options at the same time are not compatible")
    several = ErrorReply("ERR INCR option supports a single increment-element pair")
    assert run(client, "ZADD z NX XX 1 a") == nx_and_xx
    assert run(client, "ZADD z GT LT 1 a") == gt_lt_nx
    assert run(client, "ZADD z GT NX 1 a") == gt_lt_nx
    assert run(client, "ZADD z INCR 1 a 2 b") == several
    assert run(client, "ZADD z 1 a 2") == SYNTAX
    assert run(client, "ZADD z NX XX") == SYNTAX
    assert run(client, "ZADD z incr 1") == SYNTAX
    assert run(client, "ZADD z 7 a x b") == NOT_A_FLOAT
    assert run(client, "ZADD str x a") == NOT_A_FLOAT
    assert run(client, "ZADD str 1 a") == WRONG_TYPE
    assert run(client, "ZADD z nan a") == NOT_A_FLOAT
    assert run(client, "ZADD z 1_0 a") == NOT_A_FLOAT
    assert run(client, "ZADD new XX 1 a") == 0
    assert run(client, "ZADD new XX INCR 1 a") is None
    assert content(client, "z") == "a 1 b 2 c 3"
    assert run(client, "EXISTS new") == 0
    assert client.journal() == []


def test_zincrby(client: Client) -> None:
    assert run(client, "ZINCRBY z 0.5 a") == b"1.5"
    assert run(client, "ZINCRBY z -7 new") == b"-7"
    assert run(client, "ZINCRBY z 0 a") == b"1.5"
    assert run(client, "ZINCRBY other 1e3 x") == b"1000"
    assert run(client, "ZINCRBY z 1e17 b") == b"1e+17"
    assert client.journal() == [
        "0 ZINCRBY z 0.5 a",
        "0 ZINCRBY z -7 new",
        "0 ZINCRBY other 1e3 x",
        "0 ZINCRBY z 1e17 b",
    ]
    assert run(client, "ZINCRBY str x a") == NOT_A_FLOAT
    assert run(client, "ZINCRBY str 1 a") == WRONG_TYPE


def test_infinities(client: Client) -> None:
    assert run(client, "ZADD i inf a -inf b +inf c") == 3
    assert content(client, "i") == "b -inf a inf c inf"
    assert run(client, "ZINCRBY i -inf a") == NOT_A_NUMBER
    assert run(client, "ZADD i INCR -inf a") == NOT_A_NUMBER
    assert run(client, "ZADD i NX INCR -inf a") is None
    assert run(client, "ZINCRBY i inf a") == b"inf"
    assert content(client, "i") == "b -inf a inf c inf"


def test_a_zero_has_no_sign(client: Client) -> None:
    run(client, "ZADD n -0 a 0 b -0.0 c")
    run(client, "ZADD n -0 d")
    assert run(client, "ZINCRBY n -0 e") == b"-0"
    assert run(client, "ZADD n INCR -0 f") == b"-0"
    run(client, "ZUNIONSTORE n 1 n WEIGHTS -1")
    assert content(client, "n") == "a 0 b 0 c 0 d 0 e 0 f 0"


def test_equal_scores_are_in_the_order_of_their_bytes(client: Client) -> None:
    client.call("ZADD", "o", "1", b"\xff", "1", "", "1", "a", "1", "B", "1", "aa", "0", "z")
    assert client.call("ZRANGE", "o", "0", "-1") == [b"z", b"", b"B", b"a", b"aa", b"\xff"]


# -- members ----------------------------------------------------------------------------------------------


def test_looking_at_members(client: Client) -> None:
    assert run(client, "ZCARD z") == 3
    assert run(client, "ZCARD none") == 0
    assert run(client, "ZSCORE z b") == b"2"
    assert run(client, "ZSCORE z none") is None
    assert run(client, "ZSCORE none a") is None
    assert run(client, "ZMSCORE z c none a") == [b"3", None, b"1"]
    assert run(client, "ZMSCORE none a b") == [None, None]
    assert run(client, "ZRANK z a") == 0
    assert run(client, "ZREVRANK z a") == 2
    assert run(client, "ZRANK z none") is None
    assert run(client, "ZREVRANK none a") is None
    for line in ("ZCARD str", "ZSCORE str a", "ZMSCORE str a", "ZRANK str a", "ZREVRANK str a", "ZREM str a"):
        assert run(client, line) == WRONG_TYPE


def test_zrem_removes_an_empty_set(client: Client) -> None:
    assert run(client, "ZREM z a a none") == 1
    assert run(client, "ZREM z none") == 0
    assert run(client, "ZREM none a") == 0
    assert run(client, "ZREM z b c") == 2
    assert run(client, "EXISTS z") == 0
    assert client.journal() == ["0 ZREM z a a none", "0 ZREM z b c"]


def test_zpop(client: Client) -> None:
    assert run(client, "ZPOPMIN z") == [b"a", b"1"]
    assert run(client, "ZPOPMAX z 1") == [b"c", b"3"]
    assert run(client, "ZPOPMAX z 0") == []
    assert run(client, "ZPOPMIN z 5") == [b"b", b"2"]
    assert run(client, "ZPOPMIN z") == run(client, "ZPOPMAX z 3") == []
    assert run(client, "EXISTS z") == 0
    assert client.journal() == ["0 ZPOPMIN z", "0 ZPOPMAX z 1", "0 ZPOPMIN z 5"]
    assert run(client, "ZPOPMIN same -1") == run(client, "ZPOPMAX str x") == NOT_POSITIVE
    assert run(client, "ZPOPMIN same 1 2") == SYNTAX
    assert run(client, "ZPOPMIN str") == run(client, "ZPOPMAX str 0") == WRONG_TYPE


def test_zmpop(client: Client) -> None:
    assert run(client, "ZMPOP 2 none z MAX") == [b"z", [[b"c", b"3"]]]
    assert run(client, "ZMPOP 2 z same min count 9") == [b"z", [[b"a", b"1"], [b"b", b"2"]]]
    assert run(client, "ZMPOP 2 none z MIN") is None
    assert client.journal() == ["0 ZPOPMAX z 1", "0 ZPOPMIN z 2"]
    assert run(client, "ZMPOP 2 str same MIN") == WRONG_TYPE
    assert run(client, "ZMPOP 2 same str MIN") == [b"same", [[b"a", b"0"]]]
    assert run(client, "ZMPOP 0 z MIN") == run(client, "ZMPOP x z MIN") == NO_KEYS
    assert run(client, "ZMPOP 1 z MIN COUNT 0") == run(client, "ZMPOP 1 z MIN COUNT x") == BAD_COUNT
    for line in ("ZMPOP 2 z MIN", "ZMPOP 1 z MID", "ZMPOP 1 z MIN COUNT", "ZMPOP 1 z MIN COUNT 1 COUNT 1"):
        assert run(client, line) == SYNTAX


def test_zrandmember(client: Client) -> None:
    assert run(client, "ZRANDMEMBER none") is None
    assert run(client, "ZRANDMEMBER none 3") == run(client, "ZRANDMEMBER z 0") == []
    assert sorted(run(client, "ZRANDMEMBER z 9")) == [b"a", b"b", b"c"]
    assert len(set(run(client, "ZRANDMEMBER same 4"))) == 4
    many = run(client, "ZRANDMEMBER z -3000")
    assert all(900 < times < 1100 for times in Counter(many).values())
    assert set(many) == {b"a", b"b", b"c"}
    single = Counter(run(client, "ZRANDMEMBER z") for _ in range(300))
    assert set(single) == {b"a", b"b", b"c"}
    flat = run(client, "ZRANDMEMBER z -20 WITHSCORES")
    assert set(zip(flat[::2], flat[1::2], strict=True)) == {(b"a", b"1"), (b"b", b"2"), (b"c", b"3")}
    assert client.journal() == []
    assert run(client, "ZRANDMEMBER str") == run(client, "ZRANDMEMBER str 1") == WRONG_TYPE
    assert run(client, "ZRANDMEMBER z x") == NOT_AN_INTEGER
    assert run(client, "ZRANDMEMBER z 1 SCORES") == SYNTAX
    assert run(client, "ZRANDMEMBER z -9223372036854775808") == BEYOND
    assert run(client, "ZRANDMEMBER z 4611686018427387904 WITHSCORES") == OUT_OF_RANGE
    assert run(client, "ZRANDMEMBER z -9223372036854775807") == OUT_OF_RANGE  # Redis would never end


def test_zscan(client: Client) -> None:
    run(client, "ZADD z 1e17 d 0.5 e")
    whole = [b"e", b"0.5", b"a", b"1", b"b", b"2", b"c", b"3", b"d", b"100000000000000000"]
    assert run(client, "ZSCAN z 0") == [b"0", whole]
    assert run(client, "ZSCAN z 0 MATCH [ab] COUNT 1") == [b"0", [b"a", b"1", b"b", b"2"]]
    assert run(client, "ZSCAN none 0") == [b"0", []]
    assert run(client, "ZSCAN z x") == ErrorReply("ERR invalid cursor")
    assert run(client, "ZSCAN z 0 COUNT 0") == run(client, "ZSCAN z 0 TYPE zset") == SYNTAX
    assert run(client, "ZSCAN str 0") == WRONG_TYPE


def test_a_scan_of_a_large_set_finds_all(client: Client) -> None:
    size = UNINDEXED_MAX * 3
    for number in range(size):
        client.call("ZADD", "large", number % 7, f"m{number}")
    found: dict[bytes, bytes] = {}
    cursor, calls = b"0", 0
    while calls == 0 or cursor != b"0":
        cursor, flat = client.call("ZSCAN", "large", cursor, "COUNT", "20")
        found.update(zip(flat[::2], flat[1::2], strict=True))
        calls += 1
    assert found == {b"m%d" % number: b"%d" % (number % 7) for number in range(size)}
    assert calls > 5


# -- ranges -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("ZRANGE z 0 -1", "a b c"),
        ("ZRANGE z 1 1", "b"),
        ("ZRANGE z -2 100", "b c"),
        ("ZRANGE z 2 1", ""),
        ("ZRANGE z 5 9", ""),
        ("ZRANGE z -100 -3", "a"),
        ("ZRANGE z 0 1 REV", "c b"),
        ("ZRANGE z 0 1 rev withscores", "c 3 b 2"),
        ("ZRANGE z 0 -1 LIMIT 0 -1", "a b c"),
        ("ZRANGE z (1 3 BYSCORE", "b c"),
        ("ZRANGE z 3 (1 BYSCORE REV", "c b"),
        ("ZRANGE z -inf +inf BYSCORE LIMIT 1 1", "b"),
        ("ZRANGE z -inf +inf BYSCORE LIMIT 1 -5", "b c"),
        ("ZRANGE z -inf +inf BYSCORE LIMIT -1 5", ""),
        ("ZRANGE z -inf +inf BYSCORE LIMIT 7 5", ""),
        ("ZRANGE z +inf -inf BYSCORE REV LIMIT 0 2 WITHSCORES", "c 3 b 2"),
        ("ZRANGE same [b (d BYLEX", "b c"),
        ("ZRANGE same + [d BYLEX REV", "e d"),
        ("ZRANGE same - + BYLEX LIMIT 3 2", "d e"),
        ("ZRANGE same + - BYLEX", ""),
        ("ZREVRANGE z 0 -2 WITHSCORES", "c 3 b 2"),
        ("ZRANGEBYSCORE z 1 (3 WITHSCORES", "a 1 b 2"),
        ("ZRANGEBYSCORE z -inf inf WITHSCORES LIMIT 1 1", "b 2"),
        ("ZREVRANGEBYSCORE z (3 1", "b a"),
        ("ZRANGEBYLEX same (a [c", "b c"),
        ("ZREVRANGEBYLEX same [c -", "c b a"),
        ("ZRANGE none 0 -1", ""),
        ("ZRANGEBYSCORE none 0 1 WITHSCORES", ""),
    ],
)
def test_ranges(client: Client, line: str, reply: str) -> None:
    assert run(client, line) == reply.encode().split()
    words = line.split()
    if words[0] == "ZRANGE" and not {"WITHSCORES", "withscores"} & set(words):
        assert client.call("ZRANGESTORE", "stored", *words[1:]) == len(reply.split())
        assert sorted(client.call("ZRANGE", "stored", "0", "-1")) == sorted(reply.encode().split())


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("ZRANGE z 0 -1 LIMIT 0 1", LIMIT_OF_RANKS),
        ("ZREVRANGE z 0 -1 LIMIT 0 1", LIMIT_OF_RANKS),
        ("ZRANGE z - + BYLEX WITHSCORES", SCORES_OF_NAMES),
        ("ZRANGEBYLEX z - + WITHSCORES", SCORES_OF_NAMES),
        ("ZRANGE z 0 1 BYSCORE BYLEX", SYNTAX),
        ("ZRANGE z 0 1 REV REV", SYNTAX),
        ("ZRANGE z 0 1 BYSCORE LIMIT 0", SYNTAX),
        ("ZREVRANGE z 0 1 REV", SYNTAX),
        ("ZRANGEBYSCORE z 0 1 BYSCORE", SYNTAX),
        ("ZRANGESTORE d z 0 -1 WITHSCORES", SYNTAX),
        ("ZRANGE z a b", NOT_AN_INTEGER),
        ("ZRANGE z 0 1 BYSCORE LIMIT x 1", NOT_AN_INTEGER),
        ("ZRANGE z a b BYSCORE", BAD_SCORE_RANGE),
        ("ZRANGE z ((1 2 BYSCORE", BAD_SCORE_RANGE),
        ("ZCOUNT z nan 1", BAD_SCORE_RANGE),
        ("ZREMRANGEBYSCORE z 1 x", BAD_SCORE_RANGE),
        ("ZRANGE z a b BYLEX", BAD_NAME_RANGE),
        ("ZLEXCOUNT z [a b", BAD_NAME_RANGE),
        ("ZREMRANGEBYLEX z 1 2", BAD_NAME_RANGE),
        ("ZREMRANGEBYRANK z 0 1.5", NOT_AN_INTEGER),
        ("ZRANGE str x 1", NOT_AN_INTEGER),
        ("ZRANGE str 0 1", WRONG_TYPE),
        ("ZRANGESTORE d str 0 1", WRONG_TYPE),
        ("ZCOUNT str 0 1", WRONG_TYPE),
        ("ZREMRANGEBYLEX str - +", WRONG_TYPE),
    ],
)
def test_errors_of_ranges(client: Client, line: str, error: ErrorReply) -> None:
    assert run(client, line) == error
    assert content(client, "z") == "a 1 b 2 c 3"
    assert client.journal() == []


def test_zrangestore(client: Client) -> None:
    assert run(client, "ZRANGESTORE str z 1 -1") == 2
    assert content(client, "str") == "b 2 c 3"
    run(client, "EXPIRE str 100")
    assert run(client, "ZRANGESTORE str str 0 0 REV") == 1
    assert content(client, "str") == "c 3"
    assert run(client, "TTL str") == -1
    client.journal()
    assert run(client, "ZRANGESTORE str none 0 -1") == 0
    assert run(client, "EXISTS str") == 0
    assert run(client, "ZRANGESTORE str none 0 -1") == 0
    assert client.journal() == ["0 ZRANGESTORE str none 0 -1"]


def test_counting(client: Client) -> None:
    assert run(client, "ZCOUNT z (1 +inf") == 2
    assert run(client, "ZCOUNT z 3 1") == run(client, "ZCOUNT none 0 1") == 0
    assert run(client, "ZLEXCOUNT same [b +") == 4
    assert run(client, "ZLEXCOUNT same (b (b") == run(client, "ZLEXCOUNT none - +") == 0


def test_removing_ranges(client: Client) -> None:
    run(client, "ZADD z 4 d 5 e 6 f")
    client.journal()
    assert run(client, "ZREMRANGEBYRANK z -1 -1") == 1
    assert run(client, "ZREMRANGEBYRANK z 9 10") == 0
    assert run(client, "ZREMRANGEBYSCORE z (1 3") == 2
    assert run(client, "ZREMRANGEBYSCORE z 7 8") == 0
    assert content(client, "z") == "a 1 d 4 e 5"
    assert run(client, "ZREMRANGEBYLEX same [b [d") == 3
    assert content(client, "same") == "a 0 e 0"
    assert run(client, "ZREMRANGEBYLEX same - +") == 2
    assert run(client, "EXISTS same") == 0
    assert run(client, "ZREMRANGEBYRANK none 0 -1") == 0
    assert client.journal() == [
        "0 ZREMRANGEBYRANK z -1 -1",
        "0 ZREMRANGEBYSCORE z (1 3",
        "0 ZREMRANGEBYLEX same [b [d",
        "0 ZREMRANGEBYLEX same - +",
    ]


# -- several sets -----------------------------------------------------------------------------------------


@pytest.fixture
def sets(client: Client) -> Client:
    run(client, "ZADD y 10 b 20 c 30 d")
    run(client, "SADD plain c d x")
    client.journal()
    return client


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("ZUNION 2 z y", "a b c d"),
        ("ZUNION 2 z y WITHSCORES", "a 1 b 12 c 23 d 30"),
        ("ZUNION 2 z y WEIGHTS 2 0.5 WITHSCORES", "a 2 b 9 d 15 c 16"),
        ("ZUNION 2 z y AGGREGATE MIN WITHSCORES", "a 1 b 2 c 3 d 30"),
        ("ZUNION 2 z y withscores aggregate max weights 1 1", "a 1 b 10 c 20 d 30"),
        ("ZUNION 3 z plain none WITHSCORES", "a 1 d 1 x 1 b 2 c 4"),
        ("ZUNION 2 z z WITHSCORES", "a 2 b 4 c 6"),
        ("ZINTER 2 z y WITHSCORES", "b 12 c 23"),
        ("ZINTER 3 z y plain WEIGHTS 1 1 100 WITHSCORES", "c 123"),
        ("ZINTER 2 z none", ""),
        ("ZINTER 1 plain WITHSCORES", "c 1 d 1 x 1"),
        ("ZDIFF 2 z y WITHSCORES", "a 1"),
        ("ZDIFF 2 z plain", "a b"),
        ("ZDIFF 2 z z", ""),
        ("ZDIFF 2 none z", ""),
        ("ZDIFF 1 z WITHSCORES", "a 1 b 2 c 3"),
    ],
)
def test_algebra(sets: Client, line: str, reply: str) -> None:
    assert run(sets, line) == reply.encode().split()
    assert sets.journal() == []
    name, *words = [word for word in line.split() if word.upper() != "WITHSCORES"]
    size = len(reply.split()) // (1 + ("WITHSCORES" in line.upper()))
    assert sets.call(f"{name}STORE", "z", *words) == size
    if "WITHSCORES" in line.upper():
        assert content(sets, "z") == reply
    assert sets.call("EXISTS", "z") == (size > 0)
    assert sets.journal() == [f"0 {name}STORE z " + " ".join(words)]


def test_infinities_that_cancel_are_zero(client: Client) -> None:
    run(client, "ZADD up inf m")
    run(client, "ZADD down -inf m")
    assert run(client, "ZUNION 2 up down WITHSCORES") == [b"m", b"0"]
    assert run(client, "ZINTER 2 up down WITHSCORES") == [b"m", b"0"]
    assert run(client, "ZUNION 1 up WEIGHTS 0 WITHSCORES") == [b"m", b"0"]
    assert run(client, "ZUNION 2 down up WEIGHTS 1 0 WITHSCORES") == [b"m", b"-inf"]
    assert run(client, "ZINTER 2 down up WEIGHTS 1 0 WITHSCORES") == [b"m", b"0"]


def test_storing_replaces_what_was_there(sets: Client) -> None:
    run(sets, "EXPIRE str 100")
    assert run(sets, "ZUNIONSTORE str 2 z y") == 4
    assert run(sets, "TYPE str") == b"zset"
    assert run(sets, "TTL str") == -1
    assert run(sets, "ZINTERSTORE str 2 z none") == 0
    assert run(sets, "EXISTS str") == 0
    sets.journal()
    assert run(sets, "ZDIFFSTORE str 2 none z") == 0
    assert sets.journal() == []


def test_zintercard(sets: Client) -> None:
    assert run(sets, "ZINTERCARD 2 z y") == 2
    assert run(sets, "ZINTERCARD 2 z y LIMIT 1") == 1
    assert run(sets, "ZINTERCARD 2 z y LIMIT 0") == 2
    assert run(sets, "ZINTERCARD 3 z y plain") == 1
    assert run(sets, "ZINTERCARD 2 z none") == 0
    assert run(sets, "ZINTERCARD 1 z LIMIT -1") == run(sets, "ZINTERCARD 1 z LIMIT x") == BAD_LIMIT
    assert run(sets, "ZINTERCARD 1 z LIMIT") == SYNTAX
    assert run(sets, "ZINTERCARD 2 z str") == WRONG_TYPE


@pytest.mark.parametrize("name", ["ZUNION", "ZINTER", "ZDIFF", "ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE"])
def test_errors_of_algebra(sets: Client, name: str) -> None:
    start = name + (" d" if name.endswith("STORE") else "")
    too_few = ErrorReply(f"ERR at least 1 input key is needed for '{name.lower()}' command")
    assert run(sets, f"{start} 0 z") == run(sets, f"{start} -1 z") == too_few
    assert run(sets, f"{start} x z") == NOT_AN_INTEGER
    assert run(sets, f"{start} 2 z") == run(sets, f"{start} 1 z y") == SYNTAX
    assert run(sets, f"{start} 2 z str NONSENSE") == WRONG_TYPE
    if "DIFF" in name:
        assert run(sets, f"{start} 1 z WEIGHTS 1") == run(sets, f"{start} 1 z AGGREGATE SUM") == SYNTAX
    else:
        assert run(sets, f"{start} 1 z WEIGHTS x") == ErrorReply("ERR weight value is not a float")
        assert run(sets, f"{start} 2 z y WEIGHTS 1") == run(sets, f"{start} 1 z AGGREGATE AVG") == SYNTAX
    if name.endswith("STORE"):
        assert run(sets, f"{start} 1 z WITHSCORES") == SYNTAX
    assert sets.journal() == []
    assert run(sets, "EXISTS d") == 0


# -- the shape of replies ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "two", "three"),
    [
        ("ZSCORE z a", b"$1\r\n1\r\n", b",1\r\n"),
        ("ZSCORE z none", b"$-1\r\n", b"_\r\n"),
        ("ZRANK z none", b"$-1\r\n", b"_\r\n"),
        ("ZADD z INCR 0.5 a", b"$3\r\n1.5\r\n", b",1.5\r\n"),
        ("ZADD z NX INCR 1 a", b"$-1\r\n", b"_\r\n"),
        ("ZMSCORE z a none", b"*2\r\n$1\r\n1\r\n$-1\r\n", b"*2\r\n,1\r\n_\r\n"),
        ("ZRANGE z 0 0 WITHSCORES", b"*2\r\n$1\r\na\r\n$1\r\n1\r\n", b"*1\r\n*2\r\n$1\r\na\r\n,1\r\n"),
        ("ZDIFF 2 z z WITHSCORES", b"*0\r\n", b"*0\r\n"),
        ("ZPOPMIN z", b"*2\r\n$1\r\na\r\n$1\r\n1\r\n", b"*2\r\n$1\r\na\r\n,1\r\n"),
        ("ZPOPMIN z 1", b"*2\r\n$1\r\na\r\n$1\r\n1\r\n", b"*1\r\n*2\r\n$1\r\na\r\n,1\r\n"),
        ("ZPOPMIN none", b"*0\r\n", b"*0\r\n"),
        (
            "ZMPOP 1 z MIN",
            b"*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n",
            b"*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\na\r\n,1\r\n",
        ),
        ("ZMPOP 1 none MIN", b"*-1\r\n", b"_\r\n"),
        ("ZRANDMEMBER none", b"$-1\r\n", b"_\r\n"),
        (
            "ZRANDMEMBER one 1 WITHSCORES",
            b"*2\r\n$1\r\no\r\n$3\r\ninf\r\n",
            b"*1\r\n*2\r\n$1\r\no\r\n,inf\r\n",
        ),
        ("ZSCAN one 0", *[b"*2\r\n$1\r\n0\r\n*2\r\n$1\r\no\r\n$3\r\ninf\r\n"] * 2),
    ],
)
def test_replies_on_the_wire(client: Client, line: str, two: bytes, three: bytes) -> None:
    run(client, "ZADD one inf o")
    modern = Client(resp=3)
    modern.call("ZADD", "one", "inf", "o")
    modern.call("ZADD", "z", "1", "a", "2", "b")
    assert wire(client, *line.split()) == two
    assert wire(modern, *line.split()) == three
