"""From the arguments of redis-py's ``execute_command`` to a row of the command table and its words.

What redis-py's packer and the request parser would make of them: the name split at spaces, ``str``, ``int`` and
``float`` encoded. Only what is beyond doubt is made; anything else is left to them, whose errors are then redis-py's
and Redis's own: arguments of other types, unknown commands, wrong numbers of words, arguments over the limit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kedis.engine.flags import Flag
from kedis.engine.table import Command, CommandTable
from kedis.errors import CommandError
from kedis.resp.requests import MAX_BULK_LENGTH

#: Spellings of names that are remembered.
_MOST_NAMES = 4096


def _encode_float(value: float) -> bytes:
    return repr(value).encode()


#: By type, as hiredis packs it, beside bytes, str and int. A type that is not here, such as a subclass, is not packed.
ENCODERS: dict[type, Callable[[Any], bytes]] = {
    float: _encode_float,
    bytearray: bytes,
    memoryview: bytes,
}


class Request:
    """A command by the name that a program uses for it.

    Attributes:
        command: the row.
        least, most: number of arguments of ``execute_command``, the name included.
        words: those of the name, of which there may be several: ``OBJECT ENCODING``.
        callback: the key of redis-py's response callback.
    """

    __slots__ = ("callback", "command", "least", "most", "words")

    def __init__(self, command: Command, words: list[bytes], callback: str | bytes) -> None:
        self.command = command
        self.least = command.least - len(words) + 1
        self.most = command.most - len(words) + 1
        self.words = words
        self.callback = callback


#: The request for a name that is left to redis-py: no number of arguments is right.
_NONE = Request(Command(name="", arity=0, flags=0, group="", since="", summary=""), [], "")
_NONE.least, _NONE.most = 1, 0


class Requests(dict[Any, Request]):
    """The commands of one engine that may be called directly, by the names in use.

    Not called directly are commands that act on the connection itself. These are the commands that scripts may not
    call, but for those that run scripts; and those that need a permission.
    """

    def __init__(self, table: CommandTable) -> None:
        super().__init__()
        self._table = table

    def __missing__(self, name: Any) -> Request:
        request = self._find(name)
        if request is not _NONE and len(self) < _MOST_NAMES:
            self[name] = request
        return request

    def _find(self, name: Any) -> Request:
        try:
            if type(name) is str:
                words = name.encode().split()
            elif type(name) is bytes:
                words = name.split() if b" " in name else [name]
            else:
                return _NONE
            command = self._table.find(words) if words else None
        except (CommandError, UnicodeError):
            return _NONE
        if command is None or not is_direct(command):
            return _NONE
        return Request(command, words, name.upper())


class NothingDirect(dict[Any, Request]):
    """Stands in for :class:`Requests` where redis-py has to see every call."""

    def __missing__(self, name: Any) -> Request:
        return _NONE


def pack(request: Request, args: Sequence[Any]) -> list[bytes] | None:
    """The words of a call with the arguments ``args`` of ``execute_command``; None: leave it to redis-py. O(bytes)."""
    if not request.least <= len(args) <= request.most:
        return None
    words = [*request.words]
    try:
        for arg in args[1:]:
            kind = type(arg)
            if kind is str:
                word = arg.encode()
            elif kind is bytes:
                word = arg
            elif kind is int:
                word = b"%d" % arg
            else:
                word = ENCODERS[kind](arg)
            if len(word) > MAX_BULK_LENGTH:
                return None
            words.append(word)
    except (LookupError, TypeError, ValueError):
        return None
    return words


def is_direct(command: Command) -> bool:
    """Whether ``command`` may be called directly."""
    unscripted = command.flags & Flag.NOSCRIPT and command.group != "scripting"
    checked = command.flags & (Flag.NO_MULTI | Flag.NOT_QUEUED) or command.permission is not None
    return not (unscripted or checked or command.subcommands)
