"""From the value that a command returned to what Lua's ``redis.call`` gets of it.

A script speaks RESP2 until it asks for RESP3 (``redis.setresp``), whatever its client does, so the same value has two
forms, as it has on the wire.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kedis.errors import CommandError
from kedis.resp.entries import Entries
from kedis.resp.values import (
    Attribute,
    BigNumber,
    ByKey,
    NoReply,
    NullArray,
    OrderedMap,
    OrderedSet,
    Pairs,
    Push,
    Raw,
    Replies,
    Scored,
    SimpleString,
    Verbatim,
)
from kedis.scripting.codes import (
    ARRAY,
    BIG_NUMBER,
    CODED,
    DOUBLE,
    ERROR,
    FLAT,
    MAP,
    NIL,
    PLAIN,
    READY,
    SET,
    STATUS,
    VERBATIM,
)

#: Elements that cross one by one; more come as a table.
MOST_VALUES = 2000
#: What an element of a table takes in Lua, beside the bytes of a string, in bytes.
ELEMENT_BYTES = 64

_FLAT_TYPES = frozenset((bytes, int, type(None)))

#: Makes a Lua table of a list.
MakeTable = Callable[[Sequence[Any]], object]


def error_line(error: CommandError) -> bytes:
    """The text of an error as the wire has it."""
    return str(error).encode("utf-8", "surrogateescape")


def size_of(value: Any) -> int:
    """About how many bytes ``value`` takes in Lua.  O(N)."""
    kind = type(value)
    if kind is bytes:
        return len(value) + ELEMENT_BYTES
    if isinstance(value, dict):
        return sum(size_of(key) + size_of(element) for key, element in value.items()) + ELEMENT_BYTES
    if isinstance(value, Scored):
        return size_of(value.members) + ELEMENT_BYTES * len(value)
    if isinstance(value, (list, tuple, set, frozenset, deque, Entries)):
        return sum(map(size_of, value)) + ELEMENT_BYTES
    return ELEMENT_BYTES


def encode_reply(value: Any, protocol: int, make_table: MakeTable) -> Any:
    """``value`` as it crosses the bridge: plain, or a tuple of None, a code and what belongs to it.

    Args:
        value: what a command returned.
        protocol: the script's, 2 or 3.
        make_table: for values that are too long to cross one by one.

    O(N) in the number of elements.
    """
    kind = type(value)
    if kind is bytes or kind is int:
        return value
    if value is None or kind is NullArray:
        return (None, NIL) if protocol == 3 else False
    if kind is SimpleString:
        return (None, STATUS, value.text)
    if kind is list and _FLAT_TYPES.issuperset(map(type, value)):
        elements = value if protocol == 3 else [False if element is None else element for element in value]
        if len(elements) <= MOST_VALUES:
            return (None, FLAT, *elements)
        return (None, READY, make_table(elements))
    if isinstance(value, CommandError):
        return (None, ERROR, error_line(value))
    out: list[Any] = []
    _Coder(protocol, out).put(value)
    if len(out) == 2 and out[0] == PLAIN:
        return out[1]
    return (None, CODED, make_table(out))


class _Coder:
    """Appends values to a list of pairs of a code and a value."""

    def __init__(self, protocol: int, out: list[Any]) -> None:
        self._resp3 = protocol == 3
        self._out = out

    def put(self, value: Any) -> None:
        put = _WRITERS.get(type(value)) or _inherited(type(value))
        put(self, value)

    def pair(self, code: int, value: Any) -> None:
        self._out.append(code)
        self._out.append(value)

    def array(self, elements: Sequence[Any]) -> None:
        self.pair(ARRAY, len(elements))
        for element in elements:
            self.put(element)

    def plain(self, value: Any) -> None:
        self.pair(PLAIN, value)

    def none(self, _value: Any) -> None:
        if self._resp3:
            self.pair(NIL, 0)
        else:
            self.pair(PLAIN, False)

    def boolean(self, value: bool) -> None:
        self.pair(PLAIN, value if self._resp3 else int(value))

    def double(self, value: float) -> None:
        if self._resp3:
            self.pair(DOUBLE, value)
        else:
            self.pair(PLAIN, b"%.17g" % value)

    def big_number(self, value: BigNumber) -> None:
        self.pair(BIG_NUMBER if self._resp3 else PLAIN, b"%d" % value)

    def verbatim(self, value: Verbatim) -> None:
        if self._resp3:
            self.pair(VERBATIM, value.format)
        self.pair(PLAIN, value.text)

    def status(self, value: SimpleString) -> None:
        self.pair(STATUS, value.text)

    def error(self, value: CommandError) -> None:
        self.pair(ERROR, error_line(value))

    def mapping(self, value: dict[Any, Any]) -> None:
        self.pair(MAP if self._resp3 else ARRAY, len(value) * (1 if self._resp3 else 2))
        for key, element in value.items():
            self.put(key)
            self.put(element)

    def elements(self, value: Iterable[Any]) -> None:
        elements = list(value)
        self.pair(SET if self._resp3 else ARRAY, len(elements))
        for element in elements:
            self.put(element)

    def pairs(self, value: Iterable[tuple[Any, Any]]) -> None:
        pairs = list(value)
        self.pair(ARRAY, len(pairs) * (1 if self._resp3 else 2))
        for pair in pairs:
            if self._resp3:
                self.array(pair)
            else:
                self.put(pair[0])
                self.put(pair[1])

    def by_key(self, value: ByKey) -> None:
        if not self._resp3:
            self.array(value)
            return
        self.pair(MAP, len(value))
        for key, element in value:
            self.put(key)
            self.put(element)

    def scored(self, value: Scored) -> None:
        self.pairs(zip(value.members, value.scores, strict=True))

    def raw(self, value: Raw) -> None:
        """A double in the digits that its command has chosen; nothing else is encoded so early."""
        if value.wire[:1] != b",":
            raise TypeError(f"no reply can be made of {value!r}")
        self.double(float(value.wire[1:]))

    def attribute(self, value: Attribute) -> None:
        self.put(value.value)


_WRITERS: dict[type, Callable[[_Coder, Any], None]] = {
    bytes: _Coder.plain,
    int: _Coder.plain,
    bytearray: lambda coder, value: coder.plain(bytes(value)),
    type(None): _Coder.none,
    NullArray: _Coder.none,
    bool: _Coder.boolean,
    float: _Coder.double,
    BigNumber: _Coder.big_number,
    Verbatim: _Coder.verbatim,
    SimpleString: _Coder.status,
    CommandError: _Coder.error,
    list: _Coder.array,
    tuple: _Coder.array,
    deque: lambda coder, value: coder.array(list(value)),
    Push: _Coder.array,
    dict: _Coder.mapping,
    set: _Coder.elements,
    frozenset: _Coder.elements,
    OrderedMap: lambda coder, value: coder.mapping(dict(zip(value[::2], value[1::2], strict=True))),
    OrderedSet: _Coder.elements,
    Pairs: _Coder.pairs,
    Scored: _Coder.scored,
    ByKey: _Coder.by_key,
    Entries: lambda coder, value: coder.array(list(value)),
    Attribute: _Coder.attribute,
    Replies: _Coder.array,
    NoReply: _Coder.none,
    Raw: _Coder.raw,
}


def _inherited(kind: type) -> Callable[[_Coder, Any], None]:
    for base in kind.__mro__[1:]:
        if base in _WRITERS:
            _WRITERS[kind] = _WRITERS[base]
            return _WRITERS[base]
    raise TypeError(f"no reply can be made of {kind.__name__}")
