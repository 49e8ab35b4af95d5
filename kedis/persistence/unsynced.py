"""Which keys a reader must not be told of yet, because what became of them is not synced.

Under ``appendfsync always`` nobody is shown what a power cut could take back.  A reader that names its keys (GET, HGET,
LRANGE …) shows nothing else, and needs to wait for a sync only if one of them has been changed since the last sync that
has ended began.  What is journalled tells which were changed: every command names the keys that it changes, but for a
few that change whole databases.

To be quick this looks at words, not at keys: each word of what was journalled counts as a key that was changed, in any
database.  A reader then waits now and then though it need not, and never answers though it should wait.  And it looks
only when a reader asks: where all write, commands are put on a list and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

#: Commands of the journal that change keys which they do not name.
_WHOLE_DATABASES = frozenset([b"flushall", b"flushdb", b"swapdb"])


class _Commands:
    """Commands that were journalled between two syncs."""

    __slots__ = ("_all", "_words", "fresh")

    def __init__(self) -> None:
        self.fresh: list[Sequence[bytes | bytearray]] = []  # not looked at yet
        self._words: set[bytes] = set()
        self._all = False

    def touch(self, argv: Sequence[bytes]) -> bool:
        """Whether they may have changed what a reader of the words ``argv`` shows."""
        if self.fresh:
            self._look()
        return self._all or not self._words.isdisjoint(argv)

    def _look(self) -> None:
        for argv in self.fresh:
            # A handler's own words may hold a bytearray for a value, which no set takes; keys are always bytes.
            self._words.update([word for word in argv if type(word) is bytes])
            if argv[0].lower() in _WHOLE_DATABASES:
                self._all = True
        self.fresh.clear()


class Unsynced:
    """The words of what was journalled and is not synced yet.

    Attributes:
        note: to be called with the words of each command that is journalled.
    """

    note: Callable[[Sequence[bytes | bytearray]], None]

    def __init__(self) -> None:
        self._changed = self._syncing = _Commands()
        self.note = self._changed.fresh.append

    def begin_sync(self) -> None:
        """All that was noted is in the file, and a sync of it begins."""
        self._syncing = self._changed
        self._changed = _Commands()
        self.note = self._changed.fresh.append

    def end_sync(self) -> None:
        """The sync has ended well."""
        self._syncing = _Commands()

    def touches(self, argv: Sequence[bytes]) -> bool:
        """Whether a reader of the words ``argv`` may show something that is not synced.

        O(words), and once O(words) for what was noted since somebody last asked.
        """
        return self._changed.touch(argv) or self._syncing.touch(argv)
