"""The two servers of a comparison behind one interface: Kedis's engine in this process, and a real Redis.

Each has two clients, numbered 0 and 1, so that WATCH has something to see.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Sequence

from kedis.config import Config
from kedis.engine.call import unblock
from kedis.engine.engine import Engine
from kedis.resp.replies import encode_command
from tests import account
from tests.commands.driver import Client, ErrorReply, Recorder
from tests.differential import streams
from tests.differential.replies import Reply, parse

CLIENTS = 2


class KedisServer:
    """A new, empty engine with a journal that is kept in memory."""

    def __init__(self) -> None:
        self.engine = new_engine()
        self.recorder = Recorder(self.engine)
        self.clients = [Client(self.engine) for _ in range(CLIENTS)]
        #: Whether the last command found nothing to take and would have waited.
        self.waited = False

    def call(self, client: int, words: Sequence[bytes]) -> Reply:
        """Run a command; one that waits is given up, and a client that was closed is replaced by a new one."""
        session = self.clients[client].state
        self.engine.run(session, [list(words)])
        self.waited = unblock(session)
        data = b"".join(session.out)
        session.out.clear()
        if session.close_after_reply:
            self.engine.disconnect(session)
            self.clients[client] = Client(self.engine)
        found = parse(data)
        assert found is not None, f"no whole reply to {words!r}: {data!r}"
        assert found[1] == len(data), f"more than a reply to {words!r}: {data!r}"
        return found[0]

    def follow(self, client: int, *commands: list[bytes]) -> None:
        """Run commands, which must succeed, in the database of ``client`` by a client that nobody counts."""
        other = Client(self.engine)
        other.state.select(self.clients[client].state.database)
        for words in commands:
            reply = other.call(*words)
            assert not isinstance(reply, ErrorReply), (words, reply)
        self.engine.disconnect(other.state)

    def check(self) -> None:
        """Verify the invariants of all that is held."""
        assert self.engine.faults == 0, "an internal error was answered"
        account.check(self.engine)

    def replayed(self) -> KedisServer:
        """A second server, made from what this one has journalled."""
        copy = KedisServer()
        for database, argv in self.recorder.entries:
            copy.call(0, [b"SELECT", b"%d" % database])
            copy.call(0, argv)
        return copy


def new_engine() -> Engine:
    """An engine on the real clock, with DEBUG allowed."""
    config = Config()
    config.enable_debug_command = "yes"
    config.set_many((name.decode(), value.decode()) for name, value in streams.NODES.items())
    return Engine(config)


class RedisServer:
    """Connections to a Redis that nobody else uses; :meth:`clear` makes it empty and the clients new."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.sockets: list[socket.socket] = []
        self._control = self._connect()
        for name, value in streams.NODES.items():
            _ask(self._control, [b"CONFIG", b"SET", name, value])
        self.clear()

    def clear(self) -> None:
        """Forget all data and clients."""
        self._close_clients()
        self.sockets = [self._connect() for _ in range(CLIENTS)]
        self.call(0, [b"FLUSHALL"])
        # So that keys with a moment in the past go when a command meets them, on both sides.
        self.call(0, [b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0"])

    def call(self, client: int, words: Sequence[bytes], waits: bool = False) -> Reply:
        """Send a command and wait for the reply; a connection closed after it is replaced by a new one.

        A command that ``waits`` is given up by CLIENT UNBLOCK, unless its time is up before.
        """
        connection = self.sockets[client]
        number = b"%d" % _ask(connection, [b"CLIENT", b"ID"])[1] if waits else None
        connection.sendall(encode_command(words))
        if number is not None:
            while not select.select([connection], [], [], 0)[0]:
                _ask(self._control, [b"CLIENT", b"UNBLOCK", number])
        reply = receive(connection)
        if words[0].upper() == b"QUIT":
            connection.close()
            self.sockets[client] = self._connect()
        return reply

    def forget_range_error(self) -> None:
        """Redis's SORT takes a number for wrong when an earlier command met one out of range (its errno is stale).

        A number in the precision of INCRBYFLOAT is read with a fresh one.
        """
        with self._connect() as connection:
            connection.sendall(encode_command([b"INCRBYFLOAT", b"a key that is not there", b"x"]))
            connection.recv(1 << 16)

    def close(self) -> None:
        self._close_clients()
        self._control.close()

    def _close_clients(self) -> None:
        for connection in self.sockets:
            connection.close()

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def _ask(connection: socket.socket, words: Sequence[bytes]) -> Reply:
    connection.sendall(encode_command(words))
    return receive(connection)


def receive(connection: socket.socket) -> Reply:
    """The one reply that is awaited.  Raises ConnectionError."""
    data = b""
    while (found := parse(data) if data else None) is None:
        received = connection.recv(1 << 20)
        if not received:
            raise ConnectionError("Redis closed the connection")
        data += received
    return found[0]
