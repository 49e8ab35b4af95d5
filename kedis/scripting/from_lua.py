"""From what a script returned to the value that its client is answered with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from kedis.errors import CommandError
from kedis.resp.values import BigNumberText, OrderedMap, OrderedSet, SimpleString, Verbatim
from kedis.scripting.codes import (
    ARRAY,
    BIG_NUMBER,
    COUNTED_ERROR,
    DOUBLE,
    ERROR,
    MAP,
    NIL,
    PLAIN,
    SET,
    STATUS,
    VERBATIM,
)

#: Takes an error, and whether it is that of a command, which has been counted.
Count = Callable[[CommandError, bool], None]

_LEAST, _MOST = -(2**63), 2**63 - 1
_SPACES = bytes.maketrans(b"\r\n", b"  ")


def decode_plain(value: bytes | float | bool | None, protocol: int) -> Any:
    """A plain result: numbers lose their fraction; a boolean is one only to a script that speaks RESP3."""
    kind = type(value)
    if kind is bytes or kind is int or value is None:
        return value
    if kind is bool:
        if protocol == 3:
            return value
        return 1 if value else None
    return _integer(value)  # type: ignore[arg-type]


def _integer(value: float) -> int:
    """The number as the machine converts it to 64 bits: what does not fit is the least integer."""
    if not _LEAST <= value < _MOST:
        return _LEAST
    return int(value)


def decode_coded(values: Iterator[Any], protocol: int, count: Count) -> Any:
    """The next value of pairs of a code and a value; ``count`` is told of each error in it.  O(N)."""
    code, value = next(values), next(values)
    if code == PLAIN:
        return decode_plain(value, protocol)
    if code == ARRAY:
        return [decode_coded(values, protocol, count) for _ in range(value)]
    if code == NIL:
        return None
    if code == MAP:
        return OrderedMap(decode_coded(values, protocol, count) for _ in range(2 * value))
    if code == SET:
        return OrderedSet(decode_coded(values, protocol, count) for _ in range(value))
    if code == VERBATIM:
        next(values)
        return Verbatim(next(values), (value + b"   ")[:3])
    if code in (ERROR, COUNTED_ERROR):
        error = CommandError(value.decode("utf-8", "surrogateescape"))
        count(error, code == COUNTED_ERROR)
        return error
    return _SCALARS[code](value)


def _status(text: bytes) -> SimpleString:
    return SimpleString(text.translate(_SPACES))


def _big_number(text: bytes) -> BigNumberText:
    return BigNumberText(text.translate(_SPACES))


_SCALARS: dict[int, Callable[[Any], Any]] = {
    STATUS: _status,
    DOUBLE: float,
    BIG_NUMBER: _big_number,
}
