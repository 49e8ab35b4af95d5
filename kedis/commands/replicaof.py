"""REPLICAOF and SLAVEOF: this server as the replica of another one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis.commands.parsing.numbers import NumberError, parse_int
from kedis.engine.flags import ADMIN, NO_ASYNC_LOADING, NOSCRIPT, STALE
from kedis.engine.table import command
from kedis.errors import CommandError, replication_errors
from kedis.resp.values import OK, SimpleString

if TYPE_CHECKING:
    from kedis.engine.client import Client

_PORT_MAX = 65535
_SAME_MASTER = SimpleString(b"OK Already connected to specified master")


@command(
    "REPLICAOF",
    arity=3,
    flags=ADMIN | NOSCRIPT | STALE | NO_ASYNC_LOADING,
    group="server",
    since="5.0.0",
    summary="Makes this server a replica of another one, or with NO ONE a master.",
    complexity="O(1)",
    syntax='args(host-port{host port:int} | no-one{"NO" "ONE"})',
)
def replicaof(client: Client, argv: Sequence[bytes]) -> Any:
    if client.engine.replication.fails_over:
        raise CommandError(replication_errors.REPLICAOF_WHILE_FAILING_OVER)
    following = client.engine.following
    if (argv[1].lower(), argv[2].lower()) == (b"no", b"one"):
        following.lead(_described(client))
        return OK
    try:
        port = parse_int(argv[2])
    except NumberError:
        raise CommandError(replication_errors.INVALID_MASTER_PORT) from None
    if not 0 <= port <= _PORT_MAX:
        raise CommandError(replication_errors.INVALID_MASTER_PORT)
    begun = following.follow(argv[1].decode("utf-8", "surrogateescape"), port, _described(client))
    return OK if begun else _SAME_MASTER


@command(
    "SLAVEOF",
    arity=3,
    flags=ADMIN | NOSCRIPT | STALE | NO_ASYNC_LOADING,
    group="server",
    since="1.0.0",
    summary="Old name of REPLICAOF.",
    complexity="O(1)",
    syntax='args(host-port{host port:int} | no-one{"NO" "ONE"})',
    deprecated=("5.0.0", "REPLICAOF"),
)
def slaveof(client: Client, argv: Sequence[bytes]) -> Any:
    return replicaof(client, argv)


def _described(client: Client) -> str:
    name = client.name.decode("utf-8", "replace")
    return f"id={client.id} addr={client.address} laddr={client.local_address} name={name}"
