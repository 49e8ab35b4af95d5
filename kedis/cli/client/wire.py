"""A reader of replies that keeps the distinctions a display needs.

A display must tell a simple string from a bulk string and a set from a list, and must print a double with
the digits the server sent; hiredis's Python reader drops all three. This reader is sans-IO (feed bytes,
take values) and knows RESP2 and RESP3. Attributes (`|`) are read and dropped; streamed types are not known,
as no server sends them.

The server may be hostile: numbers are read strictly, and a line, an announced length or count, and the depth of
nesting are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable


class ErrorReply(str):
    """An error answered by the server, without the leading '-'."""

    __slots__ = ()


class Status(str):
    """A simple string such as OK."""

    __slots__ = ()


class Double(float):
    """A RESP3 double that remembers the digits the server wrote."""

    text: str

    def __new__(cls, text: str) -> Double:
        value = super().__new__(cls, text)
        value.text = text
        return value


class Verbatim(bytes):
    """A RESP3 verbatim string, without its three-letter format."""


class BigNumber(str):
    """A RESP3 big number, as its digits."""

    __slots__ = ()


class Members(list[object]):
    """A RESP3 set, in the order in which the server sent it."""


class Pairs(list[tuple[object, object]]):
    """A RESP3 map, in the order in which the server sent it; keys may be of any type."""


class Push(list[object]):
    """An out-of-band RESP3 message (pub/sub, tracking)."""


class ProtocolMismatch(Exception):
    """The peer does not speak the Redis protocol, or exceeds the limits; str() is a predicate without subject."""


#: Limits: bytes of a string (Redis holds 512 MB), elements of an aggregate, and levels of nesting.
LONGEST_STRING = 1 << 30
MOST_ELEMENTS = 1 << 28
DEEPEST = 1024

_END = b"\r\n"
_LINE_LIMIT = 65_536
_INTEGER = re.compile(rb"[+-]?[0-9]{1,19}")
_BIG_NUMBER = re.compile(rb"[+-]?[0-9]+")
_DOUBLE = re.compile(rb"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf|nan)", re.IGNORECASE)


class _Open:
    """An incomplete aggregate."""

    __slots__ = ("elements", "kind", "missing")

    def __init__(self, kind: bytes, missing: int) -> None:
        self.kind = kind
        self.missing = missing
        self.elements: list[object] = []


class ReplyReader:
    """Bytes in, replies out; each byte is looked at once (a blob's header twice), however the bytes arrive."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0
        self._wanted = 0
        self._open: list[_Open] = []

    def feed(self, data: bytes) -> None:
        """Append bytes that were received."""
        if self._at:
            del self._buffer[: self._at]
            self._wanted -= self._at
            self._at = 0
        self._buffer += data

    def take(self) -> tuple[bool, object]:
        """The next reply as `(True, reply)`, or `(False, None)` when it is not complete.

        Raises ProtocolMismatch when the bytes cannot be a reply.
        """
        while self._at < len(self._buffer) and len(self._buffer) >= self._wanted:
            complete, value = self._element()
            if not complete:
                continue
            while self._open:
                frame = self._open[-1]
                frame.elements.append(value)
                frame.missing -= 1
                if frame.missing:
                    break
                self._open.pop()
                if frame.kind == b"|":
                    break
                value = _AGGREGATES[frame.kind](frame.elements)
            else:
                return True, value
        return False, None

    def _element(self) -> tuple[bool, object]:
        """One step: `(True, value)` for a whole value, else `(False, None)` having opened or awaited one."""
        end = self._buffer.find(_END, self._at)
        kind = bytes(self._buffer[self._at : self._at + 1])
        if kind not in _KINDS or (end < 0 and len(self._buffer) - self._at > _LINE_LIMIT):
            raise ProtocolMismatch(self._seen())
        if end < 0:
            self._wanted = len(self._buffer) + 1
            return False, None
        text = bytes(self._buffer[self._at + 1 : end])
        try:
            if kind in _SIMPLE:
                self._at = end + 2
                return True, _SIMPLE[kind](text)
            if kind in _BLOBS:
                return self._blob(kind, _integer(text), end + 2)
            return self._aggregate(kind, _integer(text), end + 2)
        except ValueError:
            raise ProtocolMismatch(self._seen()) from None

    def _blob(self, kind: bytes, length: int, start: int) -> tuple[bool, object]:
        if length < 0:
            self._at = start
            return True, None
        if length > LONGEST_STRING:
            raise ProtocolMismatch(
                f"announced a string of {length} bytes; kedis-cli reads up to {LONGEST_STRING}"
            )
        end = start + length
        if len(self._buffer) < end + 2:
            self._wanted = end + 2
            return False, None
        self._at = end + 2
        return True, _BLOBS[kind](bytes(self._buffer[start:end]))

    def _aggregate(self, kind: bytes, count: int, start: int) -> tuple[bool, object]:
        self._at = start
        if count < 0:
            return True, None
        if kind == b"|" and not count:
            return False, None
        if count > MOST_ELEMENTS:
            raise ProtocolMismatch(f"announced {count} elements; kedis-cli reads up to {MOST_ELEMENTS}")
        if len(self._open) == DEEPEST:
            raise ProtocolMismatch(f"sent a reply nested more than {DEEPEST} levels deep")
        missing = count * 2 if kind in (b"%", b"|") else count
        if not missing:
            return True, _AGGREGATES[kind]([])
        self._open.append(_Open(kind, missing))
        return False, None

    def _seen(self) -> str:
        seen = repr(bytes(self._buffer[self._at : self._at + 40]).split(b"\n")[0].rstrip())[1:]
        return f"does not speak the Redis protocol: it sent {seen}"


def _integer(text: bytes) -> int:
    """A number of 64 bits. Raises ValueError."""
    value = int(text) if _INTEGER.fullmatch(text) else 1 << 63
    if not -(1 << 63) <= value < 1 << 63:
        raise ValueError
    return value


def _double(text: bytes) -> Double:
    if not _DOUBLE.fullmatch(text):
        raise ValueError
    return Double(text.decode("ascii"))


def _big_number(text: bytes) -> BigNumber:
    if not _BIG_NUMBER.fullmatch(text):
        raise ValueError
    return BigNumber(text.decode("ascii"))


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


_SIMPLE: dict[bytes, Callable[[bytes], object]] = {
    b"+": lambda text: Status(_text(text)),
    b"-": lambda text: ErrorReply(_text(text)),
    b":": _integer,
    b"_": lambda text: None,
    b",": _double,
    b"#": lambda text: text == b"t",
    b"(": _big_number,
}
_BLOBS: dict[bytes, Callable[[bytes], object]] = {
    b"$": bytes,
    b"!": lambda blob: ErrorReply(_text(blob)),
    b"=": lambda blob: Verbatim(blob[4:]),
}
_AGGREGATES: dict[bytes, Callable[[list[object]], object]] = {
    b"*": list,
    b"~": Members,
    b">": Push,
    b"%": lambda elements: Pairs(zip(elements[::2], elements[1::2], strict=True)),
}
_KINDS = {*_SIMPLE, *_BLOBS, *_AGGREGATES, b"|"}
