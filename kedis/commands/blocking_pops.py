"""Commands that wait for a list or a sorted set to take something from.

Each tries at once, and where none of its keys is there it waits for one (:mod:`kedis.engine.blocking`).  What a client
took is journalled without the waiting: BLPOP as the LPOP that it came to, BLMOVE as LMOVE, BZMPOP as ZPOPMIN with the
number taken.  The timeout is the last argument of the older commands and the first of the newer ones; either way it
is looked at after all the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from kedis.commands.lists import is_left, move, parse_pop_options, pop_first
from kedis.commands.parsing.numbers import INT64_MAX, NumberError, scaled_up
from kedis.commands.parsing.options import key_count, long_double
from kedis.commands.sorted_set_pops import parse_zmpop, pop
from kedis.engine.flags import BLOCKING, DENYOOM, FAST, NOSCRIPT, WRITE
from kedis.engine.keyspec import counted, span
from kedis.engine.table import command
from kedis.errors import CommandError, client_errors, value_errors
from kedis.structures.packed import List, SortedSet

if TYPE_CHECKING:
    from kedis.engine.blocking import Attempt
    from kedis.engine.client import Client


def parse_timeout(raw: bytes) -> int:
    """A timeout in seconds as milliseconds, rounded up; 0 means for ever.  Raises CommandError."""
    seconds = long_double(raw, client_errors.TIMEOUT_NOT_A_FLOAT)
    try:
        milliseconds = scaled_up(seconds, 1000)
    except NumberError:
        milliseconds = -1
    if not 0 <= milliseconds <= INT64_MAX:  # too large a number is negative to Redis, too
        raise CommandError(client_errors.TIMEOUT_NEGATIVE)
    return milliseconds


def _take_or_wait(
    client: Client,
    argv: Sequence[bytes],
    kind: type,
    keys: Sequence[bytes],
    timeout_ms: int,
    attempt: Attempt,
) -> Any:
    """What ``attempt`` takes from the first of ``keys`` that is there; else wait for one.  Raises WRONGTYPE."""
    for key in keys:
        if client.db.lookup_write_typed(key, kind) is not None:
            return attempt(client, key)
    return client.engine.blocking.wait(client, argv, kind, keys, timeout_ms, attempt)


# -- lists ------------------------------------------------------------------------------------------------


def _bpop(client: Client, argv: Sequence[bytes], left: bool) -> Any:
    return _take_or_wait(client, argv, List, argv[1:-1], parse_timeout(argv[-1]), partial(_pop, left=left))


def _pop(client: Client, key: bytes, left: bool) -> list[bytes]:
    values = client.db.lookup_or_create(key, List)
    value = values.pop_left() if left else values.pop_right()
    client.db.modified(key, values, "lpop" if left else "rpop")
    client.propagate(b"LPOP" if left else b"RPOP", key)
    return [key, value]


@command(
    "BLPOP",
    arity=-3,
    flags=WRITE | NOSCRIPT | BLOCKING,
    group="list",
    since="2.0.0",
    summary="Like LPOP on the first non-empty list of several; blocks while all are empty.",
    keys=[span("RW access delete", 1, last=-2)],
    complexity="O(N) in the number of keys",
    syntax="key@0... timeout:double",
)
def blpop(client: Client, argv: Sequence[bytes]) -> Any:
    return _bpop(client, argv, True)


@command(
    "BRPOP",
    arity=-3,
    flags=WRITE | NOSCRIPT | BLOCKING,
    group="list",
    since="2.0.0",
    summary="Like RPOP on the first non-empty list of several; blocks while all are empty.",
    keys=[span("RW access delete", 1, last=-2)],
    complexity="O(N) in the number of keys",
    syntax="key@0... timeout:double",
)
def brpop(client: Client, argv: Sequence[bytes]) -> Any:
    return _bpop(client, argv, False)


@command(
    "BLMPOP",
    arity=-5,
    flags=WRITE | BLOCKING,
    group="list",
    since="7.0.0",
    summary="Like LMPOP; blocks while all lists are empty.",
    keys=[counted("RW access delete", 2)],
    complexity="O(N + M) in the number of keys and of elements removed",
    syntax='timeout:double numkeys:int key@0... where("LEFT" | "RIGHT") ["COUNT" count:int]',
)
def blmpop(client: Client, argv: Sequence[bytes]) -> Any:
    keys = key_count(argv, 2, value_errors.KEY_COUNT_NOT_POSITIVE)
    left, count = parse_pop_options(argv, 3 + len(keys))
    attempt = partial(_pop_several, left=left, count=count)
    return _take_or_wait(client, argv, List, keys, parse_timeout(argv[1]), attempt)


def _pop_several(client: Client, key: bytes, left: bool, count: int) -> Any:
    return pop_first(client, [key], left, count)


@command(
    "BLMOVE",
    arity=6,
    flags=WRITE | DENYOOM | NOSCRIPT | BLOCKING,
    group="list",
    since="6.2.0",
    summary="Like LMOVE; blocks while the source list is empty.",
    keys=[span("RW access delete", 1), span("RW insert", 2)],
    complexity="O(1)",
    syntax=('source@0 destination@1 wherefrom("LEFT" | "RIGHT") whereto("LEFT" | "RIGHT") timeout:double'),
)
def blmove(client: Client, argv: Sequence[bytes]) -> Any:
    from_left, to_left = is_left(argv[3]), is_left(argv[4])
    return _bmove(client, argv, from_left, to_left, (b"LMOVE", argv[1], argv[2], argv[3], argv[4]))


@command(
    "BRPOPLPUSH",
    arity=4,
    flags=WRITE | DENYOOM | NOSCRIPT | BLOCKING,
    group="list",
    since="2.2.0",
    summary="Like RPOPLPUSH; blocks while the source list is empty.",
    keys=[span("RW access delete", 1), span("RW insert", 2)],
    complexity="O(1)",
    syntax="source@0 destination@1 timeout:double",
    deprecated=("6.2.0", "BLMOVE from RIGHT to LEFT"),
)
def brpoplpush(client: Client, argv: Sequence[bytes]) -> Any:
    return _bmove(client, argv, False, True, (b"RPOPLPUSH", argv[1], argv[2]))


def _bmove(
    client: Client, argv: Sequence[bytes], from_left: bool, to_left: bool, journalled: Sequence[bytes]
) -> Any:
    """Move from ``argv[1]`` to ``argv[2]``, at once or later; what is journalled has the words of the plain command."""
    timeout_ms = parse_timeout(argv[-1])
    source, target = argv[1], argv[2]
    attempt = partial(_move, target=target, from_left=from_left, to_left=to_left)
    if client.db.lookup_write_typed(source, List) is not None:
        return attempt(client, source, journalled=journalled)
    later = partial(attempt, journalled=(*journalled[:3], *map(bytes.lower, journalled[3:])))
    return client.engine.blocking.wait(client, argv, List, [source], timeout_ms, later, otherwise=None)


def _move(
    client: Client, source: bytes, target: bytes, from_left: bool, to_left: bool, journalled: Sequence[bytes]
) -> bytes | None:
    value = move(client.db, source, target, from_left, to_left)
    client.propagate(*journalled)
    return value


# -- sorted sets ------------------------------------------------------------------------------------------


def _bzpop(client: Client, argv: Sequence[bytes], highest: bool) -> Any:
    attempt = partial(_pop_member, highest=highest)
    return _take_or_wait(client, argv, SortedSet, argv[1:-1], parse_timeout(argv[-1]), attempt)


def _pop_member(client: Client, key: bytes, highest: bool) -> list[Any]:
    ((member, score),) = pop(client, key, client.db.lookup_or_create(key, SortedSet), highest, 1)
    client.propagate(b"ZPOPMAX" if highest else b"ZPOPMIN", key)
    return [key, member, score]


@command(
    "BZPOPMIN",
    arity=-3,
    flags=WRITE | NOSCRIPT | BLOCKING | FAST,
    group="sorted-set",
    since="5.0.0",
    summary="Like ZPOPMIN on the first non-empty sorted set of several; blocks while all are empty.",
    keys=[span("RW access delete", 1, last=-2)],
    complexity="O(log(N))",
    syntax="key@0... timeout:double",
)
def bzpopmin(client: Client, argv: Sequence[bytes]) -> Any:
    return _bzpop(client, argv, False)


@command(
    "BZPOPMAX",
    arity=-3,
    flags=WRITE | NOSCRIPT | BLOCKING | FAST,
    group="sorted-set",
    since="5.0.0",
    summary="Like ZPOPMAX on the first non-empty sorted set of several; blocks while all are empty.",
    keys=[span("RW access delete", 1, last=-2)],
    complexity="O(log(N))",
    syntax="key@0... timeout:double",
)
def bzpopmax(client: Client, argv: Sequence[bytes]) -> Any:
    return _bzpop(client, argv, True)


@command(
    "BZMPOP",
    arity=-5,
    flags=WRITE | BLOCKING,
    group="sorted-set",
    since="7.0.0",
    summary="Like ZMPOP; blocks while all sorted sets are empty.",
    keys=[counted("RW access delete", 2)],
    complexity="O(K) + O(log(N)) for each member, K being the keys",
    syntax='timeout:double numkeys:int key@0... where("MIN" | "MAX") ["COUNT" count:int]',
)
def bzmpop(client: Client, argv: Sequence[bytes]) -> Any:
    keys, highest, count = parse_zmpop(argv, 2)
    attempt = partial(_pop_members, highest=highest, count=count)
    return _take_or_wait(client, argv, SortedSet, keys, parse_timeout(argv[1]), attempt)


def _pop_members(client: Client, key: bytes, highest: bool, count: int) -> list[Any]:
    taken = pop(client, key, client.db.lookup_or_create(key, SortedSet), highest, count)
    client.propagate(b"ZPOPMAX" if highest else b"ZPOPMIN", key, b"%d" % len(taken))
    return [key, [list(pair) for pair in taken]]
