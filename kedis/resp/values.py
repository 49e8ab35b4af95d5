"""Types of replies beside plain Python values.

A command returns plain Python where that is unambiguous: ``bytes``, ``int``, ``float``, ``bool``, ``None``,
``list``, ``dict``, ``set``.  The types here are for the replies that plain Python cannot tell apart, such
as a status from a string.  They know nothing of clients; ``kedis.resp.replies`` turns them into bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final


class SimpleString:
    """A status such as ``+OK``: short, constant text without CR or LF.

    ``wire`` is the encoded line, made once, since a handful of statuses answer most of the writes.
    """

    __slots__ = ("text", "wire")

    def __init__(self, text: bytes):
        if b"\r" in text or b"\n" in text:
            raise ValueError("a simple string is a single line")
        self.text = text
        self.wire = b"+%b\r\n" % text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SimpleString) and other.text == self.text

    def __hash__(self) -> int:
        return hash((SimpleString, self.text))

    def __repr__(self) -> str:
        return f"SimpleString({self.text!r})"


OK: Final = SimpleString(b"OK")
PONG: Final = SimpleString(b"PONG")
QUEUED: Final = SimpleString(b"QUEUED")


class NullArray:
    """The type of ``NULL_ARRAY``: no list, where ``None`` is no string.  Only RESP2 can tell them apart."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NULL_ARRAY"


class NoReply:
    """The type of ``NO_REPLY``: the command is not answered, or has answered already."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NO_REPLY"


NULL_ARRAY: Final = NullArray()
NO_REPLY: Final = NoReply()


class Raw:
    """Bytes in wire format already, copied through as they are."""

    __slots__ = ("wire",)

    def __init__(self, wire: bytes):
        self.wire = wire

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Raw) and other.wire == self.wire

    def __hash__(self) -> int:
        return hash((Raw, self.wire))

    def __repr__(self) -> str:
        return f"Raw({self.wire!r})"


class Verbatim:
    """A verbatim string, with its format (RESP3 ``=``; RESP2 a bulk string).

    Args:
        text: the content.
        format: three bytes, ``txt`` or ``mkd``.
    """

    __slots__ = ("format", "text")

    def __init__(self, text: bytes, format: bytes = b"txt"):
        if len(format) != 3:
            raise ValueError("the format of a verbatim string is three bytes")
        self.text = text
        self.format = format

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Verbatim) and (other.text, other.format) == (self.text, self.format)

    def __hash__(self) -> int:
        return hash((Verbatim, self.text, self.format))

    def __repr__(self) -> str:
        return f"Verbatim({self.text!r}, {self.format!r})"


class BigNumber(int):
    """An integer of any size (RESP3 ``(``; RESP2 a bulk string)."""


class BigNumberText(bytes):
    """What a script says is a big number, whatever it is: one line, sent like a :class:`BigNumber`."""


class Pairs(list[tuple[Any, Any]]):
    """A list of (a, b) tuples: RESP2 prints it flat, RESP3 as an array of arrays of two.

    HRANDFIELD WITHVALUES and the WITHSCORES of the sorted sets answer in this shape.
    """


class Scored:
    """Members with scores, printed like `Pairs` of them; a million pairs would cost 64 MB and 0.1 s.

    Args:
        members: in the order of the reply.
        scores: the score of each, as many.
    """

    __slots__ = ("members", "scores")

    def __init__(self, members: Sequence[bytes], scores: Sequence[float]):
        self.members = members
        self.scores = scores

    def __len__(self) -> int:
        return len(self.members)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Scored)
            and list(other.members) == list(self.members)
            and list(other.scores) == list(self.scores)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Scored({list(zip(self.members, self.scores, strict=True))!r})"


class ByKey(list[tuple[bytes, Any]]):
    """A list of (key, value) tuples: RESP2 prints it as arrays of two, RESP3 as a map, in which a key may come twice.

    XREAD answers in this shape.
    """


class OrderedSet(list[Any]):
    """A set that is sent in this order, and whose elements need no hash (RESP3 ``~``; RESP2 an array)."""


class OrderedMap(list[Any]):
    """A map as keys and values in turn, sent in this order; its keys need no hash (RESP3 ``%``; RESP2 an array)."""


class Replies(list[Any]):
    """The replies to the commands of a transaction: an array, whose elements are encoded like replies of their own."""


class Push(list[Any]):
    """A push message, such as one of pub/sub (RESP3 ``>``; RESP2 an ordinary array)."""


class Attribute:
    """A reply with attributes before it, which RESP3 prints as ``|`` and RESP2 leaves out.

    Args:
        attributes: name to value.
        value: the reply itself.
    """

    __slots__ = ("attributes", "value")

    def __init__(self, attributes: dict[Any, Any], value: Any):
        self.attributes = attributes
        self.value = value


def flat_pairs(pairs: Iterable[tuple[Any, Any]]) -> list[Any]:
    """The (a, b) tuples as one list ``[a, b, a, b, ...]``; O(N)."""
    return [part for pair in pairs for part in pair]
