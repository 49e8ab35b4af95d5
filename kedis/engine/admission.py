"""Whether a command may run now: everything beside the command itself that can keep it from running.

The engine's loop asks only when something is special about the client (``client.guarded``) or the server
(``engine.guarded``), or when it does not find the command under the name as it is spelled.  The order of the checks is
Redis's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING

from kedis import errors
from kedis.engine.flags import Flag
from kedis.engine.instrumentation import attended_by
from kedis.engine.table import Command
from kedis.errors import CommandError
from kedis.resp.values import QUEUED

if TYPE_CHECKING:
    from kedis.engine.client import Client
    from kedis.engine.engine import Engine

#: How an HTTP request begins, or goes on: a web page must not be able to make a browser talk to the server.
_BROWSER_WORDS = frozenset([b"post", b"host:"])
#: How much of an unknown command's arguments an error message repeats, in bytes.
_ECHO_LIMIT = 128
#: What an argument costs in memory beside its bytes, and what the list of them that a command is does.
ARGUMENT_OVERHEAD = 48
_COMMAND_OVERHEAD = 80


class Stop(Enum):
    """Why the engine has left commands of a client undone."""

    BUDGET = "the time that was given is used up"
    CLOSED = "the client is to be closed"
    PAUSED = "CLIENT PAUSE: until on_unpause"
    BLOCKED = "the client is blocked: until transport.wants_send"
    ENDED = "the server ends: nothing runs any more"


class Postponed(Exception):
    """The command must wait, for ``reason``.  It stays with the connection and is tried again."""

    def __init__(self, reason: Stop) -> None:
        super().__init__(reason)
        self.reason = reason


class Admission:
    """Checks commands, and holds what refuses or delays them: errors of the disk, CLIENT PAUSE.

    Attributes:
        write_error: why writes are refused, as a whole error message; None when they are not.
        paused_until_ns, pause_writes_only: what CLIENT PAUSE has asked for, by the
            monotonic clock; 0 when nothing is paused.
        ended: whether the server ends: no command of any client runs any more, and nobody is answered that one has.
        on_unpause: tells whoever waits that a pause has ended.
        on_browser: told of a client that speaks HTTP, just before it is closed.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._attended: dict[Command, Command] = {}
        self.write_error: str | None = None
        self._journal_error: str | None = None
        self._snapshot_error: str | None = None
        self.paused_until_ns = 0
        self.pause_writes_only = False
        self.ended = False
        self.on_unpause: Callable[[], None] = lambda: None
        self.on_browser: Callable[[Client], None] = lambda client: None

    def admit(self, client: Client, argv: Sequence[bytes]) -> Command | None:
        """Everything that can keep a command from running, in Redis's order.

        Returns the command to run, or None when the client has been answered.  Raises :class:`Postponed`.
        """
        if self._engine.unit is not None:  # what EXEC runs has been admitted with it
            return self._attend(client, self.resolve(argv))
        if client.blocked is not None:
            raise Postponed(Stop.BLOCKED)
        if self.ended:
            raise Postponed(Stop.ENDED)
        if client.reply_mode == "skipping":
            client.set_reply_mode("on")
        elif client.reply_mode == "skip":
            client.set_reply_mode("skipping")
        command: Command | None = None
        if argv[0].lower() in _BROWSER_WORDS:
            self.on_browser(client)
            client.close_after_reply = True
            client.transport.close()
            return None
        try:
            command = self._named(argv)
            self._check_arity(command, argv)
            if self._engine.memory.full:
                self._engine.memory.make_room()
            self._check(client, command)
        except CommandError as error:
            (command.counters if command else self._engine.unknown).refusals[error.code] += 1
            self.refuse(client, argv, error)
            return None
        if client.queue is not None and not command.flags & Flag.NOT_QUEUED:
            client.queue.append(argv)
            client.queued_bytes += sum(map(len, argv)) + ARGUMENT_OVERHEAD * len(argv) + _COMMAND_OVERHEAD
            client.encode(QUEUED)
            return None
        if self.paused_until_ns:
            self._check_pause(client, command)
        return self._attend(client, command)

    def refuse(self, client: Client, argv: Sequence[bytes], error: CommandError) -> None:
        """Answer with ``error``: a transaction under way will not run, and a refused EXEC ends it at once."""
        command = self._engine.commands.get(argv[0].lower())
        if command is not None and command.flags & Flag.RUNS_QUEUE:
            if client.queue is not None:
                self._engine.transactions["failed"] += 1
            self._engine.end_transaction(client)
            error = CommandError(errors.exec_refused(error))
        elif client.queue is not None:
            client.multi_failed = True
        self._engine.error_counts[error.code] += 1
        client.encode(error)

    def refusal(self, client: Client, queue: Sequence[Sequence[bytes]]) -> CommandError | None:
        """Why the commands of ``queue`` must not run now; None when they may."""
        for argv in queue:
            try:
                self._check(client, self.resolve(argv))
            except CommandError as error:
                return error
        return None

    def resolve(self, argv: Sequence[bytes]) -> Command:
        """The command, or subcommand, that ``argv`` names, arity checked.  Raises CommandError."""
        command = self._named(argv)
        self._check_arity(command, argv)
        return command

    def _named(self, argv: Sequence[bytes]) -> Command:
        command = self._engine.commands.get(argv[0].lower())
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

    def _check(self, client: Client, command: Command) -> None:
        flags = command.flags
        if not client.authenticated and not flags & Flag.NO_AUTH:
            raise CommandError(errors.NO_AUTH)
        if client.queue is not None and flags & Flag.NO_MULTI:
            raise CommandError(errors.NOT_IN_TRANSACTION)
        if command.permission is not None:
            command.permission(client)
        if self._engine.memory.out_of_memory and self._may_grow(client, command):
            raise CommandError(errors.OUT_OF_MEMORY)
        if self.write_error is not None and (command.writes or flags & Flag.ANSWERS_DISK_ERROR):
            raise CommandError(self.write_error)
        if client.resp == 2 and client.subscriptions and not flags & Flag.WHILE_SUBSCRIBED:
            raise CommandError(errors.only_pubsub(command.name))
        if self._engine.loading and not flags & Flag.LOADING:
            raise CommandError(errors.LOADING)
        if client in self._engine.monitors and (flags & Flag.READONLY or self._may_write(client, command)):
            raise CommandError(errors.MONITOR_AND_KEYS)

    def _may_grow(self, client: Client, command: Command) -> bool:
        """Whether memory must not be full for ``command``: as in Redis, whatever it is inside of a transaction."""
        if client.queue is None:
            return bool(command.flags & Flag.DENYOOM)
        if command.flags & Flag.RUNS_QUEUE:
            return any(self.resolve(argv).flags & Flag.DENYOOM for argv in client.queue)
        return not command.flags & Flag.NOT_QUEUED

    def _check_pause(self, client: Client, command: Command) -> None:
        if self._engine.monotonic() >= self.paused_until_ns:
            self.unpause()
            return
        if client.transport.kind == "journal":
            return
        if not self.pause_writes_only or self._may_write(client, command):
            raise Postponed(Stop.PAUSED)

    def _may_write(self, client: Client, command: Command) -> bool:
        if command.flags & Flag.RUNS_QUEUE and client.queue:
            return any(_may_replicate(self.resolve(argv)) for argv in client.queue)
        return _may_replicate(command)

    def _attend(self, client: Client, command: Command) -> Command:
        """``command``, or for clients that track and while somebody monitors a form of it that sees to that."""
        if client.caching is None and not self._engine.monitors and not client.no_touch:
            return command
        attended = self._attended.get(command)
        if attended is None:
            attended = replace(command, function=attended_by(self._engine, command))
            self._attended[command] = attended
        return attended

    # -- what refuses or delays ---------------------------------------------------------------------------

    def set_write_error(self, text: str | None) -> None:
        """Refuse writes (and PING) with ``text``, or accept them again with None, as far as the journal goes."""
        self._journal_error = text
        self.write_error = text or self._snapshot_error
        self._engine.update_guard()

    def set_snapshot_error(self, text: str | None) -> None:
        """The same, as far as snapshots go."""
        self._snapshot_error = text
        self.write_error = self._journal_error or text
        self._engine.update_guard()

    def pause(self, until_ns: int, writes_only: bool) -> None:
        """CLIENT PAUSE: as in Redis a later call never shortens a pause or weakens its kind."""
        if self.paused_until_ns:
            self.pause_writes_only = self.pause_writes_only and writes_only
        else:
            self.pause_writes_only = writes_only
        self.paused_until_ns = max(self.paused_until_ns, until_ns)
        self._engine.update_guard()

    def end(self) -> None:
        """Run nothing any more: whatever clients still ask waits until their connections are closed."""
        self.ended = True
        self._engine.update_guard()

    def unpause(self) -> None:
        """End a pause; whoever waits is told through ``on_unpause``."""
        self.paused_until_ns = 0
        self._engine.update_guard()
        self.on_unpause()


def _may_replicate(command: Command) -> bool:
    return bool(command.flags & (Flag.WRITE | Flag.MAY_REPLICATE))


def _unknown_command(argv: Sequence[bytes]) -> str:
    shown = b""
    for argument in argv[1:]:
        if len(shown) >= _ECHO_LIMIT:
            break
        shown += b"'%b' " % argument[: _ECHO_LIMIT - len(shown)].partition(b"\0")[0]
    return errors.unknown_command(argv[0], shown.decode("utf-8", "surrogateescape"))
