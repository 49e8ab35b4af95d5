"""What follows a command for some: MONITOR's line, and what a client that tracks has read or changed.

Nothing of this costs those who do not use it.  A client that tracks, and every client while somebody monitors, is
*guarded*; the engine then runs, in place of a command's function, one that :func:`attended_by` has put around it:

1. the command runs and is answered;
2. every monitor gets its line;
3. what a reading command has read is remembered for the client that tracks;
4. what the client has changed itself is told to it (inside a transaction, after the end of that).

A client that asked for CLIENT NO-TOUCH is guarded as well: its commands do not count as a use of their keys.

The order is that of Redis, and so are the lines: time, database and address, and the words as they came, quoted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kedis.engine.flags import Flag
from kedis.engine.table import Command, Handler
from kedis.errors import CommandError
from kedis.resp.long_replies import Chunk
from kedis.resp.values import NO_REPLY, NoReply

if TYPE_CHECKING:
    from kedis.engine.client import Client
    from kedis.engine.engine import Engine

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


def attended_by(engine: Engine, command: Command) -> Handler:
    """A handler that runs ``command``, answers, and then does what MONITOR and tracking want of ``engine``."""
    function = command.function
    assert function is not None  # a container never gets here
    shown = not command.flags & (Flag.SKIP_MONITOR | Flag.ADMIN)
    about_clients = command.parent is not None and command.parent.name == "client"
    touches = command.name == "touch"
    tracking = engine.tracking
    keyspace = engine.keyspace

    def run(client: Client, argv: Sequence[bytes]) -> NoReply:
        outer = tracking.current
        tracking.current = client if client.caching is not None else None
        keyspace.touching = touches or not client.no_touch
        try:
            _answer(engine, command, client, argv)
            if shown and engine.monitors:
                line = monitor_line(engine, client, command, argv)
                for monitor in engine.monitors:
                    monitor.push(line)
            if client.caching is not None:
                _remember(client, command, argv)
                if client.queue is None and engine.unit is None:
                    if not about_clients:
                        client.caching.given = False
                    tracking.settle(client)
        finally:
            tracking.current = outer
            keyspace.touching = True
        return NO_REPLY

    return run


def _answer(engine: Engine, command: Command, client: Client, argv: Sequence[bytes]) -> None:
    """Run the command and append its reply: the whole of it, or nothing where it cannot be encoded."""
    assert command.function is not None
    try:
        value = command.function(client, argv)
    except CommandError as error:
        engine.fail(client, command, error)
        return
    chunks: list[Chunk] = []
    client.encoders[type(value)](value, chunks.append)
    for chunk in chunks:
        client.append(chunk)


def _remember(client: Client, command: Command, argv: Sequence[bytes]) -> None:
    caching = client.caching
    if caching is None or not command.flags & Flag.READONLY or not caching.wants():
        return
    try:
        positions = command.key_positions(argv)
    except ValueError:  # it was refused for that, too
        return
    client.engine.tracking.remember(client, [argv[position] for position in positions])


def monitor_line(engine: Engine, client: Client, command: Command, argv: Sequence[bytes]) -> bytes:
    """What MONITOR shows of a call.  O(bytes of the words)."""
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
