"""The notation for the arguments of a command, for COMMAND DOCS and the hints of command lines.

::

    key@0 value [condition("NX" | "XX")~2.6.12] [expiration("EX" seconds:int | "KEEPTTL"~6.0.0)]

A name is a string, or what follows the colon (``int``, ``double``, ``pattern``, ``time``); with ``@n`` it is a key,
described by the command's n-th key specification.  A word in quotes is sent as it is; before a name it announces the
value.  ``name(a | b)`` is one of several, ``name{a b}`` all of them, ``[a]`` is optional, ``a...`` may be repeated
(``a...+`` with its word each time).  ``~`` is the version that brought it, ``!`` the one that discouraged it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kedis.resp.values import OrderedSet, SimpleString

_TYPES = {"int": "integer", "double": "double", "pattern": "pattern", "time": "unix-time"}
_LEXEME = re.compile(r'\s*("[^"]*"|\.\.\.\+?|[~!][0-9.]+[0-9]|@\d+|[\[\](){}|=]|[^\s\[\](){}|="@~!.]+)')


@dataclass(slots=True)
class Argument:
    """One argument, in the words of COMMAND DOCS."""

    name: str
    type: str
    token: str | None = None
    key_spec: int | None = None
    since: str | None = None
    deprecated_since: str | None = None
    optional: bool = False
    multiple: bool = False
    multiple_token: bool = False
    arguments: tuple[Argument, ...] = ()

    def document(self) -> dict[bytes, Any]:
        """The argument as COMMAND DOCS gives it."""
        facts: dict[bytes, Any] = {b"name": self.name.encode(), b"type": self.type.encode()}
        if self.key_spec is not None:
            facts[b"key_spec_index"] = self.key_spec
        for name, value in (
            (b"token", self.token),
            (b"since", self.since),
            (b"deprecated_since", self.deprecated_since),
        ):
            if value is not None:
                facts[name] = value.encode()
        flags = [name for name in ("optional", "multiple", "multiple_token") if getattr(self, name)]
        if flags:
            facts[b"flags"] = OrderedSet(SimpleString(name.encode()) for name in flags)
        if self.arguments:
            facts[b"arguments"] = [argument.document() for argument in self.arguments]
        return facts


def parse(text: str) -> tuple[Argument, ...]:
    """The arguments that ``text`` describes.  ValueError when it breaks the rules above."""
    lexemes = _Lexemes(text)
    found = tuple(_sequence(lexemes, ""))
    if lexemes.next:
        raise ValueError(f"{lexemes.next!r} is out of place")
    return found


class _Lexemes:
    """The text's pieces, one at a time; ``next`` is empty at the end."""

    def __init__(self, text: str) -> None:
        self._rest: Iterator[str] = iter([*(match[1] for match in _LEXEME.finditer(text)), ""])
        self.next = next(self._rest)

    def take(self, expected: str = "") -> str:
        """Go on to the next piece; returns the one that was there."""
        taken = self.next
        if not taken or (expected and taken != expected):
            raise ValueError(f"{taken or 'the end'} where {expected or 'more'} should be")
        self.next = next(self._rest)
        return taken


def _sequence(lexemes: _Lexemes, end: str) -> Iterator[Argument]:
    while lexemes.next not in ("", end):
        yield _argument(lexemes)


def _argument(lexemes: _Lexemes) -> Argument:
    if lexemes.next == "[":
        lexemes.take()
        argument = _argument(lexemes)
        argument.optional = True
        lexemes.take("]")
        return argument
    argument = _atom(lexemes)
    if lexemes.next.startswith("..."):
        argument.multiple = True
        argument.multiple_token = lexemes.take() == "...+"
    if lexemes.next.startswith("~"):
        argument.since = lexemes.take()[1:]
    if lexemes.next.startswith("!"):
        argument.deprecated_since = lexemes.take()[1:]
    return argument


def _atom(lexemes: _Lexemes) -> Argument:
    word = lexemes.take()
    token = None
    if word.startswith('"'):
        token = word[1:-1]
        if not re.match(r"\w", lexemes.next):
            return Argument(token.lower(), "pure-token", token)
        word = lexemes.take()
    if not re.match(r"\w", word):
        raise ValueError(f"{word!r} is out of place")
    match lexemes.next:
        case "=":
            lexemes.take()
            return Argument(word, "pure-token", lexemes.take()[1:-1])
        case "(":
            lexemes.take()
            return Argument(word, "oneof", token, arguments=tuple(_choices(lexemes)))
        case "{":
            lexemes.take()
            parts = tuple(_sequence(lexemes, "}"))
            lexemes.take("}")
            return Argument(word, "block", token, arguments=parts)
    name, _, suffix = word.rpartition(":")
    if suffix not in _TYPES:
        name, kind = word, "string"
    else:
        kind = _TYPES[suffix]
    if lexemes.next.startswith("@"):
        return Argument(name, kind if kind == "pattern" else "key", token, int(lexemes.take()[1:]))
    return Argument(name, kind, token)


def _choices(lexemes: _Lexemes) -> Iterator[Argument]:
    yield _argument(lexemes)
    while lexemes.next == "|":
        lexemes.take()
        yield _argument(lexemes)
    lexemes.take(")")
