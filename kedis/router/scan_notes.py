"""What the cursors of scans under way rely on, by their marks: views of masters, and slots that may have moved.

A mark is short, so that two things may have the same: then neither is known, and the scan reads all slots, which is
always right. Notes are as few as marks; one that nobody asked for in an hour makes room for another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from kedis.router.shard_views import mark_of

_KEPT_NS = 3600 * 1_000_000_000

Noted = TypeVar("Noted")


class ScanNotes(Generic[Noted]):
    """Values by their marks. ``monotonic`` gives the time in ns."""

    def __init__(self, monotonic: Callable[[], int]) -> None:
        self._monotonic = monotonic
        self._notes: dict[int, tuple[Noted | None, int]] = {}

    def note(self, value: Noted) -> int:
        """Keep ``value``; its mark."""
        mark, now = mark_of(value), self._monotonic()
        known, asked_ns = self._notes.get(mark, (value, now))
        kept = value if known == value or now - asked_ns > _KEPT_NS else None
        self._notes[mark] = kept, now
        return mark

    def find(self, mark: int) -> Noted | None:
        """What has this mark; None where that is not known."""
        if mark not in self._notes:
            return None
        value, _ = self._notes[mark]
        self._notes[mark] = value, self._monotonic()
        return value
