"""Commands for replicas, clusters and modules, answered as by a Redis that has none of them.

Kedis supports none of the three. Client libraries and tools send these commands and act on the replies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kedis.commands.help import help_lines
from kedis.engine.flags import ADMIN, FAST, LOADING, NO_ASYNC_LOADING, NOSCRIPT, STALE
from kedis.engine.table import command, container
from kedis.errors import CommandError, server_errors

if TYPE_CHECKING:
    from kedis.engine.client import Client

# -- clusters ---------------------------------------------------------------------------------------------


def _without_cluster(_client: Client, _argv: Sequence[bytes]) -> Any:
    raise CommandError(server_errors.CLUSTER_DISABLED)


for _name, _flags, _task in (
    (
        "READONLY",
        LOADING | STALE | FAST,
        "Not supported: lets this connection read from a replica of a cluster.",
    ),
    ("READWRITE", LOADING | STALE | FAST, "Not supported: ends READONLY."),
    ("ASKING", FAST, "Not supported: lets the next command access an importing hash slot."),
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
    summary="Cluster management; cluster mode is not supported.",
    complexity="O(1)",
)

_CHANGES = ADMIN | STALE | NO_ASYNC_LOADING
_UNSTEADY = ["nondeterministic_output"]


class _Row(NamedTuple):
    """What differs between the subcommands."""

    name: str
    arity: int
    flags: int
    since: str
    task: str
    syntax: str
    tips: Sequence[str] = ()
    deprecated: tuple[str, str] | None = None


for _row in (
    _Row("ADDSLOTS", -3, _CHANGES, "3.0.0", "assigns hash slots to this node", "slot:int..."),
    _Row(
        "ADDSLOTSRANGE",
        -4,
        _CHANGES,
        "7.0.0",
        "assigns ranges of hash slots to this node",
        "start-slot_end-slot{start-slot:int end-slot:int}...",
    ),
    _Row("BUMPEPOCH", 2, _CHANGES, "3.0.0", "advances the configuration epoch", "", tips=_UNSTEADY),
    _Row(
        "COUNT-FAILURE-REPORTS",
        3,
        ADMIN | STALE,
        "3.0.0",
        "counts the active failure reports for a node",
        "node-id",
        tips=_UNSTEADY,
    ),
    _Row("COUNTKEYSINSLOT", 3, STALE, "3.0.0", "counts the keys in a hash slot", "slot:int"),
    _Row("DELSLOTS", -3, _CHANGES, "3.0.0", "unassigns hash slots from this node", "slot:int..."),
    _Row(
        "DELSLOTSRANGE",
        -4,
        _CHANGES,
        "7.0.0",
        "unassigns ranges of hash slots from this node",
        "start-slot_end-slot{start-slot:int end-slot:int}...",
    ),
    _Row(
        "FAILOVER",
        -2,
        _CHANGES,
        "3.0.0",
        "promotes this replica to master",
        '[options("FORCE" | "TAKEOVER")]',
    ),
    _Row("FLUSHSLOTS", 2, _CHANGES, "3.0.0", "unassigns all hash slots from this node", ""),
    _Row("FORGET", 3, _CHANGES, "3.0.0", "drops a node from the view of this one", "node-id"),
    _Row(
        "GETKEYSINSLOT", 4, STALE, "3.0.0", "lists keys in a hash slot", "slot:int count:int", tips=_UNSTEADY
    ),
    _Row("HELP", 2, LOADING | STALE, "5.0.0", "lists the subcommands", ""),
    _Row("INFO", 2, STALE, "3.0.0", "shows the state of the cluster", "", tips=_UNSTEADY),
    _Row("KEYSLOT", 3, STALE, "3.0.0", "computes the hash slot of a key", "key"),
    _Row("LINKS", 2, STALE, "7.0.0", "lists the TCP links between the nodes", "", tips=_UNSTEADY),
    _Row(
        "MEET",
        -4,
        _CHANGES,
        "3.0.0",
        "joins this node to a cluster",
        "ip port:int [cluster_bus_port:int~4.0.0]",
    ),
    _Row("MYID", 2, STALE, "3.0.0", "returns the ID of this node", ""),
    _Row("NODES", 2, STALE, "3.0.0", "lists the nodes and their slots", "", tips=_UNSTEADY),
    _Row("REPLICAS", 3, ADMIN | STALE, "5.0.0", "lists the replicas of a master", "node-id", tips=_UNSTEADY),
    _Row("REPLICATE", 3, _CHANGES, "3.0.0", "makes this node a replica of a master", "node-id"),
    _Row(
        "RESET",
        -2,
        ADMIN | NOSCRIPT | STALE,
        "3.0.0",
        "removes this node from its cluster",
        '[hard_soft("HARD" | "SOFT")]',
    ),
    _Row("SAVECONFIG", 2, _CHANGES, "3.0.0", "writes the cluster configuration to disk", ""),
    _Row(
        "SET-CONFIG-EPOCH",
        3,
        _CHANGES,
        "3.0.0",
        "sets the configuration epoch of a new node",
        "config-epoch:int",
    ),
    _Row(
        "SETSLOT",
        -4,
        _CHANGES,
        "3.0.0",
        "binds a hash slot to a node",
        'slot:int subcommand("IMPORTING" node-id | "MIGRATING" node-id | "NODE" node-id | "STABLE")',
    ),
    _Row("SHARDS", 2, STALE, "7.0.0", "lists the shards with their slots and nodes", "", tips=_UNSTEADY),
    _Row(
        "SLAVES",
        3,
        ADMIN | STALE,
        "3.0.0",
        "lists the replicas of a master",
        "node-id",
        tips=_UNSTEADY,
        deprecated=("5.0.0", "CLUSTER REPLICAS"),
    ),
    _Row(
        "SLOTS",
        2,
        STALE,
        "3.0.0",
        "maps slot ranges to nodes",
        "",
        tips=_UNSTEADY,
        deprecated=("7.0.0", "CLUSTER SHARDS"),
    ),
):
    command(
        f"CLUSTER|{_row.name}",
        arity=_row.arity,
        flags=_row.flags,
        group="cluster",
        since=_row.since,
        summary=f"Not supported: {_row.task}.",
        complexity="O(1)",
        tips=_row.tips,
        syntax=_row.syntax,
        deprecated=_row.deprecated,
    )(_without_cluster)

# -- modules ----------------------------------------------------------------------------------------------

container(
    "MODULE",
    arity=-2,
    group="server",
    since="4.0.0",
    summary="Modules, which are not supported.",
    complexity="O(1)",
)


@command(
    "MODULE|LIST",
    arity=2,
    flags=ADMIN | NOSCRIPT,
    group="server",
    since="4.0.0",
    summary="Lists the loaded modules: always none.",
    complexity="O(1)",
    tips=["nondeterministic_output_order"],
)
def module_list(_client: Client, _argv: Sequence[bytes]) -> list[Any]:
    return []


def _no_modules(_client: Client) -> None:
    raise CommandError(server_errors.MODULE_NOT_ALLOWED)


def _without_modules(client: Client, _argv: Sequence[bytes]) -> Any:
    _no_modules(client)


for _name, _arity, _since, _task, _syntax in (
    ("LOAD", -3, "4.0.0", "loads a module", "path [arg...]"),
    (
        "LOADEX",
        -3,
        "7.0.0",
        "loads a module with its configuration",
        'path ["CONFIG" configs{name value}...+] ["ARGS" args{arg}...]',
    ),
    ("UNLOAD", 3, "4.0.0", "unloads a module", "name"),
):
    command(
        f"MODULE|{_name}",
        arity=_arity,
        flags=ADMIN | NOSCRIPT | NO_ASYNC_LOADING,
        group="server",
        since=_since,
        summary=f"Not supported: {_task}.",
        complexity="O(1)",
        permission=_no_modules,
        syntax=_syntax,
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
def module_help(_client: Client, _argv: Sequence[bytes]) -> Any:
    return help_lines("MODULE")
