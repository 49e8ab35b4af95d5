"""The types of values, one row each: all facts about a type, its commands excepted.

A value is a plain Python object, and its class determines its type. Code that depends on the type of a value calls
:func:`type_of` for the row and never tests the class, so a new type is one structure and one row, and the functions
that the packages above register in the row: :mod:`kedis.rdb` the writer and reader of a value,
:mod:`kedis.persistence.aof_base` the commands that create it. A missing function raises :class:`MissingFunction`, at
the latest when it is used; :func:`check_registered` finds it at the start.

The interface of a structure, ``bytes`` excepted, is :class:`Container`: its length, a copy, its memory footprint, a
self-check, and freeing itself in steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kedis.config import Config
from kedis.store.mixing import ZERO, add, mix, number
from kedis.structures.packed import Hash, List, Set, SortedSet
from kedis.structures.packing import is_integer
from kedis.structures.stream import Stream
from kedis.structures.stream_columns import interleaved
from kedis.structures.stream_id import HALF_MAX, ID_MAX, SEQUENCE_BITS
from kedis.structures.strings import Buffer, FloatText


class Container(Protocol):
    """The interface of a value that is not plain ``bytes``, for the keyspace.

    Attributes:
        accounted_bytes: bytes that the memory account holds for it, initially 0; written by the account.
    """

    accounted_bytes: int

    @property
    def footprint(self) -> int:
        """Bytes of main memory that it occupies now. O(1), because it is called after every change."""

    def __len__(self) -> int:
        """Number of elements; an empty container is removed from the keyspace."""

    def copy(self) -> Any:
        """An independent copy with an ``accounted_bytes`` of 0."""

    def _check(self) -> None:
        """Assert every invariant; for tests."""


Value = bytes | Container


class MissingFunction(TypeError):
    """A package above has not registered a function of a type."""


class RdbForm(Protocol):
    """The form in which values of a type are written in Redis's format for snapshots and DUMP."""

    def encode(self, value: Any, compressed: bool) -> tuple[int, bytes]:
        """The number of the form, and the bytes."""

    def encode_parts(self, value: Any) -> tuple[int, list[bytes]]:
        """The same without compression, in parts that fit into the processor's cache."""


#: Writes a small value in one flat piece for DUMP, by the configuration; returns None where Redis would not.
FlatWriter = Callable[[Any, Any], tuple[int, bytes] | None]
#: Returns the commands that create a value at a key.
BaseCommands = Callable[[bytes, Any], Iterator[Sequence[bytes]]]


@dataclass(frozen=True, slots=True)
class PackingSettings:
    """The settings with the packing thresholds of a type (:mod:`kedis.structures.packing`).

    Attributes:
        names: of the settings.
        read: returns the most entries, and the most bytes of an element, for a configuration.
    """

    names: tuple[str, ...]
    read: Callable[[Config], tuple[int, int]]


class ValueType:
    """The row of a type.

    Attributes:
        name: as TYPE replies.
        classes: the classes of its values; commands create the first.
        encoding: the name of a value's representation, as OBJECT ENCODING replies. O(1).
        digest: a digest with a value mixed in (:mod:`kedis.store.digest`).
        serialized_length: approximate bytes of a value in a dump, as DEBUG OBJECT replies.
        contents: a value as plain Python: its own elements, not a copy. Two values of a type are the same when
            these are equal.
        plain: the built-in class that makes a copy of the contents.
        copy: an independent copy of a value.
        free_in_steps: empties a large unreferenced value; yields after every piece of elements. None: free at once.
        packing: the settings of a type that has a packed representation.
        references: how many references Redis would count.
        rdb, flat, aof_commands: what the packages above register.
    """

    __slots__ = (
        "_aof_commands",
        "_flat",
        "_rdb",
        "classes",
        "contents",
        "copy",
        "digest",
        "encoding",
        "free_in_steps",
        "name",
        "packing",
        "plain",
        "references",
        "serialized_length",
    )

    def __init__(
        self,
        name: bytes,
        *classes: type,
        encoding: Callable[[Any], bytes],
        digest: Callable[[bytes, Any], bytes],
        serialized_length: Callable[[Any], int],
        contents: Callable[[Any], Any],
        plain: Callable[[Any], Any],
        copy: Callable[[Any], Any],
        free_in_steps: Callable[[Any, int], Iterator[None]] | None,
        packing: PackingSettings | None = None,
        references: Callable[[Any], int] = lambda value: 1,
    ) -> None:
        self.name = name
        self.classes = classes
        self.encoding = encoding
        self.digest = digest
        self.serialized_length = serialized_length
        self.contents = contents
        self.plain = plain
        self.copy = copy
        self.free_in_steps = free_in_steps
        self.packing = packing
        self.references = references
        self._rdb: RdbForm | None = None
        self._flat: Mapping[bytes, FlatWriter] | None = None
        self._aof_commands: BaseCommands | None = None

    # -- functions registered by the packages above --------------------------------------------------------

    @property
    def rdb(self) -> RdbForm:
        """Registered by :mod:`kedis.rdb.value_forms`."""
        if self._rdb is None:
            raise self._missing("rdb")
        return self._rdb

    @rdb.setter
    def rdb(self, form: RdbForm) -> None:
        self._rdb = form

    @property
    def flat(self) -> Mapping[bytes, FlatWriter]:
        """Registered by :mod:`kedis.rdb.flat`; empty for a type that Redis never writes flat."""
        if self._flat is None:
            raise self._missing("flat")
        return self._flat

    @flat.setter
    def flat(self, writers: Mapping[bytes, FlatWriter]) -> None:
        self._flat = writers

    @property
    def aof_commands(self) -> BaseCommands:
        """Registered by :mod:`kedis.persistence.aof_base`."""
        if self._aof_commands is None:
            raise self._missing("aof_commands")
        return self._aof_commands

    @aof_commands.setter
    def aof_commands(self, commands: BaseCommands) -> None:
        self._aof_commands = commands

    def _missing(self, name: str) -> MissingFunction:
        return MissingFunction(f"nothing is registered as {name} of the type {self.name.decode()}")


_BY_CLASS: dict[type, ValueType] = {}
#: The rows, in the order in which they were added.
TYPES: list[ValueType] = []


def add_type(row: ValueType) -> None:
    """Add a type; to be called before there is a keyspace."""
    for kind in row.classes:
        assert kind not in _BY_CLASS, f"{kind.__name__} has a row"
        _BY_CLASS[kind] = row
    TYPES.append(row)


def remove_type(row: ValueType) -> None:
    """Undo :func:`add_type`; no keyspace may hold a value of the type."""
    for kind in row.classes:
        del _BY_CLASS[kind]
    TYPES.remove(row)


def type_of(value: Any) -> ValueType:
    """The row of a value's type. O(1); KeyError for an object that is not a value."""
    return _BY_CLASS[type(value)]


def type_of_class(kind: type) -> ValueType:
    """The row of the type whose values are of class ``kind``."""
    return _BY_CLASS[kind]


#: Bytes of a text above which it is a block of malloc's.
LARGEST_IN_POOLS = 512 - 33
#: The account of a packed collection that is worth a copy.
_LARGEST_PACKED = 1024


def small_twin(value: Any, copied: Callable[[bytes], bytes]) -> Any:
    """An equal value in objects of its own, made with ``copied`` where it is a text; ``value`` itself if it is large.

    Texts of up to four bytes may be shared: those of a single byte, and small integers.
    """
    if type(value) is bytes:
        return copied(value) if 4 < len(value) <= LARGEST_IN_POOLS else value
    packed: object = getattr(value, "packed", None)
    if packed is None or value.accounted_bytes > _LARGEST_PACKED:
        return value
    return type_of(value).copy(value)


def is_value(thing: Any) -> bool:
    """Whether ``thing`` is a value of a registered type."""
    return type(thing) in _BY_CLASS


def check_registered(*names: str) -> None:
    """Raise MissingFunction unless all of ``names`` are registered for every type."""
    for row in TYPES:
        for name in names:
            getattr(row, name)


# -- strings ----------------------------------------------------------------------------------------------

#: Maximum length of a string that Redis stores in one piece with its header.
_EMBEDDED_MAX = 44
#: Integers from 0 to 9999 are one shared object each.
_SHARED_DIGITS = 4
_STRING, _LIST, _SET, _SORTED_SET, _HASH = map(number, range(5))
_STREAM = number(6)


def _string_encoding(value: bytes | bytearray) -> bytes:
    if type(value) is not bytes:
        return b"embstr" if type(value) is FloatText else b"raw"
    if is_integer(value):
        return b"int"
    return b"embstr" if len(value) <= _EMBEDDED_MAX else b"raw"


def _string_references(value: bytes | bytearray) -> int:
    """Number of references: 1, or unlimited for a small integer, which Redis shares."""
    shared = _string_encoding(value) == b"int" and value.isdigit() and len(value) <= _SHARED_DIGITS
    return 2**31 - 1 if shared else 1


def _itself(value: Any) -> Any:
    return value


add_type(
    ValueType(
        b"string",
        bytes,
        Buffer,
        FloatText,
        encoding=_string_encoding,
        digest=lambda digest, value: mix(digest, _STRING, value),
        serialized_length=lambda value: len(value) + 1,
        contents=_itself,
        plain=bytes,
        copy=lambda value: value if type(value) is bytes else value.copy(),
        free_in_steps=None,
        references=_string_references,
    )
)

# -- containers -------------------------------------------------------------------------------------------


def _encoding(packed: bytes, full: bytes) -> Callable[[Any], bytes]:
    """A function that names the representation of a container: ``packed`` or ``full``."""
    return lambda value: full if value.packed is None else packed


def _texts_length(value: Iterable[bytes]) -> int:
    """Length of the texts, with one byte for the length of each."""
    return sum([len(text) + 1 for text in value])


def _hash_digest(digest: bytes, value: Hash) -> bytes:
    return add(mix(digest, _HASH), (mix(ZERO, field, text) for field, text in value.items()))


def _sorted_set_digest(digest: bytes, value: SortedSet) -> bytes:
    pairs = (mix(ZERO, member, b"%.17g" % score) for member, score in value.scores.items())
    return add(mix(digest, _SORTED_SET), pairs)


add_type(
    ValueType(
        b"list",
        List,
        encoding=lambda value: b"quicklist",
        digest=lambda digest, value: mix(digest, _LIST, *value),
        serialized_length=_texts_length,
        contents=_itself,
        plain=list,
        copy=List.copy,
        free_in_steps=List.free_in_steps,
    )
)
add_type(
    ValueType(
        b"set",
        Set,
        encoding=_encoding(b"intset", b"hashtable"),
        digest=lambda digest, value: add(mix(digest, _SET), value),
        serialized_length=_texts_length,
        contents=Set.as_set,
        plain=set,
        copy=Set.copy,
        free_in_steps=Set.free_in_steps,
        packing=PackingSettings(
            ("set-max-intset-entries",), lambda config: (config.set_max_intset_entries, 0)
        ),
    )
)
add_type(
    ValueType(
        b"zset",
        SortedSet,
        encoding=_encoding(b"listpack", b"skiplist"),
        digest=_sorted_set_digest,
        serialized_length=lambda value: _texts_length(value) + 8 * len(value),
        contents=lambda value: value.scores,
        plain=dict,
        copy=SortedSet.copy,
        free_in_steps=SortedSet.free_in_steps,
        packing=PackingSettings(
            ("zset-max-listpack-entries", "zset-max-listpack-value"),
            lambda config: (config.zset_max_listpack_entries, config.zset_max_listpack_value),
        ),
    )
)
add_type(
    ValueType(
        b"hash",
        Hash,
        encoding=_encoding(b"listpack", b"hashtable"),
        digest=_hash_digest,
        serialized_length=lambda value: _texts_length(value) + _texts_length(value.values()),
        contents=Hash.as_dict,
        plain=dict,
        copy=Hash.copy,
        free_in_steps=Hash.free_in_steps,
        packing=PackingSettings(
            ("hash-max-listpack-entries", "hash-max-listpack-value"),
            lambda config: (config.hash_max_listpack_entries, config.hash_max_listpack_value),
        ),
    )
)


def _stream_digest(digest: bytes, value: Stream) -> bytes:
    digest = mix(digest, _STREAM)
    for segment in value.read(0, ID_MAX):
        for stream_id, row in zip(segment.ids(), segment.rows(), strict=True):
            name = b"%d.%d" % (stream_id >> SEQUENCE_BITS, stream_id & HALF_MAX)
            digest = mix(digest, name, *interleaved(segment.fields, row))
    return digest


add_type(
    ValueType(
        b"stream",
        Stream,
        encoding=lambda value: b"stream",
        digest=_stream_digest,
        serialized_length=lambda value: sum([block.size for block in value.blocks.values()]),
        contents=_itself,
        plain=Stream.copy,
        copy=Stream.copy,
        free_in_steps=Stream.free_in_steps,
    )
)
