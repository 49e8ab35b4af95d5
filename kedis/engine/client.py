"""What the server knows of one client.

A client is the context (``client``) that every command handler receives: the selected database, the protocol,
the transaction under way.  There is no socket in it; a network connection, the in-process client and the
replay of a journal each drive one.  Replies are appended to ``out`` through ``append``, encoded by ``encoders``
of the protocol that the client has chosen.

``guarded`` is the one bit that the engine tests on every call: it is set whenever anything about this client
needs a closer look (not authenticated, inside MULTI, subscribed in RESP2, …), so that the common case pays for
a single test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import hiredis

from kedis.errors import CommandError
from kedis.resp.long_replies import RESP2_IN_PARTS, RESP3_IN_PARTS, Chunk, wire_of
from kedis.resp.replies import RESP2, RESP3
from kedis.resp.values import Push

if TYPE_CHECKING:
    from kedis.engine.blocking import Waiter
    from kedis.engine.engine import Engine
    from kedis.engine.table import Command
    from kedis.store.database import Database
    from kedis.store.tracking import Caching


class Buffers(NamedTuple):
    """What CLIENT LIST tells of a transport beside the bytes that wait.

    Attributes:
        room: bytes allocated for what is received and not used (``qbuf-free``).
        chunks: pieces of replies that the kernel has not taken (``oll``).
        events: what is awaited of the socket, ``r`` or ``rw``.
    """

    room: int = 0
    chunks: int = 0
    events: str = "r"


class Transport(Protocol):
    """The carrier of a client as far as commands may look at it; a socket stands behind it, or nothing."""

    kind: str  # "tcp", "unix", "in-process", "journal"
    fd: int

    def close(self) -> None:
        """End the connection without waiting; replies not yet sent are dropped."""

    def output_bytes(self) -> int:
        """Bytes of replies that the client has not taken yet."""

    def input_bytes(self) -> int:
        """Bytes received that do not make a whole command yet."""

    def buffers(self) -> Buffers:
        """The state of the buffers, for people to read."""

    def wants_send(self) -> None:
        """Something was put into ``out`` that is no reply to a command under way: send it soon.

        A client that was blocked may be so no longer.
        """


def _discard(_chunk: Chunk) -> None:
    """Stand in for ``append`` while the client wants no replies (CLIENT REPLY OFF)."""


class Client:
    """One client: identity, selected database, protocol, transaction and reply state.

    Args:
        in_parts: whether ``out`` may get long replies (:mod:`kedis.resp.long_replies`) beside bytes.
    """

    __slots__ = (
        "address",
        "append",
        "authenticated",
        "blocked",
        "caching",
        "close_after_reply",
        "created_ns",
        "database",
        "db",
        "encoders",
        "engine",
        "guarded",
        "id",
        "in_parts",
        "last_command",
        "last_interaction_ns",
        "lib_name",
        "lib_version",
        "local_address",
        "multi_failed",
        "name",
        "no_evict",
        "no_touch",
        "out",
        "queue",
        "queued_bytes",
        "reply_mode",
        "resp",
        "subscribed",
        "subscriptions",
        "transport",
        "user",
        "watch_broken",
        "watched",
        "wrote_in_turn",
    )

    def __init__(
        self,
        engine: Engine,
        transport: Transport,
        *,
        address: str = "",
        local_address: str = "",
        in_parts: bool = False,
    ):
        self.engine = engine
        self.transport = transport
        self.address = address
        self.local_address = local_address
        self.id = engine.next_client_id()
        self.created_ns = self.last_interaction_ns = engine.monotonic()
        self.last_command: Command | None = None
        self.in_parts = in_parts
        self.out: list[Chunk] = []
        self.append: Callable[[Chunk], None] = self.out.append
        self.lib_name = b""
        self.lib_version = b""
        self.no_evict = False
        self.subscribed: dict[str, dict[bytes, None]] = {"channel": {}, "pattern": {}, "shard": {}}
        self.subscriptions = 0
        self.caching: Caching | None = None
        self.blocked: Waiter | None = None
        self.wrote_in_turn = 0
        self.close_after_reply = False
        self.name = b""
        self.guarded = False
        self.reset()

    def reset(self) -> None:
        """Put the state that RESET restores back to that of a new connection."""
        engine = self.engine
        self.database = 0
        self.db: Database = engine.keyspace.databases[0]
        self.speak(2)
        self.user = b"default"
        self.authenticated = not engine.config.requirepass
        self.queue: list[Any] | None = None
        self.queued_bytes = 0
        self.multi_failed = False
        self.watched: set[tuple[int, bytes]] = set()
        self.watch_broken = False
        self.reply_mode = "on"
        self.no_touch = False
        self.append = self.out.append
        self.update_guard()

    def speak(self, protocol: int) -> None:
        """Switch to RESP ``protocol`` (2 or 3)."""
        self.resp = protocol
        if self.in_parts:
            self.encoders = RESP3_IN_PARTS if protocol == 3 else RESP2_IN_PARTS
        else:
            self.encoders = RESP3 if protocol == 3 else RESP2

    def encode(self, value: Any) -> None:
        """Append ``value`` to the replies, in the client's protocol."""
        self.encoders[type(value)](value, self.append)

    def push(self, wire: bytes) -> None:
        """Deliver bytes that are no reply (a message, an invalidation), whatever CLIENT REPLY says."""
        self.out.append(wire)
        self.transport.wants_send()

    def refuse_replies(self, error: CommandError) -> None:
        """Put ``error`` in the place of every reply that has not been sent.

        Pushes stay.  A client that gets messages otherwise is spared: they cannot be told from replies.
        """
        if not self.out or self in self.engine.monitors or (self.subscriptions and self.resp == 2):
            return
        reader = hiredis.Reader(notEnoughData=self)
        reader.feed(wire_of(self.out))
        values = list(iter(reader.gets, self))
        self.out.clear()
        for value in values:
            stays = isinstance(value, hiredis.PushNotification)
            self.encoders[Push if stays else CommandError](value if stays else error, self.out.append)

    def select(self, index: int) -> None:
        """Make database ``index`` the one that commands work on."""
        self.database = index
        self.db = self.engine.keyspace.databases[index]

    def set_reply_mode(self, mode: str) -> None:
        """CLIENT REPLY: ``on``, ``off``, or ``skip``: the command after this one stays unanswered.

        SKIP takes effect in two steps, because the CLIENT REPLY SKIP itself is unanswered too.
        """
        self.reply_mode = mode
        self.append = self.out.append if mode == "on" else _discard
        self.update_guard()

    def update_guard(self) -> None:
        """Recompute ``guarded`` after a change of what it stands for."""
        self.guarded = (
            not self.authenticated
            or self.queue is not None
            or self.reply_mode in ("skip", "skipping")
            or (self.resp == 2 and self.subscriptions > 0)
            or self.blocked is not None
            or self.caching is not None
            or self.no_touch
        )

    @property
    def is_local(self) -> bool:
        """Whether the client is on this machine, for settings of the value ``local``."""
        return self.transport.kind != "tcp" or self.address.startswith(("127.0.0.1:", "[::1]:"))

    def propagate(self, *argv: bytes) -> None:
        """Journal ``argv`` instead of the running command's own words; may be called several times."""
        self.engine.propagate(self.database, argv)

    def propagate_nothing(self) -> None:
        """Journal nothing for the running command, although it changed something."""
        self.engine.replaced = True
