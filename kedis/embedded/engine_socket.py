"""What a client library takes for its socket: requests are run as they are written, replies kept until they are read.

What has to wait (a command that blocks, one that CLIENT PAUSE holds up, the next message of a subscription) waits when
the client reads, in the client's own thread: for another thread to bring it, or its timeout, or that of the socket.
Under gevent's monkey patch other greenlets run meanwhile.  Where there is no other thread, nobody could bring it: a
command that would block without end is then answered at once, as if its time were up.
"""

from __future__ import annotations

import time
from typing import Any

from kedis.embedded.embedded_engine import EmbeddedEngine
from kedis.engine.transport import Buffers
from kedis.errors import ProtocolError
from kedis.process.threads import Latch, is_alone
from kedis.resp.long_replies import wire_of
from kedis.resp.requests import RequestParser


class EngineSocket:
    """What redis-py takes for its socket.  It is also the transport of the client behind it.

    One thread may write and another read; closing wakes the reader.
    """

    kind = "in-process"
    fd = -1

    def __init__(self, embedded: EmbeddedEngine) -> None:
        embedded.check()
        self._embedded = embedded
        self._parser = RequestParser()
        self._replies = bytearray()
        self._timeout: float | None = None
        self._waiting: list[list[bytes]] = []  # commands behind one that must wait, or that one itself
        self._latches: list[Latch] = []  # of those who wait for replies
        self._closed = False
        self.client = embedded.connect(self)

    # -- writing ------------------------------------------------------------------------------------------

    def sendall(self, data: bytes) -> None:
        """Run the requests in ``data``; their replies can be read afterwards."""
        if self._closed:
            self._embedded.check()
            raise BrokenPipeError("the connection was closed")
        data = bytes(data)
        with self._embedded.lock:  # a subscription is often written to by another thread than reads it
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
        """Run ``commands`` after those that wait, as far as they can be run.  The engine's lock is held."""
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
        """Have what the client has to say read.  The engine's lock is held."""
        self._replies += wire_of(self.client.out)
        self.client.out.clear()
        if self.client.close_after_reply:
            self.close()

    # -- reading ------------------------------------------------------------------------------------------

    def recv(self, size: int) -> bytes:
        """The next bytes of the replies; empty after the end, as a socket has it.

        Waits for them as long as the timeout says.  Raises TimeoutError, or BlockingIOError where that is 0.
        """
        if not self._replies and not self.wait(self._timeout):
            if self._timeout == 0:
                raise BlockingIOError("no reply is waiting")
            raise TimeoutError("timed out")
        data = bytes(self._replies[:size])
        del self._replies[:size]
        return data

    def recv_into(self, buffer: Any) -> int:
        """Like :meth:`recv`, into ``buffer``; returns how many bytes."""
        data = self.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def wait(self, seconds: float | None) -> bool:
        """Wait until :meth:`recv` would return at once, for at most ``seconds``; returns whether it would.

        Raises TimeoutError where nothing can ever come: no limit, no subscription, nothing asked, and no other thread.
        """
        if self._is_readable():
            return True
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            latch = Latch()
            self._latches.append(latch)
            try:
                due = self._proceed()
                if self._is_readable():
                    return True
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    return False
                latch.wait(min((each for each in (left, due) if each is not None), default=None))
            finally:
                self._latches.remove(latch)

    def is_quiet(self) -> bool:
        """Whether there is nothing to read, and no reader has anything to do for more."""
        client = self.client
        return not (self._replies or client.out or client.subscriptions or self._waiting or self._closed)

    def _is_readable(self) -> bool:
        if self._closed:
            self._embedded.check()
            return True
        if self.client.out:
            with self._embedded.lock:
                self._take_replies()
        return bool(self._replies)

    def _proceed(self) -> float | None:
        """Do what can be done for a reader that waits; returns in how many seconds to do so again, None: when woken."""
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
        """Whether messages may come that are no replies."""
        client = self.client
        return bool(client.subscriptions or client.caching is not None or client in client.engine.monitors)

    def settimeout(self, timeout: float | None) -> None:
        """How many seconds :meth:`recv` waits; None: without end, 0: not at all."""
        self._timeout = timeout

    def gettimeout(self) -> float | None:
        return self._timeout

    # -- the end ------------------------------------------------------------------------------------------

    def shutdown(self, how: int) -> None:
        self.close()

    def close(self) -> None:
        """End the client; replies that are there can still be read."""
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
        """Messages are taken from the client when the client reads; who waits for them is woken."""
        self._wake()

    def _wake(self) -> None:
        for latch in tuple(self._latches):
            latch.set()
