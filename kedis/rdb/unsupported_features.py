"""Unsupported content of snapshots and payloads: values of modules, times to live of fields.

The values of modules are skipped without being interpreted, so that the rest of the file is read and its checksum
compared: only then is such a file known to be undamaged. Of a hash with such fields the others can be kept
(:mod:`kedis.rdb.expiring_fields`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from kedis.rdb.source import RdbError, Source

_MODULE_BEFORE_4, _MODULE = 6, 7
_MODULE_DATA = 0xF7
_MODULE_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


#: The end of a message that a user reads who could start the server otherwise.
REMEDY = " (to leave such out: --unsupported-data drop)"


WRONG_CHECKSUM = "a wrong checksum"


class Unsupported(RdbError):
    """The bytes are sound, but hold what this version cannot hold.

    Args:
        what: the unsupported content, with its article.
        where: more on its place, such as its key.
        count: how many there are.
        remainder: the value without them; None where nothing is left.
    """

    def __init__(
        self, what: str, offset: int, where: str = "", *, count: int = 1, remainder: Any = None
    ) -> None:
        super().__init__(f"holds {what}, which this version cannot hold,{where}", offset)
        self.what = what
        self.count = count
        self.remainder = remainder


class LaterVersion(RdbError):
    """The bytes are of a version of the format that is not read."""


def describe(path: str, error: RdbError) -> str:
    """The message to a user about a file that could not be read because of ``error``."""
    if isinstance(error, Unsupported):
        return f"{path} is not damaged: {error}{REMEDY}"
    if isinstance(error, LaterVersion):
        return f"{path} is of a later server: {error}"
    if error.reason == WRONG_CHECKSUM:
        return f"{path} is damaged: {error} (RDB CRC error)"
    return f"{path} is damaged or cannot be held: {error}"


def listed(left_out: Counter[str]) -> str:
    """What has been left out, for the log."""
    return ", ".join(f"{what} ({count} times)" if count > 1 else what for what, count in left_out.items())


def is_passed_over(code: int) -> bool:
    """Whether ``code`` is an unsupported type of value, or an unsupported mark in a snapshot."""
    return code in _SKIPPED


def pass_over(source: Source, code: int) -> str:
    """Skip the value of type ``code``, or the content after the mark ``code``; returns its name, with its article.

    Raises RdbError. O(bytes).
    """
    return _SKIPPED[code](source)


def _skip_numbers(source: Source, count: int) -> None:
    for _ in range(count):
        source.number()


def _skip_module_value(source: Source) -> str:
    name = _module_name(source.number())
    _skip_module_parts(source)
    return f"a value of the module {name!r}"


def _skip_module_data(source: Source) -> str:
    name = _module_name(source.number())
    _skip_numbers(source, 2)  # when to load it, as a tagged integer
    _skip_module_parts(source)
    return f"data of the module {name!r}"


def _module_name(number: int) -> str:
    """The name of a module's type: nine characters of six bits, above the ten of its version."""
    return "".join(_MODULE_CHARACTERS[number >> shift & 63] for shift in range(58, 9, -6))


def _skip_module_parts(source: Source) -> None:
    while kind := source.number():
        if kind in (1, 2):
            source.number()
        elif kind in (3, 4):
            source.take(4 if kind == 3 else 8)
        elif kind == 5:
            source.string()
        else:
            raise source.fail(f"an unknown part of a module's value, {kind},")


def _skip_old_module(source: Source) -> str:
    raise source.fail("a value of a module of Redis before 4.0, whose length nobody can tell,")


_SKIPPED: dict[int, Callable[[Source], str]] = {
    _MODULE_BEFORE_4: _skip_old_module,
    _MODULE: _skip_module_value,
    _MODULE_DATA: _skip_module_data,
}
