"""The cursor of SCAN over many nodes: how far, which part of the scan, and what was known when it began.

From the lowest bit: 14 bits name a slot; one says that slots are read, and not nodes; nine are the mark of what the
cursor relies on (:mod:`kedis.router.scan_notes`); the other 40 are the node's own cursor. A node's cursors are below
the size of its table: one that does not fit cannot be passed on. 0 begins, and ends, as everywhere.
"""

from __future__ import annotations

from typing import NamedTuple

from kedis.router.hash_slots import SLOTS

_SLOT_BITS = 14
_MARK_BITS = 9
_LARGEST = 1 << 64
#: Marks are from 1 to this one.
LAST_MARK = (1 << _MARK_BITS) - 1


class ScanCursor(NamedTuple):
    """A cursor.

    Attributes:
        slot: the lowest slot of the node that is scanned; or the next slot that is read.
        by_slots: what nodes had of slots that moved is read, slot by slot.
        mark: of the views with which the scan began; or of the slots that are read, 0 for all.
        own: the node's own cursor.
    """

    slot: int = 0
    by_slots: bool = False
    mark: int = 0
    own: int = 0

    @property
    def number(self) -> int:
        """As clients see it. Raises ValueError where the node's own does not fit."""
        number = ((self.own << _MARK_BITS | self.mark) << 1 | self.by_slots) << _SLOT_BITS | self.slot
        if number >= _LARGEST:
            raise ValueError("a node's cursor is too large")
        return number


#: The first one, and what ends a scan.
BEGIN = ScanCursor()


def parse_cursor(word: bytes) -> ScanCursor:
    """The cursor that a client has sent. Raises ValueError for what is none."""
    if not word.isdigit() or int(word) >= _LARGEST:
        raise ValueError("invalid cursor")
    number = int(word)
    rest = number >> _SLOT_BITS
    return ScanCursor(number % SLOTS, bool(rest & 1), rest >> 1 & LAST_MARK, rest >> 1 + _MARK_BITS)
