"""One reply from those of several nodes.

A join gets the replies in the order of the parts, and the positions of the keys of each part in the request, or
nothing where the parts are the whole command for every master. An error among the replies is the answer.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from kedis.resp.reply_framing import elements, split_elements

Join = Callable[[Sequence[bytes], Sequence[Sequence[int]]], bytes]
Positions = Sequence[Sequence[int]]


def joined(join: Join, replies: Sequence[bytes], positions: Positions) -> bytes:
    """The one reply, of ``join`` or the first error. O(bytes of the replies)."""
    if join is not any_success:
        for reply in replies:
            if reply.startswith(b"-"):
                return reply
    try:
        return join(replies, positions)
    except ValueError:
        return b"-ERR nodes have answered in forms that cannot be joined\r\n"


def first(replies: Sequence[bytes], _positions: Positions) -> bytes:
    """All are the same."""
    return replies[0]


def summed(replies: Sequence[bytes], _positions: Positions) -> bytes:
    """Integers, added."""
    return b":%d\r\n" % sum(_integer(reply) for reply in replies)


def concatenated(replies: Sequence[bytes], _positions: Positions) -> bytes:
    """Arrays, one behind the other."""
    parts = [elements(reply) for reply in replies]
    return b"*%d\r\n" % sum(count for count, _ in parts) + b"".join(rest for _, rest in parts)


def interleaved(replies: Sequence[bytes], positions: Positions) -> bytes:
    """Arrays with an element for each key, in the order of the keys in the request (MGET)."""
    found: dict[int, bytes] = {}
    for reply, places in zip(replies, positions, strict=True):
        found.update(zip(places, split_elements(reply), strict=True))
    return b"*%d\r\n" % len(found) + b"".join(found[place] for place in sorted(found))


def least(replies: Sequence[bytes], _positions: Positions) -> bytes:
    """Arrays of integers, of each place the least: a script exists where every node has it."""
    rows = [[_integer(element) for element in split_elements(reply)] for reply in replies]
    lowest = [min(column) for column in zip(*rows, strict=True)]
    return b"*%d\r\n" % len(lowest) + b"".join(b":%d\r\n" % number for number in lowest)


def some_key(replies: Sequence[bytes], _positions: Positions) -> bytes:
    """One of the keys that nodes have, if any has one (RANDOMKEY). Nodes, not keys, are equally likely."""
    keys = [reply for reply in replies if reply not in (b"$-1\r\n", b"_\r\n")]
    return random.choice(keys) if keys else replies[0]


def any_success(replies: Sequence[bytes], _positions: Positions) -> bytes:
    """A success of any node (SCRIPT KILL), else the first error."""
    return next((reply for reply in replies if not reply.startswith(b"-")), replies[0])


def _integer(reply: bytes) -> int:
    if not reply.startswith(b":"):
        raise ValueError("no integer")
    return int(reply[1:])
