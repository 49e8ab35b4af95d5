"""The client, and the services of the server that commands use through it.

A :class:`Client` is the context that every command handler receives: the selected database, the protocol, the
transaction under way, and the :class:`Services` of the server. It holds no socket; a network connection, the
in-process client and the replay of the AOF each drive one. Replies are appended to ``out`` through ``append``, encoded
by the ``encoders`` of the client's protocol.

``needs_checks`` is the one bit that the engine tests on every call: it is set whenever this client needs further
checks (not authenticated, inside MULTI, subscribed in RESP2, …), so that the common case pays for
a single test. :attr:`kedis.engine.restrictions.Restrictions.needs_checks` is the same for the server.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import hiredis

from kedis.config import Config
from kedis.engine.absent import NoDurability, NoEventLoop, NoFollowing, NoProcess, NoReplication, NoScripting
from kedis.engine.blocking import Blocking, Waiter
from kedis.engine.debug_switches import DebugSwitches
from kedis.engine.execution import Execution
from kedis.engine.keyspace_events import ClientEvents
from kedis.engine.maxmemory import MemoryLimit
from kedis.engine.ports import (
    Durability,
    EventLoop,
    Observer,
    Persistence,
    Process,
    Routing,
    Scripting,
    Snapshots,
)
from kedis.engine.propagation import Propagation
from kedis.engine.replication_ports import AttachedReplica, Following, Replication
from kedis.engine.restrictions import Restrictions
from kedis.engine.table import Command, new_table
from kedis.engine.tracking import Caching
from kedis.engine.transport import Transport
from kedis.engine.users import User, Users
from kedis.errors import CommandError
from kedis.process.clock import SYSTEM_CLOCKS
from kedis.resp.long_replies import RESP2_IN_PARTS, RESP3_IN_PARTS, Chunk, wire_of
from kedis.resp.replies import RESP2, RESP3
from kedis.resp.values import Push
from kedis.store.database import Database
from kedis.store.keyspace import Keyspace

#: An unlimited duration.
FOREVER_NS = 1 << 62
#: Minimum step of the wall clock, in ns: more than the adjustment of one second.
_CLOCK_STEP_NS = 1_000_000
#: Bytes of a watched key, a subscription or a prefix of client-side caching in the tables of client and server: 320 to
#: 450 with names of ten bytes, as measured.
_ENTRY_BYTES = 400


#: A command queued by MULTI: its row and its words.
Queued = tuple[Command, list[bytes]]


class Services:
    """The server as commands see it; :class:`kedis.engine.engine.Engine` adds the loop over requests.

    Args:
        clock: returns nanoseconds since 1970, for tests.
        monotonic: returns nanoseconds since any moment, for tests; defaults to ``clock`` if that is given.

    Attributes:
        execution: the innermost unit (MULTI, a script) under way; None outside units.
        process, durability, persistence, snapshots, scripting, replication, following, observer: the ports
            (:mod:`kedis.engine.ports`).
        clients: the connected clients by id.
        monitors: the clients that have sent MONITOR.
        slow_ns: minimum duration of the calls that are reported to the observer.
        faults: number of unexpected exceptions.
        transactions: number of transactions by outcome.
    """

    __slots__ = ("__dict__", "__weakref__", "execution")  # which the native path sets

    #: Set when a server is assembled, before a client connects.
    observer: Observer

    def __init__(
        self,
        config: Config | None = None,
        *,
        clock: Callable[[], int] | None = None,
        monotonic: Callable[[], int] | None = None,
    ) -> None:
        self.config = config if config is not None else Config()
        self.clock = clock or SYSTEM_CLOCKS[0]
        self.monotonic = monotonic or clock or SYSTEM_CLOCKS[1]
        self._clock_difference_ns = self.clock() - self.monotonic()
        self.started_ns = self.clock()
        self.started_monotonic_ns = self.monotonic()
        self.loop: EventLoop = NoEventLoop()
        self.process: Process = NoProcess()
        self.durability: Durability = NoDurability()
        self.persistence: Persistence | None = None
        self.snapshots: Snapshots | None = None
        self.scripting: Scripting = NoScripting()
        self.replication: Replication = NoReplication()
        self.following: Following = NoFollowing()
        #: What serves the data of a router; None for a server with data of its own.
        self.routing: Routing | None = None
        #: :func:`kedis.engine.call.call` in C, where the native path is there: it takes the client, the command, the
        #: words and whether a slow call is reported, and returns the value, or NotImplemented where it declines.
        self.native: Callable[[Client, Command, Sequence[bytes]], Any] | None = None
        self.events = ClientEvents()
        self.keyspace = Keyspace(self.config.databases, self.events)
        self.keyspace.now_ns = self.clock()
        self.pubsub = self.events.pubsub
        self.tracking = self.events.tracking
        self.table = new_table(self.config.renamed_commands)
        self.clients: dict[int, Client] = {}
        self.users = Users(self.config, self.table, self._user_changed)
        self.restrictions = Restrictions()
        self.debug = DebugSwitches()
        self.propagation = Propagation()
        self.keyspace.propagate_delete = self.propagation.delete
        self.execution: Execution | None = None
        self.blocking = Blocking(
            self.keyspace,
            self.events.waiting,
            self.monotonic,
            self.table.resolve,
            lambda: self.execution is not None,
            self.loop,
        )
        self.memory = MemoryLimit(
            self.config,
            self.keyspace,
            self.restrictions,
            self.propagation,
            self.clock,
            self.monotonic,
            self.loop,
        )
        self.tracking.clients_by_id = self.clients
        self.monitors: dict[Client, None] = {}
        self.last_client_id = 0
        self.slow_ns = FOREVER_NS
        self.faults = 0
        self.transactions = dict.fromkeys(("committed", "aborted", "failed", "discarded"), 0)

    def attach_loop(self, loop: EventLoop) -> None:
        """Use ``loop`` to schedule work for later turns."""
        self.loop = self.blocking.loop = self.memory.loop = loop
        self.tracking.broadcast_later = loop.broadcast_later

    @property
    def loading(self) -> bool:
        """Whether data are being loaded."""
        return self.restrictions.loading

    def set_loading(self, loading: bool) -> None:
        """Set the loading state, in which commands without the ``loading`` flag are refused and nothing expires."""
        if loading != self.restrictions.loading:
            self.keyspace.set_loading(loading)
        self.restrictions.set_loading(loading)

    def unpause(self) -> None:
        """End a CLIENT PAUSE and let the paused clients continue."""
        self.restrictions.end_pause()
        self.loop.unpaused()

    def release_writes(self, purpose: str) -> None:
        """Let the writes run that were held for ``purpose`` (a shutdown or a failover), unless another holds them."""
        self.restrictions.hold_writes(purpose, False)
        self.loop.unpaused()

    def check_clock(self) -> int:
        """Step of the wall clock since the last call, in ns; 0 if it was not set.

        To be called regularly, since the clock may also be adjusted slowly.
        """
        if self.clock is self.monotonic:  # a clock that tests move
            return 0
        difference = self.clock() - self.monotonic()
        step = difference - self._clock_difference_ns
        self._clock_difference_ns = difference
        return step if abs(step) > _CLOCK_STEP_NS else 0

    # -- clients ------------------------------------------------------------------------------------------

    def next_client_id(self) -> int:
        """A new client id; ids only grow."""
        self.last_client_id += 1
        return self.last_client_id

    def connect(self, client: Client) -> None:
        """Register ``client`` (CLIENT LIST)."""
        self.clients[client.id] = client

    def _user_changed(self, user: User) -> None:
        """Let the clients of ``user`` have its new rules; where nobody needs to authenticate, all are authenticated."""
        initial = self.users.initial() if self.clients else None
        for client in self.clients.values():
            if client.user is None and initial is not None:
                client.user = initial
            if client.user is user:
                client.update_checks()

    def disconnect(self, client: Client) -> None:
        """Forget ``client`` and its state in the keyspace. Idempotent."""
        self.clients.pop(client.id, None)
        client.release()
        client.queue = None

    def count_error(self, command: Command, error: CommandError) -> None:
        """Count a command that ran and was answered with ``error``; a script's may be that of a command it called."""
        code = error.code
        command.counters.errors.add(code)
        if not error.counted:
            self.table.error_counts.add(code)


def _discard(_chunk: Chunk) -> None:
    """Stand in for ``append`` while the client wants no replies (CLIENT REPLY OFF)."""


class Client:
    """One client: identity, selected database, protocol, transaction and reply state.

    Args:
        in_parts: whether ``out`` may receive long replies (:mod:`kedis.resp.long_replies`) beside bytes.
        trusted: the source is the AOF or a master, whose commands were accepted before: no limit applies, and nothing
            blocks or is paused.

    Attributes:
        queue: the commands queued for EXEC; None outside MULTI.
        user: the authenticated user; None before authentication.
        caller: the client whose script sends its commands; None for any other client. (Itself would be a cycle of
            references, which only the garbage collector frees.)
        dirty_epoch: the :attr:`kedis.engine.propagation.Propagation.epoch` of its last change.
        limited: whether the permissions of its user are all that has to be checked.
        may_block: whether commands may block it.
        replica: what it is as a replica of this server, once it has sent REPLCONF, PSYNC or SYNC.
        last_command: for CLIENT LIST.
        transaction: the commands that EXEC is running; None while it runs none.
    """

    __slots__ = (
        "address",
        "append",
        "blocked",
        "caching",
        "caller",
        "caller_keys",
        "close_after_reply",
        "created_ns",
        "database",
        "db",
        "dirty_epoch",
        "encoders",
        "engine",
        "id",
        "in_parts",
        "last_command",
        "last_interaction_ns",
        "lib_name",
        "lib_version",
        "limited",
        "local_address",
        "may_block",
        "multi_failed",
        "name",
        "needs_checks",
        "no_evict",
        "no_touch",
        "out",
        "queue",
        "queued_bytes",
        "replica",
        "reply_mode",
        "resp",
        "subscribed",
        "subscriptions",
        "transaction",
        "transport",
        "trusted",
        "user",
        "watch_broken",
        "watched",
    )

    def __init__(
        self,
        engine: Services,
        transport: Transport,
        *,
        address: str = "",
        local_address: str = "",
        in_parts: bool = False,
        trusted: bool = False,
    ):
        self.engine = engine
        self.caller: Client | None = None
        #: The keys that the running script of :attr:`caller` was given.
        self.caller_keys: Sequence[bytes] = ()
        self.transport = transport
        self.address = address
        self.local_address = local_address
        self.id = engine.next_client_id()
        self.created_ns = self.last_interaction_ns = engine.monotonic()
        self.last_command: Command | None = None
        self.transaction: Sequence[Queued] | None = None
        self.in_parts = in_parts
        self.trusted = trusted
        self.may_block = not trusted
        self.out: list[Chunk] = []
        self.append: Callable[[Chunk], None] = self.out.append
        self.lib_name = b""
        self.lib_version = b""
        self.no_evict = False
        self.subscribed: dict[str, dict[bytes, None]] = {"channel": {}, "pattern": {}, "shard": {}}
        self.subscriptions = 0
        self.caching: Caching | None = None
        self.blocked: Waiter | None = None
        self.replica: AttachedReplica | None = None
        self.dirty_epoch = 0
        self.close_after_reply = False
        self.name = b""
        self.needs_checks = False
        self.reset()

    def reset(self) -> None:
        """Reset the state that RESET covers to that of a new connection."""
        engine = self.engine
        self.database = 0
        self.db: Database = engine.keyspace.databases[0]
        self.speak(2)
        self.user: User | None = engine.users.trusted if self.trusted else engine.users.initial()
        self.queue: list[Queued] | None = None
        self.queued_bytes = 0
        self.multi_failed = False
        self.watched: set[tuple[int, bytes]] = set()
        self.watch_broken = False
        self.reply_mode = "on"
        self.no_touch = False
        self.append = self.out.append
        self.update_checks()

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
        """Deliver a message or an invalidation, which is not a reply, whatever CLIENT REPLY says."""
        self.out.append(wire)
        self.transport.wants_send()

    def refuse_replies(self, error: CommandError) -> None:
        """Replace every unsent reply by ``error``.

        Pushes stay. Does nothing for a monitor or a subscribed RESP2 client: its messages look like replies.
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
        """Select database ``index``."""
        self.database = index
        self.db = self.engine.keyspace.databases[index]

    def set_reply_mode(self, mode: str) -> None:
        """Set the mode of CLIENT REPLY: ``on``, ``off``, or ``skip``, which suppresses the reply of the next command.

        SKIP takes effect when the next command is admitted: inside EXEC, as in Redis, that is the one after it.
        """
        self.reply_mode = mode
        self.append = self.out.append if mode in ("on", "skip") else _discard
        self.update_checks()

    def update_checks(self) -> None:
        """Recompute ``needs_checks`` and ``limited`` after a change of the state that they depend on."""
        user = self.user
        needs_checks = (
            user is None
            or self.queue is not None
            or self.reply_mode != "on"
            or (self.resp == 2 and self.subscriptions > 0)
            or self.blocked is not None
            or self.caching is not None
            or self.no_touch
            or self.is_replica
        )
        self.limited = not needs_checks and user is not None and not user.may_all
        self.needs_checks = needs_checks or self.limited

    def log_in(self, user: User | None) -> None:
        """Become ``user``; None: nobody."""
        self.user = user
        self.update_checks()

    @property
    def user_name(self) -> bytes:
        """The user name in CLIENT LIST; that of the default user before authentication."""
        if self.is_master:  # no user may do what it does
            return b"(superuser)"
        return (self.user or self.engine.users.default).name

    @property
    def is_local(self) -> bool:
        """Whether the client is on this machine, for settings with the value ``local``."""
        return self.transport.kind != "tcp" or self.address.startswith(("127.0.0.1:", "[::1]:"))

    def output_limit(self) -> int:
        """The hard limit of client-output-buffer-limit that its replies fall under, in bytes; 0 is none."""
        if self.transport.kind not in ("tcp", "unix"):
            return 0
        return self.engine.config.output_limit("pubsub" if self.subscriptions else "normal")[0]

    @property
    def is_instrumented(self) -> bool:
        """Whether its calls need hooks: MONITOR, client-side caching, CLIENT NO-TOUCH."""
        return self.caching is not None or self.no_touch or self.engine.restrictions.monitored

    @property
    def is_replica(self) -> bool:
        """Whether it is a replica of this server."""
        return self.replica is not None and self.replica.attached

    @property
    def is_master(self) -> bool:
        """Whether its commands are those of the master of this server."""
        return self.transport.kind == "master"

    @property
    def kind(self) -> str:
        """Its class for CLIENT LIST, CLIENT KILL and the limits of unread replies."""
        if self.is_replica:
            return "replica"
        if self.is_master:
            return "master"
        return "pubsub" if self.subscriptions else "normal"

    @property
    def state_bytes(self) -> int:
        """What the client has the server keep: queued commands, watched keys, subscriptions, prefixes.  O(1)."""
        caching = self.caching
        prefixes = 0 if caching is None else len(caching.prefixes)
        return self.queued_bytes + _ENTRY_BYTES * (len(self.watched) + self.subscriptions + prefixes)

    def propagate(self, *argv: bytes | bytearray) -> None:
        """Propagate ``argv`` instead of the running command's own words; may be called several times."""
        self.engine.propagation.override(self.database, argv)

    def propagate_nothing(self) -> None:
        """Propagate nothing for the running command, although it changed something."""
        self.engine.propagation.overridden = True

    # -- state in the server ------------------------------------------------------------------------------

    def unwatch(self) -> None:
        """Remove every WATCH."""
        keyspace = self.engine.keyspace
        for database, key in self.watched:
            keyspace.databases[database].unwatch(self, key)
        self.watched.clear()
        self.watch_broken = False

    def end_transaction(self) -> None:
        """Forget the queued commands and the watched keys."""
        self.queue = None
        self.queued_bytes = 0
        self.multi_failed = False
        self.unwatch()
        self.update_checks()

    def release(self) -> None:
        """Release its state in the server: watches, subscriptions, tracking, MONITOR, a wait."""
        engine = self.engine
        self.unwatch()
        engine.blocking.forget(self)
        if self.replica is not None:
            engine.replication.forget(self)
        if self.subscriptions:
            engine.pubsub.leave(self)
        if self.caching is not None:
            engine.tracking.stop(self)
            engine.keyspace.update_observed()
        if engine.monitors.pop(self, self) is None:
            engine.restrictions.set_monitored(bool(engine.monitors))
