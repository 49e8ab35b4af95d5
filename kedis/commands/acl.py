"""ACL WHOAMI and CAT: the user of a connection, and the commands of a category. The only user is ``default``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.help import help_lines
from kedis.engine.flags import LOADING, NOSCRIPT, STALE
from kedis.engine.table import CATEGORIES, command, container
from kedis.errors import CommandError

if TYPE_CHECKING:
    from kedis.engine.client import Client

container(
    "ACL",
    arity=-2,
    group="server",
    since="6.0.0",
    summary="Access control: users and command categories.",
    complexity="Depends on the subcommand",
)


@command(
    "ACL|WHOAMI",
    arity=2,
    flags=NOSCRIPT | LOADING | STALE,
    group="server",
    since="6.0.0",
    summary="Returns the user name of this connection.",
    complexity="O(1)",
)
def acl_whoami(client: Client, _argv: Sequence[bytes]) -> bytes:
    return client.user_name


@command(
    "ACL|CAT",
    arity=-2,
    flags=NOSCRIPT | LOADING | STALE,
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
        raise CommandError(errors.wrong_subcommand(argv[1], "acl"))
    category = argv[2].decode("utf-8", "surrogateescape").lower()
    if category not in CATEGORIES:
        raise CommandError(errors.unknown_category(argv[2]))
    return [row.name.encode() for row in client.engine.table.every() if category in row.acl_categories]


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
