"""PFDEBUG and PFSELFTEST: what is inside of a HyperLogLog, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kedis import errors
from kedis.engine.flags import ADMIN, DENYOOM, WRITE
from kedis.engine.keyspec import span
from kedis.engine.table import command
from kedis.errors import CommandError, debug_errors, value_errors
from kedis.resp.values import OK, SimpleString
from kedis.structures import hyperloglog as hll
from kedis.structures.strings import Buffer

if TYPE_CHECKING:
    from kedis.engine.client import Client

#: Elements of the self-test, and how far the estimate may be off: seven standard errors.
_ELEMENTS, _TOLERANCE = 10_000, 0.06


@command(
    "PFDEBUG",
    arity=3,
    flags=WRITE | DENYOOM | ADMIN,
    group="hyperloglog",
    since="2.8.9",
    summary="Debugging: the registers and the form of a HyperLogLog.",
    keys=[span("RW access", 2)],
    complexity="O(registers)",
    syntax="subcommand key@0",
    system=True,
)
def pfdebug(client: Client, argv: Sequence[bytes]) -> Any:
    value = client.db.lookup(argv[2])
    if value is None:
        raise CommandError(value_errors.NO_SUCH_HYPERLOGLOG)
    if not isinstance(value, bytes | bytearray):
        raise CommandError(errors.WRONG_TYPE)
    if not hll.is_valid(value):
        raise CommandError(value_errors.NOT_A_HYPERLOGLOG)
    handler = _SUBCOMMANDS.get(argv[1].lower())
    if handler is None:
        raise CommandError(debug_errors.unknown_pfdebug(argv[1]))
    try:
        return handler(client, argv[2], value)
    except hll.CorruptError:
        raise CommandError(value_errors.CORRUPT_HYPERLOGLOG) from None


def _getreg(client: Client, key: bytes, value: bytes | bytearray) -> list[int]:
    _todense(client, key, value)
    return list(hll.registers(value))


def _decode(_client: Client, _key: bytes, value: bytes | bytearray) -> bytes:
    if hll.is_dense(value):
        raise CommandError(debug_errors.NOT_SPARSE)
    return hll.sparse_runs(value)


def _encoding(_client: Client, _key: bytes, value: bytes | bytearray) -> SimpleString:
    return SimpleString(b"dense" if hll.is_dense(value) else b"sparse")


def _todense(client: Client, key: bytes, value: bytes | bytearray) -> int:
    if hll.is_dense(value):
        return 0
    buffer = Buffer(value)
    hll.make_dense(buffer)
    client.db.set_value(key, buffer, "pfadd", keep_ttl=True)
    return 1


_SUBCOMMANDS: dict[bytes, Callable[[Client, bytes, bytes | bytearray], Any]] = {
    b"decode": _decode,
    b"encoding": _encoding,
    b"getreg": _getreg,
    b"todense": _todense,
}


@command(
    "PFSELFTEST",
    arity=1,
    flags=ADMIN,
    group="hyperloglog",
    since="2.8.9",
    summary="Debugging: adds elements to both forms of a HyperLogLog, and compares them and the estimate.",
    complexity="O(1), some 20 ms",
    system=True,
)
def pfselftest(_client: Client, _argv: Sequence[bytes]) -> Any:
    sparse, dense = hll.create(), hll.create()
    hll.make_dense(dense)
    for number in range(_ELEMENTS):
        element = b"%d" % number
        hll.add(sparse, [element], hll.DENSE_SIZE)
        hll.add(dense, [element], 0)
    if hll.registers(sparse) != hll.registers(dense):
        raise CommandError("ERR TESTFAILED dense/sparse disagree")
    if abs(hll.count(dense) - _ELEMENTS) > _ELEMENTS * _TOLERANCE:
        raise CommandError("ERR TESTFAILED Too big error.")
    return OK
