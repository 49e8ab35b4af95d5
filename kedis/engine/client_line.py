"""The line of a client in CLIENT LIST, CLIENT INFO and ACL LOG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kedis.engine.client import Client
from kedis.engine.table import Command
from kedis.resp.replies import encode_command

#: Bytes of main memory that a connection takes while nothing waits in its buffers: client, socket, parser, greenlet
#: and its stack.  Measured: the process grows by 11.7 to 12.0 kB a client.
_IDLE_BYTES = 11_800


def client_line(client: Client, running: Command | None = None, argv: Sequence[bytes] = ()) -> bytes:
    """The line that CLIENT LIST prints for ``client``, with Redis's fields.

    Args:
        running: the command that it runs; the last one where none is given. While it runs a transaction that is EXEC.
        argv: the request that it runs, whose bytes count as received and not yet done.
    """
    now = client.engine.monotonic()
    transport = client.transport
    waiting = transport.output_bytes() + (0 if client.replica is None else client.replica.unsent_bytes())
    pending = transport.input_bytes() + (len(encode_command(argv)) if argv else 0)
    buffers = transport.buffers()
    reply_list = client.out.__sizeof__()
    queue = client.queue if client.transaction is None else client.transaction
    queued_bytes = sum(sum(map(len, argv)) for _, argv in queue) if queue else 0
    kept = max(queued_bytes, client.state_bytes)
    caching = client.caching
    if client.transaction is not None:
        running = client.engine.table.named(b"exec")
    command = running or client.last_command
    fields: tuple[tuple[str, Any], ...] = (
        ("id", client.id),
        ("addr", client.address),
        ("laddr", client.local_address),
        ("fd", transport.fd),
        ("name", client.name.decode()),
        ("age", (now - client.created_ns) // 1_000_000_000),
        ("idle", max(0, now - client.last_interaction_ns) // 1_000_000_000),
        ("flags", _flags(client)),
        ("db", client.database),
        ("sub", len(client.subscribed["channel"])),
        ("psub", len(client.subscribed["pattern"])),
        ("ssub", len(client.subscribed["shard"])),
        ("multi", -1 if queue is None else len(queue)),
        ("qbuf", pending),
        ("qbuf-free", buffers.room),
        ("argv-mem", 0),
        ("multi-mem", queued_bytes),
        ("rbs", reply_list),
        ("rbp", 0),
        ("obl", 0),
        ("oll", buffers.chunks),
        ("omem", waiting),
        ("tot-mem", _IDLE_BYTES + reply_list + waiting + pending + buffers.room + kept),
        ("events", buffers.events),
        ("cmd", command.name if command is not None else "NULL"),
        ("user", client.user_name.decode("utf-8", "surrogateescape")),
        ("redir", -1 if caching is None else caching.redirect),
        ("resp", client.resp),
    )
    if client.lib_name or client.lib_version:  # of Redis 7.2, for those who speak of it themselves
        fields += (("lib-name", client.lib_name.decode()), ("lib-ver", client.lib_version.decode()))
    return " ".join(f"{name}={value}" for name, value in fields).encode("utf-8", "surrogateescape") + b"\n"


def _flags(client: Client) -> str:
    caching = client.caching
    flags = {
        "S": client.is_replica,
        "M": client.is_master,
        "O": client in client.engine.monitors,
        "P": client.subscriptions > 0,
        "x": client.queue is not None or client.transaction is not None,
        "b": client.blocked is not None,
        "t": caching is not None,
        "R": caching is not None and caching.broken,
        "B": caching is not None and caching.broadcast,
        "d": client.watch_broken,
        "c": client.close_after_reply,
        "U": client.transport.kind == "unix",
        "e": client.no_evict,
    }
    return "".join(letter for letter, holds in flags.items() if holds) or "N"
