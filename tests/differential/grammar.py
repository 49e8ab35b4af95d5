"""For every command of the table, a generator of its arguments: mostly right, often wrong.

``GRAMMAR`` maps a row's name to the part that draws what follows the name (see :mod:`.vocabulary`).  ``SCRIPTED``
names the rows that random sequences cannot compare, each with the reason; :mod:`.test_shapes` runs a script for
each of them.  A row that is in neither fails a test.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from tests.differential import vocabulary as v
from tests.differential.vocabulary import Part, Words, counted, draw, form, maybe, options, some

_NOTHING = form()

STRINGS: dict[str, Part] = {
    "get": v.STRING,
    "set": form(
        v.STRING,
        v.VALUE,
        options(
            *(b"NX", b"XX", b"GET", b"KEEPTTL", b"xx", b"keepttl"),
            *(form(b"EX", v.IN_S), form(b"PX", v.IN_MS), form(b"EXAT", v.AT_S), form(b"PXAT", v.AT_MS)),
        ),
    ),
    "setnx": form(v.STRING, v.VALUE),
    "setex": form(v.STRING, v.IN_S, v.VALUE),
    "psetex": form(v.STRING, v.IN_MS, v.VALUE),
    "getset": form(v.STRING, v.VALUE),
    "getdel": v.STRING,
    "getex": form(
        v.STRING,
        options(
            *(
                b"PERSIST",
                form(b"EX", v.IN_S),
                form(b"PX", v.IN_MS),
                form(b"EXAT", v.AT_S),
                form(b"PXAT", v.AT_MS),
            ),
        ),
    ),
    "mget": some(v.STRING),
    "mset": some(v.STRING, v.VALUE),
    "msetnx": some((v.STRING, v.ODD_KEYS), v.VALUE),
    "incr": v.STRING,
    "decr": v.STRING,
    "incrby": form(v.STRING, v.DELTA),
    "decrby": form(v.STRING, v.DELTA),
    "incrbyfloat": form(v.STRING, v.FLOAT),
    "append": form(v.STRING, v.VALUE),
    "strlen": v.STRING,
    "setrange": form(
        v.STRING, (b"0", b"1", b"5", b"20", b"-1", b"536870912", v.MAX, v.MIN, b"x", b""), v.VALUE
    ),
    "getrange": form(v.STRING, v.INDEX, v.INDEX),
    "substr": form(v.STRING, v.INDEX, v.INDEX),
    "lcs": form(
        v.STRING,
        v.STRING,
        options(b"LEN", b"IDX", b"IDX", b"WITHMATCHLEN", form(b"MINMATCHLEN", v.COUNT)),
    ),
}

_SIDE: Part = (b"LEFT", b"RIGHT", b"left", b"RIGHT", b"LEFT", b"right", b"UP", b"")
LISTS: dict[str, Part] = {
    "lpush": form(v.LIST, some(v.MEMBER, most=5)),
    "rpush": form(v.LIST, some(v.MEMBER, most=5)),
    "lpushx": form(v.LIST, some(v.MEMBER)),
    "rpushx": form(v.LIST, some(v.MEMBER)),
    "lpop": form(v.LIST, maybe(v.COUNT)),
    "rpop": form(v.LIST, maybe(v.COUNT)),
    "llen": v.LIST,
    "lrange": form(v.LIST, v.INDEX, v.INDEX),
    "lindex": form(v.LIST, v.INDEX),
    "lset": form(v.LIST, v.INDEX, v.MEMBER),
    "linsert": form(v.LIST, (b"BEFORE", b"AFTER", b"before", b"MIDDLE"), v.MEMBER, v.MEMBER),
    "lrem": form(v.LIST, v.COUNT, v.MEMBER),
    "ltrim": form(v.LIST, v.INDEX, v.INDEX),
    "rpoplpush": form(v.LIST, v.LIST),
    "lmove": form(v.LIST, v.LIST, _SIDE, _SIDE),
    "lmpop": form(counted(v.LIST), _SIDE, maybe(b"COUNT", v.COUNT)),
    "lpos": form(
        v.LIST,
        v.MEMBER,
        options(form(b"RANK", v.COUNT), form(b"COUNT", v.COUNT), form(b"MAXLEN", v.COUNT)),
    ),
}

_SCAN = options(form(b"MATCH", v.PATTERN), form(b"COUNT", v.COUNT))
SETS: dict[str, Part] = {
    "sadd": form(v.SET, some(v.MEMBER, most=6)),
    "srem": form(v.SET, some(v.MEMBER)),
    "smove": form(v.SET, v.SET, v.MEMBER),
    "sismember": form(v.SET, v.MEMBER),
    "smismember": form(v.SET, some(v.MEMBER)),
    "scard": v.SET,
    "smembers": v.SET,
    "spop": form(v.SET, maybe(v.COUNT)),
    "srandmember": form(v.SET, maybe(v.COUNT)),
    "sscan": form(v.SET, v.CURSOR, _SCAN),
    "sinter": some(v.SET),
    "sunion": some(v.SET),
    "sdiff": some(v.SET),
    "sinterstore": form(v.SET, some(v.SET)),
    "sunionstore": form(v.SET, some(v.SET)),
    "sdiffstore": form(v.SET, some(v.SET)),
    "sintercard": form(counted(v.SET), maybe(b"LIMIT", v.COUNT)),
}

HASHES: dict[str, Part] = {
    "hset": form(v.HASH, some(v.FIELD, v.VALUE, most=4)),
    "hmset": form(v.HASH, some(v.FIELD, v.VALUE)),
    "hsetnx": form(v.HASH, v.FIELD, v.VALUE),
    "hget": form(v.HASH, v.FIELD),
    "hmget": form(v.HASH, some(v.FIELD)),
    "hgetall": v.HASH,
    "hkeys": v.HASH,
    "hvals": v.HASH,
    "hlen": v.HASH,
    "hstrlen": form(v.HASH, v.FIELD),
    "hexists": form(v.HASH, v.FIELD),
    "hdel": form(v.HASH, some(v.FIELD)),
    "hincrby": form(v.HASH, v.FIELD, v.DELTA),
    "hincrbyfloat": form(v.HASH, v.FIELD, v.FLOAT),
    "hrandfield": form(v.HASH, maybe(v.COUNT, maybe((b"WITHVALUES", b"withvalues", b"WITHSCORES")))),
    "hscan": form(v.HASH, v.CURSOR, _SCAN),
}

_WITHSCORES = maybe((b"WITHSCORES", b"withscores", b"WITHVALUES"))
_AGGREGATE: Part = (
    form(b"WEIGHTS", some(v.FLOAT)),
    form(b"WEIGHTS", b"2"),
    form(b"WEIGHTS", b"2", b"-1"),
    form(b"WEIGHTS", b"1", b"inf", b"0"),
    form(b"AGGREGATE", (b"SUM", b"MIN", b"MAX", b"min", b"AVG")),
)
_BY_RANK = form(v.INDEX, v.INDEX, options(b"REV", v.LIMIT))
_BY_SCORE = form(v.SCORE_BOUND, v.SCORE_BOUND, b"BYSCORE", options(b"REV", v.LIMIT))
_BY_LEX = form(v.LEX_BOUND, v.LEX_BOUND, b"BYLEX", options(b"REV", v.LIMIT))
_ANY_RANGE: Part = (
    _BY_RANK,
    _BY_SCORE,
    _BY_LEX,
    form(v.INDEX, v.INDEX, options(b"BYSCORE", b"BYLEX", b"REV")),
)
_SOME_SORTED = counted(v.SORTED_OR_SET)
_ENDS: Part = (b"MIN", b"MAX", b"min", b"max", b"MIN", b"MAX", b"MID")
SORTED_SETS: dict[str, Part] = {
    "zadd": form(
        v.SORTED,
        (form(), form(), options(b"NX", b"XX", b"GT", b"LT", b"CH", b"INCR", b"xx", b"ch")),
        some(v.SCORE, v.MEMBER, most=5),
    ),
    "zincrby": form(v.SORTED, v.SCORE, v.MEMBER),
    "zrem": form(v.SORTED, some(v.MEMBER)),
    "zcard": v.SORTED,
    "zscore": form(v.SORTED, v.MEMBER),
    "zmscore": form(v.SORTED, some(v.MEMBER)),
    "zrank": form(v.SORTED, v.MEMBER),
    "zrevrank": form(v.SORTED, v.MEMBER),
    "zcount": form(v.SORTED, v.SCORE_BOUND, v.SCORE_BOUND),
    "zlexcount": form(v.SORTED, v.LEX_BOUND, v.LEX_BOUND),
    "zrange": form(v.SORTED, _ANY_RANGE, _WITHSCORES),
    "zrangestore": form(v.SORTED, v.SORTED, _ANY_RANGE),
    "zrangebyscore": form(v.SORTED, v.SCORE_BOUND, v.SCORE_BOUND, options(b"WITHSCORES", v.LIMIT)),
    "zrevrangebyscore": form(v.SORTED, v.SCORE_BOUND, v.SCORE_BOUND, options(b"WITHSCORES", v.LIMIT)),
    "zrangebylex": form(v.SORTED, v.LEX_BOUND, v.LEX_BOUND, options(v.LIMIT)),
    "zrevrangebylex": form(v.SORTED, v.LEX_BOUND, v.LEX_BOUND, options(v.LIMIT)),
    "zrevrange": form(v.SORTED, v.INDEX, v.INDEX, _WITHSCORES),
    "zremrangebyrank": form(v.SORTED, v.INDEX, v.INDEX),
    "zremrangebyscore": form(v.SORTED, v.SCORE_BOUND, v.SCORE_BOUND),
    "zremrangebylex": form(v.SORTED, v.LEX_BOUND, v.LEX_BOUND),
    "zpopmin": form(v.SORTED, maybe(v.COUNT)),
    "zpopmax": form(v.SORTED, maybe(v.COUNT)),
    "zmpop": form(counted(v.SORTED), _ENDS, maybe(b"COUNT", v.COUNT)),
    "zrandmember": form(v.SORTED, maybe(v.COUNT, _WITHSCORES)),
    "zscan": form(v.SORTED, v.CURSOR, _SCAN),
    "zunion": form(_SOME_SORTED, options(_AGGREGATE, b"WITHSCORES")),
    "zinter": form(_SOME_SORTED, options(_AGGREGATE, b"WITHSCORES")),
    "zdiff": form(_SOME_SORTED, _WITHSCORES),
    "zunionstore": form(v.SORTED, _SOME_SORTED, options(_AGGREGATE)),
    "zinterstore": form(v.SORTED, _SOME_SORTED, options(_AGGREGATE)),
    "zdiffstore": form(v.SORTED, _SOME_SORTED),
    "zintercard": form(_SOME_SORTED, maybe(b"LIMIT", v.COUNT)),
}

_CONDITION = options(b"NX", b"XX", b"GT", b"LT", b"gt")
KEYS: dict[str, Part] = {
    "del": some(v.ANY),
    "unlink": some(v.ANY),
    "exists": some(v.ANY),
    "touch": some(v.ANY),
    "type": v.ANY,
    "keys": v.PATTERN,
    "randomkey": _NOTHING,
    "rename": form(v.ANY, v.ANY),
    "renamenx": form(v.ANY, v.ANY),
    "copy": form(v.ANY, v.ANY, options(b"REPLACE", b"replace", form(b"DB", v.DATABASE))),
    "move": form(v.ANY, v.DATABASE),
    "scan": form(
        v.CURSOR,
        options(
            *(form(b"MATCH", v.PATTERN), form(b"COUNT", v.COUNT)),
            form(b"TYPE", (b"string", b"zset", b"HASH", b"list", b"set", b"x")),
        ),
    ),
    "expire": form(v.ANY, v.IN_S, _CONDITION),
    "pexpire": form(v.ANY, v.IN_MS, _CONDITION),
    "expireat": form(v.ANY, v.AT_S, _CONDITION),
    "pexpireat": form(v.ANY, v.AT_MS, _CONDITION),
    "ttl": v.ANY,
    "pttl": v.ANY,
    "expiretime": v.ANY,
    "pexpiretime": v.ANY,
    "persist": v.ANY,
    "object": (b"NOSUCH", _NOTHING, form(b"ENCODING", v.ANY, v.ANY)),
    "object|encoding": v.ANY,
    "object|refcount": v.ANY,
    "object|idletime": v.ANY,
    "object|freq": v.ANY,
    "object|help": _NOTHING,
}


def _any_command(random: Random) -> Words:
    """A whole command, as an argument of COMMAND GETKEYS."""
    return command(random, random.choice(KEYED))


SERVER: dict[str, Part] = {
    "ping": maybe(v.VALUE),
    "echo": v.VALUE,
    "select": v.DATABASE,
    "swapdb": form(v.DATABASE, v.DATABASE),
    "dbsize": _NOTHING,
    "flushdb": maybe((b"ASYNC", b"SYNC", b"async", b"x")),
    "flushall": maybe((b"ASYNC", b"SYNC", b"sync", b"x")),
    "auth": (form(b"secret"), form(b"default", b"secret"), form(b"nobody", b"secret")),
    "hello": maybe(
        (b"2", b"3", b"3", b"4", b"x", b""),
        options(
            form(b"SETNAME", (b"name", b"a b", b"")), form(b"AUTH", (b"default", b"nobody"), b"secret"), b"x"
        ),
    ),
    "reset": _NOTHING,
    "quit": _NOTHING,
    "debug": (
        *(b"DIGEST", form(b"DIGEST-VALUE", some(v.ANY)), form(b"digest-value", v.ANY)),
        *(b"NOSUCH", form(b"DIGEST", b"x"), form(b"SET-ACTIVE-EXPIRE", b"0"), form(b"OBJECT", v.ANY)),
    ),
    "client": (b"NOSUCH", _NOTHING),
    "client|id": _NOTHING,
    "client|info": _NOTHING,
    "client|getname": _NOTHING,
    "client|setname": (b"name", b"", b"other", b"a b", b"\xff", b"a\nb"),
    "client|unpause": _NOTHING,
    "client|unblock": form((b"987654321", b"x", b"-1", v.MAX), maybe((b"TIMEOUT", b"ERROR", b"x"))),
    "client|no-evict": (b"on", b"off", b"OFF", b"x"),
    "client|kill": (
        *(b"127.0.0.1:1", form(b"ID", (b"987654321", b"x", b"0", b"-1")), form(b"ADDR", b"127.0.0.1:1")),
        *(
            form(b"TYPE", (b"pubsub", b"replica", b"x")),
            form(b"USER", (b"nobody", b"x")),
            form(b"SKIPME", b"x"),
        ),
        *(
            form(b"LADDR", b"127.0.0.1:1"),
            form(b"ID", b"987654321", b"TYPE", b"pubsub"),
            form(b"MAXAGE", b"1"),
        ),
    ),
    "command": (form(b"NOSUCH"), form(b"INFO", b"nosuch")),
    "command|info": some(
        (b"get", b"SET", b"zadd", b"nosuch", b"hello", b"config|get", b"lmpop", b""), least=1
    ),
    "command|getkeys": _any_command,
    "command|getkeysandflags": _any_command,
    "config": (b"NOSUCH", _NOTHING),
    "config|get": some(
        (b"maxmemory*", b"hash-max-listpack-entries", b"timeout", b"no[t-z]such", b"TIMEOUT", b"")
    ),
}

TRANSACTIONS: dict[str, Part] = {
    "multi": _NOTHING,
    "exec": _NOTHING,
    "discard": _NOTHING,
    "watch": some(v.ANY),
    "unwatch": _NOTHING,
}

GRAMMAR: dict[str, Part] = STRINGS | LISTS | SETS | HASHES | SORTED_SETS | KEYS | SERVER | TRANSACTIONS
KEYED = [*STRINGS, *LISTS, *SETS, *HASHES, *SORTED_SETS, *KEYS]
FAMILIES = (STRINGS, LISTS, SETS, HASHES, SORTED_SETS, KEYS, SERVER, TRANSACTIONS)

#: Rows that random sequences cannot compare, and why.
SCRIPTED: dict[str, str] = {
    "client|help": "the texts are our own",
    "client|list": "the lines tell of addresses, ages, buffers and of how many clients each server happens to have",
    "client|pause": "the other client of the sequence would wait",
    "client|reply": "no reply, so nothing tells when the command is done",
    "client|setinfo": "Redis 7.0 does not have it",
    "command|count": "Redis has more commands",
    "command|docs": "the texts are our own",
    "command|help": "the texts are our own",
    "command|list": "Redis has more commands",
    "config|help": "the texts are our own",
    "config|resetstat": "changes figures that are not compared here",
    "config|rewrite": "writes a file",
    "config|set": "outlives the example in Redis",
    "info": "the values are the server's own",
    "shutdown": "ends the server",
    "time": "the clocks are two",
}

#: Names that no server knows, sent now and then.
UNKNOWN: tuple[Words, ...] = (
    [b"NOSUCH"],
    [b"nosuch", b"a", b"b\r\nc"],
    [b""],
    [v.BINARY, v.BINARY],
    [b"GET\x00", b"k"],
    [b"x" * 300, b"y" * 300],
    [b"CLIENT", b"NOSUCH" * 40],
    [b"get "],
)


def command(random: Random, name: str) -> Words:
    """A call of the row ``name``; one in eight is spoilt."""
    words = [part.upper().encode() for part in name.split("|")]
    fixed = len(words)
    words += draw(GRAMMAR[name], random)
    if random.randint(0, 7) == 7:
        words = _spoil(random, words, fixed)
    if random.randint(0, 30) == 30:
        words[0] = words[0].lower() if random.randint(0, 1) else words[0].title()
    return words


def _spoil(random: Random, words: Words, fixed: int) -> Words:
    """One argument dropped, doubled, replaced, or a stray one added."""
    words = list(words)
    at = random.randint(fixed, max(fixed, len(words) - 1))
    kind = random.choice(("replace", "replace", "stray", "drop", "double"))
    if kind == "stray" or at >= len(words):
        words.insert(random.randint(fixed, len(words)), random.choice(v.OPTION_WORD + v.HOSTILE))
    elif kind == "drop":
        del words[at]
    elif kind == "double":
        words.insert(at, words[at])
    else:
        words[at] = random.choice(v.HOSTILE)
    return words


def weighted_names(random: Random, known: Sequence[str]) -> list[str]:
    """Names to choose from for one sequence: all that are ``known``, and those of one or two families often."""
    names = list(known)
    for _ in range(random.randint(1, 2)):
        names += [name for name in random.choice(FAMILIES) if name in known] * 5
    return names
