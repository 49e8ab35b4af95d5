"""Bytes that elements take in a listpack, Redis's packed list.

An element is a code with its content, followed by the length of both, in groups of seven bits.  Texts that spell a
64-bit integer canonically are kept as integers.

==========================  ======================
element                     bytes before the length
==========================  ======================
0 to 127                    1
of 13 bits, signed          2
of 16, 24, 32, 64 bits      3, 4, 5, 9
text below 64 bytes         1 and the text
below 4096                  2 and the text
longer                      5 and the text
==========================  ======================
"""

from __future__ import annotations

from collections.abc import Iterable

from kedis.structures.packing import is_integer

#: The header (total size and number of elements) and the end mark.
FRAME = 7
#: Redis makes no listpack of a stream larger than this.
LISTPACK_MAX = 1 << 30
#: Texts below this length take their length and the first at most; longer ones the second.
SHORT_TEXT, MOST_AROUND_SHORT_TEXT, MOST_AROUND_LONG_TEXT = 64, 2, 10
_LONGEST_INTEGER = 20
_DASH = b"-"


def integer_size(value: int) -> int:
    """Bytes of an integer element, which has 64 bits at most. O(1)."""
    if 0 <= value < 128:
        return 2
    magnitude = value if value >= 0 else ~value
    if magnitude < 1 << 12:
        return 3
    if magnitude < 1 << 15:
        return 4
    if magnitude < 1 << 23:
        return 5
    return 6 if magnitude < 1 << 31 else 10


def element_size(text: bytes) -> int:
    """Bytes of an element, text or integer. O(1)."""
    length = len(text)
    if length <= _LONGEST_INTEGER and (text.isdigit() or text[:1] == _DASH) and is_integer(text):
        return integer_size(int(text))
    if length < SHORT_TEXT:
        return length + MOST_AROUND_SHORT_TEXT
    size = length + (2 if length < 4096 else 5)
    # The bounds of the lengths of the length, as Redis has them: one less than what fits, but for the first.
    return size + 1 + (size > 127) + (size >= 16383) + (size >= 2097151) + (size >= 268435455)


def elements_size(texts: Iterable[bytes]) -> int:
    """Bytes of several elements. O(texts)."""
    size = 0
    for text in texts:
        size += element_size(text)
    return size
