"""Which words of a command nobody else may see: passwords are blanked in the slow log and in MONITOR."""

from __future__ import annotations

from collections.abc import Sequence

#: What stands in their place.
REDACTED = b"(redacted)"
_SECRET_SETTINGS = frozenset(
    [b"requirepass", b"masterauth", b"masteruser", b"tls-key-file-pass", b"tls-client-key-file-pass"]
)


def secret_positions(command: str, argv: Sequence[bytes]) -> Sequence[int]:
    """Positions of the secrets in a call of ``command``; they may lie beyond the end.  O(words)."""
    if command == "auth":
        return range(1, len(argv))
    if command == "config|set":
        return [at + 1 for at in range(2, len(argv), 2) if argv[at].lower() in _SECRET_SETTINGS]
    if command == "hello":
        at = next((at for at, word in enumerate(argv) if at > 1 and word.upper() == b"AUTH"), len(argv))
        return at + 1, at + 2
    if command == "migrate":
        return _passwords_of_migrate(argv)
    return ()


def _passwords_of_migrate(argv: Sequence[bytes]) -> list[int]:
    positions: list[int] = []
    at = 6
    while at < len(argv) and (word := argv[at].lower()) != b"keys":
        count = {b"auth": 1, b"auth2": 2}.get(word, 0)
        positions += range(at + 1, at + 1 + count)
        at += 1 + count
    return positions
