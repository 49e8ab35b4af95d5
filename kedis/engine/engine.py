"""The loop over requests: the commands of every client pass :meth:`Engine.run`.

It looks up the command, runs it, encodes the reply, records the changes, and measures. The loop in ``run`` is the
hottest code of Kedis, so every special case is behind two tests: ``client.needs_checks`` (of this client) and
``restrictions.needs_checks`` (of the server); both lead to
:func:`kedis.engine.admission.admit`, where the order of the checks is Redis's. Calls with hooks for MONITOR or
client-side caching, and EXEC, run by :func:`kedis.engine.call.call` instead.

Nothing in this module or below can yield, which makes each command atomic.

Time: one clock reading per command. The end of one command is the start of the next, and the start is the
``now`` that expiry sees. (A second reading would cost 45 ns of the roughly 2,500 that a pipelined SET takes.)
The clock is the wall clock, so that one reading serves both. After a command with a long or a negative duration, the
monotonic clock tells whether the wall clock was set (``check_clock``).
All other durations (timeouts, pauses, budgets, the age of a client) use the monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kedis.config import Config
from kedis.engine.admission import Deferred, Stop, admit, refuse
from kedis.engine.call import call, fault, record, serve_blocked, take_back, unadmitted, unrecorded
from kedis.engine.client import FOREVER_NS, Client, Services
from kedis.engine.table import Command
from kedis.errors import CommandError
from kedis.store.state import packing_settings


def _is_permitted(client: Client, command: Command, argv: Sequence[bytes]) -> bool:
    """Whether the permissions of the user are all that has to be checked, and allow the call: 1 us less than admit."""
    return client.limited and client.user.may(command, argv)  # type: ignore[union-attr]


class Engine(Services):
    """The services that commands use, and the loop that runs requests.

    Attributes:
        stopped: the reason why the last incomplete :meth:`run` stopped.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        clock: Callable[[], int] | None = None,
        monotonic: Callable[[], int] | None = None,
    ) -> None:
        super().__init__(config, clock=clock, monotonic=monotonic)
        self.stopped = Stop.BUDGET
        config = self.config
        self._obey(self._choose_events, "notify-keyspace-events")
        self._obey(self.keyspace.limit_packing, *packing_settings())
        self._obey(self.keyspace.limit_nodes, "stream-node-max-entries", "stream-node-max-bytes")
        self._obey(self._limit_tracking, "tracking-table-max-keys")

    def run(
        self, client: Client, commands: Sequence[list[bytes]], start: int = 0, budget_ns: int = FOREVER_NS
    ) -> int:
        """Run ``commands[start:]`` for ``client`` in order; replies are appended to the client.

        Stops early when the time ``budget_ns`` is used up, when the client is to be closed, or at a command
        that must wait; :attr:`stopped` then gives the reason. Returns the position of the first command that was not
        run. ``commands[start:]`` is not empty, and no unit is under way.
        """
        lookup = self.table.lookup
        keyspace = self.keyspace
        account = keyspace.account
        propagation = self.propagation
        restrictions = self.restrictions
        batch = propagation.batch
        ready = self.events.waiting.ready
        clock = self.clock
        out = client.out
        began = now = clock()
        for position in range(start, len(commands)):
            keyspace.now_ns = now
            argv = commands[position]
            mark = len(out)
            command = lookup(argv[0])
            if (
                command is None
                or not command.least <= len(argv) <= command.most
                or (client.needs_checks and not _is_permitted(client, command, argv))
                or restrictions.needs_checks
                or (command.writes and restrictions.read_only)
            ):
                try:
                    command = admit(client, argv)
                    if command is not None and (client.queue is not None or client.is_instrumented):
                        call(client, command, argv, answer=client.encode)
                        client.last_command = command
                        command = None
                except Deferred as deferred:
                    self.stopped = deferred.reason
                    return position
                except Exception as error:
                    command = None
                    take_back(client, mark)
                    refuse(client, argv, unadmitted(client, argv, error))
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
                self.count_error(command, error)
                client.encode(error)
            except Exception as error:
                take_back(client, mark)
                client.encode(fault(self, command, error))
                # A command that writes may have changed data before it counted the change.
                self.durability.distrust(keyspace.dirty != dirty or command.writes)
            if batch or (dirty != keyspace.dirty and command.writes):
                try:
                    if batch or propagation.overridden or account.used > self.memory.limit:
                        record(client, command, argv, dirty != keyspace.dirty)
                    else:  # nearly always
                        client.dirty_epoch = propagation.epoch
                        if propagation.active:
                            propagation.append(client.database, argv)
                except Exception as error:
                    take_back(client, mark)
                    client.encode(unrecorded(client, command, error))
                if ready:
                    serve_blocked(self)
            then = clock()
            elapsed = then - now
            if not 0 <= elapsed < self.slow_ns:
                elapsed = max(elapsed - self.check_clock(), 0)
                if elapsed >= self.slow_ns:
                    self.observer.take_slow_call(client, command, argv, elapsed)
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
        if command is not None:
            client.last_command = command
        return len(commands)

    # -- settings -----------------------------------------------------------------------------------------

    def _obey(self, follow: Callable[[Config], None], *names: str) -> None:
        """Call ``follow`` now, and whenever one of the settings ``names`` changes."""
        for name in names:
            self.config.subscribe(name, follow)
        follow(self.config)

    def _choose_events(self, config: Config) -> None:
        self.events.notifications.choose(config.notify_keyspace_events)
        self.keyspace.update_observed()

    def _limit_tracking(self, config: Config) -> None:
        self.tracking.most_keys = config.tracking_table_max_keys
        self.tracking.limit()

    # -- figures ------------------------------------------------------------------------------------------

    def reset_counters(self) -> None:
        """Zero the counters of commands (CONFIG RESETSTAT)."""
        self.table.reset()
        keyspace = self.keyspace
        keyspace.eviction.reset()
        self.memory.exceeded_ns = 0
        keyspace.hits = keyspace.misses = keyspace.expired_keys = keyspace.expired_on_access = 0
