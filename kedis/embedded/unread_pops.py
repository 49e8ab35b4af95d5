"""What a blocking command has taken for a client that is gone before it has read the reply: put back.

Over a network such an element is lost. In a process the reply is at hand: a task that is cancelled in the moment in
which it is served has taken nothing. The element goes back to the end from which it came, as a write of its own, so
that another waiting client gets it at once. BLMOVE needs nothing of it, since the element is in the other list, nor
XREADGROUP, whose entries are pending.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import hiredis

from kedis.embedded.embedded_engine import EmbeddedEngine
from kedis.embedded.engine_socket import EngineSocket
from kedis.engine.blocking import Waiter
from kedis.engine.client import Client

#: From a reply, and the words that it answers, to the words that undo it.
Undo = Callable[[Any, Sequence[bytes]], list[bytes]]


def _pop(push: bytes) -> Undo:
    return lambda reply, _argv: [push, *reply]


def _pop_many(reply: Any, argv: Sequence[bytes]) -> list[bytes]:
    key, elements = reply
    side = argv[3 + int(argv[2])].upper()  # BLMPOP timeout numkeys key [key ...] LEFT | RIGHT
    return [b"RPUSH" if side == b"RIGHT" else b"LPUSH", key, *reversed(elements)]


def _scored(reply: Any, _argv: Sequence[bytes]) -> list[bytes]:
    key, member, score = reply
    return [b"ZADD", key, _score(score), member]


def _scored_many(reply: Any, _argv: Sequence[bytes]) -> list[bytes]:
    key, pairs = reply
    return [b"ZADD", key, *(word for member, score in pairs for word in (_score(score), member))]


def _score(score: Any) -> bytes:
    return score if isinstance(score, bytes) else repr(score).encode()


_UNDONE: dict[str, Undo] = {
    "blpop": _pop(b"LPUSH"),
    "brpop": _pop(b"RPUSH"),
    "blmpop": _pop_many,
    "bzpopmin": _scored,
    "bzpopmax": _scored,
    "bzmpop": _scored_many,
}


def put_back(embedded: EmbeddedEngine, client: Client, wait: Waiter, unread: bytes) -> None:
    """Put back what ``client``, which is gone, has taken after a ``wait``; ``unread`` is the reply. O(elements)."""
    undo = _UNDONE.get(wait.command.name)
    replies = hiredis.Reader()
    replies.feed(unread)
    reply: Any = replies.gets()
    if undo is None or type(reply) is not list or replies.has_data():
        return
    sock = EngineSocket(embedded)
    try:
        sock.client.log_in(client.engine.users.trusted)  # who may pop may perhaps not push
        for words in ((b"SELECT", b"%d" % client.database), undo(reply, wait.argv)):
            packed: Any = tuple(words)
            sock.sendall(hiredis.pack_command(packed))
    except OSError:  # the store is closed
        pass
    finally:
        sock.close()
