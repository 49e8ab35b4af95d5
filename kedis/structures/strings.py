"""The second and third class of a string's value; the first and by far the most frequent is plain ``bytes``.

=============  ====================================================  =======================================
class          holds                                                 in Redis
=============  ====================================================  =======================================
``bytes``      a string that was set as a whole                      int, embstr or raw by its content
``Buffer``     a string changed in place, so that it grows cheaply   raw
``FloatText``  an integer computed by INCRBYFLOAT                    embstr, where SET of it makes an int
=============  ====================================================  =======================================

All methods of ``bytearray`` may change a ``Buffer``: its footprint is computed from the object itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import SupportsIndex

from kedis.structures.footprint import BUFFER


class Buffer(bytearray):
    """A string that can be changed in place."""

    __slots__ = ("accounted_bytes",)

    accounted_bytes: int  # the footprint in the account of the keyspace

    def __init__(self, content: bytes | bytearray | memoryview | Iterable[SupportsIndex] | int = b"") -> None:
        """Build from bytes, or from a number of zero bytes. O(N)."""
        super().__init__(content)
        self.accounted_bytes = 0

    @property
    def footprint(self) -> int:
        """Bytes of main memory that the string occupies. O(1)."""
        return self.__sizeof__() + BUFFER

    def copy(self) -> Buffer:
        """A copy of the same class; bytearray's own would be plain. O(N)."""
        return type(self)(self)

    def _check(self) -> None:
        """Assert every invariant: there is none beside bytearray's own."""


class FloatText(Buffer):
    """An integer in the spelling of a float's sum. Not changed in place: a change first makes it a ``Buffer``."""

    __slots__ = ()
