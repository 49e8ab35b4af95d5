"""HyperLogLogs: strings that estimate the number of distinct elements in at most 12 KB.

The value is an ordinary string in the format of :mod:`kedis.structures.hyperloglog`.  A dense one is changed in
place; a sparse one (3,000 bytes by default) is copied first, so that a corrupt one is left as it was.

PFCOUNT of one key caches its result in the string. That is a change and is journalled, as in Redis, although
PFCOUNT is a read-only command.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kedis import errors
from kedis.engine.flags import DENYOOM, FAST, MAY_REPLICATE, READONLY, WRITE
from kedis.engine.keyspec import span
from kedis.engine.table import command
from kedis.errors import CommandError, value_errors
from kedis.resp.values import OK, SimpleString
from kedis.structures import hyperloglog as hll
from kedis.structures import hyperloglog_registers as rows
from kedis.structures.strings import Buffer

if TYPE_CHECKING:
    from kedis.engine.client import Client


@command(
    "PFADD",
    arity=-2,
    flags=WRITE | DENYOOM | FAST,
    group="hyperloglog",
    since="2.8.9",
    summary="Adds elements to a HyperLogLog, creating it if needed; returns 1 if it changed.",
    keys=[span("RW insert", 1)],
    complexity="O(1) for each element added",
    syntax="key@0 [element...]",
)
def pfadd(client: Client, argv: Sequence[bytes]) -> int:
    key, db = argv[1], client.db
    stored = db.lookup(key)
    if isinstance(stored, bytes | bytearray):
        _check(stored)  # before it is stored as what can be changed in place
    value = db.lookup_write_buffer(key)
    if value is None:
        buffer, created = Buffer(hll.create()), 1
    else:
        buffer, created = value if hll.is_dense(value) else value.copy(), 0
    with _corruption_answered():
        raised = hll.add(buffer, argv[2:], client.engine.config.hll_sparse_max_bytes)
    if not raised and not created:
        return 0
    hll.invalidate_count(buffer)
    db.set_value(key, buffer, "pfadd", keep_ttl=True, changes=created + raised)
    return 1


@command(
    "PFCOUNT",
    arity=-2,
    flags=READONLY | MAY_REPLICATE,
    group="hyperloglog",
    since="2.8.9",
    summary="Estimates the number of distinct elements of one or several HyperLogLogs.",
    keys=[span("RW access", 1, -1)],
    complexity="O(1) for a key unchanged since the last PFCOUNT, else O(N) registers for each key",
    syntax="key@0...",
)
def pfcount(client: Client, argv: Sequence[bytes]) -> int:
    db = client.db
    if len(argv) > 2:
        values, registers = _read_all(client, argv[1:])
        return rows.estimate(rows.histogram(rows.highest(registers))) if values else 0
    value = _read(client, argv[1])
    if value is None:
        return 0
    count = hll.cached_count(value)
    if count is None:
        with _corruption_answered():
            count = hll.count(value)
        buffer = db.lookup_write_buffer(argv[1])
        assert buffer is not None
        hll.store_count(buffer, count)
        db.signal_modified(argv[1], "")  # without an event of its own
        client.propagate(*argv)
    return count


@command(
    "PFMERGE",
    arity=-2,
    flags=WRITE | DENYOOM,
    group="hyperloglog",
    since="2.8.9",
    summary="Merges HyperLogLogs into one.",
    keys=[span("RW access insert", 1), span("RO access", 2, -1)],
    complexity="O(N) registers for each key",
    syntax="destkey@0 sourcekey@1...",
)
def pfmerge(client: Client, argv: Sequence[bytes]) -> SimpleString:
    target, db = argv[1], client.db
    values, registers = _read_all(client, argv[1:])
    old = db.lookup_write_string(target)
    buffer = Buffer(hll.create() if old is None else old)
    merged = rows.highest(registers or [hll.registers(buffer)])
    hll.merge(buffer, merged, any(map(hll.is_dense, values)), client.engine.config.hll_sparse_max_bytes)
    hll.invalidate_count(buffer)
    db.set_value(target, buffer, "pfadd", keep_ttl=True)
    return OK


def _read(client: Client, key: bytes) -> bytes | bytearray | None:
    value = client.db.lookup_read(key)
    if value is None:
        return None
    if not isinstance(value, bytes | bytearray):
        raise CommandError(errors.WRONG_TYPE)
    _check(value)
    return value


def _check(value: bytes | bytearray) -> None:
    if not hll.is_valid(value):
        raise CommandError(value_errors.NOT_A_HYPERLOGLOG)


def _read_all(client: Client, keys: Sequence[bytes]) -> tuple[list[bytes | bytearray], list[bytes]]:
    """The values of the ``keys`` that exist, and their registers. Raises CommandError for the first invalid one."""
    values: list[bytes | bytearray] = []
    registers: list[bytes] = []
    for key in keys:
        value = _read(client, key)
        if value is not None:
            values.append(value)
            with _corruption_answered():
                registers.append(hll.registers(value))
    return values, registers


@contextmanager
def _corruption_answered() -> Iterator[None]:
    try:
        yield
    except hll.CorruptError:
        raise CommandError(value_errors.CORRUPT_HYPERLOGLOG) from None
