"""The memory footprint of objects, in bytes, computed without asking the allocator.

CPython's small-object allocator hands out multiples of 16 bytes, and so does malloc; a bytes object is its bytes
and 33 more. So a bytes object occupies ``len(x) + 48 & -16``, or ``(len(x) & -16) + BYTES``, where the constants of
several can be added up. The structures and :mod:`kedis.store.account` inline these sums, since a call costs three times
the sum; all other code calls :func:`bytes_footprint`.

Containers keep their ``footprint`` in step with every change, in O(1): the sum over their elements
(``elements_bytes``, where it is kept separately) and the structure around them. ``accounted_bytes`` is the footprint
that the account of the keyspace holds for a container: see :mod:`kedis.store.account`.

Simplified: strings of at most one byte, of which CPython keeps one copy for all, count like others; so do objects
that two values share after COPY or SUNIONSTORE. Both make the count too high, never too low.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from kedis.structures import COMPILED

#: Bytes of a bytes object beside its content, rounded.
BYTES = 48
#: An entry of a large dict: a table takes 30 bytes an entry when it is full and 60 after it has doubled at once.  The
#: mean keeps the account smooth; at worst, 16-byte keys with 32-byte values in one database, it is 8 percent off.
DICT_ENTRY = 43
#: A key in a scan index: its slot in a bucket, and a share of the bucket.
INDEX_ENTRY = 14
#: A key and its number in the numbers of keys; in Python an entry of a dict, one of the index, and an integer.
NUMBER_ENTRY = 22 if COMPILED else DICT_ENTRY + INDEX_ENTRY + 32
#: Bytes of a buffer beside its ``__sizeof__``: the garbage collector's header, rounding.
BUFFER = 24
#: Bytes of a container beside its ``__sizeof__``: the collector's header, the number ``elements_bytes``, rounding.
CONTAINER = 64


def bytes_footprint(value: bytes) -> int:
    """Bytes of main memory that one bytes object occupies."""
    return len(value) + 48 & -16


def bytes_footprints(values: Iterable[bytes]) -> int:
    """Bytes of main memory that all ``values`` occupy. O(N), 40 ns each."""
    return sum([len(value) + 48 & -16 for value in values])


def bypass(container: object, *_arguments: object) -> NoReturn:
    """Stand in a container's class for an inherited mutator that would bypass its account: raises TypeError."""
    raise TypeError(
        f"{type(container).__name__} is changed by its own methods only: they keep its account of memory"
    )


def forbid(kind: type, *names: str) -> None:
    """Make the mutators ``names``, inherited by ``kind``, raise TypeError."""
    for name in names:
        setattr(kind, name, bypass)
