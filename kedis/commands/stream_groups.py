"""XGROUP: consumer groups and their members, made, moved and removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.help import help_lines
from kedis.commands.parsing.options import integer
from kedis.commands.parsing.stream_ids import parse_id
from kedis.engine.flags import DENYOOM, LOADING, STALE, WRITE
from kedis.engine.keyspec import span
from kedis.engine.table import command, container
from kedis.errors import CommandError
from kedis.errors import stream_errors as texts
from kedis.resp.values import OK
from kedis.structures.consumer_groups import Group
from kedis.structures.stream import Stream

if TYPE_CHECKING:
    from kedis.engine.client import Client

container(
    "XGROUP",
    arity=-2,
    group="stream",
    since="5.0.0",
    summary="Consumer groups of streams.",
    complexity="Depends on the subcommand",
)


def _stream(client: Client, key: bytes) -> Stream:
    stream = client.db.lookup_write_typed(key, Stream)
    if stream is None:
        raise CommandError(texts.GROUP_NEEDS_KEY)
    return stream


def _stream_and_group(client: Client, argv: Sequence[bytes]) -> tuple[Stream, Group]:
    stream = _stream(client, argv[2])
    group = stream.groups.get(argv[3])
    if group is None:
        raise CommandError(texts.no_group_of_key(argv[2], argv[3]))
    return stream, group


def _parse_options(argv: Sequence[bytes], subcommand: str) -> tuple[bool, int | None]:
    """MKSTREAM, of CREATE only, and ENTRIESREAD.  Raises CommandError."""
    create, read = False, -1
    at = 5
    while at < len(argv):
        option = argv[at].upper()
        if option == b"MKSTREAM" and subcommand == "create":
            create = True
            at += 1
        elif option == b"ENTRIESREAD" and at + 1 < len(argv):
            read = integer(argv[at + 1])
            if read < -1:
                raise CommandError(texts.ENTRIES_READ_NEGATIVE)
            at += 2
        else:
            raise CommandError(errors.wrong_subcommand(argv[1], "xgroup"))
    return create, None if read < 0 else read


@command(
    "XGROUP|CREATE",
    arity=-5,
    flags=WRITE | DENYOOM,
    group="stream",
    since="5.0.0",
    summary="Creates a consumer group.",
    keys=[span("RW insert", 2)],
    complexity="O(1)",
    syntax='key@0 groupname id(id | new_id="$") ["MKSTREAM"] ["ENTRIESREAD" entries_read:int]',
)
def xgroup_create(client: Client, argv: Sequence[bytes]) -> Any:
    create, read = _parse_options(argv, "create")
    db, key, name = client.db, argv[2], argv[3]
    stream = db.lookup_write_typed(key, Stream)
    if stream is None and not create:
        raise CommandError(texts.GROUP_NEEDS_KEY)
    if len(argv) > 8:
        raise CommandError(errors.wrong_subcommand(argv[1], "xgroup"))
    if argv[4] == b"$":
        last_id = 0 if stream is None else stream.last_id
    else:
        last_id = parse_id(argv[4])
    if stream is None:
        stream = db.lookup_or_create(key, Stream)
        db.modified(key, stream, "", 0)
    elif name in stream.groups:
        raise CommandError(texts.GROUP_EXISTS)
    stream.add_group(name, last_id, read)
    db.annotated(key, stream, "xgroup-create")
    return OK


@command(
    "XGROUP|SETID",
    arity=-5,
    flags=WRITE,
    group="stream",
    since="5.0.0",
    summary="Sets the id behind which a consumer group goes on.",
    keys=[span("RW update", 2)],
    complexity="O(1)",
    syntax='key@0 groupname id(id | new_id="$") ["ENTRIESREAD" entries_read:int]',
)
def xgroup_setid(client: Client, argv: Sequence[bytes]) -> Any:
    _, read = _parse_options(argv, "setid")
    stream, group = _stream_and_group(client, argv)
    if len(argv) > 7:
        raise CommandError(errors.wrong_subcommand(argv[1], "xgroup"))
    group.last_id = stream.last_id if argv[4] == b"$" else parse_id(argv[4], strict=False)
    group.entries_read = read
    client.db.annotated(argv[2], stream, "xgroup-setid")
    return OK


@command(
    "XGROUP|DESTROY",
    arity=4,
    flags=WRITE,
    group="stream",
    since="5.0.0",
    summary="Removes a consumer group with all that is pending; returns whether it was there.",
    keys=[span("RW delete", 2)],
    complexity="O(N) in the number of pending entries",
    syntax="key@0 groupname",
)
def xgroup_destroy(client: Client, argv: Sequence[bytes]) -> int:
    stream = _stream(client, argv[2])
    if argv[3] not in stream.groups:
        return 0
    stream.remove_group(argv[3])
    client.db.annotated(argv[2], stream, "xgroup-destroy")
    client.db.signal_key_ready(argv[2], stream)  # for those who wait for this group: it is gone
    return 1


@command(
    "XGROUP|CREATECONSUMER",
    arity=5,
    flags=WRITE | DENYOOM,
    group="stream",
    since="6.2.0",
    summary="Creates a consumer of a group; returns whether it was new.",
    keys=[span("RW insert", 2)],
    complexity="O(1)",
    syntax="key@0 groupname consumername",
)
def xgroup_createconsumer(client: Client, argv: Sequence[bytes]) -> int:
    stream, group = _stream_and_group(client, argv)
    if group.consumer(argv[4]) is not None:
        return 0
    group.add_consumer(argv[4], client.db.keyspace.now_ms)
    client.db.annotated(argv[2], stream, "xgroup-createconsumer")
    return 1


@command(
    "XGROUP|DELCONSUMER",
    arity=5,
    flags=WRITE,
    group="stream",
    since="5.0.0",
    summary="Removes a consumer of a group with what is pending for it; returns how much that was.",
    keys=[span("RW delete", 2)],
    complexity="O(N log M), N being the pending entries of the consumer and M those of the group",
    syntax="key@0 groupname consumername",
)
def xgroup_delconsumer(client: Client, argv: Sequence[bytes]) -> int:
    stream, group = _stream_and_group(client, argv)
    if group.consumer(argv[4]) is None:
        return 0
    removed = group.remove_consumer(argv[4])
    client.db.annotated(argv[2], stream, "xgroup-delconsumer")
    return removed


@command(
    "XGROUP|HELP",
    arity=2,
    flags=LOADING | STALE,
    group="stream",
    since="5.0.0",
    summary="Returns the subcommands and what they do.",
    complexity="O(1)",
)
def xgroup_help(_client: Client, _argv: Sequence[bytes]) -> Any:
    return help_lines("xgroup")
