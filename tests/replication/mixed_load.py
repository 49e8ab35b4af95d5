"""A load of every type, with expiry, scripts, transactions and functions; the same for the same seed."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.replication.masters import Raw

_SCRIPT = "redis.call('SET', KEYS[1], ARGV[1]) redis.call('LPUSH', KEYS[2], ARGV[1]) return redis.call('SPOP', KEYS[3])"
_LIBRARY = "#!lua name=lib{0}\nredis.register_function('f{0}', function(keys) return redis.call('INCR', keys[1]) end)"


def run(master: Raw, seed: int, count: int = 1500) -> None:
    """Send ``count`` commands, of which some are refused."""
    random = Random(seed)
    for number in range(count):
        if random.randrange(10) == 0:
            master.call("SELECT", random.randrange(3))
        if random.randrange(10) == 0:
            master.call("MULTI")
            for _ in range(random.randrange(4)):
                master.call(*_command(random, number))
            master.call("EXEC")
        master.call(*_command(random, number))
    master.call("SELECT", 0)


def _command(random: Random, number: int) -> list[Any]:
    def key(kind: str) -> str:
        return f"{kind}{random.randrange(12)}"

    small = random.randrange(40)
    score = round(random.random() * 100, 3)
    return random.choice(
        [
            ["SET", key("s"), "v" * small],
            ["SET", key("s"), number, "PX", random.randrange(1, 300)],
            ["SET", key("s"), number, "EX", 1000],
            ["GETEX", key("s"), "PX", 500],
            ["EXPIRE", key("s"), random.choice([-1, 50])],
            ["PERSIST", key("s")],
            ["GETDEL", key("s")],
            ["APPEND", key("s"), "x" * small],
            ["SETRANGE", key("s"), small, "yy"],
            ["SETBIT", key("b"), small * 9, 1],
            ["BITFIELD", key("b"), "INCRBY", "u5", small, 3],
            ["INCRBY", key("n"), small],
            ["INCRBYFLOAT", key("n"), "0.5"],
            ["MSET", key("n"), 1, key("n"), 2],
            ["RPUSH", key("l"), number, small, "x" * 70],
            ["LPOP", key("l"), 2],
            ["LMOVE", key("l"), key("l"), "LEFT", "RIGHT"],
            ["LINSERT", key("l"), "BEFORE", small, "new"],
            ["LTRIM", key("l"), 0, 50],
            ["SADD", key("t"), small, number],
            ["SADD", key("t"), *range(600 if number % 200 == 0 else 3)],
            ["SPOP", key("t"), 2],
            ["SMOVE", key("t"), key("t"), small],
            ["SUNIONSTORE", key("t"), key("t"), key("t")],
            ["HSET", key("h"), small, number, "f", "x" * 70],
            ["HINCRBYFLOAT", key("h"), small, "0.25"],
            ["HDEL", key("h"), small],
            ["ZADD", key("z"), score, small],
            ["ZADD", key("z"), "GT", "CH", score, small],
            ["ZPOPMAX", key("z"), 2],
            ["ZRANGESTORE", key("z"), key("z"), 0, 20],
            ["ZINTERSTORE", key("z"), 2, key("z"), key("z")],
            ["GEOADD", key("g"), score, score / 2, small],
            ["PFADD", key("p"), number],
            ["PFCOUNT", key("p")],
            ["PFMERGE", key("p"), key("p")],
            ["XADD", key("x"), "MAXLEN", "~", 30, "*", "a", number, "b", small],
            ["XGROUP", "CREATE", key("x"), "group", "0", "MKSTREAM"],
            ["XREADGROUP", "GROUP", "group", f"c{small % 3}", "COUNT", 2, "STREAMS", key("x"), ">"],
            ["XAUTOCLAIM", key("x"), "group", "c0", 0, "0"],
            ["XTRIM", key("x"), "MAXLEN", 10],
            ["COPY", key("h"), key("h"), "REPLACE"],
            ["RENAME", key("l"), key("l")],
            ["UNLINK", key("z"), key("x")],
            ["MOVE", key("s"), random.randrange(3)],
            ["SWAPDB", 1, 2],
            ["SORT", key("l"), "ALPHA", "STORE", key("l")],
            ["EVAL", _SCRIPT, 3, key("s"), key("l"), key("t"), number],
            ["FUNCTION", "LOAD", "REPLACE", _LIBRARY.format(small % 3)],
            ["FCALL", f"f{small % 3}", 1, key("n")],
            ["PUBLISH", "channel", number],
        ]
    )
