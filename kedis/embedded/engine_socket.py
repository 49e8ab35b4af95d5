"""A socket replacement for client libraries: runs requests as they are written, keeps replies until they are read.

A wait (a blocking command, a command held up by CLIENT PAUSE, the next message of a subscription) takes place when
the client reads, in the client's own thread. It ends by another thread, by the command's timeout, or by the timeout of
the socket. Under gevent's monkey patch other greenlets run meanwhile. Where there is no other thread, nothing could end
a wait without timeout: the command is then answered at once, as at its timeout.
"""

from __future__ import annotations

from typing import Any

from kedis.embedded.embedded_engine import EmbeddedEngine
from kedis.engine.transport import Buffers
from kedis.errors import ProtocolError
from kedis.process.clock import monotonic
from kedis.process.threads import Latch, is_alone
from kedis.resp.long_replies import wire_of
from kedis.resp.requests import RequestParser


class EngineSocket:
    """The socket of a redis-py connection, and the transport of the client behind it.

    One thread may write and another read; closing wakes the reader.
    """

    kind = "in-process"
    fd = -1
    #: Whether commands may be called without bytes (:class:`kedis.embedded.direct_socket.DirectSocket`).
    is_plain = False

    def __init__(self, embedded: EmbeddedEngine) -> None:
        embedded.check()
        self._embedded = embedded
        self._parser = RequestParser()
        self._replies = bytearray()
        self._timeout: float | None = None
        self._waiting: list[list[bytes]] = []  # a command that must wait, and those behind it
        self._latches: list[Latch] = []  # of the threads that wait for replies
        self._closed = False
        self.client = embedded.connect(self)

    # -- writing ------------------------------------------------------------------------------------------

    def sendall(self, data: bytes) -> None:
        """Run the requests in ``data``; their replies can be read afterwards."""
        if self._closed:
            self._embedded.check()
            raise BrokenPipeError("the connection was closed")
        data = bytes(data)
        with self._embedded.lock:  # one thread often writes to a subscription while another reads it
            while True:
                self._parser.authenticated = self.client.user is not None
                error: ProtocolError | None = None
                try:
                    commands = self._parser.feed(data)
                except ProtocolError as problem:
                    commands, error = problem.commands, problem
                if commands:
                    self._run(commands)
                if error is not None:
                    self.client.encode(error)
                    self.client.close_after_reply = True
                if not self._parser.held or self.client.close_after_reply:
                    break
                data = b""
            self._take_replies()

    def _run(self, commands: list[list[bytes]]) -> None:
        """Run ``commands`` after the waiting ones, as far as possible. The engine's lock is held."""
        if self._waiting:
            commands = self._waiting + commands
        if self.client.blocked is not None:
            self._waiting = commands
            return
        try:
            done = self._embedded.run(self.client, commands)
        except OSError:
            self.client.out.clear()
            self.close()
            raise
        self._waiting = [] if self.client.close_after_reply else commands[done:]

    def _take_replies(self) -> None:
        """Move the client's replies to the buffer that is read, and wake its readers. The engine's lock is held."""
        self._replies += wire_of(self.client.out)
        self.client.out.clear()
        if self._replies:
            self._wake()  # one thread may wait while another writes
        if self.client.close_after_reply:
            self.close()

    # -- reading ------------------------------------------------------------------------------------------

    def recv(self, size: int) -> bytes:
        """Return the next bytes of the replies; empty after the end, like a socket.

        Waits for them up to the timeout. Raises TimeoutError, or BlockingIOError for a timeout of 0.
        """
        if not self._replies and not self.wait(self._timeout):
            if self._timeout == 0:
                raise BlockingIOError("no reply is waiting")
            raise TimeoutError("timed out")
        data = bytes(self._replies[:size])
        del self._replies[:size]
        return data

    def recv_into(self, buffer: Any) -> int:
        """Like :meth:`recv`, into ``buffer``; returns the number of bytes."""
        data = self.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def wait(self, seconds: float | None) -> bool:
        """Wait for at most ``seconds`` until :meth:`recv` would return at once; returns whether it would.

        Raises TimeoutError where the wait could never end: no limit, no subscription, no open request, no other thread.
        """
        if self._is_readable():
            return True
        until = None if seconds is None else monotonic() + seconds
        while True:
            latch = Latch()
            self._latches.append(latch)
            try:
                due = self._proceed()
                if self._is_readable():
                    return True
                left = None if until is None else until - monotonic()
                if left is not None and left <= 0:
                    return False
                latch.wait(min((each for each in (left, due) if each is not None), default=None))
            finally:
                self._latches.remove(latch)

    def is_quiet(self) -> bool:
        """Whether there is nothing to read and no work for a reader that could bring replies."""
        client = self.client
        return not (self._replies or client.out or client.subscriptions or self._waiting or self._closed)

    def is_at_end(self) -> bool:
        """Whether it is closed, and all replies have been read."""
        return self._closed and not (self._replies or self.client.out)

    def _is_readable(self) -> bool:
        if self._closed:
            self._embedded.check()
            return True
        if self.client.out:
            with self._embedded.lock:
                self._take_replies()
        return bool(self._replies)

    def _proceed(self) -> float | None:
        """Do the work of a waiting reader; returns the seconds until it is due again, None: when woken."""
        client = self.client
        due = self._embedded.upkeep(client)
        if self._waiting and client.blocked is None:
            with self._embedded.lock:
                if self._waiting:
                    self._run([])
            due = self._embedded.upkeep(client)
        if self._is_hopeless() and is_alone():
            if client.blocked is None:
                raise TimeoutError("no reply is waiting")
            self._embedded.answer_without_end(client)
        return due

    def _is_hopeless(self) -> bool:
        """Whether only another thread could end the wait."""
        client = self.client
        if client.blocked is not None:
            return not client.blocked.deadline_ns
        readable = self._closed or self._replies or client.out or self._waiting
        return self._timeout is None and not readable and not self._is_listening()

    def _is_listening(self) -> bool:
        """Whether messages, which are not replies, may arrive."""
        client = self.client
        return bool(client.subscriptions or client.caching is not None or client in client.engine.monitors)

    def fileno(self) -> int:
        """Raises OSError: there is no descriptor; redis-py, after the end of ``kedis.patch()``, connects anew."""
        raise OSError("the connection was closed")

    def settimeout(self, timeout: float | None) -> None:
        """Set the time that :meth:`recv` waits, in seconds; None: without end, 0: not at all."""
        self._timeout = timeout

    def gettimeout(self) -> float | None:
        return self._timeout

    # -- the end ------------------------------------------------------------------------------------------

    def shutdown(self, how: int) -> None:
        self.close()

    def close(self) -> None:
        """End the client; buffered replies can still be read."""
        if not self._closed:
            self._closed = True
            self._embedded.disconnect(self.client)
            self._wake()

    def abandon(self) -> None:
        """See :class:`kedis.process.forked.Abandoned`."""
        self._closed = True
        self._latches.clear()
        self._replies.clear()
        self.client.out.clear()

    # -- transport ----------------------------------------------------------------------------------------

    def output_bytes(self) -> int:
        return len(self._replies)

    def input_bytes(self) -> int:
        return self._parser.pending_bytes

    def buffers(self) -> Buffers:
        return Buffers(self._parser.free_bytes, len(self.client.out))

    def wants_send(self) -> None:
        """Wake the waiting readers, which take messages from the client themselves."""
        self._wake()

    def _wake(self) -> None:
        for latch in tuple(self._latches):
            latch.set()
