"""Which keys a reader must not be told of yet, because what became of them is not synced.

Under ``appendfsync always`` nobody is shown what a power cut could take back.  A reader that names its keys (GET, HGET,
LRANGE …) shows nothing else, and needs to wait for a sync only if one of them has been changed since the last sync that
has ended began.  What is journalled tells which were changed: every command names the keys that it changes, but for a
few that change whole databases.

To be quick this looks at words, not at keys: each word of what was journalled counts as a key that was changed, in any
database.  A reader then waits now and then though it need not, and never answers though it should wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

#: Commands of the journal that change keys which they do not name.
_WHOLE_DATABASES = frozenset([b"flushall", b"flushdb", b"swapdb"])


class Unsynced:
    """The words of what was journalled and is not synced yet."""

    def __init__(self) -> None:
        self._changed: set[bytes] = set()
        self._syncing: set[bytes] = set()
        self._all_changed = False
        self._all_syncing = False

    def note(self, argv: Sequence[bytes | bytearray]) -> None:
        """``argv`` was journalled.  O(words)."""
        # A handler's own words may hold a bytearray for a value, which no set takes; keys are always bytes.
        self._changed.update(argv if type(argv) is list else _only_bytes(argv))
        if argv[0].lower() in _WHOLE_DATABASES:
            self._all_changed = True

    def begin_sync(self) -> None:
        """All that was noted is in the file, and a sync of it begins."""
        self._syncing, self._changed = self._changed, set()
        self._all_syncing, self._all_changed = self._all_changed, False

    def end_sync(self) -> None:
        """The sync has ended well."""
        self._syncing = set()
        self._all_syncing = False

    def touches(self, argv: Sequence[bytes]) -> bool:
        """Whether a reader of the words ``argv`` may show something that is not synced.  O(words)."""
        return (
            self._all_changed
            or self._all_syncing
            or not self._changed.isdisjoint(argv)
            or not self._syncing.isdisjoint(argv)
        )


def _only_bytes(words: Iterable[bytes | bytearray]) -> list[bytes]:
    return [word for word in words if type(word) is bytes]
