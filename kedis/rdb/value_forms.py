"""Whole values: written in the plainest form, read in every form that Redis has written since 1.2, up to 8.2.

==  ===============================  ==  ====================================================
 0  string                           11  set as an intset
 1  list                             12  sorted set as a ziplist, members and scores
 2  set                              13  hash as a ziplist, fields and values
 3  sorted set, scores as text       14  list of ziplists
 4  hash                             16  hash as a listpack
 5  sorted set, scores as doubles    17  sorted set as a listpack
 9  hash as a zipmap                 18  list of listpacks, and of single large elements
10  list as a ziplist                20  set as a listpack
==  ===============================  ==  ====================================================

The forms 0, 1, 2, 4 and 5 are written here, the flat ones by :mod:`kedis.rdb.flat`. At the end of this module the form
of every type is registered (:func:`register`). Streams: :mod:`kedis.rdb.stream_forms`; hashes of which fields have a
time to live: :mod:`kedis.rdb.expiring_fields`.
"""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

from kedis.rdb.compact import read_intset, read_listpack, read_ziplist, read_zipmap
from kedis.rdb.expiring_fields import FLAT_EXPIRING_FIELDS
from kedis.rdb.expiring_fields import readers as expiring_fields_readers
from kedis.rdb.source import (
    CHECK_FAILED,
    RdbError,
    Source,
    encode_length,
    encode_strings,
    encode_text,
)
from kedis.rdb.stream_forms import STREAM_7, STREAM_FORMS, encode_stream, read_stream
from kedis.rdb.unsupported_features import Unsupported, is_passed_over, pass_over
from kedis.store.types import Value, check_registered, type_of, type_of_class
from kedis.structures.packed import Hash, List, Set, SortedSet
from kedis.structures.packing import Thresholds
from kedis.structures.stream import Stream

_STRING, _LIST, _SET, _HASH, _SORTED_SET = 0, 1, 2, 4, 5
#: Elements that are encoded together, and the bytes from which a string stands alone.
_PART = 4096
_PACK_DOUBLE = struct.Struct("<d").pack
_PLAIN, _PACKED = 1, 2
#: The thresholds of each type of container.
Packing = Mapping[type, Thresholds]

# -- writing ----------------------------------------------------------------------------------------------


def encode_value(value: Value, compressed: bool = False) -> tuple[int, bytes]:
    """The type number, and the bytes. O(N)."""
    return type_of(value).rdb.encode(value, compressed)


def encode_parts(value: Value) -> tuple[int, list[bytes]]:
    """As :func:`encode_value`, without compression and in parts that fit into the processor's cache.

    O(N), 60 ns an element; a long string is a part of its own.
    """
    return type_of(value).rdb.encode_parts(value)


Reader = Callable[[Source], Any]


class Form:
    """The form in which values of a type are written and read (:class:`kedis.store.types.RdbForm`).

    Args:
        code: the number of the written form.
        texts: the strings of a value, in the order in which they are written.
        readers: the reader of each form by its number.
        flat: the numbers of the forms whose bytes Redis keeps as they are.
    """

    def __init__(
        self,
        code: int,
        texts: Callable[[Any], Iterable[bytes]],
        readers: Mapping[int, Reader],
        flat: Iterable[int] = (),
    ) -> None:
        self.code = code
        self.readers = readers
        self.flat = frozenset(flat)
        self._texts = texts

    def encode(self, value: Any, compressed: bool) -> tuple[int, bytes]:
        if compressed:
            texts = [encode_text(text, True) for text in self._texts(value)]
            return self.code, encode_length(len(value)) + b"".join(texts)
        code, parts = self.encode_parts(value)
        return code, b"".join(parts)

    def encode_parts(self, value: Any) -> tuple[int, list[bytes]]:
        return self.code, [encode_length(len(value)), *_in_parts(list(self._texts(value)))]


class _StringForm(Form):
    def encode(self, value: bytes | bytearray, compressed: bool) -> tuple[int, bytes]:
        return self.code, encode_text(bytes(value), compressed)

    def encode_parts(self, value: bytes | bytearray) -> tuple[int, list[bytes]]:
        text = bytes(value)
        return self.code, [encode_text(text)] if len(text) < _PART else [encode_length(len(text)), text]


class _SortedSetForm(Form):
    def encode(self, value: SortedSet, compressed: bool) -> tuple[int, bytes]:
        code, parts = self.encode_parts(value)
        return code, b"".join(parts)

    def encode_parts(self, value: SortedSet) -> tuple[int, list[bytes]]:
        # From the highest down: Redis inserts each in front of the others, which is fast.
        members, scores = value.columns(0, len(value), reverse=True)
        return self.code, [encode_length(len(value)), *_in_parts(members, scores)]


class _StreamForm(Form):
    def encode(self, value: Stream, compressed: bool) -> tuple[int, bytes]:
        return self.code, b"".join(encode_stream(value, compressed))

    def encode_parts(self, value: Stream) -> tuple[int, list[bytes]]:
        return self.code, list(encode_stream(value, False))


def _in_parts(texts: list[bytes], scores: array[float] | None = None) -> Iterator[bytes]:
    """Strings, each followed by its double if there are scores."""
    for start in range(0, len(texts), _PART):
        run = texts[start : start + _PART]
        encoded = encode_strings(run)
        if scores is not None:
            both = [b""] * (2 * len(run))
            both[::2] = encoded
            both[1::2] = map(_PACK_DOUBLE, scores[start : start + _PART])
            encoded = both
        yield b"".join(encoded)


# -- reading ----------------------------------------------------------------------------------------------


def decode_value(source: Source, kind: int, packing: Packing | None = None) -> Value | None:
    """Read the next value, of type ``kind``; None for a container without elements.

    With ``packing``, the thresholds of each type, a container is packed as in Redis: only by the number of its
    entries if it was written in a flat representation. Raises RdbError for any invalid bytes, Unsupported for a
    value that this version cannot hold. O(N).
    """
    found = _READERS.get(kind)
    if found is None:
        if is_passed_over(kind):
            raise Unsupported(pass_over(source, kind), source.offset)
        raise source.fail(f"the unknown type {kind}")
    reader, has_packing, is_flat = found
    try:
        value: Any = reader(source)
    except Unsupported as error:
        if error.remainder is not None and packing is not None:
            error.remainder.choose(packing[type(error.remainder)], by_entries_alone=is_flat)
        raise
    if kind == _STRING:
        return value  # type: ignore[no-any-return]
    if not value:
        return None
    if has_packing and packing is not None:
        value.choose(packing[type(value)], by_entries_alone=is_flat)
    return value  # type: ignore[no-any-return]


def is_value_type(kind: int) -> bool:
    """Whether ``kind`` is a type of value that can be read."""
    return kind in _READERS


def _read_list(source: Source) -> List:
    return List(source.strings(source.length()))


def _read_set(source: Source) -> Set:
    return _set(source, source.strings(source.length()))


def _set(source: Source, members: Sequence[bytes]) -> Set:
    value = Set(members)
    if len(value) != len(members):
        raise source.fail("a member twice")
    return value


def _read_hash(source: Source) -> Hash:
    return _hash(source, source.strings(2 * source.length()))


def _hash(source: Source, texts: Sequence[bytes]) -> Hash:
    if len(texts) % 2:
        raise source.fail("a field without a value")
    value = Hash(zip(texts[::2], texts[1::2], strict=True))
    if 2 * len(value) != len(texts):
        raise source.fail("a field twice")
    return value


def _read_sorted_set(source: Source) -> SortedSet:
    count = source.length()
    string, take = source.string, source.take
    members: list[bytes] = []
    raw: list[bytes] = []
    for _ in range(count):
        members.append(string())
        raw.append(take(8))
    return _sorted_set(source, members, struct.unpack(f"<{count}d", b"".join(raw)))


def _read_old_sorted_set(source: Source) -> SortedSet:
    members, scores = [], []
    for _ in range(source.length()):
        members.append(source.string())
        scores.append(_old_double(source))
    return _sorted_set(source, members, scores)


def _old_double(source: Source) -> float:
    length = source.byte()
    if length >= 253:
        return (math.nan, math.inf, -math.inf)[length - 253]
    return _double(source, source.take(length))


def _double(source: Source, text: bytes) -> float:
    try:
        if b"_" not in text:  # which float() would accept
            return float(text)
    except ValueError:
        pass
    raise source.fail("a score that is not a number")


def _sorted_set(source: Source, members: Sequence[bytes], scores: Iterable[float]) -> SortedSet:
    found = dict(zip(members, (score + 0.0 for score in scores), strict=True))  # -0 becomes 0
    if len(found) != len(members):
        raise source.fail("a member twice")
    if any(score != score for score in found.values()):
        raise source.fail("a score that is not a number")
    return SortedSet.from_scores(found)


def _pairs_to_sorted_set(source: Source, texts: Sequence[bytes]) -> SortedSet:
    if len(texts) % 2:
        raise source.fail("a member without a score")
    return _sorted_set(source, texts[::2], [_double(source, text) for text in texts[1::2]])


def _read_quicklist(source: Source) -> List:
    elements: list[bytes] = []
    for _ in range(source.length()):
        elements += _inside(source, read_ziplist, "Ziplist")
    return List(elements)


def _read_quicklist_2(source: Source) -> List:
    elements: list[bytes] = []
    for _ in range(source.length()):
        container = source.number()
        if container == _PLAIN:
            element = source.string()
            if not element:  # only elements that are too large for a listpack stand alone
                raise source.fail("a part of a list without bytes")
            elements.append(element)
        elif container == _PACKED:
            elements += _inside(source, read_listpack, "Listpack")
        else:
            raise source.fail(f"an unknown part of a list, {container},")
    return List(elements)


def _inside(source: Source, read: Callable[[bytes], list[bytes]], name: str) -> list[bytes]:
    """The elements in the next flat representation; offsets in errors are those of the whole.

    ``name`` is that of the type and the form in Redis's logs, such as ``Zset ziplist``.
    """
    begin = source.offset
    raw = source.string()
    try:
        return read(raw)
    except RdbError as error:
        raise RdbError(f"{name} {CHECK_FAILED}: {error.reason} (in {len(raw)} bytes)", begin) from None


#: Form number -> its reader, whether the type has a packed representation, and whether the form is flat.
_READERS: dict[int, tuple[Reader, bool, bool]] = {}


def register(kind: type, form: Form) -> None:
    """Register ``form`` for the values of class ``kind``."""
    row = type_of_class(kind)
    row.rdb = form
    for code, reader in form.readers.items():
        assert code not in _READERS, f"form {code} has a reader"
        _READERS[code] = reader, row.packing is not None, code in form.flat


def unregister(form: Form) -> None:
    """Undo :func:`register`."""
    for code in form.readers:
        del _READERS[code]


register(bytes, _StringForm(_STRING, lambda value: (value,), {_STRING: Source.string}))
register(
    List,
    Form(
        _LIST,
        lambda value: value,
        {
            _LIST: _read_list,
            10: lambda source: List(_inside(source, read_ziplist, "List ziplist")),
            14: _read_quicklist,
            18: _read_quicklist_2,
        },
    ),
)
register(
    Set,
    Form(
        _SET,
        lambda value: value,
        {
            _SET: _read_set,
            11: lambda source: _set(source, _inside(source, read_intset, "Intset")),
            20: lambda source: _set(source, _inside(source, read_listpack, "Set listpack")),
        },
        flat=[11],
    ),
)
register(
    Hash,
    Form(
        _HASH,
        lambda value: chain.from_iterable(value.items()),
        {
            _HASH: _read_hash,
            9: lambda source: _hash(source, _inside(source, read_zipmap, "Zipmap")),  # which Redis converts
            13: lambda source: _hash(source, _inside(source, read_ziplist, "Hash ziplist")),
            16: lambda source: _hash(source, _inside(source, read_listpack, "Hash listpack")),
            **expiring_fields_readers(_hash),
        },
        flat=[13, 16, *FLAT_EXPIRING_FIELDS],
    ),
)
register(
    SortedSet,
    _SortedSetForm(
        _SORTED_SET,
        lambda value: value,
        {
            3: _read_old_sorted_set,
            _SORTED_SET: _read_sorted_set,
            12: lambda source: _pairs_to_sorted_set(source, _inside(source, read_ziplist, "Zset ziplist")),
            17: lambda source: _pairs_to_sorted_set(source, _inside(source, read_listpack, "Zset listpack")),
        },
        flat=[12, 17],
    ),
)
register(
    Stream,
    _StreamForm(STREAM_7, lambda value: (), {code: partial(read_stream, form=code) for code in STREAM_FORMS}),
)
check_registered("rdb")
