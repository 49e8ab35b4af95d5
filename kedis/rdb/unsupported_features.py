"""Unsupported content of Redis's snapshots: values of modules.

Their bytes are skipped without being interpreted, so that the rest of the file is read and its checksum compared: only
then is such a file known to be undamaged.
"""

from __future__ import annotations

from collections.abc import Callable

from kedis.rdb.source import RdbError, Source

_MODULE_BEFORE_4, _MODULE = 6, 7
_MODULE_DATA = 0xF7


class Unsupported(RdbError):
    """The bytes are sound, but hold what this version cannot hold.

    Args:
        what: the unsupported content, with its article.
        where: more on its place, such as its key.
    """

    def __init__(self, what: str, offset: int, where: str = "") -> None:
        super().__init__(f"holds {what}, which this version cannot hold,{where}", offset)
        self.what = what


def describe(path: str, error: RdbError) -> str:
    """The message to a user about a file that could not be read because of ``error``."""
    if isinstance(error, Unsupported):
        return f"{path} is not damaged: {error}"
    return f"{path} is damaged or cannot be held: {error}"


def is_passed_over(code: int) -> bool:
    """Whether ``code`` is an unsupported type of value, or an unsupported mark in a snapshot."""
    return code in _SKIPPED


def pass_over(source: Source, code: int) -> str:
    """Skip the value of type ``code``, or the content after the mark ``code``; returns its name, with its article.

    Raises RdbError. O(bytes).
    """
    what, skip = _SKIPPED[code]
    skip(source, code)
    return what


def _skip_numbers(source: Source, count: int) -> None:
    for _ in range(count):
        source.number()


def _skip_module(source: Source, code: int) -> None:
    _skip_numbers(source, 1 if code == _MODULE else 3)  # its id; when to load it, as a tagged integer
    while kind := source.number():
        if kind in (1, 2):
            source.number()
        elif kind in (3, 4):
            source.take(4 if kind == 3 else 8)
        elif kind == 5:
            source.string()
        else:
            raise source.fail(f"an unknown part of a module's value, {kind},")


def _skip_old_module(source: Source, code: int) -> None:
    raise source.fail("a value of a module of Redis before 4.0, whose length nobody can tell,")


_SKIPPED: dict[int, tuple[str, Callable[[Source, int], None]]] = {
    _MODULE_BEFORE_4: ("a module's value", _skip_old_module),
    _MODULE: ("a module's value", _skip_module),
    _MODULE_DATA: ("a module's data", _skip_module),
}
