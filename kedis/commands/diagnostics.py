"""SLOWLOG, LATENCY and MONITOR."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.help import help_lines
from kedis.commands.introspection import find
from kedis.commands.parsing.options import integer
from kedis.engine.flags import ADMIN, LOADING, NOSCRIPT, STALE
from kedis.engine.table import Command, command, container
from kedis.errors import CommandError, client_errors, server_errors
from kedis.resp.values import NO_REPLY, OK, NoReply, SimpleString, Verbatim

if TYPE_CHECKING:
    from kedis.engine.client import Client

_SLOWLOG_FLAGS = ADMIN | LOADING | STALE
_LATENCY_FLAGS = ADMIN | NOSCRIPT | LOADING | STALE
_LATENCY_TIPS = ["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]
_USUAL_COUNT = 10

container(
    "SLOWLOG",
    arity=-2,
    group="server",
    since="2.2.12",
    summary="The slow log: commands that took long.",
    complexity="Depends on the subcommand",
)


@command(
    "SLOWLOG|GET",
    arity=-2,
    flags=_SLOWLOG_FLAGS,
    group="server",
    since="2.2.12",
    summary="Returns the newest entries of the slow log; 10 by default, all with -1.",
    complexity="O(N) in the number of entries returned",
    tips=["request_policy:all_nodes", "nondeterministic_output"],
    syntax="[count:int]",
)
def slowlog_get(client: Client, argv: Sequence[bytes]) -> list[Any]:
    if len(argv) > 3:
        raise CommandError(errors.wrong_subcommand(argv[1], "slowlog"))
    count = integer(argv[2], server_errors.SLOWLOG_COUNT) if len(argv) == 3 else _USUAL_COUNT
    if count < -1:
        raise CommandError(server_errors.SLOWLOG_COUNT)
    return [
        [call.id, call.at_seconds, call.microseconds, call.words, call.address.encode(), call.client_name]
        for call in client.engine.observer.slowlog.newest(count)
    ]


@command(
    "SLOWLOG|LEN",
    arity=2,
    flags=_SLOWLOG_FLAGS,
    group="server",
    since="2.2.12",
    summary="Returns the number of entries in the slow log.",
    complexity="O(1)",
    tips=["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
)
def slowlog_len(client: Client, _argv: Sequence[bytes]) -> int:
    return len(client.engine.observer.slowlog)


@command(
    "SLOWLOG|RESET",
    arity=2,
    flags=_SLOWLOG_FLAGS,
    group="server",
    since="2.2.12",
    summary="Clears the slow log.",
    complexity="O(N) in the number of entries",
    tips=["request_policy:all_nodes", "response_policy:all_succeeded"],
)
def slowlog_reset(client: Client, _argv: Sequence[bytes]) -> Any:
    client.engine.observer.slowlog.reset()
    return OK


@command(
    "SLOWLOG|HELP",
    arity=2,
    flags=LOADING | STALE,
    group="server",
    since="6.2.0",
    summary="Lists the subcommands.",
    complexity="O(1)",
)
def slowlog_help(_client: Client, _argv: Sequence[bytes]) -> Any:
    return help_lines("SLOWLOG")


container(
    "LATENCY",
    arity=-2,
    group="server",
    since="2.8.13",
    summary="Latency events and command latency histograms.",
    complexity="Depends on the subcommand",
)


@command(
    "LATENCY|LATEST",
    arity=2,
    flags=_LATENCY_FLAGS,
    group="server",
    since="2.8.13",
    summary="Returns the latest and the highest latency of each event.",
    complexity="O(N) in the number of classes",
    tips=_LATENCY_TIPS,
)
def latency_latest(client: Client, _argv: Sequence[bytes]) -> Sequence[Any]:
    return client.engine.observer.latency.latest()


@command(
    "LATENCY|HISTORY",
    arity=3,
    flags=_LATENCY_FLAGS,
    group="server",
    since="2.8.13",
    summary="Returns the latency samples of an event with their times.",
    complexity="O(N) in the number of events",
    tips=_LATENCY_TIPS,
    syntax="event",
)
def latency_history(client: Client, argv: Sequence[bytes]) -> Sequence[Any]:
    return client.engine.observer.latency.history(argv[2])


@command(
    "LATENCY|GRAPH",
    arity=3,
    flags=_LATENCY_FLAGS,
    group="server",
    since="2.8.13",
    summary="Draws the latency samples of an event as an ASCII graph.",
    complexity="O(N) in the number of events",
    tips=_LATENCY_TIPS,
    syntax="event",
)
def latency_graph(client: Client, argv: Sequence[bytes]) -> Verbatim:
    graph = client.engine.observer.latency.graph(argv[2], client.engine.clock() // 1_000_000_000)
    if graph is None:
        raise CommandError(server_errors.no_latency_samples(argv[2]))
    return Verbatim(graph.encode())


@command(
    "LATENCY|RESET",
    arity=-2,
    flags=_LATENCY_FLAGS,
    group="server",
    since="2.8.13",
    summary="Clears the samples of the given latency events, or of all.",
    complexity="O(N) in the number of classes",
    tips=["request_policy:all_nodes", "response_policy:all_succeeded"],
    syntax="[event...]",
)
def latency_reset(client: Client, argv: Sequence[bytes]) -> int:
    return client.engine.observer.latency.reset(argv[2:])


@command(
    "LATENCY|DOCTOR",
    arity=2,
    flags=_LATENCY_FLAGS,
    group="server",
    since="2.8.13",
    summary="Reports on latency events in plain text.",
    complexity="O(N) in the number of events",
    tips=_LATENCY_TIPS,
)
def latency_doctor(client: Client, _argv: Sequence[bytes]) -> Verbatim:
    return Verbatim(client.engine.observer.latency.report().encode())


@command(
    "LATENCY|HISTOGRAM",
    arity=-2,
    flags=_LATENCY_FLAGS,
    group="server",
    since="7.0.0",
    summary="Returns the cumulative latency distribution of the given commands, or of all.",
    complexity="O(N) in the number of commands",
    tips=_LATENCY_TIPS,
    syntax="[command...]",
)
def latency_histogram(client: Client, argv: Sequence[bytes]) -> dict[bytes, Any]:
    observer = client.engine.observer
    return {
        row.name.encode(): {
            b"calls": row.counters.calls,
            b"histogram_usec": observer.distribution(row),
        }
        for row in _rows(client, argv[2:])
        if row.counters.histogram
    }


def _rows(client: Client, names: Sequence[bytes]) -> Sequence[Command]:
    """The commands named, each followed by its subcommands; all when none is named."""
    if not names:
        return client.engine.table.every()
    tops = [row for row in (find(client, name) for name in names) if row is not None]
    return [row for top in tops for row in (top, *top.subcommands.values())]


@command(
    "LATENCY|HELP",
    arity=2,
    flags=LOADING | STALE,
    group="server",
    since="2.8.13",
    summary="Lists the subcommands.",
    complexity="O(1)",
)
def latency_help(_client: Client, _argv: Sequence[bytes]) -> Any:
    return help_lines("LATENCY")


@command(
    "MONITOR",
    arity=1,
    flags=ADMIN | NOSCRIPT | LOADING | STALE,
    group="server",
    since="1.0.0",
    summary="Streams every command that the server processes.",
    complexity="O(1); O(N) in the bytes of each command while a monitor is connected",
)
def monitor(client: Client, _argv: Sequence[bytes]) -> SimpleString | NoReply:
    engine = client.engine
    if engine.execution is not None:
        raise CommandError(client_errors.MONITOR_IN_TRANSACTION)
    if client in engine.monitors:
        return NO_REPLY
    engine.monitors[client] = None
    engine.restrictions.set_monitored(True)
    return OK
