"""What every command that writes counts as changes (rdb_changes_since_last_save), beside real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from kedis.engine.flags import WRITE
from tests.commands.agreement import make_client
from tests.commands.driver import Client
from tests.differential import grammar
from tests.oracle import Oracle

CALLS = 1500
FILL = """
    SET str:1 1
    SET str:2 hello
    SET str:3 text EX 100000
    SETEX str:4 100000 1
    PSETEX str:4 100000000 1
    RPUSH list:1 a b c 1 2 3
    RPUSH list:2 x y z a
    SADD set:1 a b c 1 2 3
    SADD set:2 b c d
    HSET hash:1 f 1 g 2 h x
    ZADD zset:1 1 a 2 b 3 c
    ZADD zset:2 1 b 5 d
    ZADD lex 0 a 0 b 0 c
    PFADD hll:1 a b c
    GEOADD geo:1 13.361389 38.115556 a 15.087269 37.502669 b
    XADD stream:1 5-1 f 1 g 2
    XADD stream:1 6-1 f 1 g 2
    XADD stream:1 7-1 f 1 g 2
    XADD stream:2 5-5 f x
    XGROUP CREATE stream:1 g1 0
    XGROUP CREATE stream:2 g1 0
    XREADGROUP GROUP g1 alice COUNT 2 STREAMS stream:1 >
    XGROUP CREATECONSUMER stream:2 g1 bob
""".strip().splitlines()
#: Changes that the random calls hardly make, among them those of commands that could have waited.
CERTAIN = """
    BLPOP list:1 0
    BRPOP nolist list:1 0
    BLMPOP 0 1 list:1 LEFT COUNT 2
    BLMOVE list:1 list:2 LEFT RIGHT 0
    BRPOPLPUSH list:2 list:1 0
    RPOPLPUSH list:2 list:2
    SMOVE set:1 set:2 1
    BZPOPMIN zset:1 0
    BZPOPMAX zset:1 0
    BZMPOP 0 1 zset:2 MIN COUNT 2
    ZREMRANGEBYLEX lex [a [b
    PERSIST str:3
    GETEX str:1 EX 100
    SET str:1 x PX 100000 KEEPTTL
    GETSET str:1 y
    GETDEL str:1
    COPY str:3 copied
    RENAME str:3 str:5
    RENAMENX str:5 str:6
    MOVE str:6 1
    SORT list:1 ALPHA STORE sorted
    GEOSEARCHSTORE found geo:1 FROMMEMBER a BYRADIUS 1000 km
    GEORADIUS geo:1 13 38 1000 km STORE found
    XADD stream:1 MAXLEN 2 8-1 f 1
    XADD stream:3 NOMKSTREAM 8-1 f 1
    XCLAIM stream:1 g1 bob 0 6-1 7-1 FORCE
    XAUTOCLAIM stream:1 g1 carol 0 0
    XACK stream:1 g1 6-1 7-1 9-9
    XREADGROUP GROUP g1 dave NOACK STREAMS stream:1 >
    XREADGROUP GROUP g1 dave STREAMS stream:1 0
    XDEL stream:1 7-1 8-1 9-9
    XTRIM stream:1 MAXLEN 0
    XSETID stream:1 9-9
    XGROUP SETID stream:1 g1 $
    XGROUP DELCONSUMER stream:1 g1 carol
    XGROUP DESTROY stream:1 g1
    BITOP NOT bits str:2
    SWAPDB 0 1
    SWAPDB 1 1
    SWAPDB 0 1
    FUNCTION FLUSH
    FLUSHDB
    FLUSHDB
    FLUSHALL
""".strip().splitlines()
#: They choose at random, or make no sense here.
_UNSUITABLE = ("spop", "migrate", "function", "restore")


@pytest.fixture
def oracle() -> Iterator[Oracle]:
    server = Oracle("--appendonly", "no")
    server.call("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    yield server
    server.close()


def changes_of(oracle: Oracle) -> int:
    text = oracle.call("INFO", "persistence")
    figures = dict(line.split(b":", 1) for line in text.split(b"\r\n") if b":" in line)
    return int(figures[b"rdb_changes_since_last_save"])


def agree(client: Client, oracle: Oracle, words: list[bytes]) -> None:
    ours, theirs = client.engine.keyspace.dirty, changes_of(oracle)
    client.call(*words)
    oracle.call(*words)
    counted = client.engine.keyspace.dirty - ours, changes_of(oracle) - theirs
    assert counted[0] == counted[1], words


def test_each_change_is_counted_as_in_redis(oracle: Oracle) -> None:
    client = make_client()
    for line in FILL + CERTAIN:
        agree(client, oracle, [word.encode() for word in line.split()])


@pytest.mark.parametrize("seed", range(3))
def test_random_calls_count_alike(oracle: Oracle, seed: int) -> None:
    random, client = Random(seed), make_client()
    names = [name for name in grammar.known_names() if not name.startswith(_UNSUITABLE)]
    for step in range(CALLS):
        if step % 40 == 0:
            for line in ("FLUSHALL", *FILL):
                agree(client, oracle, [word.encode() for word in line.split()])
        words = list(grammar.command(random, random.choice(names)))
        row = client.engine.table.named(words[0]) if words else None
        if row is not None and row.function is not None and row.flags & WRITE and not _may_wait(words):
            agree(client, oracle, words)


def _may_wait(words: list[bytes]) -> bool:
    upper = [word.upper() for word in words]
    return b"BLOCK" in upper or (upper[0].startswith(b"B") and upper[0] not in (b"BITOP", b"BITFIELD"))
