"""Commands about replicas, clusters and modules, which a server that stands alone answers as Redis does then.

Kedis has none of the three.  Client libraries and tools ask nevertheless, and go by the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.help import help_lines
from kedis.commands.parsing.numbers import NumberError, parse_int
from kedis.commands.parsing.options import integer
from kedis.engine.table import (
    ADMIN,
    FAST,
    LOADING,
    NO_ASYNC_LOADING,
    NOSCRIPT,
    STALE,
    command,
    container,
)
from kedis.errors import CommandError
from kedis.resp.values import OK

if TYPE_CHECKING:
    from kedis.engine.client import Client
    from kedis.engine.table import Flag

_PORT_MAX = 65535

# -- replicas ---------------------------------------------------------------------------------------------


@command(
    "REPLICAOF",
    arity=3,
    flags=ADMIN | NOSCRIPT | STALE | NO_ASYNC_LOADING,
    group="server",
    since="5.0.0",
    summary="NO ONE: this server is nobody's replica, which it is anyway. Another server is refused.",
    complexity="O(1)",
)
def replicaof(_ctx: Client, argv: Sequence[bytes]) -> Any:
    if (argv[1].lower(), argv[2].lower()) == (b"no", b"one"):
        return OK
    try:
        valid = 0 <= parse_int(argv[2]) <= _PORT_MAX
    except NumberError:
        valid = False
    raise CommandError(errors.NO_REPLICATION if valid else errors.INVALID_MASTER_PORT)


@command(
    "SLAVEOF",
    arity=3,
    flags=ADMIN | NOSCRIPT | STALE | NO_ASYNC_LOADING,
    group="server",
    since="1.0.0",
    summary="The old name of REPLICAOF.",
    complexity="O(1)",
)
def slaveof(client: Client, argv: Sequence[bytes]) -> Any:
    return replicaof(client, argv)


@command(
    "FAILOVER",
    arity=-1,
    flags=ADMIN | NOSCRIPT | STALE,
    group="server",
    since="6.2.0",
    summary="Would hand over to a replica; there is none.",
    complexity="O(1)",
)
def failover(_ctx: Client, argv: Sequence[bytes]) -> Any:
    if [word.lower() for word in argv[1:]] == [b"abort"]:
        raise CommandError(errors.NO_FAILOVER)
    seen: set[bytes] = set()
    position = 1
    while position < len(argv):
        word, left = argv[position].lower(), len(argv) - position - 1
        if word == b"timeout" and left >= 1 and word not in seen:
            if integer(argv[position + 1]) <= 0:
                raise CommandError(errors.FAILOVER_TIMEOUT)
            position += 1
        elif word == b"to" and left >= 2 and word not in seen:
            integer(argv[position + 2])
            position += 2
        elif word != b"force" or word in seen:
            raise CommandError(errors.SYNTAX)
        seen.add(word)
        position += 1
    raise CommandError(errors.FAILOVER_WITHOUT_REPLICAS)


# -- clusters ---------------------------------------------------------------------------------------------


def _without_cluster(_ctx: Client, _argv: Sequence[bytes]) -> Any:
    raise CommandError(errors.CLUSTER_DISABLED)


for _name, _flags, _task in (
    ("READONLY", LOADING | STALE | FAST, "Would allow reads from a replica of a cluster."),
    ("READWRITE", LOADING | STALE | FAST, "Would end READONLY."),
    ("ASKING", FAST, "Would let the next command use a slot that is being moved here."),
):
    command(
        _name,
        arity=1,
        flags=_flags,
        group="cluster",
        since="3.0.0",
        summary=_task,
        complexity="O(1)",
        categories="connection",
    )(_without_cluster)

container(
    "CLUSTER",
    arity=-2,
    group="cluster",
    since="3.0.0",
    summary="Commands about a cluster, which this server is no part of.",
    complexity="O(1)",
)

_CHANGES = ADMIN | STALE | NO_ASYNC_LOADING
_UNSTEADY = ["nondeterministic_output"]
#: Subcommand, arity, flags, tips, version, what it would do.
_CLUSTER: tuple[tuple[str, int, Flag, Sequence[str], str, str], ...] = (
    ("ADDSLOTS", -3, _CHANGES, (), "3.0.0", "take slots"),
    ("ADDSLOTSRANGE", -4, _CHANGES, (), "7.0.0", "take ranges of slots"),
    ("BUMPEPOCH", 2, _CHANGES, _UNSTEADY, "3.0.0", "advance the epoch"),
    ("COUNT-FAILURE-REPORTS", 3, ADMIN | STALE, _UNSTEADY, "3.0.0", "count the reports of a node's failure"),
    ("COUNTKEYSINSLOT", 3, STALE, (), "3.0.0", "count the keys of a slot"),
    ("DELSLOTS", -3, _CHANGES, (), "3.0.0", "give up slots"),
    ("DELSLOTSRANGE", -4, _CHANGES, (), "7.0.0", "give up ranges of slots"),
    ("FAILOVER", -2, _CHANGES, (), "3.0.0", "make a replica take over from its master"),
    ("FLUSHSLOTS", 2, _CHANGES, (), "3.0.0", "give up all slots"),
    ("FORGET", 3, _CHANGES, (), "3.0.0", "forget a node"),
    ("GETKEYSINSLOT", 4, STALE, _UNSTEADY, "3.0.0", "name keys of a slot"),
    ("HELP", 2, LOADING | STALE, (), "5.0.0", "list the subcommands"),
    ("INFO", 2, STALE, _UNSTEADY, "3.0.0", "tell of the cluster's state"),
    ("KEYSLOT", 3, STALE, (), "3.0.0", "tell the slot of a key"),
    ("LINKS", 2, STALE, _UNSTEADY, "7.0.0", "list the links between nodes"),
    ("MEET", -4, _CHANGES, (), "3.0.0", "join another node"),
    ("MYID", 2, STALE, (), "3.0.0", "tell the node's name"),
    ("NODES", 2, STALE, _UNSTEADY, "3.0.0", "list the nodes"),
    ("REPLICAS", 3, ADMIN | STALE, _UNSTEADY, "5.0.0", "list the replicas of a node"),
    ("REPLICATE", 3, _CHANGES, (), "3.0.0", "make the node a replica of another"),
    ("RESET", -2, ADMIN | NOSCRIPT | STALE, (), "3.0.0", "leave the cluster"),
    ("SAVECONFIG", 2, _CHANGES, (), "3.0.0", "write the cluster's state to its file"),
    ("SET-CONFIG-EPOCH", 3, _CHANGES, (), "3.0.0", "set the epoch of a new node"),
    ("SETSLOT", -4, _CHANGES, (), "3.0.0", "give a slot to a node"),
    ("SHARDS", 2, STALE, _UNSTEADY, "7.0.0", "list the shards"),
    ("SLAVES", 3, ADMIN | STALE, _UNSTEADY, "3.0.0", "list the replicas of a node"),
    ("SLOTS", 2, STALE, _UNSTEADY, "3.0.0", "tell which node has which slots"),
)
for _name, _arity, _flags, _tips, _since, _task in _CLUSTER:
    command(
        f"CLUSTER|{_name}",
        arity=_arity,
        flags=_flags,
        group="cluster",
        since=_since,
        summary=f"Would {_task}.",
        complexity="O(1)",
        tips=_tips,
    )(_without_cluster)

# -- modules ----------------------------------------------------------------------------------------------

container(
    "MODULE",
    arity=-2,
    group="server",
    since="4.0.0",
    summary="Commands about modules, which this server cannot load.",
    complexity="O(1)",
)


@command(
    "MODULE|LIST",
    arity=2,
    flags=ADMIN | NOSCRIPT,
    group="server",
    since="4.0.0",
    summary="Lists the modules: none.",
    complexity="O(1)",
    tips=["nondeterministic_output_order"],
)
def module_list(_ctx: Client, _argv: Sequence[bytes]) -> list[Any]:
    return []


def _no_modules(_ctx: Client) -> None:
    raise CommandError(errors.MODULE_NOT_ALLOWED)


def _without_modules(client: Client, _argv: Sequence[bytes]) -> Any:
    _no_modules(client)


for _name, _arity, _since, _task in (
    ("LOAD", -3, "4.0.0", "load a module"),
    ("LOADEX", -3, "7.0.0", "load a module with its configuration"),
    ("UNLOAD", 3, "4.0.0", "unload a module"),
):
    command(
        f"MODULE|{_name}",
        arity=_arity,
        flags=ADMIN | NOSCRIPT | NO_ASYNC_LOADING,
        group="server",
        since=_since,
        summary=f"Would {_task}.",
        complexity="O(1)",
        permission=_no_modules,
    )(_without_modules)


@command(
    "MODULE|HELP",
    arity=2,
    flags=LOADING | STALE,
    group="server",
    since="5.0.0",
    summary="Lists the subcommands.",
    complexity="O(1)",
)
def module_help(client: Client, _argv: Sequence[bytes]) -> Any:
    return help_lines(client, "MODULE")
