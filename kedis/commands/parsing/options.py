"""Conversion of arguments to values; raises CommandError with the error text of Redis.

:mod:`kedis.commands.parsing.numbers` has the number formats; this module turns its errors into replies.
"""

from __future__ import annotations

from collections.abc import Sequence

from kedis import errors
from kedis.commands.parsing.numbers import LongDouble, NumberError, parse_float, parse_int, parse_long_double
from kedis.errors import CommandError, client_errors, key_errors


def integer(raw: bytes, message: str = errors.NOT_AN_INTEGER) -> int:
    """A signed 64-bit integer; ``message`` answers anything else."""
    try:
        return parse_int(raw)
    except NumberError:
        raise CommandError(message) from None


def integer_between(raw: bytes, low: int, high: int, message: str) -> int:
    """An integer of ``low`` to ``high``; not a number and out of range are both answered with ``message``."""
    value = integer(raw, message)
    if not low <= value <= high:
        raise CommandError(message)
    return value


def natural(raw: bytes, message: str = errors.NOT_POSITIVE) -> int:
    """An integer of at least 0; not a number and negative are both answered with ``message``."""
    value = integer(raw, message)
    if value < 0:
        raise CommandError(message)
    return value


def double(raw: bytes, message: str = errors.NOT_A_FLOAT) -> float:
    """A float as Redis reads one (inf allowed, nan not)."""
    try:
        return parse_float(raw)
    except NumberError:
        raise CommandError(message) from None


def long_double(raw: bytes, message: str = errors.NOT_A_FLOAT) -> LongDouble:
    """A float in the precision of INCRBYFLOAT (inf allowed, nan not)."""
    try:
        return parse_long_double(raw)
    except NumberError:
        raise CommandError(message) from None


def key_count(argv: Sequence[bytes], position: int, message: str) -> list[bytes]:
    """The keys of ``numkeys key [key …]`` beginning at ``position``.

    A count below 1 is answered with ``message``, one that runs past the arguments is a syntax error.
    """
    count = integer(argv[position], message)
    if count < 1:
        raise CommandError(message)
    keys = list(argv[position + 1 : position + 1 + count])
    if len(keys) < count:
        raise CommandError(errors.SYNTAX)
    return keys


def database_number(raw: bytes, count: int) -> int:
    """The number of one of ``count`` databases."""
    number = integer(raw)
    if not -(2**31) <= number < 2**31:
        raise CommandError(key_errors.NOT_AN_INT32)
    if not 0 <= number < count:
        raise CommandError(client_errors.DB_OUT_OF_RANGE)
    return number
