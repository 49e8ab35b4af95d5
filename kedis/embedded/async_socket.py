"""A direct socket for asyncio: the stream reader and writer of a redis-py connection, without a thread.

Commands run when they are written, in the event loop's thread. Replies that come later (a blocking command that is
served, a message, the end of CLIENT PAUSE) are fed into a stream reader, in a callback of the loop: other threads may
be what brings them. Deadlines and expiry are looked after by one timer for all waiting clients of a loop
(:class:`Keeper`), so that a thousand waiting tasks cost what one does.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from kedis.embedded.direct_socket import DirectSocket
from kedis.embedded.embedded_engine import UPKEEP_NS, EmbeddedEngine
from kedis.embedded.unread_pops import put_back
from kedis.engine.blocking import Waiter
from kedis.resp.long_replies import wire_of
from kedis.resp.python_replies import PythonReplies


class AsyncSocket(DirectSocket):
    """See the module. Made, written and read in the thread of ``loop``.

    Args:
        is_direct: whether commands may be called without bytes.

    Attributes:
        loop: the event loop.
        reader: where redis-py reads the replies.
    """

    def __init__(
        self,
        embedded: EmbeddedEngine,
        tables: Mapping[int, PythonReplies],
        loop: asyncio.AbstractEventLoop,
        *,
        is_direct: bool,
    ) -> None:
        self.loop = loop
        self._is_direct = is_direct
        self._last_wait: Waiter | None = None
        self._thread = threading.get_ident()
        self._is_called = False  # whether _deliver will be called soon
        self.reader = asyncio.StreamReader(loop=loop)
        self.reader.set_transport(_Unlimited())
        super().__init__(embedded, tables)
        self._keeper = keeper_of(embedded, loop)

    def _check(self) -> bool:
        return self._is_direct and super()._check()

    # -- the writer of asyncio ----------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Run the requests in ``data``. Raises OSError."""
        self.sendall(data)

    def writelines(self, lines: Iterable[bytes]) -> None:
        """Run the requests in ``lines``. Raises OSError."""
        self.sendall(b"".join(lines))

    def sendall(self, data: bytes) -> None:
        self._last_wait = None
        super().sendall(data)
        self._await_more()

    async def drain(self) -> None:
        """Nothing is left to be written."""

    async def wait_closed(self) -> None:
        """It is closed by :meth:`close`."""

    def is_closing(self) -> bool:
        return self._closed

    def get_extra_info(self, _name: str, default: Any = None) -> Any:
        return default

    # -- replies that come later --------------------------------------------------------------------------

    def call(self, command: Any, argv: list[bytes]) -> Any:
        self._last_wait = None
        reply = super().call(command, argv)
        if not self.is_plain:
            self._await_more()
        return reply

    def _take_replies(self) -> None:
        """Feed the client's replies to the reader. The engine's lock is held, in the loop's thread."""
        data = wire_of(self.client.out)
        self.client.out.clear()
        if data and not self.reader.at_eof():
            self.reader.feed_data(bytes(data))
        if self.client.close_after_reply:
            self.close()

    def _wake(self) -> None:
        if self._is_called:
            return
        self._is_called = True
        with suppress(RuntimeError):  # the loop is closed, and nobody waits
            if threading.get_ident() == self._thread:
                self.loop.call_soon(self._deliver)
            else:
                self.loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        """Hand over what has come, and go on with what stood behind it."""
        self._is_called = False
        with self._embedded.lock:
            if not self._closed and self._waiting and self.client.blocked is None:
                with suppress(OSError):  # it is closed then
                    self._run([])
            if self.client.out:
                self._take_replies()
        if self._closed and not self.reader.at_eof():
            self.reader.feed_eof()
        elif not self._closed:
            self._await_more()

    def _await_more(self) -> None:
        if not self._closed and self.awaits_more():
            self._last_wait = self.client.blocked
            self._keeper.keep(self)

    def awaits_more(self) -> bool:
        """Whether replies or messages may come that no command of this client brings."""
        return self.client.blocked is not None or bool(self._waiting) or self._is_listening()

    # -- the end ------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End the client. What a blocking command has taken, and nobody has read, is put back."""
        if not self._closed:
            embedded, wait = self._embedded, self._last_wait
            unread = bytes(self.reader._buffer) + bytes(wire_of(self.client.out))  # type: ignore[attr-defined]
            super().close()
            # The collector may close it anywhere, also in the middle of a command.
            if unread and wait is not None and not embedded.lock._is_owned():
                put_back(embedded, self.client, wait, unread)

    def abandon(self) -> None:
        super().abandon()
        self._keeper.stop()


class Keeper:
    """The timer of the clients of one loop that wait: their deadlines, expiry, the end of CLIENT PAUSE.

    It runs while somebody waits, at the next deadline, and at least at the interval of the upkeep.
    """

    def __init__(self, embedded: EmbeddedEngine, loop: asyncio.AbstractEventLoop) -> None:
        self._embedded = weakref.ref(embedded)
        self._loop = weakref.ref(loop)
        self._waiting: dict[AsyncSocket, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due_ns = 0

    def keep(self, sock: AsyncSocket) -> None:
        """Look after ``sock`` while it waits."""
        self._waiting[sock] = None
        self._plan()

    def stop(self) -> None:
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _plan(self) -> None:
        """Set the timer, unless it is due early enough."""
        embedded, loop = self._embedded(), self._loop()
        if embedded is None or loop is None:
            return
        engine = embedded.engine
        now = engine.monotonic()
        due = now + UPKEEP_NS
        for moment in (engine.blocking.next_deadline_ns, engine.restrictions.paused_until_ns):
            if moment:
                due = min(due, moment)
        if self._timer is not None and self._due_ns <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due_ns = due
        self._timer = loop.call_later(max(due - now, 0) / 1e9, self._run)

    def _run(self) -> None:
        self._timer = None
        embedded = self._embedded()
        if embedded is None:
            return
        over = [sock for sock in self._waiting if sock.is_closing() or not sock.awaits_more()]
        for sock in over:
            del self._waiting[sock]
        for sock in self._waiting:
            with suppress(OSError):  # that of the folder, which the next command meets
                embedded.upkeep(sock.client)
            break
        if self._waiting:
            self._plan()


_keepers: weakref.WeakKeyDictionary[Any, weakref.WeakKeyDictionary[Any, Keeper]] = weakref.WeakKeyDictionary()


def keeper_of(embedded: EmbeddedEngine, loop: asyncio.AbstractEventLoop) -> Keeper:
    """The timer of a store's clients in ``loop``."""
    of_store = _keepers.setdefault(loop, weakref.WeakKeyDictionary())
    keeper = of_store.get(embedded)
    if keeper is None:
        keeper = of_store[embedded] = Keeper(embedded, loop)
    return keeper


class _Unlimited(asyncio.ReadTransport):
    """The transport of a reader that is fed without flow control: the replies are in memory in any case."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...
