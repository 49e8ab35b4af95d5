"""StandaloneLink: the engine in this process as a link.

The data are in the standalone folder and outlive the program. Each write is synced before its reply is seen
(appendfsync always), so that even kill -9 loses nothing that was answered. Commands that
would end the journal of writes are refused: CONFIG SET of the settings of persistence, BGREWRITEAOF and SHUTDOWN.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Sequence

from kedis.cli.client.link import ErrorReply
from kedis.cli.client.standalone.home import Alone, Home, StandaloneError
from kedis.cli.client.standalone.local import open_engine
from kedis.cli.client.standalone.timefmt import now_ms
from kedis.cli.client.wire import Push, ReplyReader
from kedis.embedded.embedded_engine import EmbeddedEngine
from kedis.embedded.engine_socket import EngineSocket
from kedis.resp.replies import encode_command
from kedis.store.keyspace import Keyspace

_FIXED_SETTINGS = (b"appendonly", b"appendfsync", b"auto-aof-rewrite-percentage", b"dir")
# Max. unread push messages that are kept.
_PUSHES_KEPT = 1000
_LISTENING = (b"SUBSCRIBE", b"PSUBSCRIBE", b"SSUBSCRIBE", b"MONITOR")


class StandaloneLink:
    """Runs commands on the data of a folder, which it opens or creates.

    Args:
        folder: that of one server (`home.server_folder`); locked until `close`.
        server: the name of the server that this replaces.
        protocol: 2 or 3.

    Raises StandaloneError when another client uses the folder, or it is damaged.
    """

    def __init__(
        self, folder: str | os.PathLike[str] | Home, server: str = "no server", protocol: int = 2
    ) -> None:
        self.home = folder if isinstance(folder, Home) else Home(folder)
        self.home.lock()
        try:
            begun = self.home.alone()
            self.alone: Alone = begun or self.home.begin(server, None, now_ms())
            self._embedded: EmbeddedEngine = open_engine(self.alone)
        except BaseException:
            self.home.unlock()
            raise
        self.description = f"STANDALONE {self.alone.server}"
        self._protocol = protocol
        self._using = threading.RLock()
        self._closed = False
        self._open_session(0)

    @property
    def database(self) -> int:
        """The number of the selected database."""
        return self._socket.client.db.number

    @property
    def keyspace(self) -> Keyspace:
        """The data themselves, up to the moment; for comparing, not for changing."""
        self._embedded.engine.keyspace.now_ns = time.time_ns()
        return self._embedded.engine.keyspace

    def send(self, words: Sequence[bytes]) -> object:
        """See Link.send. Interrupted by Ctrl-C while it waits, the session begins anew in its database."""
        return self.send_many([words])[0]

    def send_many(self, commands: Sequence[Sequence[bytes]]) -> list[object]:
        """See Link.send_many. Raises StandaloneError when the folder has failed (disk full …)."""
        if self._closed:
            raise StandaloneError("standing alone has ended")
        with self._using:
            try:
                return [_refusal(words) or self._run(words) for words in commands]
            except OSError as error:
                self.close()
                raise StandaloneError(f"standing alone has ended: {error}") from None
            except KeyboardInterrupt:
                self.stop_listening()
                raise

    def read_push(self, timeout: float | None) -> object | None:
        """See Link.read_push: what this client publishes itself is all there can be."""
        if self._pushes:
            return self._pushes.popleft()
        complete, reply = self._reader.take()
        if complete:
            return reply
        return self._receive() if self._socket.wait(timeout) else None

    def stop_listening(self) -> None:
        """Leave SUBSCRIBE, MONITOR or a command that waits behind: a new session in the same database."""
        database = self.database
        self._socket.close()
        self._open_session(database)

    def close(self) -> None:
        """See Link.close. Everything is on the disk; the folder is free for others."""
        if not self._closed:
            self._closed = True
            self._socket.close()
            try:
                self._embedded.close()
            except OSError as error:
                raise StandaloneError(f"cannot end the standalone journal: {error.strerror}") from None
            finally:
                self.home.unlock()

    def _open_session(self, database: int) -> None:
        self._reader = ReplyReader()
        self._pushes: deque[Push] = deque(maxlen=_PUSHES_KEPT)
        self._socket = EngineSocket(self._embedded)
        if self._protocol == 3:
            self._run([b"HELLO", b"3"])
        if database:
            self._run([b"SELECT", b"%d" % database])

    def _run(self, words: Sequence[bytes]) -> object:
        if self._socket.client.close_after_reply:
            self.stop_listening()  # QUIT ended the session before
        self._socket.sendall(encode_command(words))
        while True:
            reply = self._receive()
            # Under RESP3 only the answer to SUBSCRIBE is a push that its sender waits for.
            if not isinstance(reply, Push) or words[0].upper() in _LISTENING:
                return reply
            self._pushes.append(reply)

    def _receive(self) -> object:
        while True:
            complete, reply = self._reader.take()
            if complete:
                return reply
            data = self._socket.recv(1 << 18)
            if not data:
                database = self.database
                self._open_session(database)
                raise StandaloneError("the session was closed by the command")
            self._reader.feed(data)


def _refusal(words: Sequence[bytes]) -> ErrorReply | None:
    name = words[0].upper()
    if name == b"SHUTDOWN":
        return ErrorReply("ERR standing alone there is no server to shut down; :quit leaves")
    if name == b"BGREWRITEAOF":
        return ErrorReply("ERR the journal of standing alone is kept as it is until :discard")
    if name == b"CONFIG" and len(words) > 2 and words[1].upper() == b"SET":
        fixed = next((word for word in words[2::2] if word.lower() in _FIXED_SETTINGS), None)
        if fixed is not None:
            return ErrorReply(f"ERR {fixed.decode().lower()} cannot be changed while standing alone")
    return None
