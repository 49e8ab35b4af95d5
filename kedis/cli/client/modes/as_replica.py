"""--replica and --rdb: the client as a replica, which prints the stream of changes, or saves the snapshot.

It asks with SYNC, by which it tells nothing of a history: a master counts it as a replica while it is there, and
never waits for it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator

from kedis.cli.client.expected import ServerSays
from kedis.cli.client.link import LinkLost, ServerLink
from kedis.cli.client.output import Output, complain
from kedis.cli.client.render import Form, render
from kedis.cli.client.target import BadTarget
from kedis.errors import ProtocolError
from kedis.replication.handshake import (
    Event,
    LinkError,
    Phase,
    SnapshotData,
    SnapshotEnds,
    StreamData,
    acknowledgement,
    after_sync,
)
from kedis.resp.replies import encode_command
from kedis.resp.requests import RequestParser

_CHUNK = 262_144
#: Between two acknowledgements.
_ACK_SECONDS = 0.2
_LONGEST_ARGUMENT = 512 << 20


def save_snapshot(link: ServerLink, path: str) -> int:
    """Save a snapshot of all data to the file ``path``; ``-`` is standard output. Returns the exit code.

    The file is there once it is whole. Raises LinkLost, ServerSays, BadTarget.
    """
    if path == "-":
        size = _transfer(link, sys.stdout.buffer.write)
        sys.stdout.buffer.flush()
        complain(f"snapshot received ({size} bytes)")
        return 0
    folder, name = os.path.split(os.path.abspath(path))
    try:
        handle, temporary = tempfile.mkstemp(prefix=f"{name}.", dir=folder)
    except OSError as error:
        raise BadTarget(f"cannot write {path}: {error.strerror}") from None
    try:
        with open(handle, "wb") as file:
            size = _transfer(link, file.write)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, OSError):
            raise BadTarget(f"cannot write {path}: {error.strerror}") from None
        raise
    complain(f"snapshot saved to {path} ({size} bytes)")
    return 0


def _transfer(link: ServerLink, write: Callable[[bytes], object]) -> int:
    """Give the snapshot to ``write`` as it comes; the number of its bytes."""
    size = 0
    for event in _synchronise(link, snapshot_only=True):
        if isinstance(event, SnapshotData):
            write(event.data)
            size += len(event.data)
        elif isinstance(event, SnapshotEnds):
            return size
    raise AssertionError("events end with an exception")


def show_stream(link: ServerLink, output: Output) -> int:
    """Print the commands of the stream, one a line, until the master goes. Raises LinkLost, ServerSays."""
    form = output.form if output.form in (Form.JSON, Form.QUOTED_JSON) else Form.CSV
    parser = RequestParser(max_bulk_length=_LONGEST_ARGUMENT)
    size = 0
    for event in _synchronise(link):
        if isinstance(event, SnapshotData):
            size += len(event.data)
        elif isinstance(event, SnapshotEnds):
            complain(f"{size} bytes of a snapshot passed over; the stream follows")
        elif isinstance(event, StreamData):
            try:
                for words in parser.feed(event.data):
                    output.write(render(list(words), form) + b"\n")
            except ProtocolError as error:
                raise LinkLost(f"{link.description} sends no commands: {error}") from None
    raise AssertionError("events end with an exception")


def _synchronise(link: ServerLink, *, snapshot_only: bool = False) -> Iterator[Event]:
    """What comes after SYNC, without an end. Raises LinkLost, ServerSays."""
    # A master that does not know them sends the snapshot in another form, or the keys as well.
    link.send([b"REPLCONF", b"capa", b"eof"])
    if snapshot_only:
        link.send([b"REPLCONF", b"rdb-only", b"1"])
    else:  # the snapshot is thrown away: nothing is to be in it
        link.send([b"REPLCONF", b"rdb-filter-only", b""])
    replica = after_sync()
    connection = link.connection
    try:
        connection.sendall(encode_command([b"SYNC"]))
        connection.settimeout(_ACK_SECONDS)
        while True:
            try:
                data = connection.recv(_CHUNK)
            except TimeoutError:
                # The stream begins at an acknowledgement, and Redis loses one that comes too early.
                if replica.phase is Phase.STREAM:
                    connection.sendall(acknowledgement(0))
                continue
            if not data:
                break
            yield from replica.feed(data)
    except LinkError as error:
        raise ServerSays(str(error)) from None
    except OSError as error:
        raise LinkLost(f"Lost {link.description}: {error.strerror or error}") from None
    raise LinkLost(f"{link.description} closed the connection")
