"""Streams with several clients: who reads, who waits, who gets what, on real Redis and on Kedis.

Ids are given, and idle times are 0 or huge, because the clocks are two.
"""

from __future__ import annotations

import pytest

from tests.differential.scenarios import assert_same_story

SCENARIOS = {
    "readers of one stream": """
        a: XREAD BLOCK 0 STREAMS s $
        b: XREAD BLOCK 0 STREAMS s 0
        c: XREAD COUNT 1 BLOCK 0 STREAMS s 5-0
        d: XADD s 1-1 f 1
        d: XADD s 5-1 f 2
        a: XREAD BLOCK 0 STREAMS s $
        b: XREAD BLOCK 0 STREAMS s 9-0
        d: XADD s 6-1 f 3
        d: XADD s 9-1 f 4
    """,
    "several streams": """
        d: XADD two 3-0 f old
        a: XREAD BLOCK 0 STREAMS one two three $ $ 7
        d: XADD three 7-0 f not
        d: XADD three 7-1 f this
        a: XREAD BLOCK 0 STREAMS one one 4 2
        d: XADD one 3-0 f x
        d: XADD one 4-0 f y
        d: XADD one 5-0 f z
        a: HELLO 3
        a: XREAD BLOCK 0 STREAMS one two $ $
        d: XADD two 4-0 f x g y
        a: XREAD COUNT 2 STREAMS one two one 0 0 4
    """,
    "what is there is read at once": """
        d: XADD s 1-0 f 1
        a: XREAD BLOCK 0 STREAMS none s 0 0
        a: XREAD STREAMS none s 0 1
        a: XREAD STREAMS none s 0 0-5
        a: HELLO 3
        a: XREAD STREAMS none 0
    """,
    "a transaction of the writer": """
        a: XREAD BLOCK 0 STREAMS s 0
        b: XREAD BLOCK 0 COUNT 1 STREAMS s 1-0
        d: MULTI | XADD s 1-0 f 1 | XADD s 2-0 f 2 | XADD s 3-0 f 3 | EXEC
        a: XREAD BLOCK 0 STREAMS s $
        d: MULTI | XADD s 4-0 f 4 | XDEL s 4-0 | EXEC
        d: XADD s 5-0 f 5
        a: XREAD BLOCK 0 STREAMS s $
        d: MULTI | DEL s | XADD s 4-0 f 4 | EXEC
        d: XADD s 8-0 f 8
        a: XREAD BLOCK 0 STREAMS s $
        d: MULTI | XADD s 9-0 f 9 | DEL s | EXEC
        d: XADD s 10-0 f 10
        a: MULTI | XREAD BLOCK 0 STREAMS s $ | XREADGROUP GROUP g c BLOCK 0 STREAMS s > | EXEC
        d: XGROUP CREATE s g 0
        a: MULTI | XREADGROUP GROUP g c BLOCK 0 STREAMS s > | XREADGROUP GROUP g c BLOCK 0 STREAMS s > | EXEC
    """,
    "every way of coming into being": """
        a: XREAD BLOCK 0 STREAMS s 0
        d: XADD source 1-0 f 1 | RENAME source s
        d: DEL s
        a: XREAD BLOCK 0 STREAMS s 0
        d: XADD source 1-0 f 1 | COPY source s
        d: DEL s
        a: XREAD BLOCK 0 STREAMS s 0
        d: SELECT 1 | XADD s 2-0 f 2 | MOVE s 0 | SELECT 0
        d: DEL s
        a: XREAD BLOCK 0 STREAMS s 0
        d: SET s text
        d: DEL s
        d: RPUSH s element
        d: DEL s
        d: XGROUP CREATE s g $ MKSTREAM
        d: XSETID s 5-0
        d: XADD s 6-0 f 6
        a: XREAD BLOCK 0 STREAMS t $
        d: SELECT 1 | XADD t 1-0 f 1 | SWAPDB 0 1 | SELECT 0
        d: EXISTS t
    """,
    "a name of another type comes and goes": """
        d: XADD s 1-0 f 1
        a: XREAD BLOCK 0 STREAMS s $
        d: DEL s
        d: SET s text
        d: RENAME s away
        d: XADD s 1-0 f again
        d: XADD s 2-0 f more
        d: RPUSH list x
        a: XREAD BLOCK 0 STREAMS list $
        a: XREAD BLOCK 0 STREAMS list 0
    """,
    "consumers of a group": """
        d: XGROUP CREATE s g $ MKSTREAM
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        b: XREADGROUP GROUP g bob BLOCK 0 STREAMS s >
        d: XADD s 1-0 f 1
        d: XADD s 2-0 f 2
        d: XPENDING s g
        d: MULTI | XADD s 3-0 f 3 | XADD s 4-0 f 4 | EXEC
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        b: XREADGROUP GROUP g bob BLOCK 0 COUNT 1 STREAMS s >
        d: MULTI | XADD s 5-0 f 5 | XADD s 6-0 f 6 | XADD s 7-0 f 7 | EXEC
        d: XPENDING s g
        a: XACK s g 1-0 5-0 6-0
        a: XREADGROUP GROUP g alice STREAMS s 0
        d: XINFO GROUPS s
    """,
    "first come, first served, one entry each": """
        d: XGROUP CREATE s g $ MKSTREAM
        a: XREADGROUP GROUP g alice BLOCK 0 COUNT 1 STREAMS s >
        b: XREADGROUP GROUP g bob BLOCK 0 COUNT 1 STREAMS s >
        c: XREAD BLOCK 0 STREAMS s $
        d: MULTI | XADD s 1-0 f 1 | XADD s 2-0 f 2 | XADD s 3-0 f 3 | EXEC
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        d: XPENDING s g
    """,
    "groups beside each other": """
        d: XGROUP CREATE s g $ MKSTREAM
        d: XGROUP CREATE s h $
        a: XREADGROUP GROUP g alice BLOCK 0 NOACK STREAMS s >
        b: XREADGROUP GROUP h bob BLOCK 0 STREAMS s >
        d: XADD s 1-0 f 1
        d: XPENDING s g
        d: XPENDING s h
        d: XINFO GROUPS s
        a: HELLO 3
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS s s > >
        d: XADD s 2-0 f 2
    """,
    "what several groups get at once": """
        d: XGROUP CREATE s g $ MKSTREAM
        d: XGROUP CREATE s h $
        d: XGROUP CREATE s i 5-0
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        b: XREADGROUP GROUP h bob BLOCK 0 STREAMS s >
        c: XREADGROUP GROUP i carol BLOCK 0 STREAMS s >
        d: MULTI | XADD s 5-0 f 1 | XADD s 6-0 f 2 | XADD s 7-0 g 3 | XDEL s 6-0 | EXEC
        a: XACK s g 5-0 7-0
        d: XPENDING s g | XPENDING s h | XPENDING s i
        a: XREADGROUP GROUP g alice BLOCK 0 COUNT 1 STREAMS s >
        b: XREADGROUP GROUP h bob BLOCK 0 COUNT 2 STREAMS s >
        c: XREADGROUP GROUP i carol BLOCK 0 COUNT 2 STREAMS s >
        d: MULTI | XADD s 8-0 f 1 | XADD s 9-0 f 2 | XADD s 10-0 f 3 | EXEC
        b: XACK s h 9-0
        d: XINFO GROUPS s
    """,
    "several streams of a group": """
        d: XGROUP CREATE one g $ MKSTREAM
        d: XGROUP CREATE two g $ MKSTREAM
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS one two > >
        d: XADD two 1-0 f 1
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS one two > >
        d: DEL one
        d: XADD two 2-0 f 2
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS one two > >
    """,
    "the stream goes away": """
        d: XGROUP CREATE s g $ MKSTREAM
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        b: XREAD BLOCK 0 STREAMS s $
        d: DEL s
        d: XGROUP CREATE s g $ MKSTREAM
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        d: SET s text
        d: DEL s
        d: XGROUP CREATE s g $ MKSTREAM
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        d: RENAME s t
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS t >
        d: FLUSHALL
        d: XGROUP CREATE s g $ MKSTREAM
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        d: UNLINK s
        d: XGROUP CREATE s g $ MKSTREAM
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        d: XGROUP CREATE other h $ MKSTREAM | COPY other s REPLACE
        d: DEL s other
        d: XGROUP CREATE s g $ MKSTREAM
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        d: MULTI | DEL s | XGROUP CREATE s g $ MKSTREAM | EXEC
        d: XADD s 1-0 f 1
        d: XADD b 9-0 f 9
    """,
    "the stream expires or is moved": """
        d: XGROUP CREATE s g $ MKSTREAM
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        d: PEXPIREAT s 1000
        d: XGROUP CREATE s g $ MKSTREAM
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        d: MOVE s 1
        d: XGROUP CREATE s g $ MKSTREAM
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        d: FLUSHDB
    """,
    "databases exchanged": """
        d: XGROUP CREATE s g $ MKSTREAM
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        d: SWAPDB 0 1
        d: XADD s 1-0 f 1
        d: DEL s
    """,
    "the group goes away": """
        d: XGROUP CREATE s g $ MKSTREAM
        d: XGROUP CREATE s h $
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        b: XREADGROUP GROUP h bob BLOCK 0 STREAMS s >
        d: XGROUP DESTROY s g
        d: XADD s 1-0 f 1
        d: XGROUP CREATE s g $
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        d: MULTI | XGROUP DESTROY s g | XGROUP CREATE s g $ | EXEC
        d: XADD s 2-0 f 2
    """,
    "a group set back": """
        d: XADD s 1-0 f 1
        d: XGROUP CREATE s g $
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        d: XGROUP SETID s g 0
        d: XADD s 2-0 f 2
        d: XINFO GROUPS s
    """,
    "a consumer deleted while it waits": """
        d: XGROUP CREATE s g $ MKSTREAM
        d: XGROUP CREATECONSUMER s g alice
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        d: XGROUP DELCONSUMER s g alice
        d: XADD s 1-0 f 1
        d: XPENDING s g
    """,
    "unblocked, killed and gone": """
        d: XGROUP CREATE s g $ MKSTREAM
        a: XREAD BLOCK 0 STREAMS s $
        d: CLIENT UNBLOCK {a}
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        d: CLIENT UNBLOCK {a} ERROR
        a: HELLO 3 | XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        d: CLIENT UNBLOCK {a}
        b: XREADGROUP GROUP g bob BLOCK 0 STREAMS s >
        b leaves
        a: XREADGROUP GROUP g alice BLOCK 0 STREAMS s >
        d: XADD s 1-0 f 1
        d: XPENDING s g
        c: XREADGROUP GROUP g carol BLOCK 0 STREAMS s > | PING
        d: CLIENT KILL ID {c}
        d: XADD s 2-0 f 2
        d: XPENDING s g
    """,
    "timeouts": """
        d: XGROUP CREATE s g $ MKSTREAM
        a waits: XREAD BLOCK 10 STREAMS s $
        a waits: XREADGROUP GROUP g alice BLOCK 10 STREAMS s > | PING
        a waits: HELLO 3 | XREAD BLOCK 1 STREAMS s 0 | XREAD BLOCK 1 STREAMS s t 0 0
        d: XINFO CONSUMERS s g
    """,
    "entries deleted meanwhile": """
        d: XADD s 1-0 f 1 | XADD s 2-0 f 2 | XADD s 3-0 f 3
        d: XGROUP CREATE s g 0
        a: XREADGROUP GROUP g alice COUNT 2 STREAMS s >
        d: XDEL s 1-0
        a: XREADGROUP GROUP g alice STREAMS s 0
        b: XCLAIM s g bob 0 1-0 2-0
        b: XREADGROUP GROUP g bob STREAMS s 0
        a: XREADGROUP GROUP g alice STREAMS s 0
        d: XDEL s 2-0
        c: XAUTOCLAIM s g carol 0 0
        c: XPENDING s g
        a: XREADGROUP GROUP g alice STREAMS s >
        d: XTRIM s MAXLEN 0
        c: XAUTOCLAIM s g carol 0 - COUNT 1 JUSTID
        d: XINFO GROUPS s
    """,
    "watched": """
        d: XGROUP CREATE s g 0 MKSTREAM
        a: WATCH s
        d: XGROUP CREATECONSUMER s g c | XGROUP SETID s g $ | XSETID s 5-0 | XGROUP CREATE s h 0
        a: MULTI | PING | EXEC
        a: WATCH s
        d: XADD s 6-0 f 6
        a: MULTI | PING | EXEC
        a: WATCH s
        b: XREADGROUP GROUP h bob STREAMS s > | XACK s h 6-0
        a: MULTI | PING | EXEC
        a: WATCH s
        d: XTRIM s MAXLEN 5 | XDEL s 1-0
        a: MULTI | PING | EXEC
        a: WATCH s
        d: XDEL s 6-0
        a: MULTI | PING | EXEC
        a: WATCH none
        d: XGROUP CREATE none g 0 MKSTREAM
        a: MULTI | PING | EXEC
    """,
    "tracked": """
        a: HELLO 3 | CLIENT TRACKING ON
        d: XADD s 1-0 f 1 | XGROUP CREATE s g 0
        a: XRANGE s - +
        d: XGROUP CREATECONSUMER s g c | XREADGROUP GROUP g c STREAMS s > | XACK s g 1-0
        d: XADD s 2-0 f 2
        a: XLEN s
        d: XADD s MAXLEN 1 3-0 f 3
        a: XREAD STREAMS s 0
        d: XDEL s 9-0
        d: XDEL s 3-0
    """,
    "events": """
        d: CONFIG SET notify-keyspace-events KEAmn
        e: PSUBSCRIBE __key*__:*
        a: XREAD BLOCK 0 STREAMS s $
        d: XADD s 1-0 f 1
        d: XADD s MAXLEN 1 2-0 f 2
        d: XADD s MAXLEN 5 3-0 f 3
        d: XGROUP CREATE s g 0
        d: XGROUP CREATE s2 g 0 MKSTREAM
        d: XGROUP SETID s g 0
        d: XGROUP CREATECONSUMER s g c
        d: XGROUP CREATECONSUMER s g c
        a: XREADGROUP GROUP g new STREAMS s >
        a: XREADGROUP GROUP g new BLOCK 0 STREAMS s >
        d: XADD s 4-0 f 4
        a: XREADGROUP GROUP g newer STREAMS s 0
        d: XCLAIM s g another 0 4-0
        d: XAUTOCLAIM s g third 0 0
        d: XACK s g 4-0
        d: XGROUP DELCONSUMER s g c
        d: XGROUP DELCONSUMER s g c
        d: XTRIM s MAXLEN 1
        d: XTRIM s MAXLEN 1
        d: XDEL s 4-0
        d: XSETID s 9-0
        d: XGROUP DESTROY s g
        d: XGROUP DESTROY s g
        d: XLEN nothing
        d: XADD nothing NOMKSTREAM 1-0 f 1
        d: XREAD STREAMS nothing 0
        d: XACK nothing g 1-0
        d: DEL s
        d: CONFIG SET notify-keyspace-events ""
    """,
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_story_is_the_same(redis_port: int, kedis_port: int, name: str) -> None:
    assert_same_story(redis_port, kedis_port, SCENARIOS[name])
