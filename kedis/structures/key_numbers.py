"""A number for each of many keys: times to live, and the notes of accesses for eviction.

A dict would do, but for its memory: 52 bytes for its entry and 32 for the number as an object, which besides stands
among keys and values and keeps their memory from being given back. And it offers neither a position for resuming an
iteration nor a fair random key. So this is a scan index (:mod:`kedis.structures.scan_index`) that holds a number
beside each key.

key_numbers.pyx is this structure in C, where a number takes its 8 bytes and the key 9: 26 with what is free. Here it is
the index and a dict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar, overload

from kedis.structures.scan_index import ScanIndex

Default = TypeVar("Default")


class KeyNumbers(ScanIndex):
    """A mapping of bytes keys to integers of 64 bits with sign. All is O(1) expected unless it says otherwise.

    A key is kept as the object that was given when it was new.
    """

    __slots__ = ("_numbers",)

    _numbers: dict[bytes, int]

    def _fill(self, keys: list[bytes]) -> None:
        super()._fill(keys)
        self._numbers = dict.fromkeys(keys, 0)

    def __contains__(self, key: bytes) -> bool:
        return key in self._numbers

    def __getitem__(self, key: bytes) -> int:
        return self._numbers[key]

    def __setitem__(self, key: bytes, number: int) -> None:
        if key not in self._numbers:
            super().add(key)
        self._numbers[key] = number

    def __delitem__(self, key: bytes) -> None:
        del self._numbers[key]
        super().discard(key)

    @overload
    def get(self, key: bytes) -> int | None: ...
    @overload
    def get(self, key: bytes, default: Default) -> int | Default: ...
    def get(self, key: bytes, default: Default | None = None) -> int | Default | None:
        """The number of ``key``, or ``default``."""
        return self._numbers.get(key, default)

    def keys(self) -> Iterator[bytes]:
        """All keys, in no particular order; nothing may change meanwhile. O(N)."""
        return iter(self)

    def items(self) -> Iterable[tuple[bytes, int]]:
        """All keys with their numbers, as :meth:`keys`. O(N)."""
        return ((key, self._numbers[key]) for key in self)

    def add(self, key: bytes) -> None:
        """Add ``key``, which must not be present, with a number of 0."""
        self[key] = 0

    def discard(self, key: bytes) -> None:
        """Remove ``key``, which must be present (ValueError otherwise)."""
        if key not in self._numbers:
            raise ValueError("the key is not in the index")
        del self[key]

    def exchange(self, key: bytes) -> None:
        """Hold `key` in place of the equal object that is there; nothing where there is none. O(1) expected."""
        if key in self._numbers:
            self._numbers[key] = self._numbers.pop(key)
            super().exchange(key)

    def free_in_steps(self, piece: int) -> Iterator[None]:
        """Remove all; yields after every ``piece`` buckets. O(N)."""
        self._numbers = {}
        return super().free_in_steps(piece)

    def _check(self) -> None:
        super()._check()
        assert set(self._numbers) == set(self)
