"""Post-command hooks for MONITOR and client-side caching.

A client without these features pays nothing for them. A client with tracking or CLIENT NO-TOUCH, and every client
while a monitor is connected, is *instrumented* (``client.is_instrumented``): its commands run through
:func:`kedis.engine.call.call`, which calls :func:`begin` before and :func:`end` after the handler:

1. the command runs and is answered;
2. every monitor gets its line;
3. the keys read by a reading command are remembered for the tracking client, of a script those that it was given;
4. the client is notified of its own changes (inside a unit, after the end of that).

The order is that of Redis, and so are the lines: time, database and address, and the words as received, quoted.
"""

from __future__ import annotations

from collections.abc import Sequence

from kedis.engine.client import Client, Services
from kedis.engine.flags import ADMIN, KEEPS_CACHING_CHOICE, READONLY, SKIP_MONITOR, TOUCHES_KEYS
from kedis.engine.table import Command

_ESCAPES = {
    **{byte: b"\\x%02x" % byte for byte in range(256) if not 0x20 <= byte <= 0x7E},
    0x07: b"\\a",
    0x08: b"\\b",
    0x09: b"\\t",
    0x0A: b"\\n",
    0x0D: b"\\r",
    0x22: b'\\"',
    0x5C: b"\\\\",
}
_QUOTED = [_ESCAPES.get(byte, bytes((byte,))) for byte in range(256)]
_PLAIN = bytes(byte for byte in range(256) if byte not in _ESCAPES)


def begin(client: Client, command: Command) -> object:
    """Note the client on whose behalf ``command`` is about to run. Returns the argument for :func:`end`."""
    engine = client.engine
    outer = engine.tracking.current
    engine.tracking.current = (client.caller or client) if client.caching is not None else None
    engine.keyspace.no_touch = client.no_touch and not command.flags & TOUCHES_KEYS
    return outer


def after(client: Client, command: Command, argv: Sequence[bytes], *, was_blocked: bool) -> None:
    """Send the answered command to the monitors, and remember the keys that it read.

    ``was_blocked``: the monitors have seen it, before it waited.
    """
    engine = client.engine
    if engine.monitors and not was_blocked and not command.flags & (SKIP_MONITOR | ADMIN):
        show(client, command, argv)
    if client.caching is not None:
        _remember(client, command, argv)
        if client.queue is None and engine.execution is None:
            if not command.flags & KEEPS_CACHING_CHOICE:
                client.caching.given = False
            engine.tracking.settle(client)


def show(client: Client, command: Command, argv: Sequence[bytes]) -> None:
    """Tell the monitors of a call."""
    line = monitor_line(client.engine, client, command, argv)
    for monitor in client.engine.monitors:
        monitor.push(line)


def end(client: Client, outer: object) -> None:
    """Undo :func:`begin`; ``outer`` is its result."""
    client.engine.tracking.current = outer  # type: ignore[assignment]
    client.engine.keyspace.no_touch = False


def _remember(client: Client, command: Command, argv: Sequence[bytes]) -> None:
    caching = client.caching
    if caching is None or not command.flags & READONLY or command.group == "scripting" or not caching.wants():
        return
    if client.caller is not None:  # whatever a script has read, its keys are those that it was given
        client.engine.tracking.remember(client.caller, client.caller_keys)
        return
    try:
        positions = command.key_positions(argv)
    except ValueError:  # the command was refused for the same reason
        return
    client.engine.tracking.remember(client, [argv[position] for position in positions])


def monitor_line(engine: Services, client: Client, command: Command, argv: Sequence[bytes]) -> bytes:
    """The line of a call in MONITOR. O(bytes of the words)."""
    words = command.redacted(argv)
    if client.transport.kind == "unix":
        place = f"unix:{engine.config.unixsocket}"
    else:
        place = client.address
    seconds, microseconds = divmod(engine.clock() // 1000, 1_000_000)
    shown = b" ".join(map(_quoted, words))
    return b"+%d.%06d [%d %b] %b\r\n" % (seconds, microseconds, client.database, place.encode(), shown)


def _quoted(word: bytes) -> bytes:
    if not word.translate(None, _PLAIN):  # nothing to escape, which takes a hundredth of the time
        return b'"%b"' % word
    return b'"%b"' % b"".join(map(_QUOTED.__getitem__, word))
