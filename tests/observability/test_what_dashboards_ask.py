"""What dashboards and exporters ask of a server: answered as by Redis, value by value, or in the same shape.

The requests are those that redis-commander, RedisInsight, prometheus-redis-exporter, and rq-dashboard, flower and
celery-exporter (by rq and kombu) send; figures that differ from server to server are compared by their type.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.commands.driver import ErrorReply
from tests.oracle import Oracle
from tests.persistence.server import Kedis, Wire

DATA: list[tuple[Any, ...]] = [
    ("SET", "text", "hello", "EX", 1000),
    ("RPUSH", "celery", '{"body": "e30="}'),
    ("SADD", "_kombu.binding.celery", "celery\x06\x16\x06\x16celery"),
    ("HSET", "rq:job:1", "status", "queued", "origin", "default"),
    ("SADD", "rq:queues", "rq:queue:default"),
    ("SADD", "rq:workers", "rq:worker:w"),
    ("RPUSH", "rq:queue:default", "1"),
    ("ZADD", "rq:failed:default", 1700000000, "2"),
    ("XADD", "stream", "1-1", "f", "v"),
    ("XGROUP", "CREATE", "stream", "group", "0"),
    ("XREADGROUP", "GROUP", "group", "me", "COUNT", 1, "STREAMS", "stream", ">"),
    ("PFADD", "hll", "a"),
]
#: Answered with the same value.
SAME: list[tuple[Any, ...]] = [
    ("SELECT", 0),
    ("PING",),
    ("DBSIZE",),
    ("CONFIG", "GET", "databases"),
    ("CONFIG", "GET", "maxmemory"),
    ("CONFIG", "GET", "maxclients"),
    ("CLIENT", "SETNAME", "redis_exporter"),
    ("CLIENT", "GETNAME"),
    ("MODULE", "LIST"),
    ("ROLE",),
    ("ACL", "WHOAMI"),
    ("CLUSTER", "INFO"),
    ("CLUSTER", "NODES"),
    ("SENTINEL", "MASTERS"),
    ("LATENCY", "LATEST"),
    ("SLOWLOG", "LEN"),
    ("SLOWLOG", "GET", 1),
    ("PUBSUB", "CHANNELS"),
    ("PUBSUB", "NUMPAT"),
    ("COMMAND", "COUNT", "x"),
    ("COMMAND", "INFO", "get", "nothing"),
    *(("TYPE", words[1]) for words in DATA if words[0] not in ("XGROUP", "XREADGROUP")),
    *(("OBJECT", "ENCODING", words[1]) for words in DATA if words[0] not in ("XGROUP", "XREADGROUP")),
    ("PTTL", "celery"),
    ("STRLEN", "text"),
    ("LLEN", "celery"),
    ("LRANGE", "celery", 0, -1),
    ("LRANGE", "rq:queue:default", 0, 49),
    ("SMEMBERS", "_kombu.binding.celery"),
    ("SMEMBERS", "rq:queues"),
    ("SCARD", "rq:workers"),
    ("HGETALL", "rq:job:1"),
    ("HLEN", "rq:job:1"),
    ("ZRANGE", "rq:failed:default", 0, -1, "WITHSCORES"),
    ("ZCARD", "rq:failed:default"),
    ("XLEN", "stream"),
    ("XRANGE", "stream", "-", "+", "COUNT", 10),
    ("XINFO", "GROUPS", "stream"),
    ("XPENDING", "stream", "group"),
    ("EVAL", "return redis.call('dbsize')", 0),
    ("HSCAN", "rq:job:1", 0, "COUNT", 100),
]
#: Answered in the same shape.
ALIKE: list[tuple[Any, ...]] = [
    ("INFO",),
    ("INFO", "ALL"),
    ("TIME",),
    ("LASTSAVE",),
    ("TTL", "text"),
    ("MEMORY", "USAGE", "text"),
    ("MEMORY", "USAGE", "stream", "SAMPLES", 0),
    ("XINFO", "STREAM", "stream"),
    ("XINFO", "STREAM", "stream", "FULL"),
    ("XINFO", "CONSUMERS", "stream", "group"),
    ("CLIENT", "LIST"),
    ("ACL", "LIST"),
]


@pytest.fixture(scope="module")
def servers(oracle: Oracle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Wire, Oracle]]:
    kedis = Kedis(tmp_path_factory.mktemp("asked") / "data", "--appendonly", "no", "--save", "")
    wire = kedis.connect()
    for server in (wire, oracle):
        server.call("FLUSHALL")
        server.call("CONFIG", "SET", "slowlog-log-slower-than", -1)  # on a busy machine anything may be slow
        for words in DATA:
            server.call(*words)
    yield wire, oracle
    wire.close()
    kedis.kill()


def shape(value: Any) -> Any:
    """The types of a value, and the names in it."""
    if isinstance(value, list):
        return [shape(one) for one in value]
    if isinstance(value, bytes):
        return value if value.replace(b"-", b"").isalpha() else bytes
    return type(value)


def plain(value: Any) -> Any:
    return f"error: {value}" if isinstance(value, Exception | ErrorReply) else value


@pytest.mark.parametrize("words", SAME, ids=lambda words: " ".join(map(ascii, words)))
def test_the_same(servers: tuple[Wire, Oracle], words: tuple[Any, ...]) -> None:
    ours, theirs = (plain(server.call(*words)) for server in servers)
    assert ours == theirs


@pytest.mark.parametrize("words", ALIKE, ids=lambda words: " ".join(map(str, words)))
def test_the_same_shape(servers: tuple[Wire, Oracle], words: tuple[Any, ...]) -> None:
    ours, theirs = (shape(plain(server.call(*words))) for server in servers)
    assert ours == theirs
