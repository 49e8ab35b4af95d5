"""The commands of the benchmark, and the syntax of a mix of them.

A template is a command with places to fill in: ``{key}`` and ``{number}`` become the number drawn (as ``key:`` and 12
digits, or 12 digits alone), ``{value}`` the value.  Keys of strings are named as redis-benchmark names them and
requests are as long as its own, so that the figures of both can be compared; lists, sets and so on live in keys that
begin with ``bench:`` and are replaced when a run begins.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

Types = tuple[type, ...]

_BYTES: Types = (bytes,)
_INT: Types = (int,)
_BYTES_OR_NIL: Types = (bytes, type(None))
_LIST: Types = (list,)
#: A Lua script: SET of a key.
_SCRIPT = "return redis.call('SET', KEYS[1], ARGV[1])"


@dataclass(frozen=True)
class Template:
    """One kind of command.

    Args:
        name: as written in a mix.
        words: the command, with places.
        types: what its reply is, once parsed; empty for a command that is not known.
        expected: the words of the one good reply where there is one: ``+OK``, or ``$`` for the value.
        holds: what must be there before, see ``filling``: string, hash, list, range, set or zset; empty for nothing.
        drains: whether it takes elements away, so that there must be as many as there are operations.
    """

    name: str
    words: tuple[str, ...]
    types: Types = ()
    expected: str = ""
    holds: str = ""
    drains: bool = False


def _rows() -> list[Template]:
    pairs = tuple(word for _ in range(10) for word in ("{key}", "{value}"))
    rows = [
        Template("ping", ("PING",), _BYTES, "+PONG"),
        Template("get", ("GET", "{key}"), _BYTES_OR_NIL, "$", "string"),
        Template("set", ("SET", "{key}", "{value}"), _BYTES, "+OK"),
        Template("setex", ("SET", "{key}", "{value}", "EX", "3600"), _BYTES, "+OK"),
        Template("incr", ("INCR", "counter:{number}"), _INT),
        Template("append", ("APPEND", "bench:text:{number}", "{value}"), _INT),
        Template("exists", ("EXISTS", "{key}"), _INT, "", "string"),
        Template("del", ("DEL", "{key}"), _INT, "", "string"),
        Template("expire", ("EXPIRE", "{key}", "3600"), _INT, "", "string"),
        Template("ttl", ("TTL", "{key}"), _INT, "", "string"),
        Template("mset", ("MSET", *pairs), _BYTES, "+OK"),
        Template("mget", ("MGET", *["{key}"] * 10), _LIST, "", "string"),
        Template("lpush", ("LPUSH", "bench:list", "{value}"), _INT),
        Template("rpush", ("RPUSH", "bench:list", "{value}"), _INT),
        Template("lpop", ("LPOP", "bench:list"), _BYTES_OR_NIL, "$", "list", True),
        Template("rpop", ("RPOP", "bench:list"), _BYTES_OR_NIL, "$", "list", True),
        Template("sadd", ("SADD", "bench:set", "element:{number}"), _INT),
        Template("sismember", ("SISMEMBER", "bench:set", "element:{number}"), _INT, "", "set"),
        Template("spop", ("SPOP", "bench:set"), _BYTES_OR_NIL, "", "set", True),
        Template("hset", ("HSET", "bench:hash", "element:{number}", "{value}"), _INT),
        Template("hget", ("HGET", "bench:hash", "element:{number}"), _BYTES_OR_NIL, "$", "hash"),
        Template("zadd", ("ZADD", "bench:zset", "{score}", "element:{number}"), _INT),
        Template("zscore", ("ZSCORE", "bench:zset", "element:{number}"), _BYTES_OR_NIL, "", "zset"),
        Template("zrank", ("ZRANK", "bench:zset", "element:{number}"), (int, type(None)), "", "zset"),
        Template("zrange", ("ZRANGE", "bench:zset", "0", "9"), _LIST, "", "zset"),
        Template("zpopmin", ("ZPOPMIN", "bench:zset"), _LIST, "", "zset", True),
        Template("eval", ("EVAL", _SCRIPT, "1", "{key}", "{value}"), _BYTES, "+OK"),
    ]
    for length in (100, 300, 500, 600):
        words = ("LRANGE", "bench:range", "0", str(length - 1))
        rows.append(Template(f"lrange_{length}", words, _LIST, f"*{length}", "range"))
    return rows


TEMPLATES = {row.name: row for row in _rows()}

#: Short names.
ALIASES = {"lrange": "lrange_100", "ping_mbulk": "ping"}

Mix = Sequence[tuple[Template, float]]


def parse_mix(text: str) -> Mix:
    """Templates and their weights from ``get:80,set:15,zadd:5``; a name alone has weight 1.

    Raises ValueError, with a text for the user, for a command that is not known or a bad weight.
    """
    mix: list[tuple[Template, float]] = []
    for part in text.split(","):
        name, colon, weight = part.strip().lower().partition(":")
        template = TEMPLATES.get(ALIASES.get(name, name))
        if template is None:
            raise ValueError(
                f"{part.strip()!r} is no command of the benchmark; there are {', '.join(TEMPLATES)}"
            )
        try:
            share = float(weight) if colon else 1.0
        except ValueError:
            share = -1.0
        if not 0 < share < float("inf"):
            raise ValueError(f"{part.strip()!r}: the weight is a number above 0, as in {name}:80")
        mix.append((template, share))
    return mix


def parse_ratio(text: str) -> Mix:
    """SET and GET in the ratio ``1:10``, as memtier writes it.  Raises ValueError."""
    sets, colon, gets = text.partition(":")
    try:
        shares = float(sets), float(gets)
    except ValueError:
        colon = ""
        shares = 0.0, 0.0
    if not colon or min(shares) < 0 or sum(shares) <= 0:
        raise ValueError(f"{text!r}: a ratio is SETs:GETs, such as 1:10")
    return [(TEMPLATES[name], share) for name, share in zip(("set", "get"), shares, strict=True) if share]


def parse_command(text: str) -> Mix:
    """A command of one's own, such as ``SETEX {key} 60 {value}``.  Raises ValueError when it is empty or unbalanced."""
    words = tuple(shlex.split(text))
    if not words:
        raise ValueError("the command is empty")
    return [(Template(" ".join(words).lower(), words), 1.0)]


def describe(mix: Mix) -> str:
    """The mix as it is shown: ``set 50 %, get 50 %``."""
    total = sum(weight for _, weight in mix)
    if len(mix) == 1:
        return mix[0][0].name
    return ", ".join(f"{template.name} {weight / total:.0%}".replace("%", " %") for template, weight in mix)
