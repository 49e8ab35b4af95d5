"""From the values that commands return to the Python objects that a client library makes of their encoding.

The table of a client that reads no bytes: ``python_replies(...)[type(value)](value)`` is what redis-py, with hiredis
as its parser, makes of the bytes that :mod:`kedis.resp.replies` makes of ``value``. The types are the same as there,
and so are the rows:

=================  ==============================  ==============================
value              RESP2                           RESP3
=================  ==============================  ==============================
SimpleString       bytes                           same
CommandError       an exception                    same
int                int                             same
bytes, bytearray   bytes                           same
float              bytes, as the score is printed  float
bool               1 or 0                          bool
None, NULL_ARRAY   None                            same
list, tuple        list                            same
dict               list, flat                      dict
set, OrderedSet    list                            same, since the parser makes lists of sets
Pairs, Scored      list, flat                      list of lists of two
ByKey              list of lists of two            dict
Verbatim           bytes                           same
BigNumber          bytes                           same
BigNumberText      bytes                           same
Entries            list of [id, [field, value…]]   same
=================  ==============================  ==============================

Where the client decodes replies, ``str`` stands for bytes. Containers are copied, so that no later command changes a
reply. Values that go through the encoder and the parser after all raise NotConvertible: Raw, which is encoded already;
Push and Attribute, which the parser treats as messages of their own; a map in which a key comes twice; and types that
are not in the table.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any

from kedis.errors import CommandError
from kedis.resp.entries import Entries
from kedis.resp.replies import encode_error_line, format_double
from kedis.resp.values import (
    Attribute,
    BigNumber,
    BigNumberText,
    ByKey,
    NoReply,
    NullArray,
    OrderedSet,
    Pairs,
    Push,
    Raw,
    Replies,
    Scored,
    SimpleString,
    Verbatim,
    flat_pairs,
)

Converter = Callable[[Any], Any]
#: Makes the exception of the text of an error reply.
MakeError = Callable[[str], Exception]


class NotConvertible(Exception):
    """The value has no direct form: encode it, and have the client parse that."""


class PythonReplies(dict[type, Converter]):
    """The converters of one protocol by type; an unknown type takes the converter of its nearest base.

    Attributes:
        unchanged: the types of the values that are their own replies.
    """

    def __init__(self, converters: Mapping[type, Converter]) -> None:
        super().__init__(converters)
        self.unchanged = frozenset(cls for cls, convert in converters.items() if convert is _same)

    def __missing__(self, cls: type) -> Converter:
        for base in cls.__mro__[1:]:
            if base in self:
                self[cls] = self[base]
                return self[base]
        raise NotConvertible(cls.__name__)


@lru_cache(maxsize=64)
def python_replies(
    protocol: int, make_error: MakeError, encoding: str | None = None, errors: str = "strict"
) -> PythonReplies:
    """The table for a client.

    Args:
        protocol: of RESP, 2 or 3.
        make_error: makes the exception for an error reply; it is an element of the reply where the error is one.
        encoding, errors: how strings are decoded, as ``bytes.decode`` takes them; None: they stay bytes.

    A converter raises UnicodeDecodeError like the parser, and TypeError for a map with a key that cannot be hashed.
    O(N) in the number of elements.
    """
    text = _text_converter(encoding, errors)
    if encoding is None:
        # Most elements are bytes, which are looked at in 30 ns and converted in 60.
        def convert_list(value: Iterable[Any]) -> list[Any]:
            return [each if type(each) is bytes else table[type(each)](each) for each in value]
    else:

        def convert_list(value: Iterable[Any]) -> list[Any]:
            return [table[type(each)](each) for each in value]

    table = PythonReplies(
        {
            **_scalars(text),
            CommandError: lambda value: make_error(_error_text(value)),
            **dict.fromkeys((list, tuple, deque, set, frozenset, OrderedSet, Replies, Entries), convert_list),
            **dict.fromkeys((Raw, Push, Attribute, NoReply), _refuse),
            **(_typed(convert_list, text) if protocol == 3 else _flat(convert_list, text)),
        }
    )
    return table


def _text_converter(encoding: str | None, errors: str) -> Converter:
    if encoding is None:
        return _same
    return lambda value: value.decode(encoding, errors)


def _scalars(text: Converter) -> dict[type, Converter]:
    """The types that are the same in both protocols."""
    get_text: Converter = attrgetter("text")

    def decode_text(value: SimpleString | Verbatim) -> Any:
        return text(value.text)

    text_of = get_text if text is _same else decode_text
    return {
        bytes: text,
        bytearray: lambda value: text(bytes(value)),
        int: _same,
        type(None): _same,
        NullArray: lambda value: None,
        SimpleString: text_of,
        Verbatim: text_of,
        BigNumber: lambda value: text(b"%d" % value),
        BigNumberText: lambda value: text(bytes(value)),
    }


def _flat(convert_list: Converter, text: Converter) -> dict[type, Converter]:
    """The types that RESP2 does not have."""

    def convert_scored(value: Scored) -> list[Any]:
        flat: list[Any] = [None] * (2 * len(value))
        flat[::2] = map(text, value.members)
        flat[1::2] = [text(format_double(score)) for score in value.scores]
        return flat

    return {
        float: lambda value: text(format_double(value)),
        bool: int,
        dict: lambda value: convert_list(flat_pairs(value.items())),
        Pairs: lambda value: convert_list(flat_pairs(value)),
        Scored: convert_scored,
    }


def _typed(convert_list: Converter, text: Converter) -> dict[type, Converter]:
    """The same types in RESP3."""

    def convert_map(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
        flat = convert_list(flat_pairs(pairs))
        made = dict(zip(flat[::2], flat[1::2], strict=True))
        if 2 * len(made) != len(flat):  # of which hiredis-py 3.5 makes something else inside a list
            raise NotConvertible("a map with a key twice")
        return made

    return {
        float: _same,
        bool: _same,
        dict: lambda value: convert_map(value.items()),
        Pairs: lambda value: [convert_list(pair) for pair in value],
        ByKey: convert_map,
        Scored: lambda value: list(map(list, zip(map(text, value.members), value.scores, strict=True))),
    }


def _same(value: Any) -> Any:
    return value


def _refuse(value: Any) -> Any:
    raise NotConvertible(type(value).__name__)


def _error_text(value: CommandError) -> str:
    """The text of an error as the parser decodes it."""
    return encode_error_line(value).decode("utf-8", "replace")
