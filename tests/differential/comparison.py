"""When two replies to the same command count as equal.

Exactly, wire types included, except where Redis promises less: the order of what has no order, random choices
(their shape; :mod:`.scripts` checks that they are members), clocks (a second of tolerance), and what tells of
the server itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from tests.differential.replies import Reply, is_error

#: Replies that are a collection without order.
_UNORDERED = frozenset([b"SMEMBERS", b"SINTER", b"SUNION", b"SDIFF", b"KEYS", b"HKEYS", b"HVALS"])
#: Replies in no order unless one is asked for.
_PLACES = frozenset(
    [b"GEOSEARCH", b"GEORADIUS", b"GEORADIUS_RO", b"GEORADIUSBYMEMBER", b"GEORADIUSBYMEMBER_RO"]
)
RANDOM = frozenset([b"SPOP", b"SRANDMEMBER", b"HRANDFIELD", b"ZRANDMEMBER", b"RANDOMKEY"])
SCANS = frozenset([b"SCAN", b"SSCAN", b"HSCAN", b"ZSCAN"])
_CLOCKS = {b"TTL": 2, b"EXPIRETIME": 2, b"PTTL": 1500, b"PEXPIRETIME": 1500}
#: Own addresses, numbers and representations: only the kind of reply is compared.
_SHAPE_ONLY = frozenset(
    [
        *(b"CLIENT ID", b"OBJECT IDLETIME", b"OBJECT REFCOUNT", b"DEBUG OBJECT"),
        *(b"DEBUG DIGEST", b"DEBUG DIGEST-VALUE", b"SLOWLOG GET", b"SLOWLOG LEN"),
    ]
)
_HELP = frozenset([b"OBJECT HELP"])
#: Fields of CLIENT INFO whose values both servers know.
_CLIENT_FIELDS = frozenset([b"name", b"db", b"sub", b"psub", b"multi", b"cmd", b"user", b"resp", b"flags"])
_HELLO_OWN = frozenset([b"id", b"version"])


def comparable(words: Sequence[bytes], reply: Reply, in_transaction: bool = False) -> Any:
    """``reply`` in a form in which two right replies to ``words`` are equal."""
    if is_error(reply):
        return reply
    name = words[0].upper()
    if name in (b"CLIENT", b"OBJECT", b"DEBUG", b"COMMAND", b"SLOWLOG") and len(words) > 1:
        name += b" " + words[1].upper()
    if name.startswith(b"Z"):
        reply = _without_sign_of_zero(reply)
    kind, value = reply
    if name in _UNORDERED:
        return _sorted(reply)
    if name in (b"SORT", b"SORT_RO") and isinstance(value, list):
        return _sorting(words, reply)
    if name in _PLACES and isinstance(value, list):
        return _places(words, reply)
    if name == b"HGETALL":
        return kind, sorted(zip(value[::2], value[1::2], strict=True))
    if name in RANDOM or name in SCANS:
        return _shape(reply) if name in RANDOM else kind
    if name in _CLOCKS and value >= 0:
        return kind, "a time"
    if name == b"XPENDING" and len(words) > 3:
        return kind, [_masked(part, 2) for part in value]
    if name == b"XINFO":
        return _without_moments(reply)
    if name in _SHAPE_ONLY or name in _HELP:
        return kind
    if name == b"CLIENT INFO":
        return kind, _client_fields(value, () if in_transaction else _CLIENT_FIELDS)
    if name == b"HELLO":
        pairs = zip(value[::2], value[1::2], strict=True)
        return kind, [(field, None if field[1] in _HELLO_OWN else told) for field, told in pairs]
    if name in (b"COMMAND", b"COMMAND INFO") and len(words) < 3:
        return kind  # all rows: Redis has more
    if name == b"COMMAND INFO":
        # Subcommands, which stand last in a row, are compared by their own names: Redis has more.
        return kind, [_without_notes((row[0], row[1] and row[1][:-1])) for row in value]
    if name.startswith(b"CONFIG") and isinstance(value, list):
        return kind, sorted(zip(value[::2], value[1::2], strict=True))
    return reply


def agree(
    words: Sequence[bytes], mine: Reply, theirs: Reply, in_transaction: bool = False, apart_ms: int = 0
) -> bool:
    """Whether the two replies to ``words`` count as equal.

    Args:
        apart_ms: how far apart clocks may be, beside the usual tolerance, as one server was asked after the other.
    """
    if mine == theirs:
        return True
    if comparable(words, mine, in_transaction) != comparable(words, theirs, in_transaction):
        return False
    name = words[0].upper()
    if name not in _CLOCKS or is_error(mine) or mine[1] < 0:
        return True
    apart = apart_ms if name.startswith(b"P") else apart_ms // 1000
    return bool(abs(mine[1] - theirs[1]) <= _CLOCKS[name] + apart)


def transaction_agrees(
    queue: Sequence[Sequence[bytes]], mine: Reply, theirs: Reply, apart_ms: int = 0
) -> bool:
    """The same for the reply to an EXEC that ran ``queue``."""
    if mine[1] is None or theirs[1] is None or is_error(mine) or is_error(theirs):
        return mine == theirs
    return len(mine[1]) == len(theirs[1]) == len(queue) and all(
        agree(words, ours, other, in_transaction=True, apart_ms=apart_ms)
        for words, ours, other in zip(queue, mine[1], theirs[1], strict=True)
    )


def _places(words: Sequence[bytes], reply: Reply) -> Any:
    """Where a COUNT cuts through places that are equally far, either may be told of."""
    options = {word.upper() for word in words}
    if b"COUNT" in options:
        return reply[0], len(reply[1])
    return reply if options & {b"ASC", b"DESC"} else _sorted(reply)


def _sorting(words: Sequence[bytes], reply: Reply) -> Any:
    """A set that is not to be sorted comes in no order, and so do elements whose words are alike.

    Where LIMIT cuts through a set that is not sorted, only the length is certain.
    """
    options = [word.upper() for word in words]
    if b"BY" not in options:
        return reply
    sorts = b"*" in words[len(options) - options[::-1].index(b"BY")]
    if not sorts and words[1].startswith(b"set") and b"LIMIT" in options:
        return reply[0], len(reply[1])
    unordered = b"ALPHA" in options if sorts else words[1].startswith(b"set")
    return _sorted(reply) if unordered else reply


def _without_sign_of_zero(reply: Reply) -> Reply:
    """A score of -0 in Redis keeps its sign or not, depending on how the sorted set is represented."""
    kind, value = reply
    if isinstance(value, list):
        return kind, [_without_sign_of_zero(part) for part in value]
    return kind, b"0" if value == b"-0" else value


def _masked(reply: Reply, *positions: int) -> Any:
    """``reply``, a list, without the moments or durations at ``positions``."""
    return reply[0], [None if at in positions else part for at, part in enumerate(reply[1])]


def _without_moments(reply: Reply) -> Any:
    """What XINFO tells, without when consumers were seen and entries delivered."""
    kind, value = reply
    if not isinstance(value, list):
        return reply
    parts: list[Any] = []
    for at, part in enumerate(value):
        before = value[at - 1][1] if at else None
        if before in (b"seen-time", b"idle"):
            parts.append(None)
        elif before == b"pending" and isinstance(part[1], list):
            parts.append([_masked(each, 2 if len(each[1]) == 4 else 1) for each in part[1]])
        else:
            parts.append(_without_moments(part))
    return kind, parts


def _sorted(reply: Reply) -> Any:
    return (reply[0], sorted(reply[1], key=repr)) if isinstance(reply[1], list) else reply


def _shape(reply: Reply) -> Any:
    if isinstance(reply[1], list):
        return reply[0], [_shape(part) for part in reply[1]]
    return reply[0], reply[1] is None


def _client_fields(line: bytes, compared: Collection[bytes]) -> list[tuple[bytes, bytes | None]]:
    """The fields of a line of CLIENT INFO.  While EXEC runs, Kedis's line is that of the command it runs."""
    fields = [field.partition(b"=") for field in line.removeprefix(b"txt:").split()]
    return [(name, value if name in compared else None) for name, _, value in fields]


def _without_notes(reply: Reply) -> Any:
    """COMMAND INFO without the prose of the key specifications, and with unordered parts sorted."""
    kind, value = reply
    if not isinstance(value, list):
        return reply
    if kind == "~":
        return kind, sorted(map(repr, map(_without_notes, value)))
    parts = list(value)
    for at, part in enumerate(parts[:-1]):
        if part[1] == b"notes":
            return kind, [_without_notes(p) for p in parts[:at] + parts[at + 2 :]]
    return kind, [_without_notes(part) for part in parts]
