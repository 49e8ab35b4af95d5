"""The one gatekeeper: every command of every client, of the journal's replay and of EXEC passes :meth:`Engine.run`.

It looks the command up, refuses what must be refused, runs it, encodes the reply, journals what changed, and
measures.  The loop in ``run`` is the hottest code of the house, so everything unusual is behind two tests:
``session.guarded`` (something is special about this client) and ``engine.guarded`` (… about the server); both
lead to :meth:`Engine.admit`, where the order of the checks is Redis's.

Nothing in here or below can yield, which is what makes each command atomic.

Time: one clock reading per command.  The end of one command is the start of the next, and the start is the
``now`` that expiry sees.  (A second reading would cost 45 ns of the roughly 2,500 that a pipelined SET takes.)
The clock is the wall clock, so that one reading serves both; a step of it spoils one latency sample.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from kedis import errors
from kedis.attendance import attended_by
from kedis.blocking import Attempt, Blocking
from kedis.commands import load_all
from kedis.commands.table import COMMANDS, Command, Counters, Flag
from kedis.config import Config, ConfigError
from kedis.errors import CommandError
from kedis.resp.values import QUEUED
from kedis.session import Session
from kedis.store.keyspace import Keyspace

log = logging.getLogger("kedis.engine")

#: Commands that act on a transaction instead of being queued in it.
_NOT_QUEUED = frozenset(["exec", "discard", "multi", "watch", "quit", "reset"])
_MEMORY_SETTINGS = (
    "maxmemory",
    "maxmemory-policy",
    "maxmemory-samples",
    "lfu-log-factor",
    "lfu-decay-time",
    "lazyfree-lazy-server-del",
)
#: What a client may send in a transaction although memory is full.
_NOT_GROWING = ("discard", "multi", "watch", "quit", "reset")
#: What a subscribed RESP2 client may still send.
_PUBSUB_ALLOWED = frozenset(
    [
        "ping",
        "quit",
        "reset",
        "subscribe",
        "psubscribe",
        "ssubscribe",
        "unsubscribe",
        "punsubscribe",
        "sunsubscribe",
    ]
)
#: How an HTTP request begins, or goes on: a web page must not be able to make a browser talk to the server.
_BROWSER_WORDS = frozenset([b"post", b"host:"])
#: How much of an unknown command's arguments an error message repeats, in bytes.
_ECHO_LIMIT = 128
#: What an argument costs in memory beside its bytes.
_ARGUMENT_OVERHEAD = 40
#: A duration that nothing reaches.
FOREVER_NS = 1 << 62


class Journal(Protocol):
    """Where changes are recorded; the append-only file in a server."""

    def append(self, database: int, argv: Sequence[bytes]) -> None:
        """Record one command that ran in ``database``."""

    def keep_wire(self, commands: list[list[bytes]], wire: bytes, form: int) -> None:
        """All of ``commands`` came as ``wire``, of whose form so much is known, and have just run."""


class Postponed(Exception):
    """The command must wait: CLIENT PAUSE, or the client is blocked.

    It stays with the connection and is tried again.
    """


class Engine:
    """The data, the command table with its counters, and the loop that brings the two together.

    ``clock`` returns nanoseconds since 1970 and may be replaced in tests.
    """

    def __init__(self, config: Config | None = None, *, clock: Callable[[], int] = time.time_ns) -> None:
        load_all()
        self.config = config if config is not None else Config()
        self.clock = clock
        self.keyspace = Keyspace(self.config.databases)
        self.keyspace.now_ns = clock()
        self.keyspace.journal_delete = self._journal_delete
        self.pubsub = self.keyspace.pubsub
        self.tracking = self.keyspace.tracking
        self.keyspace.notify(self.config.notify_keyspace_events)
        self.config.subscribe(
            "notify-keyspace-events", lambda config: self.keyspace.notify(config.notify_keyspace_events)
        )
        self.blocking = Blocking(self)
        self._ready = self.keyspace.waiting.ready
        self.started_ns = clock()
        self.sessions: dict[int, Session] = {}
        self.tracking.sessions = self.sessions
        self._limit_tracking(self.config)
        self.config.subscribe("tracking-table-max-keys", self._limit_tracking)
        self.monitors: dict[Session, None] = {}
        self._attended: dict[Command, Command] = {}
        self.last_session_id = 0
        self.guarded = False
        # What changed and is not journalled yet; `replaced` says that a handler chose the words itself.
        self.journal: Journal | None = None
        self.pending: list[tuple[int, Sequence[bytes]]] = []
        self.replaced = False
        self.unit: list[tuple[int, Sequence[bytes]]] | None = None
        #: Counts the writes of the journal; a session remembers in which it last changed something.
        self.turn = 1
        #: What is remembered on disk, for INFO and BGREWRITEAOF; None where nothing is.
        self.persistence: Any = None
        #: What saves snapshots (:class:`kedis.persistence.saver.Saver`); None where nothing does.
        self.snapshots: Any = None
        # State of the server that refuses commands; set through the methods below.
        self.loading = False
        self.write_error: str | None = None
        self._journal_error: str | None = None
        self._snapshot_error: str | None = None
        self.paused_until_ns = 0
        self.pause_writes_only = False
        #: Bytes that the data may occupy; whether they are exceeded; whether nothing more may be evicted.
        self.memory_limit = FOREVER_NS
        self.full = False
        self.out_of_memory = False
        self.clients_bytes = 0
        #: Asks for :meth:`make_room` to be called in a later turn.
        self.on_more_eviction: Callable[[], None] = lambda: None
        #: Nanoseconds for which memory was over its limit, and since when it is (0: it is not).
        self.exceeded_ns = 0
        self.exceeded_since_ns = 0
        for name in _MEMORY_SETTINGS:
            self.config.subscribe(name, self._follow_memory)
        self._follow_memory(self.config)
        #: The network server when there is one; INFO and the metrics read its figures.
        self.server: Any = None
        #: What INFO, SLOWLOG and LATENCY ask (:class:`kedis.observability.observer.Observer`).
        self.observer: Any = None
        # Figures
        self.commands = _renamed(_bind(COMMANDS), self.config.renamed_commands)
        self.lookup = self._build_lookup().get
        self.unknown = Counters()
        self.error_counts: Counter[str] = Counter()
        self.faults = 0
        #: Transactions by how they ended.
        self.transactions = dict.fromkeys(("committed", "aborted", "failed", "discarded"), 0)
        self.slow_ns = FOREVER_NS
        self.on_slow: Callable[[Session, Command, Sequence[bytes], int], None] = lambda *call: None
        self.on_fault: Callable[[bool], None] = lambda changed: None
        self.on_unpause: Callable[[], None] = lambda: None
        #: Carries out a MIGRATE for a session, which is blocked; None where nobody can.
        self.on_migrate: Callable[[Session, Any], None] | None = None
        #: Ends the server by the options of SHUTDOWN; raises CommandError when it cannot.
        self.on_shutdown: Callable[[frozenset[str]], None] = lambda options: None
        #: Gives memory back to the operating system (MEMORY PURGE).
        self.on_purge: Callable[[], None] = lambda: None
        self.on_browser: Callable[[Session], None] = lambda session: None
        #: Writes the configuration file for CONFIG REWRITE; raises CommandError when it cannot.
        self.on_rewrite_config: Callable[[], None] = lambda: None

    # -- clients ------------------------------------------------------------------------------------------

    def next_session_id(self) -> int:
        """A new client id; ids only grow."""
        self.last_session_id += 1
        return self.last_session_id

    def connect(self, session: Session) -> None:
        """Make ``session`` known (CLIENT LIST)."""
        self.sessions[session.id] = session

    def disconnect(self, session: Session) -> None:
        """Forget ``session`` and whatever it holds in the keyspace.  Idempotent."""
        self.sessions.pop(session.id, None)
        self.release(session)
        session.queue = None

    def release(self, session: Session) -> None:
        """Take back whatever ``session`` holds in the server: watches, subscriptions, tracking, MONITOR."""
        self.unwatch_all(session)
        self.blocking.forget(session)
        if session.subscriptions:
            self.pubsub.leave(session)
        if session.caching is not None:
            self.tracking.stop(session)
            self.keyspace.update_observed()
        if session in self.monitors:
            del self.monitors[session]
            self.update_guard()

    def unwatch_all(self, session: Session) -> None:
        """Take back every WATCH of ``session``."""
        for database, key in session.watched:
            self.keyspace.unwatch(session, self.keyspace.databases[database], key)
        session.watched.clear()
        session.watch_broken = False

    def end_transaction(self, session: Session) -> None:
        """Forget what ``session`` has queued and watched."""
        session.queue = None
        session.queued_bytes = 0
        session.multi_failed = False
        self.unwatch_all(session)
        session.update_guard()

    # -- running commands ---------------------------------------------------------------------------------

    def run(
        self, session: Session, commands: Sequence[list[bytes]], start: int = 0, budget_ns: int = FOREVER_NS
    ) -> int:
        """Run ``commands[start:]`` for ``session`` in order; replies are appended to the session.

        Stops early when the time ``budget_ns`` is used up, when the session is to be closed, or at a command
        that must wait.  Returns the position of the first command that was not run.  ``commands[start:]`` is
        not empty.
        """
        lookup = self.lookup
        keyspace = self.keyspace
        pending = self.pending
        clock = self.clock
        in_transaction = self.unit is not None  # for which time stands still
        began = now = clock()
        for position in range(start, len(commands)):
            if not in_transaction:
                keyspace.now_ns = now
            argv = commands[position]
            command = lookup(argv[0])
            if (
                command is None
                or not command.least <= len(argv) <= command.most
                or session.guarded
                or self.guarded
            ):
                try:
                    command = self.admit(session, argv)
                except Postponed:
                    return position
                if command is None:
                    now = clock()
                    if now - began > budget_ns or session.close_after_reply:
                        return position + 1
                    continue
            dirty = keyspace.dirty
            value = None
            try:
                value = command.function(session, argv)  # type: ignore[misc]
                session.encoders[type(value)](value, session.append)
            except CommandError as error:
                self.fail(session, command, error)
            except Exception:
                _take_back(session, value)
                session.encode(self._fault(command, argv, dirty))
            if pending or (dirty != keyspace.dirty and command.writes):
                if pending or self.replaced or in_transaction or keyspace.used > self.memory_limit:
                    self._record(session, command, argv, dirty != keyspace.dirty)
                else:  # nearly always
                    session.wrote_in_turn = self.turn
                    if self.journal is not None:
                        self.journal.append(session.database, argv)
                    if self._ready:
                        self.blocking.serve()
            then = clock()
            elapsed = then - now
            counters = command.counters
            counters.nanoseconds += elapsed
            counters.histogram[elapsed.bit_length()] += 1
            if elapsed >= self.slow_ns:
                self.on_slow(session, command, argv, elapsed)
            now = then
            if now - began > budget_ns or session.close_after_reply:
                session.last_command = command
                return position + 1
        session.last_command = command
        return len(commands)

    def fail(self, session: Session, command: Command, error: CommandError) -> None:
        """Answer, and count, a command that could not do what it was asked."""
        code = error.code
        command.counters.errors[code] += 1
        self.error_counts[code] += 1
        session.encode(error)

    def run_transaction(self, session: Session, queue: Sequence[list[bytes]]) -> None:
        """Run what MULTI queued, as one unit in the journal and at one moment."""
        unit: list[tuple[int, Sequence[bytes]]] = []
        self.unit = unit
        done = 0
        try:
            while done < len(queue):  # a command that closes the client ends `run`, but no transaction
                done = self.run(session, queue, done)
        finally:
            self.unit = None
        self._journal_unit(unit)
        if self._ready:
            self.blocking.serve()
        self.tracking.settle(session)

    def resume(
        self, session: Session, command: Command, argv: Sequence[bytes], attempt: Attempt, key: bytes
    ) -> None:
        """Finish a command that was blocked: ``attempt`` takes what it waited for from ``key``."""
        dirty = self.keyspace.dirty
        value = None
        began = self.clock()
        try:
            value = attempt(session, key)
            session.encode(value)
        except CommandError as error:
            self.fail(session, command, error)
        except Exception:
            _take_back(session, value)
            session.encode(self._fault(command, argv, dirty))
        changed = self.keyspace.dirty != dirty
        if self.pending or changed:
            self._record(session, command, argv, changed)
        command.counters.nanoseconds += self.clock() - began

    # -- refusing -----------------------------------------------------------------------------------------

    def admit(self, session: Session, argv: Sequence[bytes]) -> Command | None:
        """Everything that can keep a command from running, in Redis's order.

        Returns the command to run, or None when the client has been answered.  Raises :class:`Postponed`.
        """
        if self.unit is not None:  # what EXEC runs has been admitted with it
            return self._attend(session, self.resolve(argv))
        if session.blocked is not None:
            raise Postponed
        if session.reply_mode == "skipping":
            session.set_reply_mode("on")
        elif session.reply_mode == "skip":
            session.set_reply_mode("skipping")
        command: Command | None = None
        if argv[0].lower() in _BROWSER_WORDS:
            self.on_browser(session)
            session.close_after_reply = True
            session.transport.close()
            return None
        try:
            command = self._named(argv)
            self._check_arity(command, argv)
            if self.full:
                self.make_room()
            self._check(session, command)
        except CommandError as error:
            (command.counters if command else self.unknown).refusals[error.code] += 1
            self._refuse(session, argv, error)
            return None
        if session.queue is not None and command.name not in _NOT_QUEUED:
            session.queue.append(argv)
            session.queued_bytes += sum(map(len, argv)) + _ARGUMENT_OVERHEAD * len(argv)
            session.encode(QUEUED)
            return None
        if self.paused_until_ns:
            self._check_pause(session, command)
        return self._attend(session, command)

    def _refuse(self, session: Session, argv: Sequence[bytes], error: CommandError) -> None:
        """Answer with ``error``: a transaction under way will not run, and a refused EXEC ends it at once."""
        if argv[0].lower() == b"exec":
            if session.queue is not None:
                self.transactions["failed"] += 1
            self.end_transaction(session)
            error = CommandError(errors.exec_refused(error))
        elif session.queue is not None:
            session.multi_failed = True
        self.error_counts[error.code] += 1
        session.encode(error)

    def refusal(self, session: Session, queue: Sequence[Sequence[bytes]]) -> CommandError | None:
        """Why the commands of ``queue`` must not run now; None when they may."""
        for argv in queue:
            try:
                self._check(session, self.resolve(argv))
            except CommandError as error:
                return error
        return None

    def resolve(self, argv: Sequence[bytes]) -> Command:
        """The command, or subcommand, that ``argv`` names, arity checked.  Raises CommandError."""
        command = self._named(argv)
        self._check_arity(command, argv)
        return command

    def _named(self, argv: Sequence[bytes]) -> Command:
        command = self.commands.get(argv[0].lower())
        if command is None:
            raise CommandError(_unknown_command(argv))
        if command.subcommands and len(argv) > 1:
            child = command.subcommands.get(argv[1].lower())
            if child is not None:
                command = child
            else:
                raise CommandError(errors.unknown_subcommand(argv[1], command.name))
        return command

    @staticmethod
    def _check_arity(command: Command, argv: Sequence[bytes]) -> None:
        if command.function is None or not command.accepts(len(argv)):
            raise CommandError(errors.wrong_arity(command.name))

    def _check(self, session: Session, command: Command) -> None:
        flags = command.flags
        if not session.authenticated and not flags & Flag.NO_AUTH:
            raise CommandError(errors.NO_AUTH)
        if session.queue is not None and flags & Flag.NO_MULTI:
            raise CommandError(errors.NOT_IN_TRANSACTION)
        if command.permission is not None:
            command.permission(session)
        if self.out_of_memory and self._may_grow(session, command):
            raise CommandError(errors.OUT_OF_MEMORY)
        if self.write_error is not None and (command.writes or command.name == "ping"):
            raise CommandError(self.write_error)
        if session.resp == 2 and session.subscriptions and command.name not in _PUBSUB_ALLOWED:
            raise CommandError(errors.only_pubsub(command.name))
        if self.loading and not flags & Flag.LOADING:
            raise CommandError(errors.LOADING)
        if session in self.monitors and (flags & Flag.READONLY or self._may_write(session, command)):
            raise CommandError(errors.MONITOR_AND_KEYS)

    def _may_grow(self, session: Session, command: Command) -> bool:
        """Whether memory must not be full for ``command``: as in Redis, whatever it is inside of a transaction."""
        if session.queue is None or command.name in _NOT_GROWING:
            return bool(command.flags & Flag.DENYOOM)
        if command.name == "exec":
            return any(self.resolve(argv).flags & Flag.DENYOOM for argv in session.queue)
        return True

    def _check_pause(self, session: Session, command: Command) -> None:
        if self.clock() >= self.paused_until_ns:
            self.unpause()
            return
        if session.transport.kind == "journal":
            return
        if not self.pause_writes_only or self._may_write(session, command):
            raise Postponed

    def _may_write(self, session: Session, command: Command) -> bool:
        if command.name == "exec" and session.queue:
            return any(self.resolve(argv).writes for argv in session.queue)
        return command.writes or command.name in (
            "eval",
            "evalsha",
            "fcall",
            "publish",
            "spublish",
            "pfcount",
        )

    # -- what follows a command -----------------------------------------------------------------------------

    def _attend(self, session: Session, command: Command) -> Command:
        """``command``, or for clients that track and while somebody monitors a form of it that sees to that."""
        if session.caching is None and not self.monitors and not session.no_touch:
            return command
        attended = self._attended.get(command)
        if attended is None:
            attended = replace(command, function=attended_by(self, command))
            self._attended[command] = attended
        return attended

    def _limit_tracking(self, config: Config) -> None:
        self.tracking.most_keys = config.tracking_table_max_keys

    # -- state of the server ------------------------------------------------------------------------------

    def update_guard(self) -> None:
        """Recompute ``guarded`` after a change of what it stands for."""
        self.guarded = (
            self.loading
            or self.full
            or self.write_error is not None
            or self.paused_until_ns > 0
            or bool(self.monitors)
        )

    def set_loading(self, loading: bool) -> None:
        """While loading, commands without the ``loading`` flag are refused and nothing expires."""
        if loading != self.loading:
            self.keyspace.set_loading(loading)
        self.loading = loading
        self.update_guard()

    def _follow_memory(self, config: Config) -> None:
        keyspace = self.keyspace
        keyspace.lfu_log_factor = config.lfu_log_factor
        keyspace.lfu_decay_minutes = config.lfu_decay_time
        keyspace.now_ns = max(keyspace.now_ns, self.clock())
        keyspace.lazy_overwrite = config.lazyfree_lazy_server_del
        keyspace.track(config.maxmemory_policy)
        keyspace.eviction.follow(config.maxmemory_policy, config.maxmemory_samples)
        self.count_clients(self.clients_bytes)

    def count_clients(self, size: int) -> None:
        """The buffers of all clients occupy ``size`` bytes: they leave so much less to the data."""
        self.clients_bytes = size
        limit = self.config.maxmemory
        self.memory_limit = max(limit - size, 0) if limit else FOREVER_NS
        if self.keyspace.used > self.memory_limit or self.full:
            self._fill_up()
            self.on_more_eviction()

    def _fill_up(self) -> None:
        self.full = True
        self.exceeded_since_ns = self.exceeded_since_ns or self.clock()
        self.update_guard()

    def make_room(self) -> None:
        """Evict what the limit demands, for half a millisecond; the rest in later turns."""
        keyspace = self.keyspace
        if keyspace.used > self.memory_limit and not self.loading:
            self.out_of_memory = not keyspace.eviction.run(self.memory_limit, self.clock)
            self.flush_pending()
        if keyspace.used <= self.memory_limit:
            self.full = self.out_of_memory = False
            self.exceeded_ns += max(self.clock() - self.exceeded_since_ns, 0)
            self.exceeded_since_ns = 0
            self.update_guard()
        elif not self.out_of_memory:
            self.on_more_eviction()

    def set_write_error(self, text: str | None) -> None:
        """Refuse writes (and PING) with ``text``, or accept them again with None, as far as the journal goes."""
        self._journal_error = text
        self.write_error = text or self._snapshot_error
        self.update_guard()

    def set_snapshot_error(self, text: str | None) -> None:
        """The same, as far as snapshots go."""
        self._snapshot_error = text
        self.write_error = self._journal_error or text
        self.update_guard()

    def pause(self, until_ns: int, writes_only: bool) -> None:
        """CLIENT PAUSE: as in Redis a later call never shortens a pause or weakens its kind."""
        if self.paused_until_ns:
            self.pause_writes_only = self.pause_writes_only and writes_only
        else:
            self.pause_writes_only = writes_only
        self.paused_until_ns = max(self.paused_until_ns, until_ns)
        self.update_guard()

    def unpause(self) -> None:
        """End a pause; whoever waits is told through ``on_unpause``."""
        self.paused_until_ns = 0
        self.update_guard()
        self.on_unpause()

    # -- journal ------------------------------------------------------------------------------------------

    def propagate(self, database: int, argv: Sequence[bytes]) -> None:
        """Journal ``argv`` in place of the words of the running command."""
        self.pending.append((database, argv))
        self.replaced = True

    def _journal_delete(self, database: int, key: bytes) -> None:
        self.pending.append((database, (b"DEL", key)))

    def flush_pending(self) -> None:
        """Journal deletions that happened outside a command (the expiry cycle), each as a unit of its own."""
        if self.journal is not None:
            for database, argv in self.pending:
                self.journal.append(database, argv)
        self.pending.clear()

    def _record(self, session: Session, command: Command, argv: Sequence[bytes], changed: bool) -> None:
        pending = self.pending
        if self.keyspace.used > self.memory_limit and not self.full:
            self._fill_up()
        if changed and command.writes:
            session.wrote_in_turn = self.turn
            if not self.replaced:
                pending.append((session.database, argv))
        self.replaced = False
        if self.unit is not None:
            self.unit.extend(pending)
        elif self.journal is not None:
            if len(pending) == 1:
                self.journal.append(*pending[0])
            else:
                self._journal_unit(pending)
        pending.clear()
        if self._ready and self.unit is None:
            self.blocking.serve()

    def _journal_unit(self, unit: Sequence[tuple[int, Sequence[bytes]]]) -> None:
        """Journal several commands so that a replay runs all or none of them."""
        journal = self.journal
        if journal is None or not unit:
            return
        if len(unit) == 1:
            journal.append(*unit[0])
            return
        journal.append(unit[0][0], (b"MULTI",))
        for database, argv in unit:
            journal.append(database, argv)
        journal.append(unit[-1][0], (b"EXEC",))

    # -- faults and figures -------------------------------------------------------------------------------

    def _fault(self, command: Command, argv: Sequence[bytes], dirty: int) -> CommandError:
        changed = self.keyspace.dirty != dirty
        log.exception("internal error in %s (%d arguments)", command.name, len(argv))
        self.faults += 1
        command.counters.errors["ERR"] += 1
        self.error_counts["ERR"] += 1
        self.on_fault(changed)
        return CommandError(errors.INTERNAL)

    def every_command(self) -> list[Command]:
        """All rows of this engine's table, subcommands included."""
        return [row for top in self.commands.values() for row in (top, *top.subcommands.values())]

    def reset_counters(self) -> None:
        """CONFIG RESETSTAT, as far as commands are concerned."""
        for row in self.every_command():
            row.counters.reset()
        self.unknown.reset()
        self.error_counts.clear()
        keyspace = self.keyspace
        keyspace.eviction.reset()
        self.exceeded_ns = 0
        keyspace.hits = keyspace.misses = keyspace.expired_keys = keyspace.expired_on_access = 0

    def _build_lookup(self) -> dict[bytes, Command]:
        """Names as clients commonly write them; any other spelling is resolved in :meth:`admit`."""
        lookup = dict(self.commands)
        lookup.update({name.upper(): row for name, row in self.commands.items()})
        return lookup


def _take_back(session: Session, value: Any) -> None:
    """``value``, what a command returned, could not be encoded: remove what was appended of it."""
    chunks: list[bytes] = []
    with contextlib.suppress(Exception):
        session.encoders[type(value)](value, chunks.append)
    if chunks and value is not None and session.reply_mode == "on":
        del session.out[-len(chunks) :]


def _bind(table: dict[bytes, Command]) -> dict[bytes, Command]:
    """The table with counters of its own, so that two engines in a process do not count together."""
    bound = {}
    for name, row in table.items():
        top = replace(row, counters=Counters())
        top.subcommands = {
            child: replace(below, counters=Counters(), parent=top) for child, below in row.subcommands.items()
        }
        bound[name] = top
    return bound


def _renamed(table: dict[bytes, Command], renames: Sequence[tuple[str, str]]) -> dict[bytes, Command]:
    """``table`` after every ``rename-command``; a new name of "" takes the command away.

    Raises ConfigError for a command that is not there and for a name that is taken.
    """
    for old, new in renames:
        row = table.pop(old.lower().encode(), None)
        if row is None:
            raise ConfigError("rename-command", None, f"{old} {new}", f"there is no command named {old}", "")
        if new.lower().encode() in table:
            raise ConfigError("rename-command", None, f"{old} {new}", f"{new} is a command already", "")
        if new:
            table[new.lower().encode()] = row
    return table


def _unknown_command(argv: Sequence[bytes]) -> str:
    shown = b""
    for argument in argv[1:]:
        if len(shown) >= _ECHO_LIMIT:
            break
        shown += b"'%b' " % argument[: _ECHO_LIMIT - len(shown)].partition(b"\0")[0]
    return errors.unknown_command(argv[0], shown.decode("utf-8", "surrogateescape"))
