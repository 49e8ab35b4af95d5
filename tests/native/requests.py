"""Requests of random clients: mostly commands with a form in C, at their edges; others, and malformed ones."""

from __future__ import annotations

from random import Random

from kedis.resp.replies import encode_command
from tests.differential import grammar
from tests.differential import vocabulary as v
from tests.wire.fuzz import mutated, noise

Words = list[bytes]

#: Those with a form in C, and their neighbours.
FREQUENT = (
    *(
        "get",
        "set",
        "setnx",
        "incr",
        "decr",
        "incrby",
        "decrby",
        "mget",
        "mset",
        "exists",
        "del",
        "unlink",
        "ttl",
    ),
    *("pttl", "ping", "echo", "lpush", "rpush", "lpop", "rpop", "llen", "lrange", "hset", "hget", "hmget"),
    *("hexists", "hlen", "hincrby", "hgetall", "sadd", "sismember", "scard", "zadd", "zscore", "zcard"),
    *(
        "append",
        "expire",
        "pexpire",
        "persist",
        "srem",
        "spop",
        "hdel",
        "zincrby",
        "zrank",
        "zrange",
        "zrem",
        "setex",
    ),
    *(
        "getex",
        "smembers",
        "incrbyfloat",
        "rename",
        "publish",
        "dbsize",
        "type",
        "setrange",
        "copy",
        "getdel",
    ),
    *("xadd", "xadd", "xadd", "xlen", "xrange", "xrevrange", "xread", "xreadgroup", "xack", "xdel", "xtrim"),
    *("xgroup|create", "xgroup|createconsumer", "xclaim", "xsetid"),
)
#: What a random client of an engine without a server cannot run, or what would depend on the path.
_UNSUITABLE = frozenset(
    [
        *(
            "client|info",
            "client|id",
            "config|get",
            "quit",
            "auth",
            "failover",
            "module|load",
            "module|loadex",
        ),
        *("client|kill", "latency|latest", "latency|history", "latency|graph", "slowlog|get"),
    ]
)
#: A word INFO could become a line of its own behind noise, and the reply names the run.
NAMES = tuple(
    name for name in grammar.known_names() if name not in _UNSUITABLE and not name.startswith("command|")
)
_NUMBER_KEYS = (b"n:1", b"n:2", b"n:3")
ALL_KEYS = (*v.KEYS, *_NUMBER_KEYS, b"x" * 70, b"blocked")
_SIZES = (0, 1, 15, 16, 17, 63, 64, 65, 1023, 1024, 4096, 16383, 16384, 16385, 65535, 65536, 65537)
_NUMBERS = (
    v.MAX,
    v.MIN,
    b"9223372036854775806",
    b"-9223372036854775807",
    b"0",
    b"-0",
    b"1",
    b"-1",
    b"01",
    b"+1",
    b"1 ",
    b"",
)


def _value(random: Random) -> bytes:
    kind = random.random()
    if kind < 0.3:
        return random.choice(_NUMBERS)
    if kind < 0.9:
        return bytes(random.choices(b"ab\r\n\0\xff0", k=random.randint(0, 20)))
    return random.choice(b"xy\n").to_bytes(1, "big") * random.choice(_SIZES)


def edge(random: Random) -> Words:
    """A command with a form in C, at one of its edges."""
    key = random.choice(ALL_KEYS)
    number = random.choice(_NUMBER_KEYS)
    index = random.choice(
        (b"0", b"-1", b"1", b"-3", b"512", b"513", b"100000", v.MAX, v.MIN, b"-100", b"x", b"00")
    )
    span = random.choice(
        (b"1", b"2", b"3", b"5", b"10", b"0", b"-1", b"1099511627775", b"1099511627776", v.MAX, b"x")
    )
    score = random.choice(
        (
            *_NUMBERS,
            b"3",
            b"123456789012345",
            b"1234567890123456",
            b"-123456789012345",
            b"1e17",
            b"inf",
            b"nan",
            b"0.1",
        )
    )
    many = range(random.choice((1, 1, 1, 2, 5, 40, 130)))
    return random.choice(
        (
            lambda: [b"SET", key, _value(random)],
            lambda: [
                b"SET",
                key,
                _value(random),
                random.choice((b"EX", b"px", b"Px", b"NX", b"PXAT", b"E\x58")),
                span,
            ],
            lambda: [
                b"SET",
                key,
                _value(random),
                random.choice((b"EX", b"nx", b"Xx", b"NX", b"GET", b"KEEPTTL", b"")),
            ],
            lambda: [
                random.choice((b"PEXPIRE", b"EXPIRE", b"PEXPIREAT", b"EXPIREAT")),
                key,
                random.choice((span, span, b"1700000100", b"1700000100000")),
                *random.choice(([], [], [], [b"NX"], [b"gt"])),
            ],
            lambda: [b"APPEND", random.choice((key, number)), _value(random)],
            lambda: [b"SET", number, random.choice(_NUMBERS)],
            lambda: [random.choice((b"INCR", b"DECR", b"incr", b"GET", b"TTL", b"DEL")), number],
            lambda: [random.choice((b"INCRBY", b"DECRBY")), number, random.choice(_NUMBERS)],
            lambda: [b"INCRBYFLOAT", number, random.choice((b"1", b"0.5", b"-2"))],
            lambda: [
                random.choice(
                    (b"GET", b"get", b"gEt", b"TTL", b"PTTL", b"EXISTS", b"DEL", b"UNLINK", b"TYPE")
                ),
                key,
            ],
            lambda: [b"MSET", *(word for _ in many for word in (random.choice(ALL_KEYS), _value(random)))],
            lambda: [b"MGET", *(random.choice(ALL_KEYS) for _ in many)],
            lambda: [
                random.choice((b"LPUSH", b"RPUSH")),
                random.choice(v.LIST_KEYS),
                *(_value(random) for _ in many),
            ],
            lambda: [random.choice((b"LPUSH", b"RPUSH", b"LPOP", b"RPOP", b"LLEN")), key],
            lambda: [
                b"LRANGE",
                random.choice(v.LIST_KEYS),
                index,
                random.choice((b"-1", index, b"5", v.MAX, v.MIN)),
            ],
            lambda: [random.choice((b"LPOP", b"RPOP")), random.choice(v.LIST_KEYS)],
            lambda: [
                b"HSET",
                random.choice(v.HASH_KEYS),
                *(w for _ in many for w in (b"f%d" % random.randint(0, 200), _value(random))),
            ],
            lambda: [
                b"HINCRBY",
                random.choice(v.HASH_KEYS),
                random.choice((b"n", b"f1", b"f2")),
                random.choice(_NUMBERS),
            ],
            lambda: [
                random.choice((b"HGET", b"HEXISTS", b"HSTRLEN")),
                random.choice(v.HASH_KEYS),
                b"f%d" % random.randint(0, 9),
            ],
            lambda: [b"HMGET", random.choice(v.HASH_KEYS), *(b"f%d" % random.randint(0, 200) for _ in many)],
            lambda: [b"HGETALL", random.choice((*v.HASH_KEYS, key))],
            lambda: [b"SADD", random.choice(v.SET_KEYS), *(_value(random) for _ in many)],
            lambda: [b"SADD", random.choice(v.SET_KEYS), b"%d" % random.randint(0, 600)],
            lambda: [b"SISMEMBER", random.choice(v.SET_KEYS), b"%d" % random.randint(0, 600)],
            lambda: [
                b"ZADD",
                random.choice(v.SORTED_KEYS),
                score,
                random.choice((b"a", b"b", b"", _value(random))),
            ],
            lambda: [
                b"ZADD",
                random.choice(v.SORTED_KEYS),
                *(w for at in many for w in (b"%d" % random.randint(-9, 9), b"m%d" % at)),
            ],
            lambda: [b"ZSCORE", random.choice(v.SORTED_KEYS), random.choice((b"a", b"b", b"m1", b""))],
            lambda: [random.choice((b"HLEN", b"SCARD", b"ZCARD", b"LLEN")), key],
            lambda: [b"XADD", random.choice(v.STREAM_KEYS), b"*", b"f", _value(random), b"g", b"1"],
            lambda: [
                *(
                    b"XADD",
                    random.choice(v.STREAM_KEYS),
                    b"MAXLEN",
                    random.choice((b"~", b"=", b"3", b"LIMIT")),
                ),
                *(span, random.choice((b"*", b"LIMIT", b"5-1", b"99-*")), *([b"f", b"1"] * (len(many) % 3))),
            ],
            lambda: [b"XRANGE", random.choice(v.STREAM_KEYS), b"-", b"+", b"COUNT", span],
            lambda: [
                *(b"XREADGROUP", b"GROUP", b"g1", b"alice", b"COUNT", span),
                *(b"STREAMS", random.choice(v.STREAM_KEYS), b">"),
            ],
            lambda: [b"ECHO", _value(random)],
            lambda: [b"PING", *(random.choice((b"", b"hello")) for _ in range(random.choice((0, 0, 1, 2))))],
        )
    )()


def unusual(random: Random) -> Words:
    """What changes the state of the client that sends it, or is not served natively."""
    return random.choice(
        (
            lambda: [b"SELECT", random.choice((b"0", b"0", b"1", b"9", b"99"))],
            lambda: [b"HELLO", random.choice((b"2", b"3", b"3"))],
            lambda: [random.choice((b"MULTI", b"EXEC", b"DISCARD", b"UNWATCH", b"RESET"))],
            lambda: [b"WATCH", random.choice(ALL_KEYS), random.choice(ALL_KEYS)],
            lambda: [b"CLIENT", b"REPLY", random.choice((b"OFF", b"SKIP", b"ON", b"ON"))],
            lambda: [b"CLIENT", b"NO-TOUCH", random.choice((b"ON", b"OFF"))],
            lambda: [b"CLIENT", b"TRACKING", random.choice((b"ON", b"ON", b"OFF"))],
            lambda: [b"CLIENT", b"TRACKING", b"ON", random.choice((b"BCAST", b"NOLOOP", b"OPTIN"))],
            lambda: [
                b"SUBSCRIBE",
                random.choice((b"news", b"__keyevent@0__:expired", b"__keyevent@0__:set")),
            ],
            lambda: [b"PSUBSCRIBE", random.choice((b"__key*", b"n*"))],
            lambda: [random.choice((b"UNSUBSCRIBE", b"PUNSUBSCRIBE"))],
            lambda: [b"PUBLISH", b"news", b"x"],
            lambda: [
                random.choice((b"BLPOP", b"BRPOP")),
                b"blocked",
                random.choice(v.LIST_KEYS),
                random.choice((b"0", b"1")),
            ],
            lambda: [random.choice((b"BZPOPMIN", b"BLPOP")), random.choice(v.SORTED_KEYS), b"1"],
            lambda: [b"XREAD", b"BLOCK", b"10", b"STREAMS", random.choice(v.STREAM_KEYS), b"$"],
            lambda: [b"LPUSH", b"blocked", b"1"],
            lambda: [b"AUTH", b"secret"],
            lambda: [b"MONITOR"],
            lambda: [b"QUIT"],
        )
    )()


def request(random: Random) -> bytes:
    """One request, mostly canonical."""
    kind = random.random()
    if kind < 0.55:
        return encode_command(edge(random))
    if kind < 0.84:
        return encode_command(grammar.command(random, random.choice(FREQUENT)))
    if kind < 0.96:
        return encode_command(grammar.command(random, random.choice(NAMES)))
    if kind < 0.98:
        words = edge(random)
        return (
            b" ".join(
                b'"'
                + word.replace(b'"', b"").replace(b"\n", b"").replace(b"\\", b"").replace(b"\0", b"")
                + b'"'
                for word in words
            )
            + b"\r\n"
        )
    if kind < 0.996:
        return mutated(random, encode_command(edge(random)))
    return noise(random, [])
