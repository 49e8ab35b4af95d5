"""Writer of small containers for DUMP, in the flat form that Redis keeps them in: byte for byte as Redis dumps them.

The forms are described in :mod:`kedis.rdb.compact`, which reads them; this module writes listpacks and intsets. A
container has a flat form while it is packed, as OBJECT ENCODING shows.

Simplified: a list that does not fit into one node of Redis's list is written element by element. Its distribution
over nodes in Redis depends on its history. The plain form is also written four times as fast, so snapshots use only
that.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from itertools import chain

from kedis.config import Config
from kedis.rdb.compact import UNKNOWN_COUNT, back_length
from kedis.rdb.source import encode_length, encode_string
from kedis.store.types import Value, check_registered, type_of, type_of_class
from kedis.structures.packed import Hash, List, Set, SortedSet
from kedis.structures.packing import is_integer
from kedis.structures.stream import Stream

_INTSET, _HASH, _SORTED_SET, _LIST = 11, 16, 17, 18
_PACKED = 2
#: Maximum bytes of a node where the setting counts elements.
_NODE_BYTES = 8192
#: Bytes of a node for a negative setting N are the first, times two to the power of -N; -5 is the last.
_SIZE_CLASS, _LAST_CLASS = 2048, 5
#: Whole scores up to here are written as integers.
_WHOLE_SCORE_MAX = 2.0**62
_SHORT_INTEGER, _SHORT_TEXT, _MIDDLE_TEXT = 1 << 7, 1 << 6, 1 << 12
_PACK_COUNTS = struct.Struct("<IH").pack
_PACK_INTSET = struct.Struct("<II").pack


def encode_flat(value: Value, config: Config) -> tuple[int, bytes] | None:
    """The type number, and the bytes; None where Redis would not keep ``value`` in one flat piece.

    O(the thresholds).
    """
    row = type_of(value)
    writer = row.flat.get(row.encoding(value))
    return None if writer is None else writer(value, config)


def _list(value: List, config: Config) -> tuple[int, bytes] | None:
    if not _fits_a_node(value, config.list_max_listpack_size):
        return None
    packed = value.words()
    flat = write_listpack(value) if packed is None else _framed(*packed)
    return _LIST, encode_length(1) + encode_length(_PACKED) + encode_string(flat)


def _fits_a_node(value: List, setting: int) -> bool:
    most = _NODE_BYTES if setting >= 0 else _SIZE_CLASS << min(-setting, _LAST_CLASS)
    if len(value) > (setting if setting >= 0 else most):
        return len(value) == 1
    return len(value) == 1 or sum(map(len, value)) <= most


def _intset(value: Set, _config: Config) -> tuple[int, bytes]:
    packed = value.integers()
    if packed is None:
        return _INTSET, encode_string(write_intset(sorted(map(int, value))))
    return _INTSET, encode_string(_PACK_INTSET(packed[0], len(value)) + packed[1])


def _hash(value: Hash, _config: Config) -> tuple[int, bytes]:
    packed = value.words()
    if packed is None:
        return _HASH, encode_string(write_listpack(chain.from_iterable(value.items())))
    return _HASH, encode_string(_framed(*packed))


def _sorted_set(value: SortedSet, _config: Config) -> tuple[int, bytes]:
    texts = chain.from_iterable((member, _score(score)) for member, score in value.items())
    return _SORTED_SET, encode_string(write_listpack(texts))


def _score(score: float) -> bytes:
    if -_WHOLE_SCORE_MAX <= score <= _WHOLE_SCORE_MAX and score.is_integer():
        return b"%d" % int(score)
    return b"%.17g" % score


type_of_class(bytes).flat = {}
type_of_class(List).flat = {b"quicklist": _list}
type_of_class(Set).flat = {b"intset": _intset}
type_of_class(Hash).flat = {b"listpack": _hash}
type_of_class(SortedSet).flat = {b"listpack": _sorted_set}
type_of_class(Stream).flat = {}
check_registered("flat")


def write_intset(numbers: list[int]) -> bytes:
    """An intset of ``numbers``, which are in rising order. O(N)."""
    size = next(
        size for size in (2, 4, 8) if -(1 << 8 * size - 1) <= numbers[0] and numbers[-1] < 1 << 8 * size - 1
    )
    body = b"".join(number.to_bytes(size, "little", signed=True) for number in numbers)
    return _PACK_INTSET(size, len(numbers)) + body


def write_listpack(texts: Iterable[bytes]) -> bytes:
    """A listpack of ``texts``; texts that spell an integer are stored as integers. O(N)."""
    parts = [_integer(int(text)) if is_integer(text) else _text(text) for text in texts]
    body = b"".join(part + back_length(len(part)) for part in parts)
    return _PACK_COUNTS(len(body) + 7, min(len(parts), UNKNOWN_COUNT)) + body + b"\xff"


def _framed(words: bytes, count: int) -> bytes:
    """A listpack of ``words``, which are its elements as they stand in it."""
    return _PACK_COUNTS(len(words) + 7, min(count, UNKNOWN_COUNT)) + words + b"\xff"


def _integer(value: int) -> bytes:
    if 0 <= value < _SHORT_INTEGER:
        return bytes([value])
    if -(1 << 12) <= value < 1 << 12:
        return ((0b110 << 13) | value & 0x1FFF).to_bytes(2, "big")
    for code, size in ((0xF1, 2), (0xF2, 3), (0xF3, 4)):
        if -(1 << 8 * size - 1) <= value < 1 << 8 * size - 1:
            return bytes([code]) + value.to_bytes(size, "little", signed=True)
    return b"\xf4" + value.to_bytes(8, "little", signed=True)


def _text(text: bytes) -> bytes:
    length = len(text)
    if length < _SHORT_TEXT:
        return bytes([0x80 | length]) + text
    if length < _MIDDLE_TEXT:
        return (0xE000 | length).to_bytes(2, "big") + text
    return b"\xf0" + length.to_bytes(4, "little") + text
