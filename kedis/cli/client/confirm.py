"""Dangerous commands, which are confirmed before they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

MANY_KEYS = 10_000


def question(words: Sequence[bytes], count_keys: Callable[[], int]) -> str | None:
    """The warning to confirm before the command runs, or None.

    `count_keys` returns the number of keys of the database; it is called only where the answer depends on it.
    """
    name = words[0].upper()
    child = words[1].upper() if len(words) > 1 else b""
    if name in (b"FLUSHALL", b"FLUSHDB"):
        return _flush(name, count_keys())
    if name == b"SHUTDOWN" and child != b"ABORT":
        return "SHUTDOWN stops the server for all clients."
    if name == b"KEYS":
        keys = count_keys()
        if keys > MANY_KEYS:
            return f"KEYS looks at all {keys:,} keys while no other client is served; SCAN does not."
        return None
    if name == b"DEBUG" and child not in (b"OBJECT", b"HELP", b"JMAP", b"DIGEST-VALUE"):
        return f"DEBUG {child.decode('ascii', 'replace')} is meant for developers of the server."
    if name in (b"REPLICAOF", b"SLAVEOF") and child != b"NO":
        return f"{name.decode()} deletes this server's data and copies another's."
    if name == b"SWAPDB":
        return "SWAPDB changes two databases under all clients."
    return None


def _flush(name: bytes, keys: int) -> str:
    if name == b"FLUSHALL":
        return f"FLUSHALL deletes every key of every database ({keys:,} in this one)."
    return f"FLUSHDB deletes the {keys:,} keys of this database."
