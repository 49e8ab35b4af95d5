"""The loop over requests: every command of every client and of EXEC passes :meth:`Engine.run`.

It looks the command up, refuses what must be refused, runs it, encodes the reply, journals what changed, and
measures.  The loop in ``run`` is the hottest code of the house, so everything unusual is behind two tests:
``client.guarded`` (something is special about this client) and ``engine.guarded`` (… about the server); both
lead to :meth:`kedis.engine.admission.Admission.admit`, where the order of the checks is Redis's.

Nothing in here or below can yield, which is what makes each command atomic.

Time: one clock reading per command.  The end of one command is the start of the next, and the start is the
``now`` that expiry sees.  (A second reading would cost 45 ns of the roughly 2,500 that a pipelined SET takes.)
The clock is the wall clock, so that one reading serves both.  A command that seems to have taken long, or less than no
time, is looked at again: the monotonic clock tells whether the wall clock was set (:meth:`Engine.check_clock`).
Everything else that is a duration (time-outs, pauses, budgets, the age of a client) goes by the monotonic clock.
"""

from __future__ import annotations

import functools
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import FunctionType
from typing import Any, Protocol

from kedis import errors
from kedis.config import Config, ConfigError
from kedis.engine.admission import Admission, Postponed, Stop
from kedis.engine.blocking import Attempt, Blocking
from kedis.engine.client import Client
from kedis.engine.counters import Counters
from kedis.engine.maxmemory import MemoryLimit
from kedis.engine.table import COMMANDS, Command
from kedis.errors import CommandError
from kedis.errors.fault_log import FaultLog
from kedis.process.threads import real_sleep
from kedis.store.keyspace import Keyspace
from kedis.structures.containers import Hash, Set
from kedis.structures.sorted_set import SortedSet

_faults = FaultLog(logging.getLogger("kedis.engine.engine"))

#: A duration that nothing reaches.
FOREVER_NS = 1 << 62
#: The wall clock in ns since 1970, and one that nobody sets, in ns.  In a tuple and asked of the system itself, so that
#: a program that freezes ``time`` for its tests does not stop time-outs.
_SYSTEM_CLOCKS: tuple[Callable[[], int], Callable[[], int]] = (
    time.time_ns,
    functools.partial(time.clock_gettime_ns, time.CLOCK_MONOTONIC),
)
#: A difference between the two clocks that is more than the adjustment of a second, in ns.
_CLOCK_STEP_NS = 1_000_000


#: Settings that decide how long a container is packed.
_PACKING_SETTINGS = (
    *("hash-max-listpack-entries", "hash-max-listpack-value", "set-max-intset-entries"),
    *("zset-max-listpack-entries", "zset-max-listpack-value"),
)


class Journal(Protocol):
    """Where changes are recorded; the append-only file in a server."""

    def append(self, database: int, argv: Sequence[bytes]) -> None:
        """Record one command that ran in ``database``."""

    def keep_wire(self, commands: list[list[bytes]], wire: bytes, form: int) -> None:
        """All of ``commands`` came as ``wire``, of whose form so much is known, and have just run."""


class Engine:
    """The data, the command table with its counters, and the loop that brings the two together.

    Args:
        clock: returns nanoseconds since 1970, for tests.
        monotonic: returns nanoseconds since whenever, for tests; ``clock`` does if only that is given.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        clock: Callable[[], int] | None = None,
        monotonic: Callable[[], int] | None = None,
    ) -> None:
        self.config = config if config is not None else Config()
        self.clock = clock or _SYSTEM_CLOCKS[0]
        self.monotonic = monotonic or clock or _SYSTEM_CLOCKS[1]
        self._clock_difference_ns = self.clock() - self.monotonic()
        self.keyspace = Keyspace(self.config.databases)
        self.keyspace.now_ns = self.clock()
        self.keyspace.journal_delete = self._journal_delete
        self.pubsub = self.keyspace.pubsub
        self.tracking = self.keyspace.tracking
        self.keyspace.notify(self.config.notify_keyspace_events)
        self.config.subscribe(
            "notify-keyspace-events", lambda config: self.keyspace.notify(config.notify_keyspace_events)
        )
        self._limit_packing(self.config)
        for name in _PACKING_SETTINGS:
            self.config.subscribe(name, self._limit_packing)
        self.blocking = Blocking(self)
        self._ready = self.keyspace.waiting.ready
        self.started_ns = self.clock()
        self.started_monotonic_ns = self.monotonic()
        self.clients: dict[int, Client] = {}
        self.tracking.clients_by_id = self.clients
        self._limit_tracking(self.config)
        self.config.subscribe("tracking-table-max-keys", self._limit_tracking)
        self.monitors: dict[Client, None] = {}
        self.last_client_id = 0
        self.guarded = False
        # What changed and is not journalled yet; `replaced` says that a handler chose the words itself.
        self.journal: Journal | None = None
        self.pending: list[tuple[int, Sequence[bytes]]] = []
        self.replaced = False
        self.unit: list[tuple[int, Sequence[bytes]]] | None = None
        #: Counts the writes of the journal; a client remembers in which it last changed something.
        self.turn = 1
        #: What is remembered on disk, for INFO and BGREWRITEAOF; None where nothing is.
        self.persistence: Any = None
        #: What saves snapshots (:class:`kedis.persistence.saver.Saver`); None where nothing does.
        self.snapshots: Any = None
        self.loading = False
        #: Why the last :meth:`run` that left commands undone did so.
        self.stopped = Stop.BUDGET
        self.admission = Admission(self)
        self.memory = MemoryLimit(self)
        self.memory.follow_settings()
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
        self.on_slow: Callable[[Client, Command, Sequence[bytes], int], None] = lambda *call: None
        #: An internal error has been answered, or a request for which there was no memory; told whether the data may
        #: have been changed and what was recorded of that may be wrong.
        self.on_fault: Callable[[bool], None] = lambda changed: None
        #: A change has been made, and the journal could not be told of it.
        self.on_unrecorded: Callable[[BaseException], None] = lambda error: None
        #: Carries out a MIGRATE for a client, which is blocked; None where nobody can.
        self.on_migrate: Callable[[Client, Any], None] | None = None
        #: Ends the server by the options of SHUTDOWN; raises CommandError when it cannot.
        self.on_shutdown: Callable[[frozenset[str]], None] = lambda options: None
        #: Gives memory back to the operating system (MEMORY PURGE).
        self.on_purge: Callable[[], None] = lambda: None
        #: Writes the configuration file for CONFIG REWRITE; raises CommandError when it cannot.
        self.on_rewrite_config: Callable[[], None] = lambda: None
        #: Blocks the whole server for some seconds (DEBUG SLEEP).
        self.on_sleep: Callable[[float], None] = real_sleep

    # -- clients ------------------------------------------------------------------------------------------

    def next_client_id(self) -> int:
        """A new client id; ids only grow."""
        self.last_client_id += 1
        return self.last_client_id

    def connect(self, client: Client) -> None:
        """Make ``client`` known (CLIENT LIST)."""
        self.clients[client.id] = client

    def disconnect(self, client: Client) -> None:
        """Forget ``client`` and whatever it holds in the keyspace.  Idempotent."""
        self.clients.pop(client.id, None)
        self.release(client)
        client.queue = None

    def release(self, client: Client) -> None:
        """Take back whatever ``client`` holds in the server: watches, subscriptions, tracking, MONITOR."""
        self.unwatch_all(client)
        self.blocking.forget(client)
        if client.subscriptions:
            self.pubsub.leave(client)
        if client.caching is not None:
            self.tracking.stop(client)
            self.keyspace.update_observed()
        if client in self.monitors:
            del self.monitors[client]
            self.update_guard()

    def unwatch_all(self, client: Client) -> None:
        """Take back every WATCH of ``client``."""
        for database, key in client.watched:
            self.keyspace.unwatch(client, self.keyspace.databases[database], key)
        client.watched.clear()
        client.watch_broken = False

    def end_transaction(self, client: Client) -> None:
        """Forget what ``client`` has queued and watched."""
        client.queue = None
        client.queued_bytes = 0
        client.multi_failed = False
        self.unwatch_all(client)
        client.update_guard()

    # -- running commands ---------------------------------------------------------------------------------

    def run(
        self, client: Client, commands: Sequence[list[bytes]], start: int = 0, budget_ns: int = FOREVER_NS
    ) -> int:
        """Run ``commands[start:]`` for ``client`` in order; replies are appended to the client.

        Stops early when the time ``budget_ns`` is used up, when the client is to be closed, or at a command
        that must wait; :attr:`stopped` then says which.  Returns the position of the first command that was not
        run.  ``commands[start:]`` is not empty.
        """
        lookup = self.lookup
        keyspace = self.keyspace
        pending = self.pending
        clock = self.clock
        out = client.out
        in_transaction = self.unit is not None  # for which time stands still
        began = now = clock()
        for position in range(start, len(commands)):
            if not in_transaction:
                keyspace.now_ns = now
            argv = commands[position]
            mark = len(out)
            command = lookup(argv[0])
            if (
                command is None
                or not command.least <= len(argv) <= command.most
                or client.guarded
                or self.guarded
            ):
                try:
                    command = self.admission.admit(client, argv)
                except Postponed as postponed:
                    self.stopped = postponed.reason
                    return position
                except Exception as error:
                    command = None
                    self._answer_unadmitted(client, argv, mark, error)
                if command is None:
                    now = clock()
                    if now - began > budget_ns or client.close_after_reply:
                        self.stopped = Stop.CLOSED if client.close_after_reply else Stop.BUDGET
                        return position + 1
                    continue
            dirty = keyspace.dirty
            try:
                value = command.function(client, argv)  # type: ignore[misc]
                client.encoders[type(value)](value, client.append)
            except CommandError as error:
                self.fail(client, command, error)
            except Exception as error:
                self._answer_fault(client, command, mark, dirty, error)
            if pending or (dirty != keyspace.dirty and command.writes):
                try:
                    if pending or self.replaced or in_transaction or keyspace.used > self.memory.limit:
                        self._record(client, command, argv, dirty != keyspace.dirty)
                    else:  # nearly always
                        client.wrote_in_turn = self.turn
                        if self.journal is not None:
                            self.journal.append(client.database, argv)
                        if self._ready:
                            self.blocking.serve()
                except Exception as error:
                    self._answer_unrecorded(client, command, mark, error)
            then = clock()
            elapsed = then - now
            if not 0 <= elapsed < self.slow_ns:
                elapsed = max(elapsed - self.check_clock(), 0)
                if elapsed >= self.slow_ns:
                    self.on_slow(client, command, argv, elapsed)
            counters = command.counters
            counters.nanoseconds += elapsed
            if elapsed < counters.short_ns:
                counters.histogram[elapsed >> 6] += 1
            else:
                counters.count(elapsed)
            now = then
            if now - began > budget_ns or client.close_after_reply:
                client.last_command = command
                self.stopped = Stop.CLOSED if client.close_after_reply else Stop.BUDGET
                return position + 1
        client.last_command = command
        return len(commands)

    def fail(self, client: Client, command: Command, error: CommandError) -> None:
        """Answer, and count, a command that could not do what it was asked."""
        code = error.code
        command.counters.errors[code] += 1
        self.error_counts[code] += 1
        client.encode(error)

    def run_transaction(self, client: Client, queue: Sequence[list[bytes]]) -> None:
        """Run what MULTI queued, as one unit in the journal and at one moment."""
        unit: list[tuple[int, Sequence[bytes]]] = []
        self.unit = unit
        done = 0
        try:
            while done < len(queue):  # a command that closes the client ends `run`, but no transaction
                done = self.run(client, queue, done)
        finally:
            self.unit = None
        try:
            self._journal_unit(unit)
        except Exception as error:  # a part of it may be there
            self.on_unrecorded(error)
            raise
        if self._ready:
            self.blocking.serve()
        self.tracking.settle(client)

    def resume(
        self, client: Client, command: Command, argv: Sequence[bytes], attempt: Attempt, key: bytes
    ) -> None:
        """Finish a command that was blocked: ``attempt`` takes what it waited for from ``key``."""
        dirty = self.keyspace.dirty
        mark = len(client.out)
        began = self.monotonic()
        try:
            client.encode(attempt(client, key))
        except CommandError as error:
            self.fail(client, command, error)
        except Exception as error:
            self._answer_fault(client, command, mark, dirty, error)
        changed = self.keyspace.dirty != dirty
        if self.pending or changed:
            try:
                self._record(client, command, argv, changed)
            except Exception as error:
                self._answer_unrecorded(client, command, mark, error)
        command.counters.nanoseconds += self.monotonic() - began

    def check_clock(self) -> int:
        """By how much the wall clock was set since the last call, in ns; 0 if it just went on.

        To be called now and then, since the clock may be adjusted slowly, too.
        """
        if self.clock is self.monotonic:  # one that the tests move
            return 0
        difference = self.clock() - self.monotonic()
        step = difference - self._clock_difference_ns
        self._clock_difference_ns = difference
        return step if abs(step) > _CLOCK_STEP_NS else 0

    # -- state of the server ------------------------------------------------------------------------------

    def set_loading(self, loading: bool) -> None:
        """While loading, commands without the ``loading`` flag are refused and nothing expires."""
        if loading != self.loading:
            self.keyspace.set_loading(loading)
        self.loading = loading
        self.update_guard()

    def update_guard(self) -> None:
        """Recompute ``guarded`` after a change of what it stands for."""
        self.guarded = (
            self.loading
            or self.memory.full
            or self.admission.write_error is not None
            or self.admission.paused_until_ns > 0
            or self.admission.ended
            or bool(self.monitors)
        )

    def _limit_packing(self, config: Config) -> None:
        packing = self.keyspace.packing
        packing[Hash].entries = config.hash_max_listpack_entries
        packing[Hash].longest = config.hash_max_listpack_value
        packing[Set].entries = config.set_max_intset_entries
        packing[SortedSet].entries = config.zset_max_listpack_entries
        packing[SortedSet].longest = config.zset_max_listpack_value

    def _limit_tracking(self, config: Config) -> None:
        self.tracking.most_keys = config.tracking_table_max_keys

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

    def _record(self, client: Client, command: Command, argv: Sequence[bytes], changed: bool) -> None:
        pending = self.pending
        if self.keyspace.used > self.memory.limit and not self.memory.full:
            self.memory.fill_up()
        if changed and command.writes:
            client.wrote_in_turn = self.turn
            if not self.replaced:
                pending.append((client.database, argv))
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

    def _answer_fault(
        self,
        client: Client,
        command: Command,
        mark: int,
        dirty: int,
        error: Exception,
    ) -> None:
        """``command`` has failed in a way that is not the client's fault: answer that, and nothing else.

        A command that writes may have changed something before it counted that as a change.
        """
        _take_back(client, mark)
        client.encode(self._fault(command, error))
        self.on_fault(self.keyspace.dirty != dirty or command.writes)

    def _answer_unrecorded(self, client: Client, command: Command, mark: int, error: Exception) -> None:
        """``command`` has made a change that the journal has not been told of: it is not acknowledged."""
        self.pending.clear()
        self.replaced = False
        _take_back(client, mark)
        client.encode(self._fault(command, error))
        self.on_unrecorded(error)

    def _answer_unadmitted(self, client: Client, argv: Sequence[bytes], mark: int, error: Exception) -> None:
        """A command was to be admitted or queued, and that failed: nothing of it has run, or will."""
        _take_back(client, mark)
        self.faults += 1
        _faults.report("admission", error)
        self.admission.refuse(client, argv, CommandError(_text_of(error)))

    def _fault(self, command: Command, error: Exception) -> CommandError:
        answer = CommandError(_text_of(error))
        _faults.report(command.name, error)
        self.faults += 1
        command.counters.errors[answer.code] += 1
        self.error_counts[answer.code] += 1
        return answer

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
        self.memory.exceeded_ns = 0
        keyspace.hits = keyspace.misses = keyspace.expired_keys = keyspace.expired_on_access = 0

    def _build_lookup(self) -> dict[bytes, Command]:
        """Names as clients commonly write them; any other spelling is resolved by ``admission``."""
        lookup = dict(self.commands)
        lookup.update({name.upper(): row for name, row in self.commands.items()})
        return lookup


#: Whether this is the compiled build (docs/compiled.md).
COMPILED = not isinstance(Engine.run, FunctionType)


def _text_of(error: Exception) -> str:
    return errors.NO_MEMORY if isinstance(error, MemoryError) else errors.INTERNAL


def _take_back(client: Client, mark: int) -> None:
    """Remove what was appended to the replies since there were ``mark`` pieces of them.

    Messages may be among it, of which the client would never know: the connection of one who gets such is ended.
    """
    if len(client.out) > mark:
        del client.out[mark:]
        if client.subscriptions or client.caching is not None:
            client.close_after_reply = True


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
