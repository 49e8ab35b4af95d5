"""Keys written since the last completed fsync started. A read that touches none of them is answered without waiting.

Under ``appendfsync always`` no reply shows data that a power cut could take back. A reader with fixed key positions
(GET, HGET, LRANGE …) shows only its own keys, so it waits for an fsync only if one of them has been changed. The
journalled commands name the keys that they change, except those with the flag WHOLE_DATABASES.

For speed this compares arguments, not keys: each argument of a journalled command counts as a changed key, in any
database. A reader then sometimes waits needlessly, and is never answered too early. The arguments are collected when
a reader asks: while all clients write, commands are only appended to a list.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence


class _Commands:
    """Commands that were journalled between two fsyncs."""

    __slots__ = ("_all", "_whole_databases", "_words", "fresh")

    def __init__(self, whole_databases: Collection[bytes]) -> None:
        self._whole_databases = whole_databases
        self.fresh: list[Sequence[bytes | bytearray]] = []  # not yet added to the words
        self._words: set[bytes] = set()
        self._all = False

    def touch(self, argv: Sequence[bytes]) -> bool:
        """Whether the commands may have changed data shown by a reader with the arguments ``argv``."""
        if self.fresh:
            self._look()
        return self._all or not self._words.isdisjoint(argv)

    def _look(self) -> None:
        for argv in self.fresh:
            # A handler's own words may hold a bytearray for a value, which no set takes; keys are always bytes.
            self._words.update([word for word in argv if type(word) is bytes])
            if argv[0].lower() in self._whole_databases:
                self._all = True
        self.fresh.clear()


class Unsynced:
    """The arguments of the commands that are journalled and not yet synced.

    Args:
        whole_databases: lower-case names of the commands that change keys without naming them.

    Attributes:
        note: to be called with each journalled command.
    """

    note: Callable[[Sequence[bytes | bytearray]], None]

    def __init__(self, whole_databases: Collection[bytes]) -> None:
        self._whole_databases = whole_databases
        self._changed = self._syncing = _Commands(whole_databases)
        self.note = self._changed.fresh.append

    def begin_sync(self) -> None:
        """Begin an fsync of the file, which contains all noted commands."""
        self._syncing = self._changed
        self._changed = _Commands(self._whole_databases)
        self.note = self._changed.fresh.append

    def end_sync(self) -> None:
        """End the fsync, which has succeeded."""
        self._syncing = _Commands(self._whole_databases)

    def touches(self, argv: Sequence[bytes]) -> bool:
        """Whether a reader with the arguments ``argv`` may show unsynced data.

        O(arguments), and once O(arguments) for the commands noted since the last call.
        """
        return self._changed.touch(argv) or self._syncing.touch(argv)
