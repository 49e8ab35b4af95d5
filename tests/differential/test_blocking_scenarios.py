"""Blocked while another writes: the same stories on real Redis and on Kedis."""

from __future__ import annotations

import pytest

from tests.differential.scenarios import assert_same_story, play

SCENARIOS = {
    "first come first served": """
        a: BLPOP list 0
        b: BRPOP list 0
        c: BLPOP list 0
        d: RPUSH list 1 2
        d: RPUSH list 3
        d: EXISTS list
    """,
    "several keys": """
        a: BLPOP one two three 0
        b: BLPOP two one 0
        c: RPUSH two x
        c: RPUSH one y
        c: RPUSH three z
        a: BLPOP one two three 0
        c: RPUSH one 1
        a: BLPOP one two one one 0
        c: RPUSH two 2
        c: LLEN two
    """,
    "the first of the keys that is there": """
        c: RPUSH two x y
        c: RPUSH one 1
        a: BLPOP zero one two 0
        a: BRPOP zero one two 0
        a: BLMPOP 0 2 zero two RIGHT COUNT 5
    """,
    "what one push leaves for the next": """
        a: BLMPOP 0 1 list LEFT COUNT 2
        b: BLMPOP 0 2 none list RIGHT COUNT 10
        c: BLPOP list 0
        d: RPUSH list 1 2 3 4 5
        d: LPUSH list 6
    """,
    "chain of moves": """
        a: BLPOP c 0
        b: BLMOVE b c LEFT RIGHT 0
        c: BRPOPLPUSH a b 0
        d: RPUSH a x
        d: EXISTS a b c
    """,
    "circle of moves": """
        a: BLMOVE x y LEFT LEFT 0
        b: BLMOVE y x LEFT LEFT 0
        c: BLMOVE x y LEFT LEFT 0
        d: RPUSH x 1
        d: LRANGE x 0 -1
        d: LRANGE y 0 -1
    """,
    "a list into itself": """
        a: BLMOVE list list LEFT RIGHT 0
        b: BRPOPLPUSH list list 0
        c: BLPOP list 0
        d: RPUSH list 1 2
        d: LRANGE list 0 -1
    """,
    "a target of the wrong type": """
        d: SET target x
        a: BRPOPLPUSH list target 0
        b: BLMOVE list target LEFT LEFT 0
        c: BLPOP list 0
        d: RPUSH list 1
        d: EXISTS list
        a: BLMOVE target list LEFT LEFT 0
        a: BLPOP none target 0
    """,
    "sorted sets": """
        a: BZPOPMIN z 0
        b: BZPOPMAX y z 0
        c: BZMPOP 0 2 y z MIN COUNT 2
        d: ZADD z 1 a 2 b 3.5 c
        d: ZADD z 4 d 5 e 6 f
        d: ZRANGE z 0 -1
        a: BZPOPMIN z 0
        a: BZMPOP 0 1 z MAX COUNT 3
    """,
    "sorted sets in RESP3": """
        a: HELLO 3
        a: BZPOPMIN z 0
        d: ZADD z 1.5 a
        a: BZMPOP 0 2 y z MIN COUNT 2
        d: ZADD z 1 a 2 b 3.5 c
        a: BZPOPMAX z 0
        a waits: BZPOPMAX z 0.05
        a waits: BLMOVE list to LEFT LEFT 0.05
        a: MULTI | BLPOP list 0 | BLMOVE list to LEFT LEFT 0 | BZMPOP 0 1 z MIN | EXEC
    """,
    "one name for two types": """
        a: BZPOPMIN key 0
        b: BLPOP key 0
        c: BZPOPMIN key 0
        d: RPUSH key 1 2
        d: RPUSH key 3
        d: DEL key
        d: ZADD key 1 x 2 y
        d: EXISTS key
    """,
    "a transaction of the pusher": """
        a: BLPOP list 0
        b: BLPOP other 0
        d: MULTI | RPUSH other 1 | RPUSH list a b c | DEL list | RPUSH list z | LLEN list | EXEC
        a: BLPOP list 0
        d: MULTI | RPUSH list 1 | DEL list | EXEC
        d: MULTI | RPUSH list 1 2 | PEXPIRE list -1 | EXEC
        d: MULTI | SET list x | EXEC
        d: MULTI | DEL list | ZADD list 1 x | EXEC
        d: RENAME list away
        d: RPUSH list end
    """,
    "the order in which keys became ready": """
        a: BLPOP one two 0
        b: BLPOP one 0
        d: MULTI | RPUSH two 2 | RPUSH one 1 | EXEC
    """,
    "inside a transaction nothing blocks": """
        a: MULTI | BLPOP list 0 | BRPOP list 0 | BLMOVE list to LEFT LEFT 0 | BRPOPLPUSH list to 0 | EXEC
        a: MULTI | BLMPOP 0 1 list LEFT | BZPOPMIN z 0 | BZPOPMAX z 0 | BZMPOP 0 1 z MIN | EXEC
        a: MULTI | RPUSH list 1 | BLPOP list 0 | BLPOP list nan | EXEC
    """,
    "every way of coming into being: lists": """
        a: BLPOP list 0
        d: LPUSH list 1
        a: BLPOP list 0
        d: RPUSHX list 1 | RPUSH source 2 3 4 5 6 | RPOPLPUSH source list
        a: BLPOP list 0
        d: LMOVE source list LEFT LEFT
        a: BLPOP list 0
        d: COPY source list
        d: DEL list
        a: BLPOP list 0
        d: RENAME source list
        d: DEL list
        a: BLPOP list 0
        d: RPUSH source 1 | RENAMENX source list
        a: BLPOP list 0
        d: SELECT 1 | RPUSH list 7 8 | MOVE list 0 | SELECT 0
        d: DEL list
        a: BLPOP list 0
        d: SET list text | RPUSH source 1 2 | COPY source list REPLACE
        d: DEL list
        a: BLPOP list 0
        d: SET list text
        d: RENAME source list
        a: BLPOP list 0
        d: SADD unsorted 3 1 2 | SORT unsorted DESC STORE list
        d: LRANGE list 0 -1
    """,
    "every way of coming into being: sorted sets": """
        a: BZPOPMIN z 0
        d: ZINCRBY z 3 m
        a: BZPOPMIN z 0
        d: ZADD y 1 a 2 b | ZUNIONSTORE z 1 y
        d: DEL z
        a: BZPOPMIN z 0
        d: ZINTERSTORE z 2 y y
        d: DEL z
        a: BZPOPMIN z 0
        d: ZDIFFSTORE z 2 y nothing
        d: DEL z
        a: BZPOPMIN z 0
        d: ZRANGESTORE z y 0 -1
        d: DEL z
        a: BZPOPMIN z 0
        d: GEOADD z 13.36 38.11 palermo
        a: BZPOPMIN z 0
        d: GEOADD map 13.36 38.11 palermo | GEOSEARCHSTORE z map FROMMEMBER palermo BYRADIUS 10 km
        a: BZPOPMIN z 0
        d: GEORADIUSBYMEMBER map palermo 10 km STORE z
        a: BZPOPMIN z 0
        d: SET z text
        d: ZUNIONSTORE z 1 y
        d: DEL z
        d: ZADD z 9 end
    """,
    "databases exchanged": """
        a: BLPOP list 0
        b: SELECT 1 | BLPOP list 0
        c: SELECT 2 | BLPOP list 0
        d: SWAPDB 0 1
        d: SELECT 5 | RPUSH list x y | SWAPDB 5 1
        d: SWAPDB 1 2
        d: SELECT 0 | RPUSH list z
    """,
    "commands behind the one that waits": """
        a: BLPOP list 0 | PING | BLPOP list 0 | ECHO end
        a: SET key value
        d: RPUSH list 1
        d: GET key
        d: RPUSH list 2
        d: GET key
    """,
    "a skipped reply": """
        a: PING | CLIENT REPLY SKIP | BLPOP list 0 | PING
        d: RPUSH list 1 2
        d: LRANGE list 0 -1
    """,
    "watched while another is served": """
        a: BLPOP list 0
        b: WATCH list
        d: RPUSH list 1
        b: MULTI | PING | EXEC
    """,
    "unblocked": """
        a: BLPOP list 0
        d: CLIENT UNBLOCK {a}
        d: CLIENT UNBLOCK {a}
        a: BLMOVE list other LEFT LEFT 0
        d: CLIENT UNBLOCK {a} timeout
        a: BZMPOP 0 1 z MIN
        d: CLIENT UNBLOCK {a} ERROR
        a: BZPOPMIN z 0 | PING
        d: CLIENT UNBLOCK {a} error
        d: CLIENT UNBLOCK {a} x
        d: CLIENT UNBLOCK 123456789
        d: CLIENT UNBLOCK x
        d: RPUSH list 1
        d: LLEN list
        a: HELLO 3 | BLPOP none 0
        d: CLIENT UNBLOCK {a}
    """,
    "unblocked, and served by the same transaction": """
        a: BLPOP list 0
        b: BLPOP list 0
        d: MULTI | RPUSH list 1 | CLIENT UNBLOCK {a} | EXEC
        d: LLEN list
    """,
    "killed and gone": """
        a: BLPOP list 0
        b: BLPOP list 0 | PING
        c: BLPOP list 0
        d: CLIENT KILL ID {a} | RPUSH list 1
        b: ECHO x
        d: LLEN list
        b: BLPOP list 0 | PING
        b leaves
        d: RPUSH list 1
        d: LLEN list
        d: RPUSH list 2
        d: LLEN list
    """,
    "timeouts": """
        a waits: BLPOP list 0.01
        a waits: BLMOVE list other LEFT LEFT 0.01
        a waits: BRPOPLPUSH list other 0.001
        a waits: BLMPOP 0.01 1 list LEFT
        a waits: BZPOPMIN z 1e-9
        a waits: BZMPOP 0x0.1 1 z MIN
        a waits: BLPOP list 0.01 | BLPOP list 0.01 | PING
        a: BLPOP list -0.0001
        d: RPUSH list 1
    """,
    "errors": """
        d: SET text 1
        a: BLPOP list nan
        a: BLPOP list inf
        a: BLPOP list -1
        a: BLPOP list 1e1000
        a: BLPOP list 1e5000
        a: BLPOP list 9223372036854775.9
        a: BLPOP list 1_0
        a: BLPOP list " 1"
        a: BLPOP list ""
        a: BLPOP list
        a: BLPOP text -1
        a: BLPOP list text 0
        a: BZPOPMAX z text 0
        a: BLMOVE list to UP LEFT x
        a: BLMOVE list to LEFT LEFT x
        a: BRPOPLPUSH list to x
        a: BLMPOP x 0 list LEFT
        a: BLMPOP x 2 list LEFT
        a: BLMPOP x 1 list UP
        a: BLMPOP x 1 list LEFT COUNT 0
        a: BLMPOP x 1 list LEFT COUNT 1
        a: BLMPOP -1 1 list LEFT
        a: BZMPOP x 1 z LEFT
        a: BZMPOP x 1 z MIN COUNT x
        a: BZMPOP x 1 z MIN
        a: BZMPOP 0 2 z text MIN
    """,
    "events": """
        d: CONFIG SET notify-keyspace-events KEA
        e: PSUBSCRIBE __key*__:*
        a: BLPOP list 0
        b: BLMOVE from list LEFT LEFT 0
        d: RPUSH from x
        a: BZPOPMIN z 0
        d: ZADD z 1 m
        a: BLMPOP 0 1 list LEFT COUNT 2
        d: RPUSH list 1 2 3
        d: CONFIG SET notify-keyspace-events ""
    """,
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_story_is_the_same(redis_port: int, kedis_port: int, name: str) -> None:
    assert_same_story(redis_port, kedis_port, SCENARIOS[name])


def test_a_story_tells_who_is_blocked_and_what_comes(kedis_port: int) -> None:
    story = play(kedis_port, "a: BLPOP list 0\nb: RPUSH list x\na: PING\na leaves\n b: CLIENT UNBLOCK {a}")
    assert story == [
        *("a: BLPOP list 0", "  a is blocked", "b: RPUSH list x", "  b gets :1", "  a gets *['list', 'x']"),
        *("a: PING", "  a gets +PONG", "a leaves", "b: CLIENT UNBLOCK {a}", "  b gets :0"),
    ]


def test_stories_that_part_are_told(redis_port: int, kedis_port: int) -> None:
    with pytest.raises(AssertionError, match=r"(?s)--- Redis.*\+\+\+ Kedis"):
        assert_same_story(redis_port, kedis_port, "a: INFO")
