"""ACL: the users, their rules, and what was denied to them (:mod:`kedis.engine.users`)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.help import help_lines
from kedis.commands.parsing.options import integer
from kedis.engine.acl_file import UsersFileError, parse_users, users_text
from kedis.engine.acl_log import Entry
from kedis.engine.acl_rules import (
    RuleError,
    UnmatchedParenthesis,
    UserRules,
    channel_words,
    command_words,
    has_spaces,
    key_words,
    with_selectors_joined,
)
from kedis.engine.flags import ADMIN, LOADING, NOSCRIPT, STALE
from kedis.engine.table import CATEGORIES, command, container
from kedis.engine.users import DEFAULT, UsersFile
from kedis.errors import CommandError, user_errors
from kedis.resp.values import OK, OrderedSet

if TYPE_CHECKING:
    from kedis.engine.acl_selector import Selector
    from kedis.engine.client import Client
    from kedis.engine.table import CommandTable
    from kedis.engine.users import User

_ORDINARY = NOSCRIPT | LOADING | STALE
_ADMIN = ADMIN | _ORDINARY
_MOST_BITS = 4096
_SHOWN_DENIALS = 10

container(
    "ACL",
    arity=-2,
    group="server",
    since="6.0.0",
    summary="Access control: users and command categories.",
    complexity="Depends on the subcommand",
)


def _too_many(argv: Sequence[bytes]) -> CommandError:
    return CommandError(errors.wrong_subcommand(argv[1], "acl"))


@command(
    "ACL|CAT",
    arity=-2,
    flags=_ORDINARY,
    group="server",
    since="6.0.0",
    summary="Returns the ACL categories, or with a category its commands.",
    complexity="O(N) in the number of commands",
    syntax="[categoryname]",
)
def acl_cat(client: Client, argv: Sequence[bytes]) -> list[bytes]:
    if len(argv) == 2:
        return [name.encode() for name in CATEGORIES]
    if len(argv) > 3:
        raise _too_many(argv)
    category = argv[2].decode("utf-8", "surrogateescape").lower()
    if category not in CATEGORIES:
        raise CommandError(user_errors.unknown_category(argv[2]))
    return [row.name.encode() for row in client.engine.table.every() if category in row.acl_categories]


@command(
    "ACL|DELUSER",
    arity=-3,
    flags=_ADMIN,
    group="server",
    since="6.0.0",
    summary="Removes users and closes their connections; returns how many there were.",
    complexity="O(1) for each user, and O(N) in the number of clients",
    syntax="username...",
)
def acl_deluser(client: Client, argv: Sequence[bytes]) -> int:
    users = client.engine.users
    if DEFAULT in argv[2:]:
        raise CommandError(user_errors.DEFAULT_USER_STAYS)
    removed = [user for user in map(users.remove, argv[2:]) if user is not None]
    _close_clients_of(client, removed)
    return len(removed)


def _close_clients_of(client: Client, users: Iterable[User]) -> None:
    """Close the connections of ``users``; one that asks for it itself gets its answer first."""
    gone = set(users)
    for other in list(client.engine.clients.values()):
        if other.user in gone:
            other.log_in(None)
            _close(client, other)


def _close(client: Client, other: Client) -> None:
    if other is client:
        other.close_after_reply = True
    else:
        other.transport.close()


@command(
    "ACL|DRYRUN",
    arity=-4,
    flags=_ADMIN,
    group="server",
    since="7.0.0",
    summary="Tells whether a user may run a command, without running it.",
    complexity="O(1)",
    syntax="username command [arg...]",
)
def acl_dryrun(client: Client, argv: Sequence[bytes]) -> Any:
    engine, words = client.engine, argv[3:]
    user = engine.users.by_name.get(argv[2])
    if user is None:
        raise CommandError(user_errors.user_not_found(argv[2]))
    try:
        row = engine.table.find(words)
    except CommandError:
        raise CommandError(user_errors.no_such_command(words[0])) from None
    row.check_arity(len(words))
    denial = user.denial(row, words)
    if denial is None:
        return OK
    reason, position = denial
    return user_errors.dry_run_denied(reason, words[position] if position else row.name.encode())


@command(
    "ACL|GENPASS",
    arity=-2,
    flags=_ORDINARY,
    group="server",
    since="6.0.0",
    summary="Returns a random password: hexadecimal digits for 256 bits, or for as many as are asked for.",
    complexity="O(1)",
    syntax="[bits:int]",
)
def acl_genpass(_client: Client, argv: Sequence[bytes]) -> bytes:
    if len(argv) > 3:
        raise _too_many(argv)
    bits = integer(argv[2]) if len(argv) == 3 else 256
    if not 0 < bits <= _MOST_BITS:
        raise CommandError(user_errors.GENPASS_BITS)
    digits = (bits + 3) // 4
    return secrets.token_hex((digits + 1) // 2)[:digits].encode()


@command(
    "ACL|GETUSER",
    arity=3,
    flags=_ADMIN,
    group="server",
    since="6.0.0",
    summary="Returns the rules of a user.",
    complexity="O(N) in the number of its rules",
    syntax="username",
)
def acl_getuser(client: Client, argv: Sequence[bytes]) -> dict[bytes, Any] | None:
    user = client.engine.users.by_name.get(argv[2])
    if user is None:
        return None
    table = client.engine.table
    root, *others = user.selectors
    return {
        b"flags": OrderedSet(user.flags),
        b"passwords": list(user.passwords),
        **_described(root, table),
        b"selectors": [_described(selector, table) for selector in others],
    }


def _described(selector: Selector, table: CommandTable) -> dict[bytes, bytes]:
    return {
        b"commands": b" ".join(command_words(selector, table)),
        b"keys": b" ".join(key_words(selector)),
        b"channels": b" ".join(channel_words(selector)),
    }


@command(
    "ACL|LIST",
    arity=2,
    flags=_ADMIN,
    group="server",
    since="6.0.0",
    summary="Returns the rules of all users as lines of a configuration file.",
    complexity="O(N) in the number of users",
)
def acl_list(client: Client, _argv: Sequence[bytes]) -> list[bytes]:
    return client.engine.users.lines()


def _file(client: Client) -> UsersFile:
    file = client.engine.users.file
    if file is None:
        raise CommandError(user_errors.NO_ACL_FILE)
    return file


@command(
    "ACL|LOAD",
    arity=2,
    flags=_ADMIN,
    group="server",
    since="6.0.0",
    summary="Replaces all users by those of the file of users, and closes their connections.",
    complexity="O(N) in the number of users",
)
def acl_load(client: Client, _argv: Sequence[bytes]) -> Any:
    file, users = _file(client), client.engine.users
    try:
        rules = parse_users(file.read(), file.path, users)
    except OSError as error:
        raise CommandError(user_errors.acl_file_unreadable(file.path, error.strerror or "")) from None
    except UsersFileError as error:
        raise CommandError(f"ERR {error}") from None
    _close_clients_of(client, users.replace_all(rules))
    return OK


@command(
    "ACL|LOG",
    arity=-2,
    flags=_ADMIN,
    group="server",
    since="6.0.0",
    summary="Returns the latest denials of commands, keys, channels and logins, or forgets them.",
    complexity="O(N) in the number of entries",
    syntax='[operation(count:int | reset="RESET")]',
)
def acl_log(client: Client, argv: Sequence[bytes]) -> Any:
    if len(argv) > 3:
        raise _too_many(argv)
    log = client.engine.users.log
    count = _SHOWN_DENIALS
    if len(argv) == 3:
        if argv[2].lower() == b"reset":
            log.clear()
            return OK
        count = max(integer(argv[2]), 0)
    now_ms = client.engine.clock() // 1_000_000
    return [_entry(entry, now_ms) for entry in log.latest(count)]


def _entry(entry: Entry, now_ms: int) -> dict[bytes, Any]:
    return {
        b"count": entry.count,
        b"reason": entry.reason.encode(),
        b"context": entry.context.encode(),
        b"object": entry.object,
        b"username": entry.user,
        b"age-seconds": (now_ms - entry.at_ms) / 1000,
        b"client-info": entry.client.rstrip(b"\n"),
    }


@command(
    "ACL|SAVE",
    arity=2,
    flags=_ADMIN,
    group="server",
    since="6.0.0",
    summary="Writes all users to the file of users.",
    complexity="O(N) in the number of users",
)
def acl_save(client: Client, _argv: Sequence[bytes]) -> Any:
    file = _file(client)
    try:
        file.write(users_text(client.engine.users))
    except OSError:
        raise CommandError(user_errors.ACL_NOT_SAVED) from None
    return OK


@command(
    "ACL|SETUSER",
    arity=-3,
    flags=_ADMIN,
    group="server",
    since="6.0.0",
    summary="Makes a user or changes its rules; all rules are applied, or none on an error.",
    complexity="O(N) in the number of rules, and in the number of clients",
    syntax="username [rule...]",
    secrets=lambda argv: range(2, len(argv)),
)
def acl_setuser(client: Client, argv: Sequence[bytes]) -> Any:
    users, name = client.engine.users, argv[2]
    if has_spaces(name) or not name:
        raise CommandError(user_errors.USER_NAME)
    known = users.by_name.get(name)
    rules = users.new_rules()
    if known is not None:
        rules = UserRules()
        rules.take(known)
    try:
        words = list(with_selectors_joined(argv[3:]))
    except UnmatchedParenthesis as error:
        raise CommandError(user_errors.unmatched_parenthesis(str(error))) from None
    for word in words:
        try:
            users.apply(rules, [word])
        except RuleError as error:
            raise CommandError(user_errors.acl_rule(word, str(error))) from None
    _close_subscribers(client, users.put(name, rules))
    return OK


def _close_subscribers(client: Client, user: User) -> None:
    """Close the connections of ``user`` with a subscription that it may not have any more."""
    for other in list(client.engine.clients.values()):
        if other.user is user and other.subscriptions and not user.may_keep(other.subscribed):
            _close(client, other)


@command(
    "ACL|USERS",
    arity=2,
    flags=_ADMIN,
    group="server",
    since="6.0.0",
    summary="Returns the names of all users.",
    complexity="O(N) in the number of users",
)
def acl_users(client: Client, _argv: Sequence[bytes]) -> list[bytes]:
    return client.engine.users.names()


@command(
    "ACL|WHOAMI",
    arity=2,
    flags=_ORDINARY,
    group="server",
    since="6.0.0",
    summary="Returns the user name of this connection.",
    complexity="O(1)",
)
def acl_whoami(client: Client, _argv: Sequence[bytes]) -> bytes:
    return client.user_name


@command(
    "ACL|HELP",
    arity=2,
    flags=LOADING | STALE,
    group="server",
    since="6.0.0",
    summary="Lists the subcommands.",
    complexity="O(1)",
)
def acl_help(_client: Client, _argv: Sequence[bytes]) -> Any:
    return help_lines("ACL")
