"""DEBUG's subcommands for tests of replication: POPULATE, REPLICATE, CHANGE-REPL-ID."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.commands.parsing.numbers import NumberError, parse_int
from kedis.errors import CommandError
from kedis.resp.values import OK

if TYPE_CHECKING:
    from kedis.engine.client import Client

_PREFIX = b"key"


def populate(client: Client, argv: Sequence[bytes]) -> Any:
    """DEBUG POPULATE count [prefix] [size]: strings ``prefix:number`` that are not there yet.

    The value is ``value:number``, cut or filled with zero bytes to the size. Neither replicas nor the append-only file
    learn of them, as in Redis. O(count).
    """
    count = _positive(argv[2])
    prefix = argv[3] if len(argv) > 3 else _PREFIX
    size = _positive(argv[4]) if len(argv) > 4 else 0
    database = client.db
    dirty = database.keyspace.dirty
    for number in range(count):
        key = b"%b:%d" % (prefix, number)
        if database.lookup(key) is None:
            value = b"value:%d" % number
            database.set_value(key, value[:size].ljust(size, b"\0") if size else value)
    database.keyspace.dirty = dirty
    return OK


def replicate(client: Client, argv: Sequence[bytes]) -> Any:
    """DEBUG REPLICATE word [word ...]: put a command into the stream of the replicas that never ran here."""
    client.engine.replication.divert(argv[2:])
    return OK


def change_id(client: Client, argv: Sequence[bytes]) -> Any:
    """DEBUG CHANGE-REPL-ID: begin a history of which no replica has any part."""
    client.engine.replication.renew()
    return OK


def _positive(text: bytes) -> int:
    try:
        number = parse_int(text)
    except NumberError:
        number = -1
    if number < 0:
        raise CommandError(errors.NOT_POSITIVE)
    return number
