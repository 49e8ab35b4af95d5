"""Admission: the checks that can keep a command from running.

The engine's loop calls :func:`admit` only when the client (``client.needs_checks``) or the server
(``restrictions.needs_checks``) needs a closer look, or when the command is not found under its name as spelled. The
order of the checks is Redis's.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from kedis import errors
from kedis.engine.client import Client, Queued
from kedis.engine.denials import check_permission
from kedis.engine.flags import Flag
from kedis.engine.replication_ports import AttachedReplica
from kedis.engine.table import Command
from kedis.errors import CommandError, client_errors, replication_errors
from kedis.resp.values import QUEUED

#: Words that mark the lines of an HTTP request: a web page must not be able to make a browser talk to the server.
_BROWSER_WORDS = frozenset([b"post", b"host:"])
#: Bytes of an argument beside its content, and of the list that holds a command's arguments.
ARGUMENT_OVERHEAD = 48
_COMMAND_OVERHEAD = 80


class Stop(Enum):
    """The reason why the engine has left commands of a client undone."""

    BUDGET = "the time that was given is used up"
    CLOSED = "the client is to be closed"
    PAUSED = "CLIENT PAUSE: until the event loop is told that it has ended"
    BLOCKED = "the client is blocked: until transport.wants_send"
    ENDED = "the server ends: nothing runs any more"


class Deferred(Exception):
    """Raised when a command must wait, for ``reason``. It stays with the connection and is tried again."""

    def __init__(self, reason: Stop) -> None:
        super().__init__(reason)
        self.reason = reason


def admit(client: Client, argv: list[bytes]) -> Command | None:
    """Return the row of the command to run for ``client``, or None when the client has been answered.

    Raises :class:`Deferred` when the command must wait.
    """
    engine = client.engine
    restrictions = engine.restrictions
    if client.blocked is not None:
        raise Deferred(Stop.BLOCKED)
    if restrictions.ended:
        raise Deferred(Stop.ENDED)
    if client.reply_mode == "skipping":
        client.set_reply_mode("on")
    elif client.reply_mode == "skip":
        client.set_reply_mode("skipping")
    if client.replica is not None and client.replica.attached and _disturbs(client, client.replica, argv):
        client.close_after_reply = True
        client.transport.close()
        return None
    command: Command | None = None
    if argv[0].lower() in _BROWSER_WORDS:
        engine.loop.refused_browser(client)
        client.close_after_reply = True
        client.transport.close()
        return None
    try:
        command = engine.table.find(argv)
        command.check_arity(len(argv))
        if restrictions.memory_full:
            engine.memory.make_room()
        _check(client, command, argv)
    except CommandError as error:
        (command.counters if command else engine.table.unknown).refusals.add(error.code)
        refuse(client, argv, error)
        return None
    if restrictions.paused_until_ns:
        _check_pause(client, command)
    if restrictions.writes_held and not client.trusted and _may_write(client, command):
        raise Deferred(Stop.PAUSED)
    if client.queue is not None and not command.flags & Flag.NOT_QUEUED:
        client.last_command = command
        if not client.multi_failed and not client.watch_broken:  # else it will not run
            client.queue.append((command, argv))
            client.queued_bytes += sum(map(len, argv)) + ARGUMENT_OVERHEAD * len(argv) + _COMMAND_OVERHEAD
        client.encode(QUEUED)
        return None
    return command


def _disturbs(client: Client, replica: AttachedReplica, argv: Sequence[bytes]) -> bool:
    """Whether ``replica`` has sent a command that is answered, where there is only the stream to be sent."""
    name = argv[0][:64].decode("ascii", "backslashreplace")
    error: CommandError | None = None
    try:
        command = client.engine.table.find(argv)
        command.check_arity(len(argv))
        if command.flags & Flag.FROM_REPLICA:
            return False
        name = command.name
        if command.flags & Flag.READONLY or _may_replicate(command):
            error = CommandError(client_errors.REPLICA_AND_KEYS)
    except CommandError as refused:
        error = refused
    replica.disturbs(name, error)
    return True


def refuse(client: Client, argv: Sequence[bytes], error: CommandError) -> None:
    """Answer with ``error``. A transaction under way will not run; a refused EXEC ends it at once."""
    engine = client.engine
    command = engine.table.rows.get(argv[0].lower())
    if command is not None and command.flags & Flag.RUNS_QUEUE:
        if client.queue is not None:
            engine.transactions["failed"] += 1
        client.end_transaction()
        error = CommandError(client_errors.exec_refused(error))
    elif client.queue is not None:
        client.multi_failed = True
    engine.table.error_counts.add(error.code)
    client.encode(error)


def refusal(client: Client, queue: Sequence[Queued]) -> CommandError | None:
    """The error that forbids running the commands of ``queue`` now; None when they may run."""
    for command, argv in queue:
        try:
            _check(client, command, argv, is_queued=True)
        except CommandError as error:
            return error
    return None


def _check(client: Client, command: Command, argv: Sequence[bytes], *, is_queued: bool = False) -> None:
    """Raise CommandError where ``command`` may not run; EXEC checks the user's permissions as it comes to them."""
    engine = client.engine
    restrictions = engine.restrictions
    flags = _flags(client, command, argv)
    writes = bool(flags & Flag.WRITE)
    user = client.user
    if user is None and not flags & Flag.NO_AUTH:
        raise CommandError(errors.NO_AUTH)
    if client.queue is not None and flags & Flag.NO_MULTI:
        raise CommandError(errors.NOT_IN_TRANSACTION)
    if user is not None and not user.may_all and not is_queued:
        check_permission(client, command, argv)
    if command.permission is not None:
        command.permission(client)
    if restrictions.out_of_memory and _may_grow(client, flags):
        raise CommandError(errors.OUT_OF_MEMORY)
    if restrictions.write_error is not None and (writes or flags & Flag.ANSWERS_DISK_ERROR):
        raise CommandError(restrictions.write_error)
    if restrictions.few_replicas and writes and not client.trusted:
        raise CommandError(replication_errors.FEW_REPLICAS)
    if restrictions.read_only and (writes or _runs_a_write(client, command)) and not client.trusted:
        raise CommandError(errors.READ_ONLY_REPLICA)
    if client.resp == 2 and client.subscriptions and not flags & Flag.WHILE_SUBSCRIBED:
        raise CommandError(errors.only_pubsub(command.name))
    if restrictions.master_down and not flags & Flag.STALE:
        raise CommandError(errors.MASTER_DOWN)
    if restrictions.loading and not flags & Flag.LOADING:
        raise CommandError(errors.LOADING)
    if restrictions.busy is not None and not flags & Flag.ALLOW_BUSY:
        raise CommandError(restrictions.busy)
    if client in engine.monitors and (flags & Flag.READONLY or _may_write(client, command)):
        raise CommandError(client_errors.REPLICA_AND_KEYS)


def _flags(client: Client, command: Command, argv: Sequence[bytes]) -> int:
    """The flags of a call: those of the command, or of the script or function that it runs, where that states them."""
    return command.flags if command.stated_flags is None else command.stated_flags(client.engine, argv)


def _may_grow(client: Client, flags: int) -> bool:
    """Whether a call with ``flags`` is denied while memory is full; as in Redis, all that MULTI queues are."""
    if client.queue is None:
        return bool(flags & Flag.DENYOOM)
    if flags & Flag.RUNS_QUEUE:
        return any(_flags(client, queued, argv) & Flag.DENYOOM for queued, argv in client.queue)
    return not flags & Flag.NOT_QUEUED


def _runs_a_write(client: Client, command: Command) -> bool:
    """Whether ``command`` is an EXEC of a call that writes."""
    if not command.flags & Flag.RUNS_QUEUE or client.queue is None:
        return False
    return any(_flags(client, queued, argv) & Flag.WRITE for queued, argv in client.queue)


def _check_pause(client: Client, command: Command) -> None:
    engine = client.engine
    if engine.monotonic() >= engine.restrictions.paused_until_ns:
        engine.unpause()
    elif not client.trusted and (not engine.restrictions.pause_writes_only or _may_write(client, command)):
        raise Deferred(Stop.PAUSED)


def _may_write(client: Client, command: Command) -> bool:
    """Whether running ``command`` may propagate something."""
    if command.flags & Flag.RUNS_QUEUE and client.queue:
        return any(_may_replicate(queued) for queued, _ in client.queue)
    return _may_replicate(command)


def _may_replicate(command: Command) -> bool:
    return bool(command.flags & (Flag.WRITE | Flag.MAY_REPLICATE))
