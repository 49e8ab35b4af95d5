"""The second and third class of a string's value; the first and by far the most frequent is plain ``bytes``.

=============  ====================================================  =======================================
class          holds                                                 in Redis
=============  ====================================================  =======================================
``bytes``      what was set as a whole                               int, embstr or raw by its content
``bytearray``  what was changed in place, so that it grows cheaply   raw
``FloatText``  a whole number that INCRBYFLOAT has come to           embstr, where SET of it makes an int
=============  ====================================================  =======================================
"""

from __future__ import annotations


class FloatText(bytearray):
    """An integer in the spelling of a float's sum.  It is not changed in place: who wants to makes a ``bytearray``."""

    __slots__ = ()

    def copy(self) -> FloatText:
        """An equal one; bytearray's own would be plain. O(N)."""
        return FloatText(self)
