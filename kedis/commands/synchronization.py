"""Commands between a master and its replicas, and about them: REPLCONF, PSYNC, SYNC, WAIT, ROLE, FAILOVER."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.parsing.options import integer
from kedis.engine.flags import (
    ADMIN,
    ALLOW_BUSY,
    FAST,
    FROM_REPLICA,
    LOADING,
    NO_ASYNC_LOADING,
    NO_MULTI,
    NOSCRIPT,
    STALE,
)
from kedis.engine.table import command
from kedis.errors import CommandError, client_errors, replication_errors
from kedis.resp.values import NO_REPLY, OK

if TYPE_CHECKING:
    from kedis.engine.client import Client


@command(
    "REPLCONF",
    arity=-1,
    flags=ADMIN | NOSCRIPT | LOADING | STALE | ALLOW_BUSY | FROM_REPLICA,
    group="server",
    since="3.0.0",
    summary="Options and confirmations of a replica; sent by replicas only.",
    complexity="O(1)",
    system=True,
)
def replconf(client: Client, argv: Sequence[bytes]) -> Any:
    if len(argv) % 2 == 0:
        raise CommandError(errors.SYNTAX)
    configure = client.engine.replication.configure
    for position in range(1, len(argv), 2):
        if not configure(client, argv[position].lower(), argv[position + 1]):
            return NO_REPLY
    return OK


@command(
    "PSYNC",
    arity=-3,
    flags=ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI | FROM_REPLICA,
    group="server",
    since="2.8.0",
    summary="Makes this connection a replica, from an offset of a history if that is kept.",
    complexity="O(1); O(N) in the bytes of all values where that is not kept",
    syntax="replicationid offset:int",
)
def psync(client: Client, argv: Sequence[bytes]) -> Any:
    try:
        first = integer(argv[2])
    except CommandError:
        client.engine.process.log(
            f"Replica {client.address} asks for synchronization but with a wrong offset"
        )
        raise
    if len(argv) > 3 and argv[3].lower() == b"failover":
        client.engine.replication.take_over(client, argv[1].decode("utf-8", "replace"))
    client.engine.replication.synchronize(client, argv[1].decode("utf-8", "replace"), first)
    return NO_REPLY


@command(
    "SYNC",
    arity=1,
    flags=ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI | FROM_REPLICA,
    group="server",
    since="1.0.0",
    summary="Makes this connection a replica; of the time before PSYNC.",
    complexity="O(N) in the bytes of all values",
)
def sync(client: Client, _argv: Sequence[bytes]) -> Any:
    client.engine.replication.synchronize(client, None, 0)
    return NO_REPLY


@command(
    "WAIT",
    arity=3,
    flags=NOSCRIPT,
    group="generic",
    since="3.0.0",
    summary="Waits until a number of replicas have all changes made before, and returns how many have.",
    complexity="O(N) in the number of replicas",
    categories="connection -keyspace",
    tips=["request_policy:all_shards", "response_policy:agg_min"],
    syntax="numreplicas:int timeout:int",
)
def wait(client: Client, argv: Sequence[bytes]) -> Any:
    replication = client.engine.replication
    if client.engine.following.upstream is not None:
        raise CommandError(replication_errors.WAIT_ON_REPLICA)
    count = integer(argv[1])
    timeout_ms = integer(argv[2], client_errors.TIMEOUT_NOT_AN_INTEGER)
    if timeout_ms < 0:
        raise CommandError(client_errors.TIMEOUT_NEGATIVE)
    return replication.wait(client, argv, count, timeout_ms)


@command(
    "ROLE",
    arity=1,
    flags=NOSCRIPT | LOADING | STALE | FAST,
    group="server",
    since="2.8.12",
    summary="Returns the role in replication: master with its replicas, or slave with its master.",
    complexity="O(N) in the number of replicas",
    categories="admin dangerous",
)
def role(client: Client, _argv: Sequence[bytes]) -> list[Any]:
    return client.engine.replication.role()


@command(
    "FAILOVER",
    arity=-1,
    flags=ADMIN | NOSCRIPT | STALE,
    group="server",
    since="6.2.0",
    summary="Hands the master role to a replica that has all changes.",
    complexity="O(1)",
    syntax='["TO" target{host port:int ["FORCE"]}] ["ABORT"] ["TIMEOUT" milliseconds:int]',
)
def failover(client: Client, argv: Sequence[bytes]) -> Any:
    process = client.engine.process
    if [word.lower() for word in argv[1:]] == [b"abort"]:
        process.abort_failover()
        return OK
    target: tuple[str, int] | None = None
    timeout_ms = 0
    seen: set[bytes] = set()
    position = 1
    while position < len(argv):
        word, left = argv[position].lower(), len(argv) - position - 1
        if word == b"timeout" and left >= 1 and word not in seen:
            timeout_ms = integer(argv[position + 1])
            if timeout_ms <= 0:
                raise CommandError(replication_errors.FAILOVER_TIMEOUT)
            position += 1
        elif word == b"to" and left >= 2 and word not in seen:
            target = argv[position + 1].decode("utf-8", "replace"), integer(argv[position + 2])
            position += 2
        elif word != b"force" or word in seen:
            raise CommandError(errors.SYNTAX)
        seen.add(word)
        position += 1
    process.fail_over(target, b"force" in seen, timeout_ms)
    return OK
