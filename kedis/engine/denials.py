"""Denials: what a user may not do becomes an entry of ACL LOG, a count, and an error in the words of its context."""

from __future__ import annotations

from collections.abc import Sequence

from kedis import errors
from kedis.engine.acl_log import Entry
from kedis.engine.acl_selector import Denial, Reason
from kedis.engine.client import Client
from kedis.engine.client_line import client_line
from kedis.engine.table import Command
from kedis.errors import CommandError

_REASONS = {Reason.COMMAND: "command", Reason.KEY: "key", Reason.CHANNEL: "channel"}


def check_permission(client: Client, command: Command, argv: Sequence[bytes]) -> None:
    """Raise CommandError where the user of ``client``, who is authenticated, may not run ``command``."""
    denial = client.user.denial(command, argv)  # type: ignore[union-attr]
    if denial is not None:
        client.last_command = command
        log_denial(client, command, argv, denial, "toplevel" if client.queue is None else "multi")
        raise CommandError(errors.no_permission(denial[0], command.name))


def refusal_in_exec(client: Client, command: Command, argv: Sequence[bytes]) -> CommandError | None:
    """The error in place of a queued command that the user may not run any more; None where it may."""
    user = client.user
    if user is None:  # an earlier command of the transaction has removed the user
        return CommandError(errors.NO_AUTH)
    denial = None if user.may_all else user.denial(command, argv)
    if denial is None:
        return None
    log_denial(client, command, argv, denial, "multi")
    return CommandError(errors.no_longer_permitted(denial[0]))


def log_denial(
    client: Client,
    command: Command,
    argv: Sequence[bytes],
    denial: Denial,
    context: str,
    running: Command | None = None,
) -> None:
    """Record that ``client`` was denied a call, in the command ``running`` if that is another."""
    reason, position = denial
    denied = command.name.encode() if reason is Reason.COMMAND else argv[position]
    _log(client, _REASONS[reason], context, denied, client.user_name, running or command)


def log_failed_login(client: Client, argv: Sequence[bytes], name: bytes) -> None:
    """Record that ``client`` has failed to become the user ``name`` by the command ``argv``."""
    context = "toplevel" if client.transaction is None else "multi"
    _log(client, "auth", context, argv[0], name, client.engine.table.named(argv[0]))


def _log(
    client: Client, reason: str, context: str, denied: bytes, user: bytes, running: Command | None
) -> None:
    engine = client.engine
    now_ms = engine.clock() // 1_000_000
    entry = Entry(reason, context, denied, user, now_ms, client_line(client, running))
    engine.users.log.add(entry, engine.config.acllog_max_len)
