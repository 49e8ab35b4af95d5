"""Cursor and options of SCAN, SSCAN, HSCAN and ZSCAN.

Options may come in any order and repeat; the last one counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kedis import errors
from kedis.commands.parsing import numbers
from kedis.commands.parsing.options import integer
from kedis.errors import CommandError
from kedis.structures.glob import Matcher, compile_glob

#: How many elements a call aims at when COUNT is not given.
DEFAULT_COUNT = 10


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """``match`` is None when every element is wanted; ``type`` is in lower case, None when not given."""

    match: Matcher | None
    count: int
    type: bytes | None


_DEFAULTS = ScanOptions(None, DEFAULT_COUNT, None)


def parse_cursor(raw: bytes) -> int:
    """The cursor, 0 to 2^64 - 1, as C's ``strtoul`` reads it.  Raises CommandError.  O(len(raw))."""
    try:
        return numbers.parse_cursor(raw)
    except numbers.NumberError:
        raise CommandError(errors.INVALID_CURSOR) from None


def parse_scan(argv: Sequence[bytes], first_option: int, allow_type: bool = False) -> ScanOptions:
    """The options from ``argv[first_option]`` on.

    Args:
        argv: the command.
        first_option: position after the cursor.
        allow_type: whether TYPE is an option (of SCAN only).

    Raises:
        CommandError: an unknown or unfinished option and a COUNT below 1 are syntax errors.

    As in Redis, to be called after the key was looked up: a missing key or a wrong type is answered first.
    """
    if len(argv) == first_option:
        return _DEFAULTS
    pattern = wanted = None
    count = DEFAULT_COUNT
    for position in range(first_option, len(argv), 2):
        option = argv[position].upper()
        if position + 1 == len(argv):
            raise CommandError(errors.SYNTAX)
        value = argv[position + 1]
        if option == b"COUNT":
            count = integer(value)
            if count < 1:
                raise CommandError(errors.SYNTAX)
        elif option == b"MATCH":
            pattern = value
        elif option == b"TYPE" and allow_type:
            wanted = value.lower()
        else:
            raise CommandError(errors.SYNTAX)
    match = None if pattern is None or pattern == b"*" else compile_glob(pattern)
    return ScanOptions(match, count, wanted)
